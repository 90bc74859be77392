# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Container images between registries and an OCI image layout, over the registries' HTTP API: no Docker, no skopeo."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils import registry_login

Json = dict[str, Any]

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# Who reads the layout finds an image by one of these.
NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
CHUNK = 1 << 20


class OciError(Exception):
    """What was found, what was expected, what to do."""


@dataclass(frozen=True)
class Reference:
    """A name of an image, in full."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        name, _at, digest = text.partition("@")
        name, tag = (name.rpartition(":")[0], name.rpartition(":")[2]) if ":" in name.rpartition("/")[2] else (name, "")
        host, slash, repository = name.partition("/")
        if not slash or not re.search(r"[.:]|^localhost$", host):
            host, repository = "docker.io", name
        if host == "docker.io" and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host, repository, tag or ("" if digest else "latest"), digest)

    def __str__(self) -> str:
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to where blobs often lie, at an address that is signed, and leaves the registry's token behind."""

    def redirect_request(self, req: Any, *arguments: Any) -> Any:
        if req.get_method() not in ("GET", "HEAD"):
            return None
        return urllib.request.Request(arguments[-1], method=req.get_method())  # noqa: S310 # what the registry names


@dataclass
class Registry:
    """A registry, spoken to over plain HTTP if ``insecure``. ``auth_file`` may have a login for it."""

    host: str
    insecure: bool = False
    #: Seconds that an answer may take.
    timeout: int = 60
    auth_file: str = ""
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    def open(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, file: Path | None = None
    ) -> HTTPResponse:
        """The answer to a request below /v2/, or to an address that the registry gave. A file is sent as it is read."""
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        url = path if "://" in path else f"{'http' if self.insecure else 'https'}://{host}/v2/{path}"
        scope = re.sub(r"/(manifests|blobs)/.*", "", path)
        opener = urllib.request.build_opener(_Redirects)
        for attempt in (1, 2):
            token = self.tokens.get(scope)
            allowed = {"Authorization": token} if token and "://" not in path else {}
            # The file is opened again where the registry asks for a token first.
            with file.open("rb") if file else nullcontext() as data:
                sent = {**(headers or {}), **allowed}
                request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 # http or https, see above
                try:
                    answer: HTTPResponse = opener.open(request, timeout=self.timeout)
                    return answer
                except urllib.error.HTTPError as error:
                    if error.code != 401 or attempt == 2:
                        raise
                    self.tokens[scope] = self._authorize(error.headers.get("WWW-Authenticate", ""), scope)
                except OSError as error:
                    raise OciError(
                        f"Registry {self.host} does not answer: {error}. Expected it at {url.partition('/v2/')[0]}."
                    ) from error
        raise AssertionError("unreachable")

    def _authorize(self, challenge: str, repository: str) -> str:
        kind, _space, rest = challenge.partition(" ")
        try:
            login = registry_login.find(self.host, repository, self.auth_file)
        except registry_login.LoginError as error:
            raise OciError(f"Registry {self.host} wants a login. {error}") from error
        if kind.lower() == "basic" and login:
            return f"Basic {login.basic}"
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            raise OciError(
                f"Registry {self.host} wants a login. Expected one: podman login or docker login {self.host}."
            )
        scope = {key: asked[key] for key in ("service", "scope") if key in asked}
        address, data, headers = f"{asked['realm']}?{urllib.parse.urlencode(scope)}", None, {}
        if login and login.user == registry_login.TOKEN:
            renew = {"grant_type": "refresh_token", "refresh_token": login.secret, "client_id": "continuum.edge"}
            address, data = asked["realm"], urllib.parse.urlencode(scope | renew).encode()
        elif login:
            headers["Authorization"] = f"Basic {login.basic}"
        request = urllib.request.Request(address, data, headers)  # noqa: S310 # the registry's own
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                given = json.load(answer)
        except urllib.error.HTTPError as error:
            raise OciError(
                f"Registry {self.host} refuses the login{f' of {login.user}' if login else ''}: {error.code} "
                f"{error.reason}. Expected a valid one: podman login or docker login {self.host}."
            ) from error
        return f"Bearer {given.get('token') or given.get('access_token')}"

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """A manifest or an index as it is, and its media type."""
        try:
            headers = {"Accept": ", ".join(INDEXES + MANIFESTS)}
            with self.open("GET", f"{repository}/manifests/{reference}", headers) as answer:
                content = answer.read()
                kind = answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            raise OciError(
                f"Registry {self.host} answers {error.code} for {repository}:{reference}. Expected that image there."
            ) from error
        if reference.startswith("sha256:") and digest_of(content) != reference:
            raise OciError(f"Registry {self.host} gives something else for {repository}@{reference}.")
        return content, kind

    def has(self, path: str) -> str | None:
        """The digest of what is there, None where nothing is."""
        try:
            with self.open("HEAD", path, {"Accept": ", ".join(INDEXES + MANIFESTS)}) as answer:
                return str(answer.headers.get("Docker-Content-Digest", ""))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise OciError(f"Registry {self.host} answers {error.code} for {path}.") from error


