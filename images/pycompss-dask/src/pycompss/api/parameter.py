"""Directions and types of parameters."""

from typing import TYPE_CHECKING, Any

from pycompss_dask.parameters import (
    CACHE as Cache,
)
from pycompss_dask.parameters import (
    DEPTH as Depth,
)
from pycompss_dask.parameters import (
    DIRECTION as Direction,
)
from pycompss_dask.parameters import (
    DIRECTIONS,
    STREAMS,
    TABLE,
)
from pycompss_dask.parameters import (
    KEEP_RENAME as Keep_rename,
)
from pycompss_dask.parameters import (
    PREFIX as Prefix,
)
from pycompss_dask.parameters import (
    STREAM as StdIOStream,
)
from pycompss_dask.parameters import (
    TYPE as Type,
)
from pycompss_dask.parameters import (
    WEIGHT as Weight,
)

globals().update(TABLE)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What TABLE has: type checkers see no updates of globals()."""


class DIRECTION:
    """The numbers of the directions."""


for _number, _name in enumerate(DIRECTIONS):
    setattr(DIRECTION, _name, _number)

STDIN, STDOUT, STDERR = range(len(STREAMS))

__all__ = [
    "DIRECTION",
    "STDERR",
    "STDIN",
    "STDOUT",
    "Cache",
    "Depth",
    "Direction",
    "Keep_rename",
    "Prefix",
    "StdIOStream",
    "Type",
    "Weight",
    *TABLE,
]
