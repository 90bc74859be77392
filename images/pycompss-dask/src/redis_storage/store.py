"""Objects in Redis: each has one value and its version, and changes from one to the next at once."""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from pycompss_dask.wire import Pickled, out_of_band

# Bytes of a value that lie beside its version. The rest has blocks of its own, which do not pass through a script.
INLINE = 64 * 1024
# Bytes of a block at most; Redis takes 512 MiB.
BLOCK = 256 * 1024 * 1024
# Seconds after which the blocks of a write that never ended go.
ABANDONED = 3600

# A record is the object's version, the token and the number of its blocks, the sizes of the value's parts, and behind a
# line break the first of them: "3 1f0c 2 120,9000000,70000000\n…".
HEADER = """
local version, token, blocks = string.match(redis.call('GETRANGE', KEYS[1], 0, 63), '^(%d+) (%w+) (%d+) ')
version, blocks = tonumber(version or '0'), tonumber(blocks or '0')
"""

# KEYS: the object. ARGV: its version before (0: it is new), token and number of the new blocks, and the new record from
# there on. Gives the new version; else the version that the object has, below zero and one less.
WRITE = f"""{HEADER}
if version ~= tonumber(ARGV[1]) then return -version - 1 end
for n = 1, tonumber(ARGV[3]) do
  if redis.call('PERSIST', KEYS[1] .. ':' .. ARGV[2] .. ':' .. n) == 0 then
    return redis.error_reply('the blocks of the value are gone: writing took too long')
  end
end
redis.call('SET', KEYS[1], (version + 1) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
for n = 1, blocks do redis.call('UNLINK', KEYS[1] .. ':' .. token .. ':' .. n) end
return version + 1
"""

# KEYS: the object.
DELETE = f"""{HEADER}
for n = 1, blocks do redis.call('UNLINK', KEYS[1] .. ':' .. token .. ':' .. n) end
return redis.call('UNLINK', KEYS[1])
"""


class StorageException(Exception):
    """The store cannot do what it is asked for."""


@dataclass(frozen=True)
class Value:
    """A pickled value: its stream and its large buffers, in this order."""

    parts: tuple[Any, ...]

    @classmethod
    def of(cls, value: Any) -> Value:
        given = out_of_band(value)
        return cls((given.head, *given.buffers))

    @property
    def sizes(self) -> list[int]:
        """Bytes of each part."""
        return [memoryview(part).nbytes for part in self.parts]

    def split(self) -> tuple[bytes, tuple[Any, ...]]:
        """The first parts, as many as lie beside the version, and the others."""
        room, count = INLINE, 0
        for size in self.sizes:
            room -= size
            if room < 0:
                break
            count += 1
        return b"".join(self.parts[:count]), self.parts[count:]

    @property
    def digest(self) -> bytes:
        """Tells one value from another."""
        return Pickled(self.parts[0], [memoryview(part) for part in self.parts[1:]]).digest()

    def load(self) -> Any:
        """The value, over buffers that can be written."""
        return pickle.loads(self.parts[0], buffers=self.parts[1:])


