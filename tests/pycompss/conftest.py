"""One cluster of real processes for the whole session: a scheduler and two workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE.parents[1] / "images" / "pycompss-dask" / "src", HERE / "programs"):
    sys.path.insert(0, str(folder))

pytest.importorskip("distributed", reason="the Dask engine's requirements are not installed")

from pycompss_dask import context  # noqa: E402
from pycompss_dask.runtime import Runtime  # noqa: E402
from support import Cluster, end, launch  # noqa: E402


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.scheduler()
    cluster.worker("one", "--computing_units=1", "--memory=4", "--resources=gpu=1,software=blas")
    cluster.worker("two", "--computing_units=2", "--memory=8")
    cluster.connect(2)
    yield cluster
    end()
    cluster.close()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler of the test's own, to which it adds workers."""
    end()
    cluster = Cluster(tmp_path)
    cluster.scheduler()
    yield cluster
    end()
    cluster.close()


@pytest.fixture
def engine(cluster: Cluster) -> Iterator[Runtime]:
    """The running engine; a new one where the test before ended the old one."""
    if context.runtime is None:
        assert cluster.client is not None
        launch(cluster.client)
    assert context.runtime is not None
    yield context.runtime
    if context.runtime is not None and (context.runtime.fatal or context.runtime.open_groups):
        end()


@pytest.fixture
def own_engine(cluster: Cluster, tmp_path: Path) -> Iterator[Runtime]:
    """An engine of the test's own, with a results folder."""
    end()
    assert cluster.client is not None
    yield launch(cluster.client, tmp_path / "results")
    end()
