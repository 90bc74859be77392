"""Directions and types, as with a runtime."""

from pycompss.api import parameter as _parameter

__all__ = _parameter.__all__

globals().update({name: getattr(_parameter, name) for name in __all__})
