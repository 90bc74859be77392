"""What a token says of itself, and the kubeconfig that it stands in."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.account_kubeconfig import Access, Token, token_of

ACCESS = Access("https://192.0.2.1:6443", "-----BEGIN CERTIFICATE-----\n", "physics.alice", "physics")
DAY = 86400.0


def signed(claims: Any) -> str:
    """A token with a signature that nobody has made."""
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims, {})
    )


def claims(uid: str = "u", issued: float = 0, expires: float = 30 * DAY) -> dict[str, Any]:
    return {"kubernetes.io": {"serviceaccount": {"uid": uid}}, "iat": issued, "exp": expires}


def test_a_token_is_kept_for_half_of_its_time_and_for_its_account() -> None:
    token = Token.read(signed(claims()))
    assert token is not None
    assert token.lasts("u", 14 * DAY)
    assert not token.lasts("u", 16 * DAY)
    assert not token.lasts("the account that was made anew", DAY)
    assert token.until == "1970-01-31T00:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "a", "a.b", "a.e30.c", signed([]), signed({"exp": 1}), signed(claims() | {"exp": None})]
)
def test_what_is_no_token_is_none(text: str) -> None:
    assert Token.read(text) is None


def test_the_file_leads_to_the_namespace_and_a_diff_has_no_token() -> None:
    text = ACCESS.render("secret.to.everybody")
    config = json.loads(text)
    assert config["contexts"][0]["context"]["namespace"] == "physics"
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(authority).decode() == ACCESS.authority
    assert token_of(text) == "secret.to.everybody"
    assert "secret" not in ACCESS.shown(Token.read(signed(claims()))) + ACCESS.shown(None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"users": []}', "apiVersion: v1\nkind: Config\n"])
def test_a_file_of_others_has_no_token(text: str) -> None:
    assert token_of(text) == ""
