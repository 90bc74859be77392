from pycompss.api.dummy._decorator import Dummy

Decaf = decaf = Dummy

__all__ = ["Decaf", "decaf"]
