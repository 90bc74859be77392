"""Every text that is written is read as that text, whichever version of YAML the reader speaks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.continuum.edge.plugins.module_utils import kubernetes_yaml

# What people write as names, versions, digests, sizes, countries and times, and some program takes for something else.
LIKE_SOMETHING_ELSE = [
    *(
        "08",
        "0815",
        "007",
        "0o7",
        "0o17",
        "0x1F",
        "0b1",
        "0_8",
        "1_000",
        "+12",
        "-0",
        "09.5",
        "1.20",
        "1.",
        ".5",
        "-.5",
    ),
    *("1e3", "25921e05", "1E5", "1e+06", "1.5e3", "1_0e3", "12:30", "1:30:59.5", "190:20:30", "1,000"),
    *("y", "Y", "n", "N", "yes", "No", "on", "OFF", "true", "False", "null", "~", "NULL", "", "=", "<<"),
    *(".inf", "-.INF", "+.Inf", ".nan", ".NaN", "2026-01-31", "2026-1-2", "2026-01-31T10:00:00Z", "2026-1-2 3:4:5"),
    *(
        "-",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "# a",
        "!a",
        "&a",
        "*a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "'a'",
        '"a"',
        "---",
        "...",
    ),
    *(
        "a\tb",
        "\ta",
        " a",
        "a ",
        "a\n",
        "\na",
        "a\nb ",
        " a\nb",
        "\n",
        "a\r\nb",
        "a\x85b",
        "a\u2028b\nc",
        "\ufeffa",
        "\xa0",
    ),
    *("a\n\n\n", "# a\nb", "--- a\nb", "\x00", "\x7f", "\ud7ff", "\U0001f600", "é\nè", "x" * 20000, "x " * 20000),
]
# A surrogate is no character of any file.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.from_regex(r"[-+]?[0-9][-+.:_0-9a-fxoeETZ]{0,8}", fullmatch=True)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | NUMBERS | st.sampled_from(LIKE_SOMETHING_ELSE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | NUMBERS, inner, max_size=3),
    max_leaves=8,
)


def read_1_1(text: str) -> Any:
    return yaml.safe_load(text)


def read_1_2(text: str) -> Any:
    reader = ruamel.yaml.YAML(typ="safe", pure=True)
    assert reader.resolver.processing_version == (1, 2)
    return reader.load(text)


def read_by_kubernetes(text: str) -> Any:
    [document] = kubernetes_yaml.load_all(text)
    return document


READERS = [read_1_1, read_1_2, read_by_kubernetes]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", LIKE_SOMETHING_ELSE, ids=lambda text: repr(text[:20]))
def test_a_text_stays_a_text(text: str, read: Any) -> None:
    document = {"key": text, "list": [text], "nested": {text: text}}
    assert read(kubernetes_yaml.dump(document, sort_keys=False)) == document


@pytest.mark.parametrize("read", READERS)
@given(DOCUMENTS)
@example({"0": "08"})
def test_every_document_is_read_as_it_was(read: Any, document: Any) -> None:
    assert read(kubernetes_yaml.dump({"document": document}, sort_keys=True)) == {"document": document}


# Go's expression of a float, and what strconv.ParseInt takes for an integer once its underscores are gone.
GO_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+)")


@given(NUMBERS | TEXTS)
def test_what_go_takes_for_a_number_has_quotes(text: str) -> None:
    written = kubernetes_yaml.dump([text], sort_keys=False)
    if GO_NUMBER.fullmatch(text.replace("_", "")):
        assert written == f"- '{text}'\n"


@pytest.mark.parametrize(
    "text", ["prometheus", "4GB", "500m", "10.0.0.1/24", "v1.2.3", "edge-monitoring", "sum(a) / 2"]
)
def test_what_nobody_mistakes_has_no_quotes(text: str) -> None:
    assert kubernetes_yaml.dump([text], sort_keys=False) == f"- {text}\n"


def test_the_same_list_twice_is_written_twice() -> None:
    shared = ["a"]
    assert kubernetes_yaml.dump({"b": shared, "a": shared}, sort_keys=False) == "b:\n- a\na:\n- a\n"


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("1e+06", 1000000),
        ("25921e05", 2592100000),
        ("0815", 815),
        ("0644", 420),
        ("-0x1F", -31),
        ("0o17", 15),
        ("1_000", 1000),
        ("1.50", 1.5),
        ("-.inf", float("-inf")),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ("y", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_text_of_a_manifest_is_what_the_api_server_gets(plain: str, value: Any) -> None:
    assert read_by_kubernetes(f"key: {plain}\n") == {"key": value}
