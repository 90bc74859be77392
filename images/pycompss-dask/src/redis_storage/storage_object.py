"""Objects that live in the store."""

from __future__ import annotations

import uuid
import weakref
from dataclasses import dataclass
from typing import Any, Self

from .store import StorageException, Store, Value


@dataclass(slots=True)
class Held:
    """What this process knows of an object in the store."""

    #: The object's name in the store.
    identity: str
    #: The version that it has here, from 1.
    version: int
    #: The digest of what it is in that version: what differs has been changed here.
    digest: bytes
    #: The name that the user gave it.
    alias: str | None = None


class Objects:
    """The store that this process uses, and the objects of it that are here, each once."""

    def __init__(self) -> None:
        #: None before `init` and after `finish`.
        self.store: Store | None = None
        #: Objects by identity, as long as somebody uses them.
        self.here: weakref.WeakValueDictionary[str, StorageObject] = weakref.WeakValueDictionary()

    def started(self) -> Store:
        """The store; raises StorageException where there is none."""
        if self.store is None:
            raise StorageException(
                "the storage is not started: run the script by runcompss --storage_impl=redis --storage_conf=<file>"
            )
        return self.store


objects = Objects()


class StorageObject:
    """An object that can be made persistent. Persistent, it travels to tasks as its identity. What a task changes in it
    is written at the task's end; what the main program changes, before the next call that gets it."""

    __slots__ = ("__dict__", "__held", "__weakref__")

    __held: Held | None

    def __new__(cls, *_: Any, **__: Any) -> Self:
        new = super().__new__(cls)
        new.__held = None
        return new

    def make_persistent(self, alias: str | None = None) -> None:
        """Put the object into the store, under `alias` where that is given; one that is persistent stays as it is.
        Raises StorageException where another object has the alias."""
        store = objects.started()
        if self.__held is not None:
            if alias not in (None, self.__held.alias):
                raise StorageException(f"object {self.__held.identity} is persistent already; it gets no other alias")
            return
        identity = str(uuid.uuid4())
        value = self.__value()
        held = Held(identity, store.write(identity, 0, value), value.digest, alias)
        if alias is not None:
            try:
                store.name(alias, identity)
            except StorageException:
                store.delete(identity, None)
                raise
        self.__held = held
        objects.here[identity] = self

    def delete_persistent(self) -> None:
        """Take the object, and its alias, out of the store; here it stays what it is."""
        if self.__held is None:
            return
        objects.started().delete(self.__held.identity, self.__held.alias)
        objects.here.pop(self.__held.identity, None)
        self.__held = None

    def get_id(self) -> str | None:
        """The object's identity in the store; None where it is not persistent."""
        return self.__held.identity if self.__held else None

    @classmethod
    def get_by_alias(cls, alias: str) -> Self:
        """The object with that alias. Raises StorageException where there is none, or where it is of another class."""
        instance = get_by_id(objects.started().find(alias))
        if not isinstance(instance, cls):
            raise StorageException(
                f"the object with the alias {alias!r} is a {type(instance).__name__}, not a {cls.__name__}"
            )
        instance.__held.alias = alias  # type: ignore[union-attr]
        return instance

    def write_changes(self) -> None:
        """Write the object's next version where it has been changed here."""
        held = self.__held
        if held is None:
            return
        value = self.__value()
        digest = value.digest
        if digest != held.digest:
            held.version = objects.started().write(held.identity, held.version, value)
            held.digest = digest

    def __value(self) -> Value:
        return Value.of((type(self), self.__getstate__()))

    @classmethod
    def _read(cls, identity: str) -> StorageObject:
        """The object here, in the store's last version; one that is here already is the same object."""
        here = objects.here.get(identity)
        held = here.__held if here is not None else None
        version, value = objects.started().read(identity, held.version if held else 0)
        if value is None:
            return here  # type: ignore[return-value]
        kind, state = value.load()
        if here is None:
            here = kind.__new__(kind)
        else:
            vars(here).clear()
        if hasattr(here, "__setstate__"):
            here.__setstate__(state)
        else:
            vars(here).update(state)
        # The digest is that of what was loaded: that need not be pickled to the same bytes as what was written.
        here.__held = Held(identity, version, here.__value().digest, held.alias if held else None)
        objects.here[identity] = here
        return here

    def __getstate__(self) -> Any:
        return dict(vars(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.__held is None:
            return super().__reduce_ex__(protocol)
        self.write_changes()
        return get_by_id, (self.__held.identity,)

    # The names of the interface's first version.
    makePersistent = make_persistent  # noqa: N815
    deletePersistent = delete_persistent  # noqa: N815
    getID = get_id  # noqa: N815
    getByAlias = get_by_alias  # noqa: N815


def get_by_id(identity: str) -> StorageObject:
    """The object with that identity, in the store's last version. Raises StorageException where there is none."""
    return StorageObject._read(identity)
