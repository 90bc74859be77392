"""The API itself: addresses, parameters and answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pydantic_core
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, Response, StreamingResponse

from . import models
from .access import Access
from .applications import Applications, NotTold
from .backend import Backend, NotGiven, Series, TooMuch, Unavailable
from .boards import Boards
from .catalogue import Catalogue, UnknownNameError
from .events import Stream, Subject, number
from .kubernetes import Cluster, Kubernetes
from .prometheus import Prometheus
from .reasons import explain
from .selector import Requirement, SelectorError, check, parse
from .settings import Settings
from .static import Page
from .view import compose

STATUS = {UnknownNameError: 404, NotTold: 404, SelectorError: 400, Unavailable: 503, NotGiven: 501, TooMuch: 413}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": models.Problem, "description": "A parameter makes no sense."},
    401: {"model": models.Problem, "description": "No token, or one that the cluster does not know."},
    403: {"model": models.Problem, "description": "The user may not read."},
    404: {"model": models.Problem, "description": "There is no such metric, label or application."},
    413: {"model": models.Problem, "description": "More than one answer may hold."},
    429: {"model": models.Problem, "description": "Too many requests."},
    501: {"model": models.Problem, "description": "The back-end never has this."},
    503: {"model": models.Problem, "description": "The back-end is away or slow, or the stream has all its clients."},
}
MetricNames = Annotated[
    list[str],
    Query(alias="metric", description="Name in the catalogue; several times for several.", examples=["node:load1:max"]),
]
LabelSelector = Annotated[
    str,
    Query(
        alias="labelSelector",
        max_length=4096,
        description="Which series, as Kubernetes writes it: node=edge-1,namespace in (a,b),!gpu.",
        examples=["node=edge-1", "namespace notin (kube-system)"],
    ),
]
Start = Annotated[float | None, Query(description="Seconds since 1970; an hour before end by default.")]
End = Annotated[float | None, Query(description="Seconds since 1970; now by default.")]
Step = Annotated[float | None, Query(gt=0, description="Seconds between two points; a 240th of the range by default.")]


def json(content: Any, status: int = 200) -> Response:
    return Response(pydantic_core.to_json(content), status, media_type="application/json")


class Api:
    """What the addresses have in common."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = Catalogue.read(settings.catalogue)
        self.boards = Boards.read()
        self.cluster = Cluster(settings) if settings.kubernetes_url else None
        self.applications = Applications(settings)
        if settings.backend == "kubernetes":
            if self.cluster is None:
                raise ValueError("the back-end kubernetes needs KUBERNETES_URL")
            self.backend: Backend = Kubernetes(settings, self.cluster)
        else:
            self.backend = Prometheus(settings)
        self.stream = Stream(self.backend, settings.look, settings.streams)

    def wanted(self, names: list[str], selector: str) -> tuple[tuple[str, ...], tuple[Requirement, ...]]:
        """Raises what STATUS has: an unknown name, a selector that is none, too many metrics."""
        if len(names) > self.settings.metrics:
            raise TooMuch(f"{len(names)} metrics; at most {self.settings.metrics} at once")
        requirements = parse(selector)
        for name in names:
            check(requirements, self.catalogue[name])
        return tuple(dict.fromkeys(names)), requirements

    def span(self, start: float | None, end: float | None, step: float | None) -> tuple[float, float, float]:
        """Start, end and step in seconds. Raises SelectorError or TooMuch."""
        until = time.time() if end is None else end
        since = until - 3600 if start is None else start
        if not since < until:
            raise SelectorError(f"start {since:g} is not before end {until:g}")
        apart = max((until - since) / 240, 1.0) if step is None else step
        if (until - since) / apart > self.settings.points:
            raise TooMuch(
                f"{(until - since) / apart:.0f} points of a series; at most {self.settings.points}: a longer step, or "
                "a shorter range"
            )
        return since, until, apart

    def shown(self, item: Series) -> dict[str, Any]:
        return {"metric": item.metric, "unit": self.catalogue[item.metric].unit, "labels": item.labels}

    async def close(self) -> None:
        await self.stream.close()
        await self.backend.close()
        await self.applications.close()
        if self.cluster:
            await self.cluster.close()


