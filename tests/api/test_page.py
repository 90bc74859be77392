"""The page of the Monitoring API in a real browser; what it draws, the scenario compss looks at on a cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect
from tools import free_port

from .conftest import Api, prometheus_at

expect.set_options(timeout=60_000)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails with its first error."""
    opened = browser.new_page(viewport={"width": 390, "height": 844})
    faults: list[str] = []
    # The library comes with the image; what it draws, the scenario looks at.
    opened.add_init_script("window.uPlot = function () {};")
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.close()
    assert faults == []


def test_a_back_end_that_is_away_shows_and_so_does_that_it_is_back(
    serve: Callable[..., Api], page: Page, tmp_path: Path
) -> None:
    port = free_port()
    page.goto(f"{serve(PROMETHEUS_URL=f'http://127.0.0.1:{port}').client.base_url}/#/alerts")
    expect(page.get_by_role("alert")).to_contain_text("Prometheus cannot be reached")
    (tmp_path / "prometheus.yml").write_text("{}")
    with prometheus_at(tmp_path, port):
        expect(page.get_by_text("No alert is pending or firing.")).to_be_visible()
        expect(page.locator("#trouble")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("Prometheus cannot be reached")


def test_a_back_end_that_hangs_shows_before_anybody_has_given_up(serve: Callable[..., Api], page: Page) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        page.goto(f"{serve(PROMETHEUS_URL=url, TIMEOUT='600').client.base_url}/#/metrics")
        expect(page.get_by_role("heading", level=1)).to_have_text("Metrics")
        expect(page.get_by_role("alert")).to_contain_text("The back-end has no answer yet")


def test_who_has_no_token_is_asked_for_one(serve: Callable[..., Api], prometheus: str, page: Page) -> None:
    page.goto(str(serve(PROMETHEUS_URL=prometheus, AUTHENTICATION="true").client.base_url))
    expect(page.get_by_label("Token of the cluster")).to_be_focused()
    page.keyboard.type("a token")
    with page.expect_request(lambda asked: asked.headers.get("authorization") == "Bearer a token"):
        page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("there is no API server to ask")


def test_the_reference_finds_a_metric_and_says_why_it_is_empty(
    serve: Callable[..., Api], prometheus: str, page: Page
) -> None:
    page.goto(f"{serve(PROMETHEUS_URL=prometheus).client.base_url}/#/metrics")
    page.get_by_label("Find a metric").fill("gpu ratio")
    metric = page.get_by_role("article").filter(has_text="gpu:usage:ratio")
    expect(page.get_by_text("node:load1:max")).to_be_hidden()
    metric.get_by_role("button").click()
    expect(metric.get_by_role("status")).to_contain_text("GPU")


def test_texts_of_a_back_end_are_no_markup(serve: Callable[..., Api], prometheus: str, page: Page) -> None:
    page.goto(f"{serve(PROMETHEUS_URL=prometheus).client.base_url}/#/%3Cimg%20src%3Dx%3E")
    expect(page.get_by_text("there is no board '<img src=x>'")).to_be_visible()
    assert page.locator("main img").count() == 0


def test_the_overview_costs_a_narrow_link_little(serve: Callable[..., Api], prometheus: str, page: Page) -> None:
    finished: list[Request] = []
    page.on("requestfinished", lambda asked: finished.append(asked))
    page.goto(str(serve(PROMETHEUS_URL=prometheus).client.base_url))
    page.wait_for_function(
        """() => document.querySelector("main .body")
             && [...document.querySelectorAll("main .body")].every((body) => body.childElementCount)"""
    )
    # 300 kB, less the library that comes with the image.
    assert 10_000 < sum(asked.sizes()["responseBodySize"] for asked in finished) < 249_000


def test_what_has_ended_is_shown_when_it_was(serve: Callable[..., Api], prometheus: str, page: Page) -> None:
    page.goto(f"{serve(PROMETHEUS_URL=prometheus).client.base_url}/#/compss-application")
    expect(page.get_by_label("Application")).to_have_value("matmul")
    page.get_by_label("Application").select_option("cholesky")
    workers = page.get_by_role("article").filter(has=page.get_by_role("heading", name="Workers", exact=True))
    state = workers.locator(".state")
    expect(state).to_have_count(1)
    track, drawn = workers.locator(".states").bounding_box(), state.bounding_box()
    assert track
    assert drawn
    # The second half of the hour has no state.
    assert drawn["x"] == pytest.approx(track["x"], abs=0.1 * track["width"])
    assert drawn["width"] == pytest.approx(track["width"] / 2, abs=0.1 * track["width"])


def test_a_row_has_what_all_records_of_one_application_say(
    serve: Callable[..., Api], prometheus: str, page: Page
) -> None:
    page.goto(f"{serve(PROMETHEUS_URL=prometheus).client.base_url}/#/compss-fleet")
    # The engine is a label of one record, the progress is another record.
    row = page.get_by_role("row").filter(has_text="matmul").filter(has_text="dask")
    expect(row).to_contain_text("50 %")
    expect(page.get_by_role("row").filter(has_text="matmul")).to_have_count(1)
