"""References, and what an image layout keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import oci

INDEX, MANIFEST = oci.INDEXES[0], oci.MANIFESTS[0]


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("grafana/grafana:13.2.0", "docker.io/grafana/grafana:13.2.0"),
        ("quay.io/prometheus/prometheus:v3.15.0", "quay.io/prometheus/prometheus:v3.15.0"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("10.0.0.1:5000/a/b@sha256:" + "0" * 64, "10.0.0.1:5000/a/b@sha256:" + "0" * 64),
    ],
)
def test_a_reference_is_spelt_out(text: str, full: str) -> None:
    assert str(oci.Reference.parse(text)) == full


class Served(oci.Registry):
    """A registry that answers out of memory."""

    def __init__(self, content: dict[str, tuple[bytes, str]]) -> None:
        super().__init__("registry.example")
        self.content = content

    def manifest(self, _repository: str, reference: str) -> tuple[bytes, str]:
        return self.content[reference]


def image(architecture: str, layout: oci.Layout) -> tuple[bytes, str]:
    """A manifest whose blobs are in the layout already."""
    config = layout.store(json.dumps({"architecture": architecture}).encode())
    layer = layout.store(f"layer of {architecture}".encode())
    parts: dict[str, Any] = {"config": {"digest": config, "size": 1}, "layers": [{"digest": layer, "size": 1}]}
    content = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **parts}).encode()
    return content, oci.digest_of(content)


@pytest.fixture
def layout(tmp_path: Path) -> oci.Layout:
    return oci.Layout(tmp_path / "images")


@pytest.fixture
def registry(layout: oci.Layout) -> Served:
    amd64, arm64 = image("amd64", layout), image("arm64", layout)
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            {"digest": digest, "mediaType": MANIFEST, "size": 1, "platform": {"os": "linux", "architecture": name}}
            for name, (_, digest) in {"amd64": amd64, "arm64": arm64}.items()
        ],
    }
    content = json.dumps(index).encode()
    return Served(
        {
            "v1": (content, INDEX),
            oci.digest_of(content): (content, INDEX),
            "single": (amd64[0], MANIFEST),
            **{digest: (manifest, MANIFEST) for manifest, digest in (amd64, arm64)},
        }
    )


def architectures(layout: oci.Layout, image: dict[str, Any]) -> list[str]:
    return [part["platform"]["architecture"] for part in layout.read(image["digest"])["manifests"]]


def test_only_the_architectures_that_are_asked_for(registry: Served, layout: oci.Layout) -> None:
    assert architectures(layout, oci.pull(registry, "a", "v1", ["arm64"], layout)) == ["arm64"]
    both = oci.pull(registry, "a", "v1", ["amd64", "arm64"], layout)
    assert layout.blob(both["digest"]).read_bytes() == registry.content["v1"][0]


def test_under_its_digest_an_image_stays_whole(registry: Served, layout: oci.Layout) -> None:
    digest = next(name for name, (_, kind) in registry.content.items() if kind == INDEX and name != "v1")
    descriptor = oci.pull(registry, "a", digest, ["amd64"], layout)
    assert descriptor["digest"] == digest


def test_an_architecture_that_is_not_there_is_named(registry: Served, layout: oci.Layout) -> None:
    with pytest.raises(oci.OciError, match=r"is for amd64, arm64. Expected riscv64"):
        oci.pull(registry, "a", "v1", ["amd64", "riscv64"], layout)
    with pytest.raises(oci.OciError, match=r"is for amd64 alone"):
        oci.pull(registry, "a", "single", ["amd64", "arm64"], layout)


def test_a_layout_has_what_its_images_need_and_no_more(registry: Served, layout: oci.Layout) -> None:
    arm64 = oci.pull(registry, "a", "v1", ["arm64"], layout)
    layout.write({"registry.example/a:v1": arm64})
    kept = {oci.digest_of(path.read_bytes()) for path in (layout.folder / "blobs").rglob("*") if path.is_file()}
    assert kept == {digest for digest, _ in layout.walk(arm64)}
    assert len(kept) == 4
    assert layout.images()["registry.example/a:v1"]["digest"] == arm64["digest"]


def test_what_is_referred_to_comes_first(registry: Served, layout: oci.Layout) -> None:
    descriptor = oci.pull(registry, "a", "v1", ["amd64", "arm64"], layout)
    order = [digest for digest, _ in layout.walk(descriptor)]
    assert order[-1] == descriptor["digest"]
    for digest in order:
        content = layout.blob(digest).read_text()
        assert all(other not in content for other in order[order.index(digest) + 1 :])


def test_a_registry_that_does_not_answer_is_named() -> None:
    with pytest.raises(oci.OciError, match=r"Registry 127\.0\.0\.1:1 does not answer"):
        oci.Registry("127.0.0.1:1", insecure=True).manifest("a", "b")


def test_an_index_inside_an_index(registry: Served, layout: oci.Layout) -> None:
    inner, kind = registry.content["v1"]
    outer = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{"digest": oci.digest_of(inner), "mediaType": kind, "size": 1}],
        }
    ).encode()
    registry.content |= {"outer": (outer, INDEX), oci.digest_of(outer): (outer, INDEX)}
    for reference in ("outer", oci.digest_of(outer)):
        descriptor = oci.pull(registry, "a", reference, ["arm64"], layout)
        layout.write({"a": descriptor})
        assert all(layout.blob(digest).is_file() for digest, _part in layout.walk(descriptor))
    with pytest.raises(oci.OciError, match="Expected s390x"):
        oci.pull(registry, "a", "outer", ["s390x"], layout)


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
def test_layers_that_no_registry_hands_on_stay_where_they_are(registry: Served, layout: oci.Layout, kind: str) -> None:
    """An index asked for by its digest is taken whole, with the images of Windows in it."""
    manifest = json.loads(registry.content["single"][0])
    manifest["layers"].insert(0, {"digest": "sha256:" + "f" * 64, "size": 9, "mediaType": kind, "urls": ["https://x"]})
    windows = json.dumps(manifest).encode()
    index = json.loads(registry.content["v1"][0])
    index["manifests"].append(
        {"digest": oci.digest_of(windows), "mediaType": MANIFEST, "size": 1, "platform": {"os": "windows"}}
    )
    content = json.dumps(index).encode()
    digest = oci.digest_of(content)
    registry.content |= {digest: (content, INDEX), oci.digest_of(windows): (windows, MANIFEST)}
    descriptor = oci.pull(registry, "a", digest, ["amd64"], layout)
    layout.write({"a": descriptor})
    assert "sha256:" + "f" * 64 not in [each for each, _part in layout.walk(descriptor)]
    assert layout.read(oci.digest_of(windows)) == manifest


class Answering(oci.Registry):
    """A registry that has one image, and notes what it is asked."""

    def __init__(self) -> None:
        super().__init__("registry.example")
        self.asked: list[str] = []

    def has(self, path: str) -> str | None:
        return "sha256:1" if path == "a/manifests/1" else None

    def open(self, method: str, path: str, *_: Any) -> Any:
        self.asked.append(f"{method} {path}")


def test_an_image_is_removed_by_its_digest_where_it_is() -> None:
    registry = Answering()
    assert not oci.remove(registry, "a", "2")
    assert oci.remove(registry, "a", "1", check=True)
    assert registry.asked == []
    assert oci.remove(registry, "a", "1")
    assert registry.asked == ["DELETE a/manifests/sha256:1"]


def test_what_has_lost_its_name_is_left_out(registry: Served, layout: oci.Layout) -> None:
    layout.write({"registry.example/a:v1": oci.pull(registry, "a", "v1", ["amd64"], layout)})
    index = json.loads((layout.folder / "index.json").read_text())
    index["manifests"].append({"digest": "sha256:" + "0" * 64, "mediaType": MANIFEST, "size": 1})
    (layout.folder / "index.json").write_text(json.dumps(index))
    assert list(layout.images()) == ["registry.example/a:v1"]
    layout.write(layout.images())
    assert len(layout.index()) == 1


def test_a_copy_has_all_of_an_image(registry: Served, layout: oci.Layout, tmp_path: Path) -> None:
    layout.write({"registry.example/a:v1": oci.pull(registry, "a", "v1", ["amd64", "arm64"], layout)})
    other = oci.Layout(tmp_path / "other")
    other.write({"b": oci.copy(layout, "registry.example/a:v1", other)})
    assert {digest for digest, _ in other.walk(other.images()["b"])} == {
        digest for digest, _ in layout.walk(layout.images()["registry.example/a:v1"])
    }
