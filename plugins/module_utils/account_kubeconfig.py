# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A kubeconfig by which a ServiceAccount enters, and whether the one that is there still does."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Token:
    """What a token says of itself. Nobody has checked its signature; the times are Unix times in seconds."""

    uid: str
    issued: float
    expires: float

    @classmethod
    def read(cls, text: str) -> Token | None:
        """None where the text is no bound token of a ServiceAccount."""
        try:
            payload = text.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            account = claims["kubernetes.io"]["serviceaccount"]
            return cls(str(account["uid"]), float(claims["iat"]), float(claims["exp"]))
        except (IndexError, KeyError, TypeError, ValueError):
            return None

    def lasts(self, uid: str, now: float) -> bool:
        """Whether it is of this account, and has half of its time before it."""
        return self.uid == uid and now < (self.issued + self.expires) / 2

    @property
    def until(self) -> str:
        """Its end, as Kubernetes writes times."""
        return datetime.fromtimestamp(self.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Access:
    """All that a kubeconfig says besides the token. ``authority`` is PEM, empty where the machine's own ones do."""

    server: str
    authority: str
    user: str
    namespace: str

    def render(self, token: str) -> str:
        """The file's text: JSON, which every client reads as the YAML that it is."""
        cluster: Object = {"server": self.server}
        if self.authority:
            cluster["certificate-authority-data"] = base64.b64encode(self.authority.encode()).decode()
        context = {"cluster": "cluster", "user": self.user, "namespace": self.namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": self.user, "user": {"token": token}}],
            "contexts": [{"name": self.namespace, "context": context}],
            "current-context": self.namespace,
        }
        return json.dumps(content, indent=2) + "\n"

    def shown(self, token: Token | None) -> str:
        """The text that a diff may show."""
        return self.render(f"(good until {token.until})" if token else "(a new one)")


def token_of(text: str) -> str:
    """The token of a kubeconfig that `Access.render` has written; empty where there is none."""
    try:
        return str(json.loads(text)["users"][0]["user"]["token"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
