"""The process in which tasks run: one per computing unit, as in PyCOMPSs.

It imports nothing of Dask. The worker hands it one call at a time over a socket; the task's standard
output and error go to two files that the worker reads afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import itertools
import os
import pickle
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from . import context, wire
from .channel import Channel
from .description import DEPENDENCY, FILE, LIST, MAPPING, PREPARE, SEQUENCE, VALUE, pack, run_binary, unpack
from .errors import COMPSsException, PyCOMPSsException
from .storage import Storage, Use
from .wire import MISSING, dump, load


class Application:
    """Finds the application's functions and classes under the names that the master gave them."""

    def __init__(self, main: tuple[str, str] | None, paths: list[str], storage: Storage | None = None) -> None:
        self.main = main
        #: Where persistent objects are; it is started before the script is imported.
        self.storage = storage
        #: The storage that is started.
        self.use: Use | None = None
        #: Compiled functions, by what the master sent in their place.
        self.compiled: dict[Any, Callable[..., Any]] = {}
        #: What is ended with this process.
        self.ending = contextlib.ExitStack()
        for path in reversed(paths):
            if path not in sys.path and Path(path).is_dir():
                sys.path.insert(0, path)

    def load_main(self) -> None:
        """Import the script under its own name, and let `__main__` mean it, as the master pickled it."""
        if self.storage is not None and self.use is None:
            self.use = self.ending.enter_context(self.storage.used(worker=True))
        if self.main is None:
            return
        name, path = self.main
        module = sys.modules.get(name)
        if module is None or getattr(module, "__file__", None) != path:
            specification = importlib.util.spec_from_file_location(name, path)
            if specification is None or specification.loader is None:
                raise PyCOMPSsException(f"{path} is not a Python script")
            module = importlib.util.module_from_spec(specification)
            sys.modules[name] = module
            try:
                specification.loader.exec_module(module)
            except BaseException:
                # Half a module must not be taken for the script by the next task.
                del sys.modules[name]
                raise
        sys.modules["__main__"] = module
        self.main = None

    def prepare(self, reference: Any) -> None:
        """Import the script, and the module of a task."""
        self.load_main()
        if isinstance(reference, tuple):
            self.function(reference)

    def around(self, values: list[Any]) -> contextlib.AbstractContextManager[Any]:
        """What surrounds the call of a task with these arguments."""
        return self.use.task(values) if self.use is not None else contextlib.nullcontext()

    def compile(self, reference: Any, numba: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Callable[..., Any]:
        """The function by one of Numba's decorators, which is told its arguments; compiled once in this process."""
        key = reference if isinstance(reference, tuple) else reference.head
        if key not in self.compiled:
            decorator, types, flags = numba
            made = getattr(importlib.import_module("numba"), decorator)(*types, **flags)(self.function(reference))
            # A C callback is for C; what Python calls of it is this.
            self.compiled[key] = made.ctypes if decorator == "cfunc" else made
        return self.compiled[key]

    def function(self, reference: Any) -> Callable[..., Any]:
        if not isinstance(reference, tuple):
            return load(reference)  # type: ignore[no-any-return]
        module, qualified = reference
        if module == "__main__":
            target: Any = sys.modules["__main__"]
        else:
            target = importlib.import_module(module)
        for name in qualified.split("."):
            mangled = f"_{target.__name__.lstrip('_')}{name}" if isinstance(target, type) else name
            target = (
                getattr(target, mangled)
                if name.startswith("__") and hasattr(target, mangled)
                else getattr(target, name)
            )
        definition = getattr(target, "__compss__", None) or getattr(
            getattr(target, "__func__", None), "__compss__", None
        )
        if definition is None:
            raise PyCOMPSsException(f"{module}.{qualified} is not a task in the worker")
        return definition.function  # type: ignore[no-any-return]


class Arguments:
    """Builds a call's arguments from their descriptions, and collects its outputs afterwards."""

    def __init__(self, dependencies: list[Any], sandbox: Path) -> None:
        #: The stored values that the call reads.
        self.dependencies = dependencies
        #: The call's working folder, where it has files.
        self.sandbox = sandbox
        #: Loaded values by their place among the dependencies: one object however often it is passed.
        self.loaded: dict[int, Any] = {}
        #: What gives the value to store, by the output's position.
        self.outputs: dict[int, Callable[[], Any]] = {}
        #: Names of files in the sandbox.
        self.names: set[str] = set()
        #: Paths of files that are only read, by their place among the dependencies.
        self.files: dict[int, str] = {}
        #: Whether the sandbox was made.
        self.used = False

    def build(self, description: tuple[Any, ...]) -> Any:
        """The argument that a description stands for."""
        root: list[Any] = []
        root.append(self._build(description, root, ()))
        return root[0]

    def _build(self, description: tuple[Any, ...], root: list[Any], path: tuple[Any, ...]) -> Any:
        """What stands at `path` inside the argument, which is `root`'s only element once it is complete."""
        kind, content, output = description
        if kind == VALUE:
            return load(content)
        if kind == FILE:
            return self._file(content, output)
        if kind == LIST:
            return [self._build(element, root, (*path, place)) for place, element in enumerate(content)]
        if kind == SEQUENCE:
            entries = [self._build(element, root, (*path, place)) for place, element in enumerate(content[1])]
            form = load(content[0])
            # A named tuple takes its elements one by one.
            return getattr(form, "_make", form)(entries)
        if kind == MAPPING:
            items = [(self._build(key, root, ()), element) for key, element in content]
            return {key: self._build(element, root, (*path, key)) for key, element in items}
        if kind == DEPENDENCY:
            if content not in self.loaded:
                self.loaded[content] = load(self.dependencies[content])
            value = self.loaded[content]
        else:
            value = self._new(load(content))
        if output >= 0:
            self.outputs[output] = lambda: dump(_standing(root[0], path, value))
        return value

    @staticmethod
    def _new(kind: type) -> Any:
        """An empty object of the class of an OUT parameter; None where the class cannot be made without arguments."""
        try:
            return kind()
        except TypeError:
            return None

    def _file(self, content: tuple[Any, ...], output: int) -> str:
        dependency, name, is_directory = content
        if output < 0 and dependency in self.files:
            return self.files[dependency]
        self.used = True
        folder = self.sandbox
        if name in self.names:
            folder = self.sandbox / str(len(self.names))
        self.names.add(name if folder is self.sandbox else f"{folder.name}/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if dependency >= 0:
            unpack(load(self.dependencies[dependency]), path)
            self.files[dependency] = str(path)
        if output >= 0:
            self.outputs[output] = lambda: dump(pack(path, is_directory))
        return str(path)


def returned(result: Any, count: int) -> list[Any]:
    """The values that a task with `count` returns gave."""
    if count == 0:
        return []
    if count == 1:
        return [result]
    values = list(itertools.islice(iter(result), count))
    if len(values) < count:
        raise PyCOMPSsException(f"the task returned {len(values)} values, expected {count}")
    return values


def _standing(root: Any, path: tuple[Any, ...], value: Any) -> Any:
    """What stands at a place of a collection after the task; the object that stood there where the place is gone."""
    try:
        for key in path:
            root = root[key]
    except (LookupError, TypeError):
        return value
    return root if path else value


class Executor:
    def __init__(self, channel: Channel, folder: Path, application: Application) -> None:
        self.channel = channel
        self.folder = folder
        self.application = application
        #: Variables that tell libraries how many threads to start, where the worker's environment does not say.
        self.threads = os.environ.get("COMPSS_THREADS", "").split()
        self.streams = [os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND) for name in ("out", "err")]

    def serve(self) -> None:
        while True:
            try:
                call, dependencies = self.channel.receive()
            except EOFError:
                return
            if call[0] == PREPARE:
                # A task must not pay for the imports with its time_out; where they fail, the task tells why.
                with contextlib.suppress(BaseException):
                    self.application.prepare(call[1])
                self.channel.send(PREPARE)
                continue
            for number, stream in enumerate(self.streams, start=1):
                os.ftruncate(stream, 0)
                os.dup2(stream, number)
            sandbox = self.folder / "sandbox"
            os.chdir(self.folder)
            arguments = Arguments(dependencies, sandbox)
            head, outputs = self.run(call, arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            sizes = tuple(os.fstat(stream).st_size for stream in self.streams)
            self.channel.send((*head, sizes), outputs)
            wire.pool.clear()
            if arguments.used:
                os.chdir(self.folder)
                shutil.rmtree(sandbox, ignore_errors=True)
            # Values of the task that ended must not live until the next one comes.
            del call, dependencies, arguments, outputs, head

    def run(self, call: Any, arguments: Arguments) -> tuple[tuple[Any, ...], list[Any]]:
        """Run one call. Returns (state, begin, end, message) and the stored outputs."""
        function, body, ninout, nreturns, ignore, options = call
        begin = time.time()
        try:
            self.application.load_main()
            units = str(options.get("units", 1))
            os.environ["COMPSS_NUM_CPUS"] = units
            os.environ.update(dict.fromkeys(self.threads, str(max(int(units), 1))))
            args, kwargs = pickle.loads(body)
            positional = [arguments.build(description) for description in args]
            named = {name: arguments.build(description) for name, description in kwargs.items()}
            if arguments.used:
                os.chdir(arguments.sandbox)
            if "binary" in options:
                target: Callable[..., Any] = partial(run_binary, options["binary"], [*options["names"], *named])
                positional, named = [[*positional, *named.values()]], {}
            elif "numba" in options:
                target = self.application.compile(function, options["numba"])
            else:
                target = self.application.function(function)
            names, values = [*options.get("names", ()), *named], [*positional, *named.values()]
            begin = time.time()
            if "prolog" in options:
                run_binary(options["prolog"], names, values, only_args=True)
            with self.application.around([*positional, *named.values()]):
                result = returned(target(*positional, **named), nreturns)
            if "epilog" in options:
                run_binary(options["epilog"], names, values, only_args=True)
            end = time.time()
            outputs = [arguments.outputs[position]() for position in range(ninout)]
            return ("done", begin, end, ""), outputs + [dump(value) for value in result]
        except COMPSsException as error:
            end = time.time()
            traceback.print_exc()
            outputs = [arguments.outputs[position]() for position in range(ninout)]
            return ("raised", begin, end, error.message), outputs + [MISSING] * nreturns
        except BaseException as error:
            end = time.time()
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
            if ignore and isinstance(error, Exception):
                return self._ignored(arguments, ninout, nreturns, options.get("defaults") or {}, begin, end, message)
            return ("error", begin, end, message), []

    @staticmethod
    def _ignored(
        arguments: Arguments,
        ninout: int,
        nreturns: int,
        defaults: dict[Any, Any],
        begin: float,
        end: float,
        message: str,
    ) -> tuple[tuple[Any, ...], list[Any]]:
        """What a task leaves whose failure is ignored: its parameters as they are, and the defaults."""
        try:
            given = defaults.get("returns")
            returns = [given] * nreturns if nreturns <= 1 or given is None else returned(given, nreturns)
            positions = defaults.get("#outputs", {})  # output -> (parameter, whether it is a file)
            outputs = []
            for position in range(ninout):
                name, is_file = positions.get(position, ("", False))
                if name in defaults:
                    value = defaults[name]
                    outputs.append(dump(pack(Path(value)) if is_file else value))
                else:
                    outputs.append(arguments.outputs[position]() if position in arguments.outputs else MISSING)
            return ("ignored", begin, end, message), outputs + [dump(value) for value in returns]
        except Exception as error:
            traceback.print_exc()
            return ("error", begin, end, f"{type(error).__name__}: {error}"), []


def main() -> None:
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    # The executor must not outlive its worker: PR_SET_PDEATHSIG.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        # Where memory runs out, the kernel should end the task, not the worker.
        Path("/proc/self/oom_score_adj").write_text("500")
    channel = Channel(socket.socket(fileno=descriptor))
    (main_script, paths, storage, arguments), _ = channel.receive()
    if main_script is not None:
        # Scripts that look at their arguments while they are imported see those of the application.
        sys.argv = [main_script[1], *arguments]
    context.role = "worker"
    wire.pool.limit = sys.maxsize
    application = Application(main_script, paths, storage)
    with application.ending:
        Executor(channel, folder, application).serve()


if __name__ == "__main__":
    main()