def dump(value: Json) -> str:
    return json.dumps(value, indent=2) + "\n"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# An image layout on disk


@dataclass(frozen=True)
class Layout:
    """A folder in the form of the OCI image layout."""

    folder: Path

    def blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")

    def index(self) -> list[Json]:
        """A descriptor for each image."""
        manifests: list[Json] = json.loads((self.folder / "index.json").read_text())["manifests"]
        return manifests

    def images(self) -> dict[str, Json]:
        """The descriptors by the names of the images. One that was built anew leaves the earlier one without a name."""
        named = ((image.get("annotations", {}).get(NAMES[0]), image) for image in self.index())
        return {name: image for name, image in named if name}

    def read(self, digest: str) -> Json:
        content: Json = json.loads(self.blob(digest).read_bytes())
        return content

    def store(self, content: bytes) -> str:
        digest = digest_of(content)
        path = self.blob(digest)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(content)
            partial.replace(path)
        return digest

    def write(self, images: Mapping[str, Json]) -> None:
        """Write the index of the layout, and remove the blobs that it does not lead to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
        manifests = [{**image, "annotations": dict.fromkeys(NAMES, name)} for name, image in sorted(images.items())]
        index = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": manifests}
        (self.folder / "index.json").write_text(dump(index))
        used = {self.blob(digest) for image in images.values() for digest, _descriptor in self.walk(image)}
        for path in (self.folder / "blobs").rglob("*"):
            if path.is_file() and path not in used:
                path.unlink()

    def walk(self, image: Json) -> Iterator[tuple[str, Json]]:
        """Everything that an image consists of, what is referred to before what refers to it: digest and descriptor."""
        content = self.read(image["digest"])
        for part in content.get("manifests") or ():
            yield from self.walk(part)
        for part in blobs(content):
            yield part["digest"], part
        yield image["digest"], image


def blobs(manifest: Json) -> list[Json]:
    """What a manifest consists of, without the layers that no registry may hand on (those of Windows)."""
    parts = [*([manifest["config"]] if "config" in manifest else []), *(manifest.get("layers") or ())]
    return [part for part in parts if not re.search("foreign|nondistributable", part.get("mediaType", ""))]


def pull(registry: Registry, repository: str, reference: str, architectures: list[str], layout: Layout) -> Json:
    """Bring an image for some architectures into the layout. Returns its descriptor."""
    content, kind = registry.manifest(repository, reference)
    if kind in INDEXES:
        index: Json = json.loads(content)
        wanted = _chosen(registry, repository, reference, index["manifests"], architectures)
        # An image that is named by its digest has that digest only with all of its architectures.
        if reference.startswith("sha256:"):
            wanted = index["manifests"]
        for part in wanted:
            _pull_manifest(registry, repository, part["digest"], layout)
        if wanted != index["manifests"]:
            content = json.dumps({**index, "manifests": wanted}, indent=2).encode()
    else:
        _pull_manifest(registry, repository, reference, layout)
        architecture = layout.read(json.loads(content)["config"]["digest"]).get("architecture")
        if [architecture] != architectures:
            raise OciError(
                f"Image {repository}:{reference} of {registry.host} is for {architecture} alone. "
                f"Expected {', '.join(architectures)} (bundle_architectures)."
            )
    return {"mediaType": kind, "digest": layout.store(content), "size": len(content)}


def _chosen(
    registry: Registry, repository: str, reference: str, manifests: list[Json], architectures: list[str]
) -> list[Json]:
    offered = [_architectures(registry, repository, part) for part in manifests]
    present = [each for part in offered for each in part]
    if missing := [each for each in architectures if each not in present]:
        raise OciError(
            f"Image {repository}:{reference} is for {', '.join(present)}. "
            f"Expected {', '.join(missing)} (bundle_architectures)."
        )
    return [part for part, has in zip(manifests, offered, strict=True) if set(has) & set(architectures)]


def _architectures(registry: Registry, repository: str, part: Json) -> list[str]:
    """Those of Linux that a part of an index is for; it may be an index itself."""
    if part.get("mediaType") in INDEXES:
        inner = json.loads(registry.manifest(repository, part["digest"])[0])["manifests"]
        return [each for one in inner for each in _architectures(registry, repository, one)]
    platform = part.get("platform") or {}
    return [str(platform.get("architecture"))] if platform.get("os") == "linux" else []


def _pull_manifest(registry: Registry, repository: str, reference: str, layout: Layout) -> None:
    content, _media_type = registry.manifest(repository, reference)
    manifest = json.loads(content)
    for part in manifest.get("manifests") or ():
        _pull_manifest(registry, repository, part["digest"], layout)
    for part in blobs(manifest):
        _pull_blob(registry, repository, part["digest"], layout)
    layout.store(content)


def _pull_blob(registry: Registry, repository: str, digest: str, layout: Layout) -> None:
    path = layout.blob(digest)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    sha256 = hashlib.sha256()
    try:
        with registry.open("GET", f"{repository}/blobs/{digest}") as answer, partial.open("wb") as file:
            while chunk := answer.read(CHUNK):
                sha256.update(chunk)
                file.write(chunk)
    except urllib.error.HTTPError as error:
        raise OciError(f"Registry {registry.host} answers {error.code} for blob {digest} of {repository}.") from error
    if f"sha256:{sha256.hexdigest()}" != digest:
        partial.unlink()
        raise OciError(f"Registry {registry.host} gives something else for blob {digest} of {repository}.")
    partial.replace(path)


def copy(source: Layout, name: str, target: Layout) -> Json:
    """Bring an image of one layout into another one. Returns its descriptor."""
    image = source.images()[name]
    for digest, _descriptor in source.walk(image):
        path = target.blob(digest)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.blob(digest), path)
    return {key: image[key] for key in ("mediaType", "digest", "size")}


def push(registry: Registry, repository: str, tag: str, layout: Layout, image: Json) -> bool:
    """Put an image of the layout into a registry. Returns whether it was not there."""
    if registry.has(f"{repository}/manifests/{tag}") == image["digest"]:
        return False
    for digest, part in layout.walk(image):
        kind = part.get("mediaType", "")
        if kind in INDEXES + MANIFESTS:
            name = tag if digest == image["digest"] else digest
            _send(registry, "PUT", f"{repository}/manifests/{name}", layout.blob(digest), kind)
        elif registry.has(f"{repository}/blobs/{digest}") is None:
            with _send(registry, "POST", f"{repository}/blobs/uploads/") as answer:
                location = urllib.parse.urljoin(answer.url, answer.headers["Location"])
            separator = "&" if "?" in location else "?"
            target = f"{location}{separator}digest={digest}"
            # A path below /v2/ in place of the whole address, so that the registry's token goes along.
            target = target.partition("/v2/")[2] if urllib.parse.urlsplit(target).netloc == registry.host else target
            _send(registry, "PUT", target, layout.blob(digest), "application/octet-stream")
    return True


def remove(registry: Registry, repository: str, tag: str, *, check: bool = False) -> bool:
    """Take an image out of a registry. Returns whether it was there; ``check`` only looks."""
    digest = registry.has(f"{repository}/manifests/{tag}")
    if digest and not check:
        _send(registry, "DELETE", f"{repository}/manifests/{digest}")
    return bool(digest)


def _send(registry: Registry, method: str, path: str, file: Path | None = None, kind: str = "") -> HTTPResponse:
    headers = {"Content-Type": kind, "Content-Length": str(file.stat().st_size)} if file else {"Content-Length": "0"}
    try:
        return registry.open(method, path, headers, file)
    except urllib.error.HTTPError as error:
        detail = error.read(300).decode(errors="replace").strip()
        raise OciError(f"Registry {registry.host} refuses {method} {path}: {error.code} {detail}") from error