class Store:
    """The objects on one server. Every method raises StorageException where the server cannot be reached or refuses."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        # Its methods' types name what an asynchronous client would give, too.
        self.server: Any = redis.Redis.from_url(url, **options)
        self._write = self.server.register_script(WRITE)
        self._delete = self.server.register_script(DELETE)

    @classmethod
    def configured(cls, path: str | None) -> Store:
        """The store that a configuration file names, by lines STORAGE_…=value or the server alone.

        The environment, where Secrets are, comes before the file."""
        settings = {**_settings(Path(path).read_text() if path else ""), **_settings_of_environment()}
        url = settings.get("STORAGE_URL")
        if not url:
            raise StorageException(
                f"{path or 'no storage_conf'}: STORAGE_URL is missing, such as redis://server:6379/0"
            )
        options: dict[str, Any] = {"socket_connect_timeout": 10}
        if file := settings.get("STORAGE_PASSWORD_FILE"):
            settings["STORAGE_PASSWORD"] = Path(file).read_text().strip()
        for option, name in (
            ("username", "STORAGE_USERNAME"),
            ("password", "STORAGE_PASSWORD"),
            ("ssl_ca_certs", "STORAGE_CA_FILE"),
        ):
            if settings.get(name):
                options[option] = settings[name]
        store = cls(url, **options)
        with store._errors():
            store.server.ping()
        return store

    def close(self) -> None:
        self.server.close()

    def write(self, identity: str, version: int, value: Value) -> int:
        """Put a value in the place of the object's version `version` (0: the object is new); gives the new version."""
        token = uuid.uuid4().hex[:12]
        inline, rest = value.split()
        blocks = 0
        with self._errors():
            for blocks, block in enumerate(_blocks(rest), start=1):
                self.server.set(f"{_key(identity)}:{token}:{blocks}", block, ex=ABANDONED)
            record = ",".join(map(str, value.sizes)).encode() + b"\n" + inline
            written = int(self._write([_key(identity)], [version, token, blocks, record]))
        if written > 0:
            return written
        with self._errors():
            for number in range(1, blocks + 1):
                self.server.unlink(f"{_key(identity)}:{token}:{number}")
        have = -written - 1
        if not have:
            raise StorageException(f"object {identity} is deleted: its version {version} was changed here")
        raise StorageException(
            f"object {identity} has been changed by somebody else: it has version {have}, and version {version} was"
            " changed here. Declare the parameter INOUT, so that one task comes after the other"
        )

    def read(self, identity: str, version: int = 0) -> tuple[int, Value | None]:
        """The object's version and value; no value where it has the version that the caller has."""
        while True:
            with self._errors():
                record = self.server.get(_key(identity))
                if record is None:
                    raise StorageException(f"there is no object {identity} in {self.place}")
                header, _, inline = record.partition(b"\n")
                have, token, blocks, sizes = header.decode().split(" ")
                if int(have) == version:
                    return version, None
                names = [f"{_key(identity)}:{token}:{number}" for number in range(1, int(blocks) + 1)]
                stored = [inline, *map(self.server.get, names)]
            # Somebody has written the next version meanwhile, where a block is gone.
            if None not in stored:
                return int(have), Value(tuple(_parts(stored, map(int, sizes.split(",")))))

    def delete(self, identity: str, alias: str | None) -> None:
        with self._errors():
            self._delete([_key(identity)])
            if alias is not None and self.server.get(_alias(alias)) == identity.encode():
                self.server.unlink(_alias(alias))

    def name(self, alias: str, identity: str) -> None:
        """Give an object a name; raises StorageException where another one has it."""
        with self._errors():
            if not self.server.set(_alias(alias), identity, nx=True):
                raise StorageException(f"there is an object with the alias {alias!r} already in {self.place}")

    def find(self, alias: str) -> str:
        """The identity of the object with that name."""
        with self._errors():
            identity = self.server.get(_alias(alias))
        if identity is None:
            raise StorageException(f"there is no object with the alias {alias!r} in {self.place}")
        return str(identity.decode())

    @property
    def place(self) -> str:
        """The server, without what a URL may hold besides."""
        return self.url.rpartition("@")[2].removeprefix("redis://").removeprefix("rediss://")

    def _errors(self) -> _Errors:
        return _Errors(self.place)


class _Errors:
    """Turns the client's errors into ours, which name the server."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, redis.RedisError):
            raise StorageException(f"the store {self.place}: {error}") from error


def _key(identity: str) -> str:
    # The braces keep the object's blocks beside it, where the server is one of several.
    return f"compss:{{{identity}}}"


def _alias(alias: str) -> str:
    return f"compss:alias:{alias}"


def _blocks(parts: Iterable[Any]) -> Iterator[memoryview]:
    """The parts, one block after the other; none spans two parts."""
    for part in parts:
        view = memoryview(part).cast("B")
        for start in range(0, view.nbytes, BLOCK):
            yield view[start : start + BLOCK]


def _parts(stored: list[bytes], sizes: Iterable[int]) -> Iterator[Any]:
    """The parts, out of what is stored one after the other, as buffers that can be written."""
    chunks = iter(stored)
    rest = memoryview(next(chunks))
    for size in sizes:
        if size <= rest.nbytes:
            part = bytearray(rest[:size])
            rest = rest[size:]
        else:
            part = bytearray(size)
            filled = 0
            while filled < size:
                if not rest.nbytes:
                    rest = memoryview(next(chunks))
                taken = min(size - filled, rest.nbytes)
                part[filled : filled + taken] = rest[:taken]
                filled += taken
                rest = rest[taken:]
        yield part


def _settings(text: str) -> dict[str, str]:
    """The lines of a configuration file; one without a key is the server."""
    settings = {}
    for line in map(str.strip, text.splitlines()):
        key, separator, value = line.partition("=")
        if line and not line.startswith("#"):
            if separator and key.startswith("STORAGE_"):
                settings[key.strip()] = value.strip()
            else:
                settings["STORAGE_URL"] = line if "://" in line else f"redis://{line}"
    return settings


def _settings_of_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("STORAGE_") and value}
