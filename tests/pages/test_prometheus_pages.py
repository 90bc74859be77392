"""Prometheus' own pages, built by the role local_cluster, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import ALERTS

expect.set_options(timeout=60_000)
NOTES = Path(__file__).parents[2] / "charts/edge-monitoring/templates/NOTES.txt"


@pytest.fixture
def page(browser: Browser, prometheus: str) -> Iterator[Page]:
    """A page that fails with its first error, and with what it asks of anybody else."""
    opened = browser.new_page(base_url=prometheus)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status > 399 else None
    )
    opened.on(
        "request", lambda asked: None if asked.url.startswith((prometheus, "data:")) else faults.append(asked.url)
    )
    yield opened
    opened.close()
    assert faults == []


def test_query_shows_a_value(page: Page) -> None:
    page.goto("/query?g0.expr=up&g0.tab=table")
    expect(page.get_by_role("row").filter(has_text='job="prometheus"')).to_contain_text("1")


def test_graph_is_drawn(page: Page) -> None:
    # It has a value at every time: Prometheus itself has been scraped for a moment only.
    page.goto("/query?g0.expr=time()&g0.tab=graph")
    expect(page.locator(".uplot canvas").first).to_be_visible()


SHOWN = {
    "/query": "Execute",
    "/alerts": "TargetMissing",
    "/targets": "/metrics",
    "/rules": "job:targets_up:ratio",
    "/service-discovery": "Discovered labels",
}


@pytest.mark.parametrize(("path", "text"), SHOWN.items())
def test_page_shows_what_it_is_for(page: Page, path: str, text: str) -> None:
    page.goto(path)
    expect(page.get_by_text(text).first).to_be_visible()


def test_whoever_asks_for_nothing_gets_the_query_page(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_url(re.compile("/query$"))


def test_runbooks_and_notes_lead_to_pages_that_are_there() -> None:
    texts = [NOTES.read_text(), *(alert.runbook for alert in ALERTS)]
    named = {path for text in texts for path in re.findall(r"Prometheus' page (\S+?)[\s,.;:)]", text + " ")}
    assert {"/targets", "/service-discovery"} <= named <= set(SHOWN)


def test_licences_travel_with_them(pages: Path) -> None:
    third_parties = (pages / "static/mantine-ui/assets/third-party-licenses.txt").read_text()
    assert "Name: react\n" in third_parties
    assert "Apache License" in (pages / "LICENSE").read_text()
    assert "Prometheus" in (pages / "NOTICE").read_text()
