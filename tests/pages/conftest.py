"""Prometheus with its pages, as its image runs it."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from tools import eventually, free_port, program

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue, Selection, rules_file
from ansible_collections.continuum.edge.plugins.module_utils.prometheus_pages import FOLDER


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the archive of the pages unpacks to."""
    archive = Path(program("prometheus")).resolve().with_name("prometheus-pages.tar")
    if not archive.is_file():
        pytest.skip(f"there is no {archive}: npm was out of reach when the programs were built")
    folder = tmp_path_factory.mktemp("image")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / FOLDER


@pytest.fixture(scope="session")
def prometheus(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that scrapes itself and evaluates the catalogue."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "rules.yml").write_text(rules_file(Catalogue().groups(Selection())))
    url = f"127.0.0.1:{free_port()}"
    job = {"job_name": "prometheus", "static_configs": [{"targets": [url]}]}
    configuration = {"global": {"scrape_interval": "1s"}, "rule_files": ["rules.yml"], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={url}",
        ],
        cwd=pages,
        stderr=subprocess.DEVNULL,
    )

    def scraped() -> bool:
        try:
            answer = requests.get(f"http://{url}/api/v1/query", {"query": "up"}, timeout=5)
            return bool(answer.json()["data"]["result"])
        except (requests.RequestException, KeyError, ValueError):
            return False

    try:
        eventually(scraped, what="a sample of Prometheus itself")
        yield f"http://{url}"
    finally:
        process.terminate()
        process.wait()
