"""`runcompss`: runs a PyCOMPSs script on Dask, with COMPSs' options, exit status and results."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from compss_telemetry.sink import open_sink

from . import __version__, context, settings, storage
from .errors import COMPSsException, PyCOMPSsException, TaskFailed
from .options import sort_out, table
from .results import Results
from .storage import Storage

ENDING = 60  # seconds in which an application that failed has ended, at most
MAX_SOURCES = 20_000
MAX_SOURCE_BYTES = 64 << 20


class _Table(argparse.Action):
    """`--opts`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(table(), end="")
        parser.exit()


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options and the script's own arguments; ends with status 2 where they are wrong or refused."""
    parser = argparse.ArgumentParser(
        prog="runcompss",
        description="Run a PyCOMPSs script on Dask. Everything after the script is the script's own.",
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--version", action="version", version=f"PyCOMPSs on Dask {__version__}")
    parser.add_argument("--opts", action=_Table, nargs=0, help="print what each option of COMPSs does here")
    parser.add_argument("--lang", default="python", choices=["python"], help="language of the application")
    levels = ["true", "basic", "advanced"]
    parser.add_argument("--graph", choices=["true"], help="the graph is always written (-g)")
    parser.add_argument("--tracing", choices=levels, help="the trace is always written (-t)")
    parser.add_argument("--task_execution", choices=["compss"], help="where tasks run")
    parser.add_argument("--streaming", choices=["NONE"], help="streams need COMPSs")
    parser.add_argument(
        "--log_dir", "--base_log_dir", default="~", help="folder whose .COMPSs gets the results folders"
    )
    parser.add_argument("--specific_log_dir", help="the results folder itself")
    parser.add_argument("--pythonpath", default="", help="folders to import from, separated by colons")
    parser.add_argument(
        "--monitoring", type=int, default=2000, help="milliseconds between updates of COMPSs_state.xml (-m: 2000)"
    )
    parser.add_argument("--wall_clock_limit", type=int, default=0, help="seconds after which the application is ended")
    parser.add_argument("--master_port", type=int, default=0, help="port on which workers reach the scheduler")
    parser.add_argument("--workers", type=int, default=0, help="wait for this many workers that come by themselves")
    parser.add_argument(
        "--worker_timeout", type=float, default=300, help="seconds to wait for the first worker at most"
    )
    parser.add_argument(
        "--blocked_timeout",
        type=float,
        default=45,
        help="seconds that a task may ask for what no worker has",
    )
    parser.add_argument(
        "--local_workers", type=int, help="start this many workers here (default: 1 where --workers is 0)"
    )
    parser.add_argument("--computing_units", type=int, default=os.cpu_count() or 1, help="of each local worker")
    executors = "I/O tasks that run at a time on each worker (default: as many as it has computing units)"
    parser.add_argument("--io_executors", type=int, default=0, help=executors)
    parser.add_argument("--telemetry", help="Redis that gets the events of tasks, host:port or URL")
    parser.add_argument("--deadlines", help="name=seconds[+jitter],… or JSON")
    parser.add_argument("--storage_impl", help="where persistent objects are: redis or dataclay")
    parser.add_argument("--storage_conf", help="the storage's configuration file")
    parser.add_argument("--env_script", help="shell script whose environment the application gets")
    parser.add_argument("script", help="the application")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the application's own arguments")
    try:
        kept, without_effect = sort_out(arguments)
    except PyCOMPSsException as error:
        parser.error(str(error))
    options = parser.parse_args(kept)
    if options.io_executors < 0:
        parser.error(f"--io_executors is {options.io_executors}, expected at least 0")
    options.without_effect = without_effect
    return options, options.arguments


def environment_of(script: str) -> dict[str, str]:
    """The environment after a shell script; raises PyCOMPSsException where it fails."""
    command = ["bash", "-c", 'set -a; . "$1" >&2 && env -0', "bash", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PyCOMPSsException(f"--env_script={script} ended with status {ended.returncode}: {ended.stderr.strip()}")
    return dict(entry.split("=", 1) for entry in ended.stdout.split("\0") if "=" in entry)


def storage_of(implementation: str | None, configuration: str | None) -> Storage | None:
    """The storage that the options name; ends with status 2 where they cannot be followed."""
    # COMPSs writes null for an option that is not given.
    implementation, configuration = (None if each == "null" else each for each in (implementation, configuration))
    if not implementation:
        if configuration:
            print("runcompss: --storage_conf without --storage_impl: name the implementation, too", file=sys.stderr)
            raise SystemExit(2)
        return None
    try:
        storage.package(implementation)
        return Storage(implementation, Path(configuration).read_text() if configuration else "")
    except (PyCOMPSsException, OSError) as error:
        print(f"runcompss: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def collect(root: Path, below: str) -> tuple[dict[str, bytes], list[str]]:
    """The files below a folder, for workers that do not have them, and the names of those that are too large.

    All Python sources go, or it is refused; of what lies beside them the smallest files first. Results folders stay.
    """
    sizes: dict[Path, int] = {}
    sources: list[Path] = []
    data: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__pycache__"))
            and not (Path(folder) / name / "pyvenv.cfg").exists()
            and not (Path(folder) / name / "runtime.log").exists()
        ]
        for path in (Path(folder) / name for name in files if not name.startswith(".")):
            # Files that others write come and go, links may lead nowhere.
            with contextlib.suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
                if path.suffix == ".py":
                    sources.append(path)
                elif path.is_file() and os.access(path, os.R_OK):
                    data.append(path)
    size = sum(sizes[path] for path in sources)
    if len(sources) > MAX_SOURCES or size > MAX_SOURCE_BYTES:
        raise PyCOMPSsException(
            f"{root} holds more than {MAX_SOURCES} Python files or {MAX_SOURCE_BYTES >> 20} MiB of them;"
            " put the application into a folder of its own"
        )
    left_out = []
    for path in sorted(data, key=sizes.__getitem__):
        size += sizes[path]
        if size > MAX_SOURCE_BYTES or len(sources) >= MAX_SOURCES:
            left_out.append(str(path.relative_to(root)))
        else:
            sources.append(path)
    contents = {}
    for path in sources:
        with contextlib.suppress(FileNotFoundError):
            contents[f"{below}/{path.relative_to(root)}"] = path.read_bytes()
    return contents, left_out


def results_folder(base: str, specific: str | None, script: Path) -> Path:
    """`<base>/.COMPSs/<script>_NN`, NN being the first number that is free."""
    if specific:
        folder = Path(specific).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    parent = Path(base).expanduser().resolve() / ".COMPSs"
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{script.name}_{number:02d}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Application:
    def __init__(self, options: argparse.Namespace, arguments: list[str]) -> None:
        self.options = options
        self.arguments = arguments
        self.script = Path(options.script).resolve()
        self.storage = storage_of(options.storage_impl, options.storage_conf)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.folder = results_folder(options.log_dir, options.specific_log_dir, self.script)
        self.results = Results(self.folder, self.script.name, options.monitoring / 1000)
        if options.deadlines:
            os.environ["COMPSS_DEADLINES"] = options.deadlines
        self.sink = open_sink(options.telemetry)
        #: Whether the application is being ended, as a task failed for good.
        self.failed = False
        self.client: Any = None
        #: What is called when a task has failed for good.
        self.on_fatal: Callable[[str], None] | None = self.fatal

    def _start(self, *command: str) -> None:
        environment = {**os.environ, "COMPSS_PARENT": str(os.getpid())}
        source = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (source, environment.get("PYTHONPATH"))))
        log = (self.folder / "tmpFiles" / f"{command[0]}{len(self.processes)}.log").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen([sys.executable, "-m", "pycompss_dask", *command], env=environment, stderr=log)
            )

    def connect(self) -> None:
        """Start the scheduler, wait for the workers, give them the application."""
        port = self.options.master_port or _free_port()
        # Workers elsewhere are expected only where they are waited for.
        host = "0.0.0.0" if self.options.workers else "127.0.0.1"  # noqa: S104
        self._start("scheduler", f"--port={port}", f"--host={host}")
        local = self.options.local_workers
        if local is None:
            local = 0 if self.options.workers else 1
        for number in range(local):
            self._start(
                "worker",
                f"127.0.0.1:{port}",
                f"--name=local{number}",
                f"--computing_units={self.options.computing_units}",
            )
        from distributed import Client

        from .ledger import count_workers
        from .runtime import Runtime, start

        settings.apply()
        deadline = time.monotonic() + self.options.worker_timeout
        self.client = self._client(Client, f"tcp://127.0.0.1:{port}", deadline)
        wanted = max(self.options.workers + local, 1)
        self.results.log("INFO", f"waiting for {wanted} workers")
        while (present := self.client.run_on_scheduler(count_workers)) < wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        if present == 0:
            raise PyCOMPSsException(
                f"no worker came within {self.options.worker_timeout:g} s, expected {wanted};"
                f" workers reach the scheduler on port {port} of this machine"
            )
        if present < wanted:
            self.results.log("WARN", f"{present} of {wanted} workers are there; the others may come later")
        start(
            Runtime(
                self.client,
                results=self.results,
                sink=self.sink,
                host=self.host(),
                on_fatal=self.on_fatal,
                expected=wanted,
                blocked_timeout=self.options.blocked_timeout,
            )
        )
        self.sink.send([{"event": "run", "state": "started", "application": self.script.name, "time": time.time()}])

    def host(self) -> Any:
        """What workers get: the script and what lies beside it."""
        from .worker import Host

        roots = [self.script.parent, *[Path(p).resolve() for p in self.options.pythonpath.split(":") if p]]
        sources = self._sources(roots)
        sys.path[:0] = [str(root) for root in roots]
        return Host(
            (self.script.stem, f"path0/{self.script.name}"),
            paths=[],
            sources=sources,
            source_paths=[f"path{number}" for number in range(len(roots))],
            storage=self.storage,
            arguments=self.arguments,
            io_executors=self.options.io_executors,
        )

    def _sources(self, roots: list[Path]) -> dict[str, bytes]:
        """The files below the folders, by the path that they get on workers; the log names what is too large."""
        sources: dict[str, bytes] = {}
        for number, root in enumerate(roots):
            files, left_out = collect(root, f"path{number}")
            sources.update(files)
            if left_out:
                message = f"{len(left_out)} files below {root} are too large for the workers, {left_out[0]} among them"
                self.results.log("WARN", message)
        return sources

    @staticmethod
    def _client(kind: Any, address: str, deadline: float) -> Any:
        while True:
            try:
                return kind(address, timeout=5, set_as_default=False)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def fatal(self, message: str) -> NoReturn:
        """A task failed for good: COMPSs ends the application at once, and so does this."""
        self.failed = True
        sys.stdout.flush()
        print(f"[ERRMGR]  -  ERROR: {message}\n[ERRMGR]  -  Shutting down COMPSs", file=sys.stderr, flush=True)
        try:
            self.sink.send([{"event": "run", "state": "failed", "time": time.time()}])
            self.close()
        finally:
            os._exit(1)

    def run(self) -> int:
        """Run the script as the main program. Returns the status that it ends with."""
        from .runtime import stop

        module = types.ModuleType("__main__")
        module.__file__ = str(self.script)
        module.__dict__["__builtins__"] = __builtins__
        # Workers know the script under its own name, and send objects of its classes back under it.
        sys.modules["__main__"] = sys.modules[self.script.stem] = module
        sys.argv = [str(self.script), *self.arguments]
        status = 0
        try:
            code = compile(self.script.read_bytes(), str(self.script), "exec")
            if self.options.wall_clock_limit:
                from .api import compss_set_wall_clock

                compss_set_wall_clock(self.options.wall_clock_limit)
            exec(code, module.__dict__)  # noqa: S102
        except SystemExit as ended:
            status = _status(ended)
        except BaseException:
            if self.failed:
                # The thread that has told why ends the process; what the main program met is how it does.
                time.sleep(ENDING)
            traceback.print_exc()
            status = 1
        try:
            stop(cancel=status != 0)
        except (COMPSsException, TaskFailed, PyCOMPSsException) as error:
            traceback.print_exception(error)
            status = status or 1
        return status

    def close(self) -> None:
        """Write what is left to write, and end what was started."""
        self.results.finish()
        try:
            if self.client is not None:
                for address, records in self.client.get_worker_logs().items():
                    worker = self.client.scheduler_info(n_workers=-1)["workers"].get(address, {}).get("name", address)
                    folder = self.folder / "workers" / label(str(worker)) / "Log"
                    folder.mkdir(parents=True, exist_ok=True)
                    lines = [str(record[-1]) for record in records]
                    (folder / "worker.log").write_text("\n".join([*lines, ""]))
                self.client.run(_application_ended)
        except Exception as error:
            print(f"runcompss: the workers' logs could not be had: {error!r}", file=sys.stderr)
        if self.client is not None:
            # A client whose scheduler ends before it tries to find it again, and complains.
            self.client.close(timeout=5)
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _application_ended(dask_worker: Any = None) -> None:
    dask_worker.application_ended = True


