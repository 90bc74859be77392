"""Asking over HTTP: one client for each address, with an end to every wait and a bound to every answer."""

from __future__ import annotations

import json
from typing import Any

import httpx

from .backend import TooMuch, Unavailable


class Asker:
    """Asks one server for JSON.

    Raises Unavailable where it is away, slow or refuses, and TooMuch where its answer is above `limit` bytes.
    """

    def __init__(self, name: str, url: str, timeout: float, limit: int, **client: Any) -> None:
        self.name, self.timeout, self.limit = name, timeout, limit
        self.client = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, **client)

    async def ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """Status and JSON; (status, None) where the answer is none, below 500."""
        try:
            async with self.client.stream(method, path, **request) as response:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > self.limit:
                        raise TooMuch(
                            f"more than {self.limit} bytes of {self.name}; name fewer metrics, a narrower "
                            "labelSelector, a shorter range or a longer step"
                        )
        except httpx.TimeoutException:
            raise Unavailable(f"{self.name} did not answer within {self.timeout:g} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.name} cannot be reached: {str(error) or type(error).__name__}") from None
        if response.status_code >= 500:
            raise Unavailable(f"{self.name} answered {response.status_code} {response.reason_phrase}")
        try:
            return response.status_code, json.loads(content)
        except ValueError:
            return response.status_code, None

    async def close(self) -> None:
        await self.client.aclose()
