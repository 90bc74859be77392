from pycompss.api.dummy._decorator import Dummy

Local = local = Dummy

__all__ = ["Local", "local"]
