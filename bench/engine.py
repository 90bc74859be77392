"""What the engine dask adds to bare Dask: one round of its image's benchmark, on two workers of a core each.

Needs no cluster. Prints one JSON object per figure on stdout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from figures import figure, progress

IMAGE = Path(__file__).resolve().parent.parent / "images" / "pycompss-dask"
WORKERS = ["--local_workers=2", "--computing_units=1"]
# As Dask's nanny starts its workers, and the engine the processes of tasks of one unit: else the bare variants have as
# many threads of linear algebra in each worker as there are processors, and lose by it.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    command = [sys.executable, "-m", "pycompss_dask", *WORKERS, str(IMAGE / "bench" / "overhead.py"), "--rounds", "1"]
    progress(f"$ {' '.join(command)}")
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(IMAGE / "src")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench/engine.py: error: overhead.py ended with status {done.returncode}: see its messages above")
    kinds = json.loads(done.stdout.splitlines()[-1])
    for kind, name, goal in (
        ("empty", "10,000 empty tasks, as a multiple of the fastest of bare Dask", 1.5),
        ("matmul", "block matrix multiplication, as a multiple of the fastest of bare Dask", 1.15),
    ):
        seconds = ", ".join(f"{variant} {times[0]} s" for variant, times in kinds[kind]["seconds"].items())
        figure(name, kinds[kind]["ratios"][0], "x", goal, note=seconds)
    figure("an empty task", kinds["empty"]["seconds"]["pycompss"][0] / 10, "ms", note="10,000 of them on 2 workers")


if __name__ == "__main__":
    main()
