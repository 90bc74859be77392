from pycompss.api.dummy._decorator import Dummy

Implement = implement = Dummy

__all__ = ["Implement", "implement"]
