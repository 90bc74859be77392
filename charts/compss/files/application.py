"""Has an application's archive: serves it in the master's pod, gets it there in a worker's, and unpacks it.

MODE (serve, get) DIGEST FOLDER MASTER: the archive is /results/.application/DIGEST.tgz of the master's pod. Runs on
Python 3.8.
"""

import functools
import http.server
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request
from typing import BinaryIO, cast

MODE, DIGEST, FOLDER, MASTER = sys.argv[1:]
KEPT = pathlib.Path("/results/.application")
ARCHIVE = KEPT / f"{DIGEST}.tgz"


def unpack(file: BinaryIO) -> None:
    with subprocess.Popen(["tar", "-xpzf", "-", "-C", FOLDER], stdin=subprocess.PIPE) as tar:
        shutil.copyfileobj(file, cast(BinaryIO, tar.stdin))
    if tar.returncode:
        raise OSError(f"tar ended with status {tar.returncode}")


if MODE == "serve":
    while not ARCHIVE.exists():
        time.sleep(0.2)
    for old in KEPT.iterdir():
        if old != ARCHIVE:
            old.unlink()
    with ARCHIVE.open("rb") as file:
        unpack(file)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=KEPT)
    http.server.ThreadingHTTPServer(("", 8081), handler).serve_forever()
while True:
    try:
        with urllib.request.urlopen(f"http://{MASTER}:8081/{ARCHIVE.name}", timeout=30) as answer:
            unpack(answer)
        break
    except OSError as error:
        print(f"the application is not to be had from {MASTER} yet: {error}", flush=True)
        time.sleep(0.5)
