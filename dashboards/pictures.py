#!/usr/bin/env python3
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Take the pictures of docs/pictures: every part of the page of a live Monitoring API, on a wide screen and on a phone.

    dashboards/pictures.py http://<node>:31002 --token-file <file>

The token is what `kubectl create token <account>` prints for an account that the ClusterRole continuum-viewer is bound
to. The page of one application is taken where one runs. README.md beside the pictures shows them, and says of which
cluster they are. It needs playwright and pillow (requirements-dev.txt), and Debian's chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
#: Width and height of a screen, and its colour scheme.
WIDE, PHONE, DARK = (1280, 900, "light"), (390, 844, "light"), (1280, 900, "dark")
#: Colours of one picture: a page has few, and its text stays sharp.
COLOURS = 160
#: Every panel has its answer, or says why it has none.
COMPLETE = """() => document.querySelector("main h1") && !document.querySelector("main .busy")
  && [...document.querySelectorAll("main .body")].every((body) => body.childElementCount)"""
DRAWN_MS = 700  # what is drawn once its place is known, and a scroll bar that fades


class Part(NamedTuple):
    """A part of the page: the name of its pictures, its title, and what its address ends with."""

    name: str
    title: str
    address: str
    #: Whether its pictures are as high as it is, and not as a screen.
    whole: bool = False


class Refused(Exception):  # noqa: N818 - it is an answer
    """The Monitoring API does not let us read."""


def ask(context: BrowserContext, path: str) -> Any:
    """Raises Refused with the API's reason."""
    answer = context.request.get(f"api/v1/{path}")
    if not answer.ok:
        raise Refused(f"{answer.url} answers {answer.status}: {answer.text()}")
    return answer.json()


def parts(context: BrowserContext) -> list[Part]:
    """Boards, alerts, the reference, and of the applications that run the one with most tasks."""
    made = [Part(board["key"], board["title"], board["key"]) for board in ask(context, "boards")["boards"]]
    made += [Part("alerts", "Alerts", "alerts"), Part("metrics", "Metrics", "metrics")]
    running = [app for app in ask(context, "view")["applications"] if app["state"] == "running" and app.get("tasks")]
    if running:
        most = max(running, key=lambda app: sum(app["tasks"].values()))
        address = f"application/{most['namespace']}/{most['name']}"
        made.append(Part("application", "One application live", address, whole=True))
    return made


def open_part(page: Page, part: Part) -> None:
    page.goto(f"#/{part.address}")
    # A part with the same document is shown anew.
    page.reload()
    page.wait_for_function(COMPLETE, timeout=30_000)
    page.wait_for_timeout(DRAWN_MS)


def compressed(picture: bytes) -> bytes:
    """The PNG with few colours."""
    made = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def opened(browser: Browser, arguments: argparse.Namespace, screen: tuple[int, int, str]) -> BrowserContext:
    width, height, scheme = screen
    return browser.new_context(
        base_url=arguments.url.rstrip("/") + "/",
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        extra_http_headers={"Authorization": f"Bearer {arguments.token}"} if arguments.token else {},
    )


def take(browser: Browser, arguments: argparse.Namespace) -> tuple[str, list[tuple[Part, list[str]]]]:
    """Write the pictures. Returns the cluster in words, and each part with the names of its files."""
    context = opened(browser, arguments, WIDE)
    clusters = ask(context, "metrics/cluster:nodes:count/labels/cluster")["values"]
    nodes = len(ask(context, "view")["nodes"])
    cluster = f"cluster {' '.join(clusters)}, {nodes} nodes"
    every = [part for part in parts(context) if not arguments.only or part.name in arguments.only]
    context.close()
    taken: dict[Part, list[str]] = {part: [] for part in every}
    for screen in (WIDE, PHONE, DARK):
        context = opened(browser, arguments, screen)
        page = context.new_page()
        # In the dark there is one: the colours are the same everywhere.
        for part in every if screen != DARK else every[:1]:
            open_part(page, part)
            name = f"{'dark' if screen == DARK else screen[0]}-{part.name}.png"
            picture = compressed(page.screenshot(full_page=arguments.full or part.whole))
            (arguments.output / name).write_bytes(picture)
            taken[part].append(name)
            print(f"{name}: {len(picture) // 1024} KiB", flush=True)
        context.close()
    return cluster, list(taken.items())


def described(cluster: str, taken: list[tuple[Part, list[str]]]) -> str:
    """README.md of the pictures."""
    day = datetime.now(UTC).date().isoformat()
    made = f"# Pictures of the Monitoring API's page\nTaken by `dashboards/pictures.py` of {cluster}, on {day}.\n"
    for part, names in taken:
        images = (f'<img src="{name}" alt="{part.title}" height="420">' for name in names)
        made += f"\n## {part.title}\n{' '.join(images)}\n"
    return made


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s URL [options]"
    )
    parser.add_argument("url", help="address of the Monitoring API, such as http://<node>:31002")
    parser.add_argument("--token-file", type=Path, help="file with a token of the cluster; none: it asks for none")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the pictures (default: docs/pictures)")
    parser.add_argument("--only", action="append", metavar="PART", help="only this part, and no README.md")
    parser.add_argument("--full", action="store_true", help="the whole height of a part, not of a screen")
    arguments = parser.parse_args()
    arguments.token = arguments.token_file.read_text(encoding="ascii").strip() if arguments.token_file else ""
    program = shutil.which("chromium")
    if not program:
        print("pictures.py: no chromium on PATH: install it (Debian: apt-get install chromium)", file=sys.stderr)
        return 2
    arguments.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Root, as which this may run, gets no sandbox.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            cluster, taken = take(browser, arguments)
        except (Refused, Error) as error:
            print(f"pictures.py: {error}", file=sys.stderr)
            return 1
        finally:
            browser.close()
    if not arguments.only:
        (arguments.output / "README.md").write_text(described(cluster, taken), encoding="utf-8")
    print(f"{cluster}: {sum(len(names) for _, names in taken)} pictures in {arguments.output}")
    if not any(part.name == "application" for part, _ in taken):
        print("no application runs: its page is not among them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
