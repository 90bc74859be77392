from pycompss.api.dummy._decorator import Dummy

COMPSs = compss = Dummy

__all__ = ["COMPSs", "compss"]
