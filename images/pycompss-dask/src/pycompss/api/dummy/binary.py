from pycompss.api.dummy._decorator import Dummy

Binary = binary = Dummy

__all__ = ["Binary", "binary"]
