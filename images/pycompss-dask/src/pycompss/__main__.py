"""`python -m pycompss [run] [options] script.py …`."""

from __future__ import annotations

import sys

from pycompss_dask.errors import unsupported


def main() -> None:
    """Run an application as `runcompss` does; there is no batch system to submit one to."""
    action = sys.argv[1] if len(sys.argv) > 1 else ""
    if action == "enqueue":
        sys.exit(str(unsupported("enqueue", "python -m pycompss")))
    if action == "run":
        del sys.argv[1]
    from pycompss_dask.launch import main as launch

    sys.exit(launch())


if __name__ == "__main__":
    main()
