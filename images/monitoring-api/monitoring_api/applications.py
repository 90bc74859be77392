"""COMPSs applications while they run: what the monitor in the master's pod of each tells of its tasks."""

from __future__ import annotations

import re
from typing import Any

from .backend import Shared, Unavailable
from .catalogue import UnknownNameError
from .settings import Settings
from .web import Asker

#: A name of Kubernetes; it becomes part of an address.
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
#: Everybody who looks at one application asks its monitor once in this time.
SHARED_SECONDS = 1.0


class NotTold(Exception):  # noqa: N818 - it is an answer: the API's 404
    """What the engine of an application does not tell."""


class Applications:
    def __init__(self, settings: Settings) -> None:
        self.url = settings.application_url
        self.http = Asker("the application's monitor", "", settings.timeout, settings.answer_bytes)
        self.shared = Shared(SHARED_SECONDS)

    async def told(self, namespace: str, name: str, what: str) -> Any:
        """What the monitor answers at /`what`.

        Raises UnknownNameError where there can be no such application, NotTold, and Unavailable where it has ended.
        """
        if not (NAME.fullmatch(namespace) and NAME.fullmatch(name)):
            raise UnknownNameError("application", f"{namespace}/{name}", ())

        async def ask() -> Any:
            url = self.url.format(namespace=namespace, name=name)
            try:
                status, answer = await self.http.ask("GET", f"{url}/{what}")
            except Unavailable as error:
                raise Unavailable(f"{error}; {namespace}/{name} answers while it runs") from None
            if status == 404 and isinstance(answer, dict):
                raise NotTold(str(answer.get("reason")))
            if status != 200 or not isinstance(answer, dict):
                raise Unavailable(f"what answers at {url} is no application's monitor: status {status}")
            return answer

        return await self.shared.get((namespace, name, what), ask)

    async def close(self) -> None:
        await self.http.close()
