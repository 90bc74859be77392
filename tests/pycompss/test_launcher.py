"""runcompss: command line, exit status, results folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pycompss_dask import launch
from pycompss_dask.errors import PyCOMPSsException
from support import ENVIRONMENT, runcompss

SCRIPT = '''
"""An application with its own argparse, classes and a module beside it."""
import argparse
import sys
from helper import offset
from pycompss.api.task import task
from pycompss.api.parameter import *
from pycompss.api.api import compss_wait_on, compss_barrier, TaskGroup, compss_stop, compss_start
from pycompss.api.exceptions import COMPSsException


class Point:
    def __init__(self, x=0):
        self.x = x

    @task()
    def move(self, by):
        self.x += by


@task(returns=1)
def shift(number):
    print("shifting", number)
    return number + offset


@task(returns=Point)
def point(x):
    return Point(x)


@task(returns=1)
def fail(message):
    raise ValueError(message)


@task()
def raise_exception():
    raise COMPSsException("from a task")


@task(path=FILE_OUT)
def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=1)
    parser.add_argument("--text", default="")
    parser.add_argument("--end", default="well")
    options = parser.parse_args()
    total = sum(compss_wait_on([shift(number) for number in range(options.number)]))
    here = point(1)
    here.move(total)
    here = compss_wait_on(here)
    assert type(here) is Point
    write("written.txt", options.text)
    print(f"result {here.x} {options.text}")
    if options.end == "exit":
        sys.exit(7)
    if options.end == "text":
        sys.exit("a reason")
    if options.end == "raise":
        raise RuntimeError("in the main program")
    if options.end == "task":
        fail("in the task")
        import time
        time.sleep(60)
    if options.end == "group":
        with TaskGroup("g"):
            raise_exception()
    if options.end == "alone":
        raise_exception()
    if options.end == "stop":
        compss_stop(4)
    if options.end == "wait":
        import time
        time.sleep(60)


if __name__ == "__main__":
    main()
'''


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a script writes beside itself stays out of the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "application"
    folder.mkdir()
    (folder / "helper.py").write_text("offset = 10\n")
    path = folder / "my_app.py"
    path.write_text(SCRIPT)
    return path


def run(script: Path, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    logs = script.parent.parent / "logs"
    return runcompss("--computing_units=1", f"--log_dir={logs}", *options, str(script), *arguments)


def test_results_folder(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "spaces 'quotes' \"double\" $HOME `x`"
    ended = run(script, "--number", "3", "--text", text)
    assert ended.stdout == f"result 34 {text}\n", ended.stderr
    assert ended.returncode == 0
    # FILE_OUT comes home at the end without being waited for.
    assert (tmp_path / "written.txt").read_text() == text
    folder = tmp_path / "logs" / ".COMPSs" / "my_app.py_01"
    assert {path.name for path in folder.iterdir()} >= {
        "jobs",
        "monitor",
        "trace",
        "workers",
        "tmpFiles",
        "runtime.log",
    }
    jobs = {path.name for path in (folder / "jobs").iterdir()}
    assert jobs == {f"job{number}_NEW.{kind}" for number in range(1, 7) for kind in ("out", "err")}
    assert (folder / "jobs" / "job2_NEW.out").read_text() == "shifting 1\n"
    assert "6 COMPLETED" in (folder / "runtime.log").read_text()
    assert (folder / "workers" / "local0" / "Log" / "worker.log").stat().st_size > 0

    state = ET.parse(folder / "monitor" / "COMPSs_state.xml").getroot()
    assert state.findtext("TasksInfo/Application/TotalCount") == "6"
    assert state.findtext("TasksInfo/Application/InProgress") == "0"
    counts = {
        core.findtext("Impl/Signature"): int(core.findtext("Impl/ExecutedCount") or 0)
        for core in state.iterfind("CoresInfo/Core")
    }
    assert counts == {"my_app.py.shift": 3, "my_app.py.point": 1, "my_app.py.move": 1, "my_app.py.write": 1}
    assert state.find("ResourceInfo/Resource[@id='local0']/TotalCPUComputingUnits") is not None

    graph = (folder / "monitor" / "complete_graph.dot").read_text()
    assert len(re.findall(r"^\d+\[shape=circle", graph, re.M)) == 6
    assert re.search(r"^4 -> 5 \[label=\"d\d+v\d+\"\];", graph, re.M)
    assert graph.count("{") == graph.count("}")
    assert {path.suffix for path in (folder / "trace").iterdir()} == {".prv", ".pcf", ".row"}


def test_folders_are_numbered(script: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert (
            run(
                script, options=("--lang=python", "-d", "--graph=true", "--project=p.xml", "--tracing", "-g", "-t")
            ).returncode
            == 0
        )
    assert sorted(path.name for path in (tmp_path / "logs" / ".COMPSs").iterdir()) == ["my_app.py_01", "my_app.py_02"]


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        ("well", 0, ""),
        ("exit", 7, ""),
        ("text", 1, "a reason"),
        ("raise", 1, "RuntimeError: in the main program"),
        ("task", 1, "ValueError: in the task"),
        ("group", 1, "COMPSsException: from a task"),
        ("alone", 1, "COMPSsException: from a task"),
        ("stop", 4, ""),
    ],
)
def test_exit_status(script: Path, end: str, status: int, message: str) -> None:
    ended = run(script, "--end", end)
    assert ended.returncode == status, ended.stderr
    assert message in ended.stderr
    assert ended.stdout.startswith("result 11")


def test_application_refuses_its_arguments(script: Path) -> None:
    ended = run(script, "--unknown", "1")
    assert ended.returncode == 2
    assert "unrecognized arguments: --unknown 1" in ended.stderr


def test_wall_clock(script: Path) -> None:
    ended = run(script, "--end", "wait", options=("--wall_clock_limit=4",))
    assert ended.returncode == 1
    assert "wall clock limit of 4 s" in ended.stderr


def test_missing_script(tmp_path: Path) -> None:
    ended = runcompss(f"--log_dir={tmp_path}", str(tmp_path / "none.py"))
    assert ended.returncode == 2
    assert "none.py: no such file" in ended.stderr


def test_script_that_does_not_compile(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def broken(:\n")
    ended = runcompss(f"--log_dir={tmp_path}", "--computing_units=1", str(tmp_path / "bad.py"))
    assert ended.returncode == 1
    assert "SyntaxError" in ended.stderr


def test_script_that_imports_what_the_engine_lacks(tmp_path: Path) -> None:
    (tmp_path / "mpi_app.py").write_text("from pycompss.api.mpi import mpi\n")
    ended = runcompss(f"--log_dir={tmp_path}", "--computing_units=1", str(tmp_path / "mpi_app.py"))
    assert ended.returncode == 1
    assert "pycompss.api.mpi is not available on the Dask engine" in ended.stderr


def test_unknown_option(tmp_path: Path) -> None:
    ended = runcompss("--no_such_option=1", str(tmp_path / "x.py"))
    assert ended.returncode == 2


def test_no_worker_comes(script: Path) -> None:
    ended = run(script, options=("--workers=1", "--worker_timeout=1.5"))
    assert ended.returncode == 1
    assert "no worker came within 1.5 s, expected 1" in ended.stderr


def test_plain_python_runs_the_same_script(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(script), "--number", "3"]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.stdout.endswith("result 34 \n"), ended.stderr


def test_worker_refuses_bad_arguments() -> None:
    assert runcompss("worker", "host:1", "--computing_units=0").returncode == 2
    assert "expected name=value" in runcompss("worker", "host:1", "--resources=gpu").stderr


def test_terminated_master_cancels_its_tasks_and_leaves_results(script: Path, tmp_path: Path) -> None:
    """As Kubernetes ends a pod."""
    logs = tmp_path / "logs"
    options = ["--computing_units=1", f"--log_dir={logs}", str(script), "--end", "wait"]
    command = [sys.executable, "-m", "pycompss_dask", *options]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("result")
    process.terminate()
    assert process.wait(30) == 143
    assert "COMPLETED" in (logs / ".COMPSs" / "my_app.py_01" / "runtime.log").read_text()
    assert (logs / ".COMPSs" / "my_app.py_01" / "trace" / "my_app.py_compss.prv").exists()


ENDING = """
import atexit
import sys
import threading
import time
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task


