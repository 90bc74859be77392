"""The Monitoring API before real back-ends: what it tells is what the record has."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import eventually, free_port

from .conftest import MOUNTPOINTS, SERIES, Api


def told(answer: httpx.Response) -> set[tuple[str, str, float]]:
    assert answer.status_code == 200, answer.text
    return {
        (item["metric"], json.dumps(item["labels"], sort_keys=True), item["value"]) for item in answer.json()["values"]
    }


def recorded(*names: str) -> set[tuple[str, str, float]]:
    return {
        (name, json.dumps({"cluster": "edge", **labels}, sort_keys=True), value)
        for name, labels, value in SERIES
        if name in names
    }


def test_several_metrics_in_one_request(api: Api) -> None:
    names = ["node:cpu_usage:ratio", "namespace:camera_frames:rate"]
    assert told(api.get("/api/v1/values", metric=names)) == recorded(*names)


def test_the_catalogue_has_a_sites_own_metric(api: Api) -> None:
    metric = api.get("/api/v1/metrics/namespace:camera_frames:rate").json()
    assert metric["labels"] == ["cluster", "namespace"]
    assert metric["unit"] == "operations/s"
    levels = {metric["level"] for metric in api.get("/api/v1/metrics", level="node").json()["metrics"]}
    assert levels == {"node"}


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.sampled_from([value for value in MOUNTPOINTS if not set(value) & set(", ()")]), min_size=1),
    negated=st.booleans(),
    several=st.booleans(),
)
def test_a_selector_chooses_what_kubernetes_would(api: Api, values: list[str], negated: bool, several: bool) -> None:
    text = (
        f"mountpoint {'notin' if negated else 'in'} ({','.join(values)})"
        if several
        else f"mountpoint{'!=' if negated else '='}{values[0]}"
    )
    chosen = set(values if several else values[:1])
    wanted = {
        (name, labels, value)
        for name, labels, value in recorded("filesystem:used:ratio")
        if (json.loads(labels)["mountpoint"] in chosen) != negated
    }
    assert told(api.get("/api/v1/values", metric="filesystem:used:ratio", labelSelector=text)) == wanted


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_a_selector_or_refused_with_a_reason(api: Api, text: str) -> None:
    answer = api.get("/api/v1/values", metric="node:load1:max", labelSelector=text)
    assert answer.status_code in (200, 400, 404)
    assert answer.status_code == 200 or answer.json()["reason"]


def test_history_has_a_point_for_each_step(api: Api) -> None:
    now = api.get("/api/v1/values", metric="node:load1:max").json()["values"][0]["time"]
    answer = api.get(
        "/api/v1/history",
        metric="node:load1:max",
        labelSelector="node=edge-3",
        start=now - 600,
        end=now,
        step=60,
    ).json()
    assert [value for _, value in answer["series"][0]["points"]] == [3.0] * 11


def test_a_label_has_the_values_of_what_has_ended_too(api: Api) -> None:
    path = "/api/v1/metrics/compss_application:info:max/labels/application"
    assert api.get(path).json()["values"] == ["cholesky", "matmul"]
    assert api.get(path, labelSelector="application!=matmul").json()["values"] == ["cholesky"]
    present = api.get("/api/v1/values", metric="compss_application:info:max").json()["values"]
    assert [item["labels"]["application"] for item in present] == ["matmul"]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "meant"),
    [
        ("/api/v1/values", {"metric": "node:cpu_usage:ratoi"}, 404, "node:cpu_usage:ratio"),
        ("/api/v1/metrics/node:load1:mx", {}, 404, "node:load1:max"),
        ("/api/v1/values", {"metric": "node:load1:max", "labelSelector": "nod=edge-1"}, 404, "node"),
        ("/api/v1/values", {"metric": "node:load1:max", "labelSelector": "node=~edge.*}"}, 400, None),
        ("/api/v1/metrics/node:load1:max/labels/nod", {}, 404, "node"),
        ("/api/v1/values", {}, 400, None),
        ("/api/v1/history", {"metric": "node:load1:max", "step": 0.5}, 413, None),
        ("/api/v1/history", {"metric": "node:load1:max", "start": 2, "end": 1}, 400, None),
        ("/api/v1/values", {"metric": ["node:load1:max"] * 101}, 413, None),
    ],
)
def test_a_bad_request_says_what_was_meant(
    api: Api, path: str, parameters: dict[str, Any], status: int, meant: str | None
) -> None:
    answer = api.get(path, **parameters)
    assert answer.status_code == status
    assert answer.json()["reason"]
    assert meant is None or meant in answer.json()["did_you_mean"]


def test_the_view_composes_nodes_and_applications(api: Api) -> None:
    view = api.get("/api/v1/view").json()
    nodes = {node["name"]: node for node in view["nodes"]}
    assert [name for name, node in nodes.items() if not node["healthy"]] == ["edge-5"]
    assert nodes["edge-1"]["cpu_cores"] == {"allocatable": 4.0, "requested": 1.5, "free": 2.5}
    assert [(app["name"], app["progress"], app["tasks"]) for app in view["applications"]] == [
        ("matmul", 0.5, {"running": 3.0})
    ]


def test_the_view_has_the_alerts_that_fire(serve: Callable[..., Api], prometheus: str) -> None:
    with_rules = serve(PROMETHEUS_URL=prometheus)
    eventually(lambda: with_rules.get("/api/v1/alerts").json()["alerts"], what="the alert fires")
    assert {alert["name"] for alert in with_rules.get("/api/v1/view").json()["alerts"]} == {"NodeBusy"}


def test_why_it_is_empty(api: Api) -> None:
    assert api.get("/api/v1/metrics/node:load1:max/reason").json()["reason"] == "it is not empty"
    gpu = api.get("/api/v1/metrics/gpu:usage:ratio/reason").json()
    assert gpu["reason"] == gpu["absent"] != ""
    down = api.get("/api/v1/metrics/container:cpu_usage_cores:rate/reason").json()
    assert down["reason"] == "1 of the targets of cadvisor are down"
    assert down["exporters"][0]["targets_down"] == [{"cluster": "edge", "job": "cadvisor", "node": "edge-5"}]
    away = api.get("/api/v1/metrics/node:host_cpu_cores:count/reason").json()
    assert "node-exporter" in away["reason"]


def test_events_tell_who_is_above_a_threshold(api: Api) -> None:
    with api.client.stream("GET", "/api/v1/events", params={"metric": "node:cpu_usage:ratio", "above": 0.35}) as stream:
        events = []
        for line in stream.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
            if len(events) == 2:
                break
    assert {(event["labels"]["node"], event["state"]) for event in events} == {("edge-4", "above"), ("edge-5", "above")}


def test_no_query_language_in_requests_and_answers(api: Api) -> None:
    description = api.get("/openapi.json").json()
    for path in description["paths"]:
        assert path.startswith("/api/v1/")
    names = {
        parameter["name"] for path in description["paths"].values() for parameter in path["get"].get("parameters", [])
    }
    of_metrics = {"name", "label", "level", "category", "metric", "labelSelector", "above", "below"}
    assert names == {*of_metrics, "start", "end", "step", "board", "panel", "namespace", "application"}
    answers = [
        api.get("/openapi.json").text,
        api.get("/api/v1/metrics").text,
        api.get("/api/v1/view").text,
        api.get("/api/v1/alerts").text,
        api.get("/api/v1/values", metric="node:load1:max").text,
        api.get("/api/v1/metrics/container:cpu_usage_cores:rate/reason").text,
        api.get("/api/v1/boards/cluster").text,
        api.get("/api/v1/boards/nodes").text,
        api.get("/api/v1/boards/nodes/panels/2", cluster="edge").text,
    ]
    for text in answers:
        assert not re.search(r"\b(rate|increase|label_replace)\(|\bsum by\b|\bexpr\b|\[2m\]|=~", text)


def test_answers_are_as_they_are_described(api: Api) -> None:
    from monitoring_api import models  # the image's program is found by conftest.py

    models.Metrics.model_validate(api.get("/api/v1/metrics").json(), strict=True)
    models.Values.model_validate(api.get("/api/v1/values", metric="node:load1:max").json())
    models.History.model_validate(api.get("/api/v1/history", metric="node:load1:max").json())
    models.Alerts.model_validate(api.get("/api/v1/alerts").json())
    models.View.model_validate(api.get("/api/v1/view").json())
    models.Reason.model_validate(api.get("/api/v1/metrics/gpu:usage:ratio/reason").json())
    models.LabelValues.model_validate(api.get("/api/v1/metrics/node:load1:max/labels/node").json())
    models.Boards.model_validate(api.get("/api/v1/boards").json(), strict=True)
    models.Drawn.model_validate(api.get("/api/v1/boards/cluster/panels/0", cluster="edge").json())


def panel_of(api: Api, board: str, title: str) -> tuple[int, dict[str, Any]]:
    described = api.get(f"/api/v1/boards/{board}").json()
    panels = [panel for row in described["rows"] for panel in row["panels"]]
    return next((number, panel) for number, panel in enumerate(panels) if panel["title"] == title)


@pytest.mark.parametrize("nodes", [[], ["edge-3"], ["edge-1", "edge-4"], ['edge"} or vector(1) #'], [".*"]])
def test_a_panel_has_the_series_of_what_is_chosen(api: Api, nodes: list[str]) -> None:
    number, panel = panel_of(api, "nodes", "CPU in use")
    answer = api.get(f"/api/v1/boards/nodes/panels/{number}", cluster="edge", node=nodes, step=600).json()
    drawn = {item["labels"]["node"]: {value for _, value in item["points"]} for item in answer["queries"][0]}
    recorded_values = {labels["node"]: {value} for name, labels, value in SERIES if name == "node:cpu_usage:ratio"}
    assert drawn == {node: values for node, values in recorded_values.items() if node in nodes or not nodes}
    assert panel["queries"] == [{"legend": "{{node}}", "unit": "percentunit"}]


def test_a_table_has_the_present(api: Api) -> None:
    number, panel = panel_of(api, "nodes", "Nodes")
    answer = api.get(f"/api/v1/boards/nodes/panels/{number}", cluster="edge").json()
    heads = [query["legend"] for query in panel["queries"]]
    assert {item["labels"]["node"]: len(item["points"]) for item in answer["queries"][heads.index("CPU")]} == {
        f"edge-{number}": 1 for number in range(1, 6)
    }


def test_every_panel_of_every_board_is_one_that_the_back_end_can_answer(api: Api) -> None:
    for board in api.get("/api/v1/boards").json()["boards"]:
        rows = api.get(f"/api/v1/boards/{board['key']}").json()["rows"]
        for number in range(sum(len(row["panels"]) for row in rows)):
            answer = api.get(f"/api/v1/boards/{board['key']}/panels/{number}", cluster="edge")
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["clustre", "cluster/panels/99", "cluster/panels/-1"])
def test_a_board_that_is_not_there(api: Api, path: str) -> None:
    answer = api.get(f"/api/v1/boards/{path}")
    assert answer.status_code == 404
    assert answer.json()["reason"]


def test_the_page_may_load_nothing_from_elsewhere(api: Api) -> None:
    page = api.get("/")
    assert page.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert {path for path in loaded if not path.startswith("vendor/")} == {"icon.svg", "page.css", "page.js"}
    for path in ("icon.svg", "page.css", "page.js"):
        assert api.get(f"/{path}").headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


def test_a_back_end_that_is_away_is_named(serve: Callable[..., Api]) -> None:
    away = serve(PROMETHEUS_URL=f"http://127.0.0.1:{free_port()}")
    for path in ("/api/v1/values", "/api/v1/history", "/api/v1/view", "/api/v1/alerts"):
        answer = away.get(path, metric="node:load1:max")
        assert answer.status_code == 503
        assert "Prometheus cannot be reached" in answer.json()["reason"]
    assert away.get("/api/v1/metrics").status_code == 200


def test_a_back_end_that_does_not_answer_is_not_waited_for(serve: Callable[..., Api]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = serve(PROMETHEUS_URL=f"http://127.0.0.1:{silent.getsockname()[1]}", TIMEOUT="0.3")
        answer = slow.get("/api/v1/values", metric="node:load1:max")
    assert answer.status_code == 503
    assert "did not answer within 0.3 s" in answer.json()["reason"]


def test_more_than_an_answer_may_hold_is_refused(serve: Callable[..., Api], prometheus: str) -> None:
    small = serve(PROMETHEUS_URL=prometheus, ANSWER_BYTES="300")
    assert small.get("/api/v1/values", metric="node:load1:max").status_code == 413


def test_who_asks_too_often_is_told_when_to_come_back(serve: Callable[..., Api], prometheus: str) -> None:
    strict = serve(PROMETHEUS_URL=prometheus, RATE="0.01", BURST="2")
    answers = [strict.get("/api/v1/metrics/node:load1:max") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 50


def test_without_a_token_nobody_is_let_in(serve: Callable[..., Api], prometheus: str) -> None:
    closed = serve(PROMETHEUS_URL=prometheus, AUTHENTICATION="true")
    assert closed.get("/api/v1/metrics").status_code == 401
    assert closed.client.get("/api/v1/metrics", headers={"Authorization": "Bearer x"}).status_code == 503
    assert closed.get("/healthz").status_code == 200


def test_the_stream_has_an_end(serve: Callable[..., Api], prometheus: str) -> None:
    none = serve(PROMETHEUS_URL=prometheus, STREAMS="0")
    answer = none.get("/api/v1/events", metric="node:load1:max")
    assert answer.status_code == 503
    assert "0 clients" in answer.json()["reason"]
