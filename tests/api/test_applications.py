"""One application live: what its monitor knows reaches who asks the Monitoring API, and the page draws it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tools import free_port

from .conftest import Api, Running, run_of

expect.set_options(timeout=60_000)
ADDRESS = "/api/v1/applications/compss/matmul"


def test_what_the_monitor_knows_is_told(serve: Callable[..., Api], running: Callable[..., Running]) -> None:
    from monitoring_api import models  # the image's program is found by conftest.py

    application = running(*run_of(9, 4, time.time()))
    api = serve(**application.environment)
    progress = models.Progress.model_validate(api.get(ADDRESS).json())
    assert progress.totals == models.States(pending=4, running=1, completed=3, failed=1)
    graph = models.Graph.model_validate(api.get(f"{ADDRESS}/graph").json())
    assert [task.reads for task in graph.tasks][2:6] == [[2], [], [], [5, 3]]
    assert [task.state for task in graph.tasks][:6] == [
        "completed",
        "failed",
        "completed",
        "completed",
        "running",
        "pending",
    ]
    assert {(edge.source, edge.target): edge.count for edge in graph.edges} == {
        ("generate", "multiply"): 3,
        ("multiply", "multiply"): 2,
    }
    timeline = models.Timeline.model_validate(api.get(f"{ADDRESS}/timeline").json())
    assert [(task.id, task.state, task.end is None) for task in timeline.tasks][-2:] == [
        (4, "completed", False),
        (5, "running", True),
    ]


def test_what_an_engine_does_not_tell_is_404_with_its_reason(
    serve: Callable[..., Api], running: Callable[..., Running]
) -> None:
    api = serve(**running(engine="compss").environment)
    for what in ("graph", "timeline"):
        answer = api.get(f"{ADDRESS}/{what}")
        assert answer.status_code == 404
        assert "the engine compss" in answer.json()["reason"]


def test_an_application_that_has_ended_is_503_with_its_reason(serve: Callable[..., Api]) -> None:
    answer = serve(APPLICATION_URL=f"http://127.0.0.1:{free_port()}").get(ADDRESS)
    assert answer.status_code == 503
    assert "compss/matmul answers while it runs" in answer.json()["reason"]


@pytest.mark.parametrize("name", ["Compss/matmul", "a.b/matmul", "compss/m@evil", "compss/-m", "-/m", f"{'n' * 64}/m"])
def test_what_is_no_name_of_kubernetes_becomes_part_of_no_address(
    serve: Callable[..., Api], running: Callable[..., Running], name: str
) -> None:
    answer = serve(**running().environment).get(f"/api/v1/applications/{name}")
    assert answer.status_code == 404
    assert name in answer.json()["reason"]


def test_who_has_no_token_learns_of_no_application(serve: Callable[..., Api], running: Callable[..., Running]) -> None:
    api = serve(**running().environment, AUTHENTICATION="true")
    assert [api.get(f"{ADDRESS}{what}").status_code for what in ("", "/graph", "/timeline")] == [401, 401, 401]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails with its first error."""
    opened = browser.new_page(viewport={"width": 390, "height": 844})
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.close()
    assert faults == []


def live(serve: Callable[..., Api], prometheus: str, application: Running) -> str:
    api = serve(PROMETHEUS_URL=prometheus, **application.environment)
    return f"{api.client.base_url}/#/application/compss/matmul"


def test_the_graph_grows_with_the_application(
    serve: Callable[..., Api], prometheus: str, running: Callable[..., Running], page: Page
) -> None:
    application = running(*run_of(9, 4, time.time()))
    page.goto(live(serve, prometheus, application))
    expect(page.get_by_role("heading", level=1)).to_have_text("matmul")
    graph = page.get_by_role("img", name="Task graph of 9 tasks: 4 pending, 1 running, 3 completed, 1 failed")
    expect(graph.locator(".task")).to_have_count(9)
    expect(graph.locator(".task.failed")).to_have_count(1)
    # A task stands below those that it reads from.
    drawn = graph.locator(".task").evaluate_all("tasks => tasks.map((task) => task.getBoundingClientRect().y)")
    assert drawn[1] < drawn[2] < drawn[5]
    expect(page.get_by_role("region", name="Tasks by name").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("img", name="matmul-worker-0: 4 executions have ended, 1 tasks run")).to_be_visible()
    application.send({"event": "graph", "called": 10, "tasks": [[10, "add", [9]]], "edges": [["multiply", "add", 1]]})
    expect(page.locator(".task")).to_have_count(10)


def test_of_thousands_of_tasks_names_are_drawn(
    serve: Callable[..., Api], prometheus: str, running: Callable[..., Running], page: Page
) -> None:
    page.goto(live(serve, prometheus, running(*run_of(20_000, 15_000, time.time()))))
    graph = page.get_by_role("img", name="Task graph of 20000 tasks")
    expect(graph.locator(".name")).to_have_count(2)
    expect(graph).to_contain_text("6666")
    expect(page.get_by_text("The last 3000 of 15000 executions that have ended.")).to_be_visible()
    assert page.locator("main *").count() < 500


def test_an_application_that_ends_leaves_what_was_last_known(
    serve: Callable[..., Api], prometheus: str, page: Page, running: Callable[..., Running]
) -> None:
    application = running(*run_of(9, 4, time.time()))
    page.goto(live(serve, prometheus, application))
    expect(page.locator(".task")).to_have_count(9)
    application.end()
    expect(page.get_by_text("What is shown is the last that was known.")).to_be_visible()
    expect(page.locator(".task")).to_have_count(9)
    expect(page.locator("#trouble")).to_be_hidden()


def test_tasks_are_drawn_below_what_they_wait_for_and_executions_beside_each_other(
    serve: Callable[..., Api], prometheus: str, page: Page
) -> None:
    page.goto(f"{serve(PROMETHEUS_URL=prometheus).client.base_url}/#/alerts")
    tasks = [{"id": number, "reads": [one for one in (number // 2, number // 3) if one]} for number in range(1, 300)]
    places = page.evaluate("async (tasks) => [...(await import('./application.js')).layers(tasks)]", tasks)
    at = {number: (place["x"], place["y"]) for number, place in places}
    assert len(set(at.values())) == len(tasks)
    assert all(at[task["id"]][1] > at[one][1] for task in tasks for one in task["reads"])
    spans = [{"start": number % 7 * 1.0, "end": number % 7 + 0.5 + number % 3} for number in range(100)]
    placed = page.evaluate("async (spans) => (await import('./application.js')).lanes(spans)", spans)
    for one in placed:
        beside = [two for two in placed if two is not one and two["lane"] == one["lane"]]
        assert all(two["end"] <= one["start"] or two["start"] >= one["end"] for two in beside)


def test_the_table_of_applications_leads_to_each(
    serve: Callable[..., Api], prometheus: str, running: Callable[..., Running], page: Page
) -> None:
    api = serve(PROMETHEUS_URL=prometheus, **running(*run_of(9, 4, time.time())).environment)
    page.add_init_script("window.uPlot = function () {};")
    page.goto(f"{api.client.base_url}/#/compss-fleet")
    page.get_by_role("region", name="Applications").get_by_role("link", name="matmul").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("matmul")
    expect(page.locator(".task")).to_have_count(9)
    page.get_by_role("link", name="Its records over time").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("COMPSs application")
    expect(page.get_by_label("Application")).to_have_value("matmul")
