from pycompss.api.dummy._decorator import Dummy

OnFailure = on_failure = Dummy

__all__ = ["OnFailure", "on_failure"]
