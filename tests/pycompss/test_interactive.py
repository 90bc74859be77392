"""pycompss.interactive: the engine in a notebook, whose functions and classes no worker can import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pycompss import interactive
from pycompss_dask.errors import PyCOMPSsException
from support import ENVIRONMENT, runcompss

# As notebooks have it: cells without a main program, a class and a module that the notebook writes itself.
NOTEBOOK = """
import os
import pycompss.interactive as ipycompss

ipycompss.start(graph=True, monitor=1000, trace=False, debug=True, project_xml="/none.xml", unknown=1,
                log_dir={folder!r}, local_workers=1, computing_units=2)

from pycompss.api.api import compss_open, compss_wait_on
from pycompss.api.parameter import COLLECTION_IN, FILE_OUT
from pycompss.api.task import task

OFFSET = 10
with open("shapes.py", "w") as module:
    module.write('''
from pycompss.api.task import task

class Written:
    def __init__(self, side):
        self.side = side

    @task(returns=int)
    def area(self):
        return self.side ** 2
''')

from shapes import Written


class Shape:
    def __init__(self, side):
        self.side = side

    @task()
    def scale(self, factor):
        self.side *= factor


@task(returns=int)
def square(number):
    return number ** 2 + OFFSET


@task(returns=Shape)
def shaped(side):
    return Shape(side)


@task(shapes=COLLECTION_IN, returns=int)
def sides(shapes):
    return sum(shape.side for shape in shapes)


@task(path=FILE_OUT)
def write(path):
    with open(path, "w") as file:
        file.write("written by a task")


values = [square(number) for number in range(4)]
shape = Shape(3)
shape.scale(4)
other = shaped(5)
total = sides([shape, other])
area = Written(6).area()
write("out.txt")
assert "square" in str(ipycompss.complete_task_graph())
OFFSET = 20
again = compss_wait_on(square(1))
with compss_open("out.txt") as file:
    text = file.read()
ipycompss.stop(sync=True)
print(values, shape.side, other.side, total, area, again, text, type(other) is Shape)
print(ipycompss.tasks_status(), ipycompss.resources_status())
print(ipycompss.tasks_info()["square"]["executed"], ipycompss.statistics()["executed"])
"""


def run(*command: str, folder: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=ENVIRONMENT,
        input=text,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_notebook(tmp_path: Path) -> None:
    (tmp_path / "notebook.py").write_text(NOTEBOOK.format(folder=str(tmp_path)))
    ended = run("notebook.py", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    begin, results, status, counts = ended.stdout.splitlines()
    assert begin == f"PyCOMPSs on Dask has started; results in {tmp_path}/.COMPSs/interactive_01"
    assert results == "[10, 11, 14, 19] 12 5 17 36 21 written by a task True"
    assert status == "{'COMPLETED': 10, 'pending': 0} {'local0': {'computing_units': 2, 'up': True}}"
    assert counts == "5 10"
    assert "WARNING: start: the argument unknown is unknown" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "square" in (tmp_path / ".COMPSs/interactive_01/monitor/complete_graph.dot").read_text()


def test_shell_that_ends_without_stop(tmp_path: Path) -> None:
    lines = f"""
import pycompss.interactive as ipycompss
ipycompss.start(local_workers=1, computing_units=1, log_dir={str(tmp_path)!r})
from pycompss.api.task import task
from pycompss.api.api import compss_wait_on
@task(returns=1)
def double(value):
    return 2 * value

print("value", compss_wait_on(double(double(3))))
"""
    ended = run("-i", "-q", folder=tmp_path, text=lines)
    assert "value 12" in ended.stdout, ended.stderr
    assert "Traceback" not in ended.stderr


def test_task_that_fails_ends_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "notebook.py").write_text(f"""
import pycompss.interactive as ipycompss
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task

@task(returns=1, on_failure="FAIL")
def fails():
    raise ValueError("by itself")

for attempt in range(2):
    ipycompss.start(local_workers=1, computing_units=1, log_dir={str(tmp_path)!r})
    try:
        compss_wait_on(fails())
    except Exception as error:
        print(type(error).__name__, "by itself" in str(error))
    try:
        ipycompss.stop()
    except Exception as error:
        print(type(error).__name__)
print("goes on")
""")
    ended = run("notebook.py", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "goes on"
    assert ended.stdout.count("TaskFailed True") == 2


def test_under_runcompss_the_runtime_runs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("""
import pycompss.interactive as ipycompss
from pycompss.api.task import task

@task(returns=1)
def double(value):
    return 2 * value

if __name__ == "__main__":
    ipycompss.start(graph=True)
    value = double(4)
    ipycompss.stop(sync=True)
    print(value)
""")
    ended = runcompss(f"--log_dir={tmp_path}/logs", "--computing_units=1", str(tmp_path / "app.py"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "8\n"


def test_wrong_option_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PyCOMPSsException, match="the reason stands above"):
        interactive.start(lang="java")
    assert "--lang=java" in capsys.readouterr().err
