"""A worker's container: an ssh server, by which the master starts COMPSs here. Runs on Python 3.8.

    worker.py <program of the ssh server>

A process that sshd starts has none of the container's environment but what SetEnv names, and of several SetEnv lines
sshd takes the first.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
CONTROL = Path(os.environ.get("CONTROL", "/run/compss"))
KEYS = Path(os.environ.get("KEYS", "/etc/compss-ssh"))
# What tasks need: COMPSS_* are the chart's, the rest is the image's.
NAMES = ("HOME", "JAVA_HOME", "LANG", "PATH", "PROMETHEUS_URL", "PYTHONDONTWRITEBYTECODE")
PREFIX = "COMPSS_"


def java_home() -> str:
    """The folder of the Java that is on PATH, empty where there is none."""
    java = shutil.which("java")
    return str(Path(java).resolve().parent.parent) if java else ""


def set_env() -> str:
    """The line of sshd_config that hands the environment on."""
    environment = {"JAVA_HOME": java_home(), **os.environ}
    passed = []
    for name, value in sorted(environment.items()):
        if not value or not (name in NAMES or name.startswith(PREFIX)):
            continue
        if '"' in value or "\n" in value:
            print(f"WARNING: tasks do not get {name}: sshd takes no quotes and no line breaks", flush=True)
        else:
            passed.append(f'"{name}={value}"')
    return f"SetEnv {' '.join(passed)}"


def main(server: str) -> None:
    # sshd refuses a host key that others may read, which a Secret's file is.
    key = CONTROL / "ssh_host_key"
    key.touch(mode=0o600)
    key.chmod(0o600)
    shutil.copyfile(KEYS / "ssh_host_key", key)
    configuration = CONTROL / "sshd_config"
    configuration.write_text(f"{(HERE / 'sshd_config').read_text()}\n{set_env()}\n")
    os.execv(server, [server, "-D", "-e", "-f", str(configuration)])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
