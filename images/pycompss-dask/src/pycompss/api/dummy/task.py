from pycompss.api.dummy._decorator import Dummy

Task = task = Dummy

__all__ = ["Task", "task"]
