"""One browser for all tests: Playwright cannot be started twice in a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # ansible-test reads this file, too, and has neither.
    from tools import chromium

    with chromium() as started:
        yield started
