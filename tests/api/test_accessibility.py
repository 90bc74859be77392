"""Every part of the page, for everybody: axe-core's rules, the width of a phone, a keyboard alone, and long tables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tools import node_modules

from .conftest import ROOT, Api, Running, run_of

expect.set_options(timeout=60_000)
BOARDS = json.loads((ROOT / "images/monitoring-api/monitoring_api/boards.json").read_text(encoding="utf-8"))
PARTS = [*(board["key"] for board in BOARDS), "alerts", "metrics", "application/compss/matmul"]
#: Every panel has its answer, or says why it has none.
COMPLETE = """() => document.querySelector("main h1")
  && [...document.querySelectorAll("main .body")].every((body) => body.childElementCount)"""
FOCUSABLE = "a[href], button, select, input, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def axe() -> str:
    """The text of axe-core."""
    try:
        modules = node_modules(Path(__file__).with_name("axe"), "axe")
    except RuntimeError as error:
        pytest.skip(str(error))
    return (modules / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "phone"])
def page(
    browser: Browser,
    serve: Callable[..., Api],
    prometheus: str,
    running: Callable[..., Running],
    request: pytest.FixtureRequest,
) -> Iterator[Page]:
    """A page of a cluster on which an application runs. It fails with its first error."""
    width, scheme = request.param
    application = running(*run_of(9, 4, time.time()))
    url = serve(PROMETHEUS_URL=prometheus, **application.environment).client.base_url
    opened = browser.new_page(base_url=str(url), viewport={"width": width, "height": 844}, color_scheme=scheme)
    faults: list[str] = []
    # The library comes with the image.
    opened.add_init_script("window.uPlot = function () {};")
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.close()
    assert faults == []


def show(page: Page, part: str) -> None:
    page.goto(f"/#/{part}")
    page.wait_for_function(COMPLETE, timeout=60_000)


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page: Page, axe: str) -> None:
    faults: dict[str, Any] = {}
    for part in PARTS:
        show(page, part)
        page.evaluate(f"() => {{ if (!window.axe) {{ {axe} }} }}")
        violations = page.evaluate("() => axe.run()")["violations"]
        faults[part] = {fault["id"]: [node["html"][:200] for node in fault["nodes"][:3]] for fault in violations}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
    assert {part: ids for part, ids in faults.items() if ids} == {}


@pytest.mark.parametrize("part", ["compss-fleet", "application/compss/matmul"])
def test_a_keyboard_reaches_everything_and_shows_where_it_is(page: Page, part: str) -> None:
    show(page, part)
    count = page.locator(FOCUSABLE).filter(visible=True).count()
    reached = set()
    for _ in range(count + 1):
        page.keyboard.press("Tab")
        place = page.evaluate(
            f"""() => {{
              const at = document.activeElement;
              const number = [...document.querySelectorAll("{FOCUSABLE}")].indexOf(at);
              return [number, getComputedStyle(at).outlineStyle];
            }}"""
        )
        if place[0] >= 0:
            assert place[1] != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            reached.add(place[0])
    assert len(reached) >= count


LONG = """async () => {
  const { drawn } = await import("./panels.js");
  const panel = { kind: "table", title: "Pods", absent: "", link: "#/pods?pod={pod}", options: { by: ["node", "pod"], key: "pod" },
                  queries: [{ legend: "CPU", unit: "short" }] };
  const series = Array.from({ length: 10000 }, (_, at) => ({ labels: { node: `edge-${at % 200}`, pod: `pod-${at}` }, points: [[0, at]] }));
  document.getElementById("main").replaceChildren(drawn(panel, { queries: [series], start: 0, end: 1, step: 1 }));
}"""


def test_of_ten_thousand_rows_there_are_those_that_are_looked_at(page: Page) -> None:
    show(page, "alerts")
    page.evaluate(LONG)
    table = page.get_by_role("region", name="Pods")
    assert page.locator("main tr").count() < 100
    expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "10001")
    expect(table.get_by_role("row").filter(has_text="edge-0")).not_to_have_count(0)
    table.focus()
    page.keyboard.press("End")
    expect(table.get_by_role("link", name="pod-9999")).to_be_visible()
    assert page.locator("main tr").count() < 100
    # Somewhere in the middle there is no gap: what is looked at is filled with rows.
    table.evaluate("(place) => { place.scrollTop = place.scrollHeight / 2; }")
    expect(table.locator("tr[aria-rowindex='5000']")).to_be_visible()
    box = table.bounding_box()
    assert box
    for height in (60, 200, 400):
        row = page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).closest('tr').className", [box["x"] + 20, box["y"] + height]
        )
        assert row == ""
