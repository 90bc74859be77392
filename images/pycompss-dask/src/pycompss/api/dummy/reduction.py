from pycompss.api.dummy._decorator import Dummy

Reduction = reduction = Dummy

__all__ = ["Reduction", "reduction"]
