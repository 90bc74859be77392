from pycompss.api.dummy._decorator import Dummy

Container = container = Dummy

__all__ = ["Container", "container"]