def create(settings: Settings) -> FastAPI:
    """The ASGI application. Raises OSError or ValueError where there is no catalogue."""
    api = Api(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await api.close()

    app = FastAPI(
        title="Monitoring API",
        version="1",
        description="A cluster's metrics, by the names of the catalogue.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.api = api
    app.add_middleware(Access, settings=settings, cluster=api.cluster)
    # A browser's link may be narrow. Who does not ask for it gets no compressed answer, and a stream is none.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)

    async def problem(_: Request, error: Exception) -> Response:
        content: dict[str, Any] = {"reason": str(error)}
        if isinstance(error, UnknownNameError):
            content["did_you_mean"] = error.names
        return JSONResponse(content, next(code for kind, code in STATUS.items() if isinstance(error, kind)))

    async def senseless(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        faults = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
        return JSONResponse({"reason": "; ".join(faults)}, 400)

    for kind in STATUS:
        app.add_exception_handler(kind, problem)
    app.add_exception_handler(RequestValidationError, senseless)
    catalogue_routes(app, api)
    value_routes(app, api)
    change_routes(app, api)
    application_routes(app, api)
    board_routes(app, api)
    if Path(settings.vendor).is_dir():
        app.mount("/vendor", Page(directory=settings.vendor))
    app.mount("/", Page(directory=Path(__file__).with_name("page"), html=True))
    return app


def catalogue_routes(app: FastAPI, api: Api) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return json({"status": "ok"})

    @app.get("/api/v1/metrics", response_model=models.Metrics, responses=PROBLEMS, tags=["catalogue"])
    async def metrics(
        level: Annotated[str, Query(description="Only those of a level.", examples=["node"])] = "",
        category: Annotated[str, Query(description="Only those of a category.", examples=["cpu"])] = "",
    ) -> Response:
        """Every metric, with its labels, unit, meaning and thresholds, and why it may be absent; a site's own, too."""
        chosen = [
            metric.plain()
            for metric in api.catalogue.metrics.values()
            if level in ("", metric.level) and category in ("", metric.category)
        ]
        return json({"metrics": chosen})

    @app.get("/api/v1/metrics/{name}", response_model=models.Metric, responses=PROBLEMS, tags=["catalogue"])
    async def metric(name: str) -> Response:
        """One metric."""
        return json(api.catalogue[name].plain())

    @app.get("/api/v1/metrics/{name}/reason", response_model=models.Reason, responses=PROBLEMS, tags=["catalogue"])
    async def reason(name: str) -> Response:
        """Why a metric is empty: what feeds it, which target is down, which hardware is absent."""
        return json(await explain(name, api.catalogue, api.backend))


def value_routes(app: FastAPI, api: Api) -> None:
    @app.get("/api/v1/values", response_model=models.Values, responses=PROBLEMS, tags=["values"])
    async def values(metric: MetricNames, selector: LabelSelector = "") -> Response:
        """Present values."""
        series_list = await api.backend.values(*api.wanted(metric, selector))
        return json(
            {
                "values": [
                    {**api.shown(item), "time": item.points[0][0], "value": number(item.points[0][1])}
                    for item in series_list
                ]
            }
        )

    @app.get("/api/v1/history", response_model=models.History, responses=PROBLEMS, tags=["values"])
    async def history(
        metric: MetricNames,
        selector: LabelSelector = "",
        start: Start = None,
        end: End = None,
        step: Step = None,
    ) -> Response:
        """Values over time."""
        wanted = api.wanted(metric, selector)
        since, until, apart = api.span(start, end, step)
        series_list = await api.backend.history(*wanted, since, until, apart)
        series = [
            {**api.shown(item), "points": [(at, number(value)) for at, value in item.points]} for item in series_list
        ]
        return json({"start": since, "end": until, "step": apart, "series": series})

    @app.get(
        "/api/v1/metrics/{name}/labels/{label}", response_model=models.LabelValues, responses=PROBLEMS, tags=["values"]
    )
    async def labels(
        name: str, label: str, selector: LabelSelector = "", start: Start = None, end: End = None
    ) -> Response:
        """What a label of a metric has been over time, for series too that have ended."""
        _, requirements = api.wanted([name], selector)
        check((Requirement(label, ()),), api.catalogue[name])
        since, until, _ = api.span(start, end, None)
        values_of_label = await api.backend.label_values(name, label, requirements, since, until)
        return json({"start": since, "end": until, "values": values_of_label})


def change_routes(app: FastAPI, api: Api) -> None:
    @app.get(
        "/api/v1/events",
        response_class=StreamingResponse,
        responses={
            **PROBLEMS,
            200: {
                "description": "Server-sent events: value, gone, unavailable, available.",
                "content": {
                    "text/event-stream": {
                        "example": 'event: value\ndata: {"metric":"node:cpu_usage:ratio","labels":{"node":"edge-1"},'
                        '"time":1795595506.4,"value":0.91,"state":"above"}\n\n'
                    }
                },
            },
        },
        tags=["values"],
    )
    async def events(
        metric: MetricNames,
        selector: LabelSelector = "",
        above: Annotated[float | None, Query(description="Tell when a value goes above this, and back.")] = None,
        below: Annotated[float | None, Query(description="Tell when a value goes below this, and back.")] = None,
    ) -> Response:
        """Changes: each change of a value, or, with a threshold, each crossing of it."""
        names, requirements = api.wanted(metric, selector)
        if api.stream.full:
            raise Unavailable(f"the event stream has {api.settings.streams} clients, which is as many as it may")
        return StreamingResponse(
            api.stream.follow(Subject(names, requirements, above, below)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @app.get("/api/v1/alerts", response_model=models.Alerts, responses=PROBLEMS, tags=["view"])
    async def alerts() -> Response:
        """Alerts that are pending or firing."""
        return json({"alerts": await api.backend.alerts()})

    @app.get("/api/v1/view", response_model=models.View, responses=PROBLEMS, tags=["view"])
    async def view() -> Response:
        """What an orchestrator decides by: nodes, applications, and the alerts that fire."""
        return json(await compose(api.backend, api.catalogue, api.cluster))


def application_routes(app: FastAPI, api: Api) -> None:
    address = "/api/v1/applications/{namespace}/{application}"

    @app.get(address, response_model=models.Progress, responses=PROBLEMS, tags=["application"])
    async def progress(namespace: str, application: str) -> Response:
        """A COMPSs application while it runs: its tasks by name and state, its workers, its deadlines."""
        return json(await api.applications.told(namespace, application, "status"))

    @app.get(f"{address}/graph", response_model=models.Graph, responses=PROBLEMS, tags=["application"])
    async def graph(namespace: str, application: str) -> Response:
        """What waits for what: between names of tasks, and task by task as long as they are few."""
        return json(await api.applications.told(namespace, application, "graph"))

    @app.get(f"{address}/timeline", response_model=models.Timeline, responses=PROBLEMS, tags=["application"])
    async def timeline(namespace: str, application: str) -> Response:
        """The executions that ended last, and the tasks that have been running for a while."""
        return json(await api.applications.told(namespace, application, "timeline"))


def board_routes(app: FastAPI, api: Api) -> None:
    @app.get("/api/v1/boards", response_model=models.Boards, responses=PROBLEMS, tags=["page"])
    async def boards() -> Response:
        """What the page draws."""
        return json({"boards": api.boards.listed()})

    @app.get("/api/v1/boards/{board}", response_model=models.Board, responses=PROBLEMS, tags=["page"])
    async def board(board: str) -> Response:
        """Rows and panels of one."""
        return json(api.boards.shown(board))

    @app.get("/api/v1/boards/{board}/panels/{panel}", response_model=models.Drawn, responses=PROBLEMS, tags=["page"])
    async def drawn(
        request: Request, board: str, panel: int, start: Start = None, end: End = None, step: Step = None
    ) -> Response:
        """The series of one panel. Each further parameter is a variable of the board, such as node=edge-1."""
        since, until, apart = api.span(start, end, step)
        described = api.boards.panel(board, panel)
        given = {name: request.query_params.getlist(name) for name in request.query_params}
        series_lists = await api.backend.drawn(
            tuple(query["expression"] for query in described["queries"]),
            api.boards.chosen(board, given),
            since,
            until,
            0 if described["present"] else apart,
        )
        queries = [
            [{"labels": item.labels, "points": [(at, number(value)) for at, value in item.points]} for item in items]
            for items in series_lists
        ]
        return json({"start": since, "end": until, "step": apart, "queries": queries})
