"""README's table of the PyCOMPSs API: each of its entries is tried, and nothing is left out."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from typing import Any

import pycompss
import pytest
from pycompss.api.binary import binary
from pycompss.api.constraint import constraint
from pycompss.api.task import task
from pycompss_dask.definition import Definition
from pycompss_dask.errors import NotSupported, PyCOMPSsException
from support import ROOT

FOLDER = ROOT / "images" / "pycompss-dask"


def load() -> Any:
    specification = importlib.util.spec_from_file_location("table", FOLDER / "table.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


table = load()
MODULES: dict[str, dict[str, Any]] = table.entries()["modules"]
ARGUMENTS: dict[str, dict[str, Any]] = table.entries()["arguments"]


def arguments(state: str) -> list[tuple[str, str]]:
    return [(decorator, name) for decorator, entry in ARGUMENTS.items() for name in entry.get(state, ())]


def function(value: Any) -> Any:
    return value


def apply(decorator: str, name: str, value: Any) -> Definition:
    if decorator == "@task":
        return task(**{name: value})(function).__compss__  # type: ignore[attr-defined]
    if decorator == "@constraint":
        return constraint(**{name: value})(task()(function)).__compss__  # type: ignore[attr-defined]
    return binary(**{"binary": "x", name: value})(task()(function)).__compss__  # type: ignore[attr-defined]


VALUES: dict[str, Any] = {
    "returns": 1,
    "on_failure": "FAIL",
    "defaults": {},
    "time_out": 1,
    "timeOut": 1,
    "chunk_size": 1,
    "numba_flags": {"cache": True},
    "numba_signature": ["int64(int64)"],
    "numba_declaration": "(n)->(n)",
    "processors": [{"computing_units": 1}],
}


def test_readme_has_the_table_as_it_is_written() -> None:
    text = (FOLDER / "README.md").read_text()
    assert table.written(text) == text, "stale: run images/pycompss-dask/table.py"


def test_every_module_has_its_entry() -> None:
    modules = set()
    # Refused packages cannot be walked through: they have no modules.
    for module in pkgutil.walk_packages(pycompss.__path__, "pycompss.", onerror=lambda _: None):
        if not module.ispkg and not module.name.rpartition(".")[2].startswith("_d"):
            modules.add(module.name)
    assert modules - set(MODULES) == set()
    assert {name for name in MODULES if importlib.util.find_spec(name) is None} == set()


@pytest.mark.parametrize("name", [name for name, entry in MODULES.items() if isinstance(entry.get("refused"), str)])
def test_refused_module(name: str) -> None:
    sys.modules.pop(name, None)
    with pytest.raises(NotSupported, match=f"{name} is not available on the Dask engine"):
        importlib.import_module(name)


@pytest.mark.parametrize("name", [name for name, entry in MODULES.items() if not isinstance(entry.get("refused"), str)])
def test_names_of_module(name: str) -> None:
    entry = MODULES[name]
    if "needs" in entry:
        pytest.importorskip(entry["needs"], reason=f"{entry['needs']} is not installed")
    module = importlib.import_module(name)
    names = {*entry.get("taken", ()), *entry.get("different", ()), *entry.get("refused", ())}
    assert {each for each in names if not hasattr(module, each)} == set()
    # The table says something of each public name; those of dummy.parameter are the ones of parameter.
    if name != "pycompss.api.dummy.parameter":
        assert set(getattr(module, "__all__", ())) - names == set()


@pytest.mark.parametrize(("decorator", "name"), arguments("taken") + arguments("different"))
def test_argument_is_taken(decorator: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from pycompss.api.parameter import IN, INOUT

    directions = {"target_direction": INOUT, "targetDirection": INOUT, "varargs_type": IN, "varargsType": IN}
    default: Any = "1" if decorator != "@task" else True
    if name in ("is_local",):
        default = True
    apply(decorator, name, {**VALUES, **directions}.get(name, default))
    assert "WARNING" not in capsys.readouterr().err


@pytest.mark.parametrize(("decorator", "name"), arguments("refused_names"))
def test_argument_is_refused(decorator: str, name: str) -> None:
    with pytest.raises(PyCOMPSsException, match=rf"{name}.* is not available"):
        apply(decorator, name, "docker")