@task(returns=int)
def square(number):
    return number * number


def late():
    time.sleep(1)
    with open("thread.txt", "w") as file:
        file.write("thread")


if __name__ == "__main__":
    results = open("unclosed.csv", "w")
    for number in range(3):
        results.write(f"{number},{compss_wait_on(square(number))}\\n")
    atexit.register(lambda: open("atexit.txt", "w").write("atexit"))
    threading.Thread(target=late).start()
    sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("status", [0, 3])
def test_interpreter_ends_as_pythons_does(tmp_path: Path, status: int) -> None:
    """A file that nobody closed is complete, atexit runs, threads that are no daemons are waited for."""
    (tmp_path / "ending.py").write_text(ENDING)
    ended = runcompss(f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "ending.py"), str(status))
    assert ended.returncode == status, ended.stderr
    assert (tmp_path / "unclosed.csv").read_text() == "0,0\n1,1\n2,4\n"
    assert (tmp_path / "atexit.txt").read_text() == "atexit"
    assert (tmp_path / "thread.txt").read_text() == "thread"
    assert ended.stderr == ""


def test_package_that_the_worker_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text(
        "from pycompss.api.api import compss_wait_on\n"
        "from pycompss.api.task import task\n"
        "if __name__ != '__main__':\n"
        "    import a_package_that_this_worker_lacks\n"
        "@task(returns=int)\n"
        "def square(number):\n"
        "    return number * number\n"
        "if __name__ == '__main__':\n"
        "    print(compss_wait_on(square(3)))\n"
    )
    ended = runcompss(f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "lacking.py"))
    assert ended.returncode == 1
    message = "failed on local0: ModuleNotFoundError: No module named 'a_package_that_this_worker_lacks'"
    assert message in ended.stderr
    assert message in (tmp_path / "logs" / ".COMPSs" / "lacking.py_01" / "runtime.log").read_text()


