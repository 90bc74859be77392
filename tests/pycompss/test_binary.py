"""@binary: programs as tasks."""

from __future__ import annotations

import json
from pathlib import Path

import faulty
import pytest
from pycompss.api.api import compss_barrier, compss_open, compss_wait_on
from pycompss.api.parameter import FILE_OUT_STDOUT
from pycompss.api.software import software
from pycompss.api.task import task
from pycompss_dask.errors import NotSupported
from pycompss_dask.runtime import Runtime
from support import plainly
from tools import eventually

pytestmark = pytest.mark.usefixtures("engine")


def content(path: Path) -> str:
    with compss_open(str(path)) as file:
        return str(file.read())


def test_standard_output(tmp_path: Path) -> None:
    faulty.echo("a b; $HOME", str(tmp_path / "out"))
    assert content(tmp_path / "out") == "a b; $HOME\n"


@pytest.mark.parametrize("status", [0, 7])
def test_exit_value_is_returned(status: int) -> None:
    assert compss_wait_on(faulty.exit_value(status)) == status


def test_exit_value_can_be_a_failure() -> None:
    assert compss_wait_on(faulty.failing_program()) is None
    assert compss_wait_on(faulty.true_program()) == 0


def test_standard_input(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("one\ntwo\nthree\n")
    faulty.grep("t", str(tmp_path / "in"), str(tmp_path / "out"))
    assert content(tmp_path / "out") == "two\nthree\n"


def test_file_inout(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("Hi you")
    faulty.sed("-i", "s/Hi/HELLO/", str(tmp_path / "f"))
    faulty.sed("-i", "s/you/all/", str(tmp_path / "f"))
    assert content(tmp_path / "f") == "HELLO all"


def test_prefix(tmp_path: Path) -> None:
    faulty.prefixed("%s", 5, str(tmp_path / "out"))
    assert content(tmp_path / "out") == "--size=5"


def test_working_dir_with_a_parameter(tmp_path: Path) -> None:
    faulty.working_dir("usr", str(tmp_path / "out"), str(tmp_path / "err"))
    assert content(tmp_path / "out") == "/usr\n"


def test_working_dir_is_made(tmp_path: Path) -> None:
    faulty.made_dir(str(tmp_path), str(tmp_path / "out"))
    assert content(tmp_path / "out") == f"{tmp_path}/made/here\n"


def test_value_with_spaces_is_one_argument(tmp_path: Path) -> None:
    faulty.words("next monday", "a b/c.txt", str(tmp_path / "out"))
    assert content(tmp_path / "out") == "next monday\na b/c.txt\n"


def test_wildcards_in_args_stand_for_files_and_those_in_values_for_themselves(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.csv"):
        (tmp_path / name).touch()
    faulty.wildcards(str(tmp_path), "*.csv", str(tmp_path / "out"))
    assert content(tmp_path / "out").splitlines() == ["*.csv", "a.txt", "b.txt", "none*.txt"]


def test_prolog_and_epilog(tmp_path: Path) -> None:
    (tmp_path / "script").write_text('echo $1 >> "$2"\n')
    (tmp_path / "f").write_text("")
    faulty.surrounded(str(tmp_path / "script"), str(tmp_path / "f"))
    assert content(tmp_path / "f").split() == ["before", "task", "after"]


def test_prolog_that_fails_fails_the_task_and_an_epilog_does_not() -> None:
    assert compss_wait_on(faulty.prolog_fails(), faulty.epilog_fails()) == [None, 1]


def test_software_from_a_file(tmp_path: Path) -> None:
    program = {"type": "binary", "binary": "printf", "args": "%s {{word}}"}
    (tmp_path / "x.json").write_text(json.dumps({"execution": program, "constraints": {"computing_units": 2}}))

    def printed(word: str, result: str) -> None:
        """A program."""

    call = software(config_file=str(tmp_path / "x.json"))(task(result=FILE_OUT_STDOUT)(printed))
    assert call.__compss__.needs({}) == (2, {})
    call("a word", str(tmp_path / "out"))
    assert content(tmp_path / "out") == "a word"
    (tmp_path / "mpi.json").write_text(json.dumps({"execution": {"type": "mpi"}}))
    with pytest.raises(NotSupported, match="type mpi is not available"):
        software(config_file=str(tmp_path / "mpi.json"))


def test_script_and_streams(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo good; echo bad >&2\n")
    faulty.shell(str(tmp_path / "script"), str(tmp_path / "out"), str(tmp_path / "err"))
    assert content(tmp_path / "out") == "good\n"
    assert content(tmp_path / "err") == "bad\n"


def test_nothing_is_left_over(engine: Runtime, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("touch left_over; pwd; ls\n")
    faulty.shell(str(tmp_path / "script"), str(tmp_path / "out"), str(tmp_path / "err"))
    compss_barrier()
    assert not engine.pending
    folder, *names = content(tmp_path / "out").split()
    assert "left_over" in names
    assert Path(folder) != Path.cwd()
    # The executor tidies up after it has answered.
    eventually(lambda: not Path(folder).exists(), 20)


def test_without_a_runtime_the_program_runs_at_once(tmp_path: Path) -> None:
    with plainly():
        faulty.echo("plain", str(tmp_path / "out"))
        assert (tmp_path / "out").read_text() == "plain\n"
        assert faulty.exit_value(3) == 3
