"""Who may ask, by TokenReview and SubjectAccessReview of the cluster, and how often."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from .backend import Shared, Unavailable
from .kubernetes import Cluster
from .selector import SelectorError, parse
from .settings import Settings

#: How long an answer about a token is good.
REMEMBERED_SECONDS = 60.0
#: Users whose buckets are remembered; the one that asked longest ago is forgotten first.
REMEMBERED_USERS = 4096
#: What the ClusterRole continuum-viewer allows.
ATTRIBUTES = {"group": "continuum.edge", "resource": "metrics", "verb": "get"}
#: Addresses that answer with nothing but what the selector chooses, or with nothing of the cluster at all.
CHOSEN = re.compile(r"/api/v1/(values|history|events|metrics|metrics/[^/]+/labels/[^/]+)")


class Refused(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.headers = status, headers or {}
        super().__init__(reason)


class Buckets:
    """A token bucket for each name."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self.levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Raises Refused (429) where it is empty."""
        now = self.clock()
        level, since = self.levels.pop(name, (float(self.burst), now))
        level = min(self.burst, level + (now - since) * self.rate)
        self.levels[name] = (max(level - 1, 0) if level >= 1 else level, now)
        if len(self.levels) > REMEMBERED_USERS:
            self.levels.popitem(last=False)
        if level < 1:
            wait = max(1, round((1 - level) / self.rate))
            raise Refused(429, f"more than {self.rate:g} requests a second; wait {wait} s", {"Retry-After": str(wait)})


class Access:
    """Pure ASGI: every request below /api/ passes it."""

    def __init__(self, app: Any, settings: Settings, cluster: Cluster | None) -> None:
        self.app, self.cluster = app, cluster
        self.authentication = settings.authentication
        self.buckets = Buckets(settings.rate, settings.burst)
        self.reviewed = Shared(REMEMBERED_SECONDS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            try:
                await self.enter(scope)
            except (Refused, Unavailable) as refused:
                status = refused.status if isinstance(refused, Refused) else 503
                headers = refused.headers if isinstance(refused, Refused) else {}
                await answer(send, status, str(refused), headers)
                return
        await self.app(scope, receive, send)

    async def enter(self, scope: Any) -> None:
        """Raises Refused (401, 403, 429)."""
        # The address comes first: nobody makes the API server review token after token.
        self.buckets.take((scope.get("client") or ("",))[0])
        if not self.authentication:
            return
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(
                401,
                "a token of the cluster is needed: Authorization: Bearer, with what `kubectl create token` prints",
                {"WWW-Authenticate": "Bearer"},
            )
        key = hashlib.sha256(token.encode()).digest()
        name, allowed = await self.reviewed.get(key, lambda: self.review(token.strip()))
        if not name:
            raise Refused(401, "the cluster does not know this token", {"WWW-Authenticate": "Bearer"})
        namespace = "" if allowed else chosen_namespace(scope)
        if namespace:
            _, allowed = await self.reviewed.get((key, namespace), lambda: self.review(token.strip(), namespace))
        if not allowed:
            raise Refused(
                403,
                f"user {name} may not read: bind the ClusterRole continuum-viewer to it; who has it in a namespace "
                "only asks for values, history and events with labelSelector=namespace=<that one>",
            )

    async def review(self, token: str, namespace: str = "") -> tuple[str, bool]:
        """The user's name, empty where the token is not good, and whether it may read: everything, or a namespace's."""
        if self.cluster is None:
            raise Unavailable("authentication is on, and there is no API server to ask")
        status = await self.cluster.review("TokenReview", "authentication.k8s.io/v1", {"token": token})
        if not status.get("authenticated"):
            return "", False
        user = status["user"]
        spec = {
            "user": user["username"],
            "uid": user.get("uid", ""),
            "groups": user.get("groups", []),
            "extra": user.get("extra", {}),
            "resourceAttributes": {**ATTRIBUTES, "namespace": namespace},
        }
        allowed = await self.cluster.review("SubjectAccessReview", "authorization.k8s.io/v1", spec)
        return str(user["username"]), bool(allowed.get("allowed"))


def chosen_namespace(scope: Any) -> str:
    """The one namespace that all of the answer will be of, empty where it may be of others."""
    # With the blank ones: the last of several selectors is the one that counts.
    selectors = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("labelSelector", [])
    if not CHOSEN.fullmatch(scope["path"]) or len(selectors) != 1:
        return ""
    try:
        requirements = parse(selectors[0])
    except SelectorError:
        return ""
    named = [each.values for each in requirements if each.label == "namespace" and not each.negated]
    return next((values[0] for values in named if len(values) == 1), "")


async def answer(send: Any, status: int, reason: str, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), *raw],
        }
    )
    await send({"type": "http.response.body", "body": json.dumps({"reason": reason}).encode()})
