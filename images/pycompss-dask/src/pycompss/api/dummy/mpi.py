from pycompss.api.dummy._decorator import Dummy

Mpi = mpi = Dummy

__all__ = ["Mpi", "mpi"]
