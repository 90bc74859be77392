"""What a persistent object costs beside a value of the same size that redis-py alone puts and gets.

    bench/storage.py [--rounds N]     on a redis-server of its own; prints JSON

Both sides are measured in turns, and each figure is the median of the rounds' ratios. A bare value is the object's
content as bytes: what is measured besides is pickling, the digest, the version and the look into the store.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import numpy as np
import redis

from redis_storage import api
from redis_storage.storage_object import StorageObject, objects

SIZES = {"1 kB": (1_000, 2_000), "100 MB": (100_000_000, 3)}  # bytes, and calls in a round


class Box(StorageObject):
    def __init__(self, content: np.ndarray) -> None:
        self.content = content


def seconds(call: Callable[[int], object], calls: int) -> float:
    """What one call takes."""
    began = time.perf_counter()
    for number in range(calls):
        call(number)
    return (time.perf_counter() - began) / calls


def measure(client: redis.Redis, size: int, calls: int) -> dict[str, tuple[float, float]]:
    """Seconds of a put and of a get: ours, and bare."""
    content = np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8)
    boxes = [Box(content) for _ in range(calls)]
    bare_put = seconds(lambda number: client.set(f"bare {number}", content.data), calls)
    put = seconds(lambda number: boxes[number].make_persistent(), calls)
    identities = [str(box.get_id()) for box in boxes]
    objects.here.clear()
    boxes.clear()
    bare_get = seconds(lambda number: bytearray(client.get(f"bare {number}")), calls)  # type: ignore[arg-type]
    get = seconds(lambda number: api.getByID(identities[number]), calls)
    client.flushall()
    return {"put": (put, bare_put), "get": (get, bare_get)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("bench/storage.py: needs redis-server: apt-get install redis-server")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            (Path(folder) / "storage.conf").write_text(f"127.0.0.1:{port}")
            client = redis.Redis(port=port, retry_on_error=[redis.ConnectionError])
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            api.init(config_file_path=f"{folder}/storage.conf")
            rounds = {
                name: [measure(client, size, calls) for _ in range(options.rounds)]
                for name, (size, calls) in SIZES.items()
            }
            api.finish()
            server.terminate()
    figures = [
        {
            "figure": f"{what} of {name}, as a multiple of redis-py alone",
            "rounds": [round(each[what][0] / each[what][1], 3) for each in measured],
            "median": round(statistics.median(each[what][0] / each[what][1] for each in measured), 3),
            "microseconds": round(statistics.median(each[what][0] for each in measured) * 1e6, 1),
        }
        for name, measured in rounds.items()
        for what in ("put", "get")
    ]
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
