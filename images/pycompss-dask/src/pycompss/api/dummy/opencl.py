from pycompss.api.dummy._decorator import Dummy

OpenCL = opencl = Dummy

__all__ = ["OpenCL", "opencl"]
