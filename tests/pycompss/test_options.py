"""Every option of COMPSs' runcompss does what the table says of it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from pycompss_dask import launch
from pycompss_dask.options import EITHER, FLAG, HONOURED, NOTHING, OPTIONS, REFUSED, VALUE, Option
from support import runcompss

# Values that honoured options take, and what the launcher makes of them; those that print and end are tried below.
HONOURED_VALUES: dict[str, tuple[str, object]] = {
    "graph": ("true", "true"),
    "tracing": ("basic", "basic"),
    "monitoring": ("500", 500),
    "task_execution": ("compss", "compss"),
    "storage_impl": ("redis", "redis"),
    "storage_conf": ("/storage.conf", "/storage.conf"),
    "lang": ("python", "python"),
    "streaming": ("NONE", "NONE"),
    "pythonpath": ("/one:/two", "/one:/two"),
    "env_script": ("/env.sh", "/env.sh"),
    "log_dir": ("/logs", "/logs"),
    "base_log_dir": ("/logs", "/logs"),
    "specific_log_dir": ("/logs", "/logs"),
    "master_port": ("8786", 8786),
    "io_executors": ("3", 3),
    "wall_clock_limit": ("60", 60),
}
PRINTING = ("help", "opts", "version")


def ways(option: Option, value: str = "1") -> list[str]:
    """Each way in which the option can be given."""
    written = [f"-{option.letter}"] if option.letter else []
    if option.form in (FLAG, EITHER):
        written.append(f"--{option.name}")
    if option.form in (VALUE, EITHER):
        written.append(f"--{option.name}={value}")
    return written


def having(*effects: str) -> list[Option]:
    return [option for option in OPTIONS if option.effect in effects]


def parse(*options: str) -> argparse.Namespace:
    """What the launcher makes of the options; the script gets what follows it, as it is."""
    parsed, arguments = launch.parse([*options, "app.py", "--classpath", "x", "-d"])
    assert parsed.script == "app.py"
    assert arguments == ["--classpath", "x", "-d"]
    return parsed


def test_names_are_given_once() -> None:
    names = [option.name for option in OPTIONS] + [option.letter for option in OPTIONS if option.letter]
    assert len(names) == len(set(names))
    assert {option.name for option in having(HONOURED)} == {*HONOURED_VALUES, *PRINTING}


@pytest.mark.parametrize("option", having(HONOURED), ids=lambda option: option.name)
def test_option_is_honoured(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    if option.name in PRINTING:
        for way in ways(option):
            with pytest.raises(SystemExit) as ended:
                launch.parse([way])
            assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert {"help": "--blocked_timeout", "opts": "`--classpath=…`", "version": "Dask"}[option.name] in shown
        return
    value, expected = HONOURED_VALUES[option.name]
    attribute = option.name.removeprefix("base_")
    parsed = parse(f"--{option.name}={value}")
    assert getattr(parsed, attribute) == expected
    assert parsed.without_effect == []
    for way in set(ways(option, value)) - {f"--{option.name}={value}"}:
        alone = getattr(parse(way), attribute)
        assert str(alone) == (option.alone if option.form is EITHER else value)


@pytest.mark.parametrize("option", having(NOTHING), ids=lambda option: option.name)
def test_option_without_effect_is_named(option: Option) -> None:
    plain = vars(parse())
    for way in ways(option):
        parsed = vars(parse(way, way))
        assert parsed.pop("without_effect") == [f"--{option.name}"]
        assert parsed == {name: value for name, value in plain.items() if name != "without_effect"}


@pytest.mark.parametrize(
    "option", [each for each in having(NOTHING) if each.form is VALUE], ids=lambda option: option.name
)
def test_script_is_not_taken_for_a_value(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse([f"--{option.name}", "app.py", "data.txt"])
    assert ended.value.code == 2
    assert f"--{option.name} needs its value after an equals sign" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "option"),
    [(way, option) for option in having(REFUSED) for way in ways(option)]
    + [(f"--{option.name}={value}", option) for option in OPTIONS for value in option.refused_values],
)
def test_option_is_refused(given: str, option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse([given, "app.py"])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert f"{given if '=' in given and option.effect is HONOURED else '--' + option.name} (" in message
    assert f"{option.meaning}) is not available on the Dask engine" in message


@pytest.mark.parametrize("given", [f"--{option.name}={value}" for option in OPTIONS for value in option.idle_values])
def test_value_without_effect_is_named(given: str) -> None:
    assert parse(given).without_effect == [given]


def test_letters_can_stand_together() -> None:
    parsed = parse("-dgtm")
    assert (parsed.graph, parsed.tracing, parsed.monitoring) == ("true", "true", 2000)
    assert parsed.without_effect == ["--debug"]


def test_unknown_option_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse(["--no_option_of_anybody=1", "app.py"])
    assert ended.value.code == 2
    assert "--no_option_of_anybody=1" in capsys.readouterr().err


def test_launcher_with_every_option_that_means_nothing(tmp_path: Path) -> None:
    """One real start: the application runs as without them, and one line names them all."""
    (tmp_path / "shown.py").write_text("import sys\nprint(sys.argv[1:])\n")
    idle = [way for option in having(NOTHING) for way in ways(option)]
    options = (f"--base_log_dir={tmp_path}/logs", "--computing_units=1", "-m", *idle)
    ended = runcompss(*options, str(tmp_path / "shown.py"), "--summary", "1")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "['--summary', '1']\n"
    names = ", ".join(f"--{option.name}" for option in having(NOTHING))
    assert ended.stderr == f"runcompss: without effect on the Dask engine: {names}\n"
    log = (tmp_path / "logs" / ".COMPSs" / "shown.py_01" / "runtime.log").read_text()
    assert log.count("without effect on the Dask engine") == 1


def test_version_of_the_installed_command() -> None:
    ended = runcompss("-v")
    assert ended.returncode == 0
    assert re.fullmatch(r"PyCOMPSs on Dask \d+\.\d+\.\d+\n", ended.stdout)


def test_refused_option_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text("print('started')\n")
    ended = runcompss("--streaming=FILES", str(tmp_path / "shown.py"))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "--streaming=FILES" in ended.stderr
