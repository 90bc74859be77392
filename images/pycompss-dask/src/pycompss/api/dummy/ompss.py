from pycompss.api.dummy._decorator import Dummy

OmpSs = ompss = Dummy

__all__ = ["OmpSs", "ompss"]
