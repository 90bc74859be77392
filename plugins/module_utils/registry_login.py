# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What `podman login`, `docker login` and their credential helpers have kept for a registry."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Docker Hub, as Docker writes it.
HUB = "https://index.docker.io/v1/"
# A helper's user name where its secret is a token to renew, not a password.
TOKEN = "<token>"  # noqa: S105 # no secret


class LoginError(Exception):
    """What was found, what was expected, what to do. Never a secret."""


@dataclass(frozen=True)
class Login:
    user: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """As it goes into a header."""
        return base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def files(named: str = "") -> Iterator[Path]:
    """Where a login may be kept, the first that has one wins: a named file, podman's places, then docker's."""
    home = Path.home()
    if named:
        yield Path(named)
    if kept := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(kept)
    yield Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}", "containers/auth.json")
    yield Path(f"/run/containers/{os.getuid()}/auth.json")
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def find(host: str, repository: str, auth_file: str = "") -> Login | None:
    """The login for a repository of a registry; None where nobody has logged in. ``auth_file`` is looked in first."""
    for path in files(auth_file):
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise LoginError(
                f"{path} cannot be read: {error}. Expected what podman login or docker login writes."
            ) from error
        if isinstance(config, dict) and (login := _of_file(config, host, repository, path)):
            return login
    return None


def _of_file(config: dict[str, Any], host: str, repository: str, path: Path) -> Login | None:
    parts = repository.split("/") if repository else []
    # Podman keeps logins for parts of a registry, too: the longest that fits.
    names = [*("/".join([host, *parts[:number]]) for number in range(len(parts), 0, -1)), host, f"https://{host}"]
    names += [HUB] if host == "docker.io" else []
    helpers = config.get("credHelpers") or {}
    for name in names:
        if helper := helpers.get(name):
            return _ask(helper, name, path)
        entry = (config.get("auths") or {}).get(name) or {}
        if entry.get("identitytoken"):
            return Login(TOKEN, entry["identitytoken"])
        if entry.get("auth"):
            return _decoded(entry["auth"], name, path)
    if helper := config.get("credsStore"):
        return next((login for name in names[-2:] if (login := _ask(helper, name, path))), None)
    return None


def _decoded(auth: str, name: str, path: Path) -> Login:
    try:
        user, colon, secret = base64.b64decode(auth).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise LoginError(f"{path} has a login for {name} that is none. Log in again (podman login, docker login).")
    return Login(user, secret.rstrip("\0"))


def _ask(helper: str, name: str, path: Path) -> Login | None:
    """A credential helper; None where it has nothing for the registry."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, "get"], input=name, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise LoginError(f"{path} names the credential helper {program}, which is not on PATH. Install it.") from error
    except subprocess.TimeoutExpired as error:
        raise LoginError(f"The credential helper {program} gave no answer for {name} in 60 s.") from error
    if done.returncode:
        if "not found" in (done.stdout + done.stderr).lower():
            return None
        raise LoginError(f"The credential helper {program} ended with status {done.returncode} for {name}.")
    try:
        answer = json.loads(done.stdout)
        return Login(answer["Username"], answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise LoginError(
            f"The credential helper {program} gave no login for {name}. Expected JSON from `get`."
        ) from error
