from pycompss.api.dummy._decorator import Dummy

Constraint = constraint = Dummy

__all__ = ["Constraint", "constraint"]
