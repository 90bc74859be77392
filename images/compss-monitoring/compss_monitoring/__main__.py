"""`serve` (the API), `check <folder> <name>…` (what a run left), `forget` (deletes what was pushed)."""

from __future__ import annotations

import sys

from .settings import Settings


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("serve", [])
    if command == "serve":
        from .server import Monitor

        return Monitor(Settings.from_environment()).serve()
    if command == "check":
        from .check import main as check

        return check(rest)
    if command == "forget":
        from .push import request

        # A Pushgateway that is not there has nothing to forget, and must not keep a release from going.
        print(request(Settings.from_environment(), "DELETE") or "forgotten", flush=True)
        return 0
    print(f"unknown command {command!r}: expected serve, check or forget", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
