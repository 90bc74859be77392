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


class TYPE:
    """The numbers of the types."""


for _number, _name in enumerate(
    (
        *("BOOLEAN", "CHAR", "BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "STRING", "FILE", "OBJECT", "PSCO"),
        *("EXTERNAL_PSCO", "BINDING_OBJECT", "WCHAR", "WSTRING", "LONGLONG", "VOID", "ANY", "ARRAY_CHAR", "ARRAY_BYTE"),
        *("ARRAY_SHORT", "ARRAY_INT", "ARRAY_LONG", "ARRAY_FLOAT", "ARRAY_DOUBLE", "COLLECTION", "STREAM"),
        *("EXTERNAL_STREAM", "ENUM", "NULL"),
    )
):
    setattr(TYPE, _name, _number)


class IOSTREAM:
    """The numbers of the standard streams."""

    STDIN, STDOUT, STDERR, UNSPECIFIED = range(4)


STDIN, STDOUT, STDERR = range(len(STREAMS))

__all__ = [
    "DIRECTION",
    "IOSTREAM",
    "STDERR",
    "STDIN",
    "STDOUT",
    "Cache",
    "Depth",
    "Direction",
    "Keep_rename",
    "Prefix",
    "TYPE",
    "StdIOStream",
    "Type",
    "Weight",
    *TABLE,
]
