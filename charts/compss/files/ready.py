"""What a master asks of a worker, over ssh, before it starts. Runs on Python 3.8.

    ready.py <InstallDir> <WorkingDir>

Ends the processes that an earlier master left: they hold the worker's ports and its memory. Their data goes, too, since
the application begins anew. Status 1, and the reason, where COMPSs cannot be started here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

STARTER = "Runtime/scripts/system/adaptors/nio/persistent_worker.sh"
PATIENCE = 10.0


def processes() -> dict[int, tuple[int, list[str]]]:
    """The parent and the command line of each process."""
    table = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            line = (path / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if line:  # one that has none has ended, or is the kernel's
            table[int(path.name)] = (parent, line.split("\0"))
    return table


def leftovers(install: str) -> set[int]:
    """The processes that run something of COMPSs' folder, and those that they started; not the caller's own."""
    # A path by itself, or in a class path or an option: not the text of a command that somebody sends elsewhere.
    something = re.compile(f"(^|[:=]){re.escape(install.rstrip('/'))}/")
    alive = processes()
    ancestors, pid = set(), os.getpid()
    while pid in alive:
        ancestors.add(pid)
        pid = alive[pid][0]
    pids = {pid for pid, (_, line) in alive.items() if any(map(something.search, line))} - ancestors
    while more := {pid for pid, (parent, _) in alive.items() if parent in pids} - pids - ancestors:
        pids |= more
    return pids


def end_leftovers(install: str) -> int:
    """How many processes had to be ended."""
    ended: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while pids := leftovers(install):
        if time.monotonic() > deadline:
            raise SystemExit(f"processes {sorted(pids)} of an earlier master do not end")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        ended |= pids
        time.sleep(0.05)
    return len(ended)


def obstacle(install: str) -> str:
    """Why COMPSs cannot be started here, empty where it can."""
    java = Path(os.environ.get("JAVA_HOME", "/")) / "bin" / "java"
    if not (os.access(java, os.X_OK) or shutil.which("java")):
        return f"there is no Java: neither {java} nor one on PATH"
    if not (Path(install) / STARTER).is_file():
        return f"there is no COMPSs in {install}: it has no {STARTER}"
    return ""


def main(install: str, working: str) -> int:
    if ended := end_leftovers(install):
        print(f"{os.uname().nodename}: ended {ended} processes that an earlier master had left", flush=True)
    for path in Path(working).glob("*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    if reason := obstacle(install):
        print(reason)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
