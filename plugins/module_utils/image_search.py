# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Where the nodes of a cluster could take an image from."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils import oci

# A kubelet tells of so many of its images, the largest ones.
TOLD = 50
# Seconds in which a registry must answer.
TIMEOUT = 4


@dataclass(frozen=True)
class Node:
    """A node, with the full names of the images that its kubelet tells of."""

    name: str
    images: frozenset[str]
    #: Whether it may have images that it does not tell of.
    partial: bool

    @classmethod
    def of(cls, node: dict[str, Any]) -> Node:
        told = (node.get("status") or {}).get("images") or []
        names = {str(oci.Reference.parse(name)) for each in told for name in each.get("names") or ()}
        return cls(node["metadata"]["name"], frozenset(names), len(told) >= TOLD)


@dataclass(frozen=True)
class Found:
    """What has become of the search for an image."""

    name: str
    #: Nodes that have it, and registries that do.
    places: tuple[str, ...]
    #: What was asked and had it not, and why.
    looked: tuple[str, ...]
    #: Whether it may be somewhere all the same.
    unknown: bool = False

    @property
    def missing(self) -> bool:
        return not self.places and not self.unknown


def search(
    name: str,
    nodes: list[Node],
    mirrors: Iterable[oci.Registry],
    *,
    insecure: Container[str] = (),
    secrets: bool = False,
) -> Found:
    """Look on the nodes, in the mirrors, which have images under their full names, and in the image's own registry.

    ``insecure`` are hosts of registries that speak plain HTTP. With ``secrets`` pods pull with logins that are not
    known here: who refuses to answer may have it for them.
    """
    reference = oci.Reference.parse(name)
    name = str(reference)
    holders = tuple(node.name for node in nodes if name in node.images)
    if holders:
        return Found(name, holders, ())
    version = reference.digest or reference.tag
    places, looked = [], [f"the nodes {', '.join(node.name for node in nodes)}"]
    unknown = any(node.partial for node in nodes)
    asked = [(mirror, f"{reference.host}/{reference.repository}") for mirror in mirrors]
    asked.append((oci.Registry(reference.host, reference.host in insecure, TIMEOUT), reference.repository))
    for registry, repository in asked:
        try:
            if registry.has(f"{repository}/manifests/{version}") is not None:
                places.append(registry.host)
                break
            looked.append(f"registry {registry.host} (not there)")
        except oci.OciError as error:
            looked.append(f"registry {registry.host} ({str(error).split('. ', maxsplit=1)[0].rstrip('.')})")
            unknown = unknown or secrets
    return Found(name, tuple(places), tuple(looked), unknown)