def test_workers_are_counted_by_the_scheduler(script: Path, tmp_path: Path) -> None:
    """What a client keeps of the workers is refreshed by Dask, and may be empty for a moment."""
    arguments = ["--computing_units=1", "--worker_timeout=20", f"--log_dir={tmp_path}/logs", str(script)]
    code = (
        "import sys, distributed\n"
        "distributed.Client.scheduler_info = lambda self, **_: {'workers': {}}\n"
        "from pycompss_dask.launch import main\n"
        f"sys.exit(main({arguments!r}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "result 11 \n"


STOPPED = """
import sys
import time
from pycompss.api.api import compss_set_wall_clock, compss_stop, compss_wait_on
from pycompss.api.task import task


@task(returns=1)
def wait(seconds):
    time.sleep(seconds)
    return 1


@task(returns=1, priority=True, on_failure="FAIL")
def fail():
    raise ValueError("at once")


if __name__ == "__main__":
    compss_wait_on(wait(0))
    calls = [wait(3 if sys.argv[1] == "fail" else 30) for _ in range(50)]
    time.sleep(1)
    if sys.argv[1] == "stop":
        compss_stop(1)
    elif sys.argv[1] == "wall clock":
        compss_set_wall_clock(1)
    else:
        fail()
    compss_wait_on(calls)
"""


@pytest.mark.parametrize(
    ("end", "canceled"),
    [("stop", "50 CANCELED, 1 COMPLETED"), ("wall clock", "50 CANCELED, 1 COMPLETED"), ("fail", "1 FAILED")],
)
def test_each_task_has_an_end(tmp_path: Path, end: str, canceled: str) -> None:
    (tmp_path / "stopped.py").write_text(STOPPED)
    options = (f"--log_dir={tmp_path}/logs", "--computing_units=2")
    ended = runcompss(*options, str(tmp_path / "stopped.py"), end)
    assert ended.returncode == 1
    folder = tmp_path / "logs" / ".COMPSs" / "stopped.py_01"
    counts = (folder / "runtime.log").read_text().splitlines()[-1]
    assert canceled in counts
    assert sum(int(count) for count in re.findall(r"(\d+) [A-Z]+", counts.partition("stopped.py: ")[2])) >= 51
    state = ET.parse(folder / "monitor" / "COMPSs_state.xml").getroot()
    assert state.findtext("TasksInfo/Application/InProgress") == "0"
    # Tasks that never started left no logs.
    assert len(list((folder / "jobs").glob("*.out"))) < 25


def test_time_out_does_not_count_the_import(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(
        "import time\n"
        "from pycompss.api.api import compss_wait_on\n"
        "from pycompss.api.task import task\n"
        "time.sleep(4)\n"
        "@task(returns=int, time_out=3, on_failure='FAIL')\n"
        "def short(number):\n"
        "    return number + 1\n"
        "if __name__ == '__main__':\n"
        "    print(compss_wait_on(short(1)))\n"
    )
    ended = runcompss(f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "large.py"))
    assert ended.stdout == "2\n", ended.stderr


def test_script_that_reads_its_arguments_while_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text(
        "import os, sys\n"
        "from pycompss.api.api import compss_wait_on\n"
        "from pycompss.api.task import task\n"
        "GIVEN = [os.path.basename(sys.argv[0]), *sys.argv[1:]]\n"
        "@task(returns=1)\n"
        "def given():\n"
        "    return GIVEN\n"
        "if __name__ == '__main__':\n"
        "    print(compss_wait_on(given()) == GIVEN, GIVEN)\n"
    )
    ended = runcompss(f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "reads.py"), "--size", "2 3")
    assert ended.stdout == "True ['reads.py', '--size', '2 3']\n", ended.stderr


