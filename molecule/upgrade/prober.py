"""Asks an address again and again, and writes a line for each time that it did not answer: when, and for how long."""

import signal
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType

INTERVAL = 0.25


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # of our own cluster
            return bool(answer.status == 200)
    except OSError:
        return False


def end(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit


def main() -> None:
    url, file = sys.argv[1], Path(sys.argv[2])
    signal.signal(signal.SIGTERM, end)
    file.write_text("")
    last = time.time()
    missed = False
    while True:
        now = time.time()
        if answers(url):
            if missed:
                with file.open("a") as gaps:
                    gaps.write(f"{last:.1f} {now - last:.1f}\n")
            last, missed = now, False
        else:
            missed = True
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()
