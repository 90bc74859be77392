from typing import TYPE_CHECKING, Any

import pycompss_dask.api as _engine

__all__ = [name for name in _engine.__all__ if name != "COMPSsException"]

globals().update({name: getattr(_engine, name) for name in __all__})

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What ``__all__`` names: type checkers see no updates of globals()."""