def test_end_of_the_application_is_told_once(tmp_path: Path) -> None:
    """The main program, which waits for a value when the application ends, does not complain besides."""
    (tmp_path / "blocked.py").write_text(
        "from pycompss.api.api import compss_wait_on\n"
        "from pycompss.api.constraint import constraint\n"
        "from pycompss.api.task import task\n"
        "@constraint(memory_size=100000)\n"
        "@task(returns=1)\n"
        "def large():\n"
        "    return 1\n"
        "if __name__ == '__main__':\n"
        "    compss_wait_on(large())\n"
    )
    options = (f"--log_dir={tmp_path}/logs", "--computing_units=1", "--blocked_timeout=1")
    ended = runcompss(*options, str(tmp_path / "blocked.py"))
    assert ended.returncode == 1
    assert "[ERRMGR]  -  ERROR: task 1 (large) asks for what no worker has: 100000 memory" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_options_of_compss_are_taken_or_warned_of(tmp_path: Path) -> None:
    (tmp_path / "first.sh").write_text("NAME=day\n")
    (tmp_path / "env.sh").write_text('GREETING="good $NAME"\necho noise\n')
    (tmp_path / "shown.py").write_text("import os, sys\nprint(os.environ['GREETING'], sys.argv[1:])\n")
    options = (
        "--computing_units=1",
        "--classpath=/x.jar",
        "--summary",
        "--tracing=basic",
        f"--env_script={tmp_path}/first.sh:{tmp_path}/env.sh",
    )
    ended = runcompss(f"--log_dir={tmp_path}/logs", *options, str(tmp_path / "shown.py"), "--classpath", "own")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "good day ['--classpath', 'own']\n"
    assert ended.stderr == "runcompss: without effect on the Dask engine: --classpath, --summary\n"
    bad = runcompss(f"--log_dir={tmp_path}/logs", f"--env_script={tmp_path}/none.sh", str(tmp_path / "shown.py"))
    assert bad.returncode == 1
    assert f"--env_script={tmp_path}/none.sh ended with status" in bad.stderr


def test_pycompss_runs_as_a_module(tmp_path: Path) -> None:
    """The manual's second way to run."""
    (tmp_path / "shown.py").write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    common = [f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "shown.py"), "--value", "1"]
    for action in ([], ["run"]):
        command = [sys.executable, "-m", "pycompss", *action, *common]
        ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.stdout == "__main__ ['--value', '1']\n", ended.stderr
    command = [sys.executable, "-m", "pycompss", "enqueue", *common]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "enqueue is not available on the Dask engine" in ended.stderr


def test_what_lies_beside_the_script_is_there_for_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "application"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "__init__.py").touch()
    (folder / "model" / "weights.py").write_text(
        "import pathlib\ndef load():\n    return float((pathlib.Path(__file__).parent / 'weights.txt').read_text())\n"
    )
    (folder / "model" / "weights.txt").write_text("2.5")
    (folder / "settings.json").write_text('{"factor": 7}')
    (folder / "app.py").write_text(
        "import json, os\n"
        "from model import weights\n"
        "from pycompss.api.api import compss_wait_on\n"
        "from pycompss.api.task import task\n"
        "@task(returns=1)\n"
        "def computed(number):\n"
        "    with open(os.path.dirname(os.path.abspath(__file__)) + '/settings.json') as file:\n"
        "        return [__file__, number * json.load(file)['factor'] * weights.load()]\n"
        "if __name__ == '__main__':\n"
        "    place, value = compss_wait_on(computed(2))\n"
        "    print(place != os.path.abspath(__file__), value)\n"
    )
    ended = runcompss(f"--log_dir={folder}/logs", "--computing_units=1", str(folder / "app.py"))
    assert ended.stdout == "True 35.0\n", ended.stderr
    monkeypatch.setattr(launch, "MAX_SOURCE_BYTES", 600)
    (folder / "large.bin").write_bytes(bytes(1000))
    files, left_out = launch.collect(folder, "path0")
    assert left_out[-1] == "large.bin"
    assert "path0/app.py" in files
    assert not any("logs" in name for name in files)
    monkeypatch.setattr(launch, "MAX_SOURCE_BYTES", 10)
    with pytest.raises(PyCOMPSsException, match="put the application into a folder of its own"):
        launch.collect(folder, "path0")


def test_files_that_come_and_go_beside_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text("")
    (tmp_path / "kept.json").write_text("{}")
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "gone.py")
    temporary = [tmp_path / "seen.json", tmp_path / "chosen.json"]
    for path in temporary:
        path.write_text("{}")
    access, read = os.access, Path.read_bytes

    def asked(path: Path, mode: int) -> bool:
        temporary[0].unlink(missing_ok=True)
        return access(path, mode)

    def emptied(path: Path) -> bytes:
        temporary[1].unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(os, "access", asked)
    monkeypatch.setattr(Path, "read_bytes", emptied)
    files, left_out = launch.collect(tmp_path, "path0")
    assert sorted(files) == ["path0/app.py", "path0/kept.json"]
    assert left_out == []