def label(name: str) -> str:
    """The name of a worker; it joins under that name and a suffix, so that it can come back at once."""
    return name.partition("#")[0]


def _status(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code
    print(ended.code, file=sys.stderr)
    return 1


def _terminated(number: int, frame: Any) -> NoReturn:  # noqa: ARG001
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    options, script_arguments = parse(given)
    if threading.current_thread() is threading.main_thread():
        # The first process of a container ignores signals that nobody handles.
        signal.signal(signal.SIGTERM, _terminated)
    if context.role != "none":
        raise PyCOMPSsException("runcompss cannot be used inside an application")
    if not Path(options.script).is_file():
        # The status is that of wrong arguments: trying again would not help.
        print(f"runcompss: {options.script}: no such file", file=sys.stderr)
        return 2
    try:
        application = Application(options, script_arguments)
    except SystemExit as ended:
        return _status(ended)
    application.results.log("INFO", f"runcompss {shlex.join(given)}")
    application.results.log("INFO", "engine: Dask (PyCOMPSs API)")
    if options.without_effect:
        message = f"without effect on the Dask engine: {', '.join(options.without_effect)}"
        application.results.log("WARN", message)
        print(f"runcompss: {message}", file=sys.stderr)
    try:
        if options.env_script:
            for each in options.env_script.split(":"):
                os.environ.update(environment_of(each))
        with application.storage.used(worker=False) if application.storage else contextlib.nullcontext():
            application.connect()
            status = application.run()
    except SystemExit as ended:
        status = _status(ended)
    except (PyCOMPSsException, OSError) as error:
        print(f"runcompss: {error}", file=sys.stderr)
        application.results.log("ERROR", str(error))
        status = 1
    application.close()
    sys.stdout.flush()
    return status
