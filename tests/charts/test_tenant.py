"""What a team's scientist may do is what an application consists of, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from .cases import CASES
from .conftest import Objects, Render

# Of the chart compss, what is the operator's: the policy of all the namespace, volumes, and what may scrape in others' names.
NOT_A_TEAMS = {"NetworkPolicy", "PersistentVolume", "PodMonitor", "ServiceMonitor"}
TEAM = {"namespace": "physics", "scientists": ["ann"], "viewers": ["vic"]}
Right = tuple[str, str, str]


def rights(rules: list[dict[str, Any]]) -> set[Right]:
    """Each as group, resource and verb."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def of(role: str, objects: Objects) -> set[Right]:
    """What the bindings of a scientist or a viewer give by Roles of the namespace."""
    names = {"scientist": ["scientist", "viewer"], "viewer": ["viewer"]}[role]
    return set().union(
        *(rights(each["rules"]) for each in objects if each["kind"] == "Role" and each["metadata"]["name"] in names)
    )


def place(item: dict[str, Any]) -> tuple[str, str]:
    """Group and resource of an object."""
    kind = item["kind"].lower()
    return item["apiVersion"].rpartition("/")[0], kind[:-1] + "ies" if kind.endswith("y") else f"{kind}s"


@pytest.fixture(scope="module")
def team(render: Render) -> Objects:
    return render("tenant", TEAM, "continuum-tenants", "tenant-physics")


@pytest.mark.parametrize("case", CASES["compss"])
def test_a_scientist_may_make_and_remove_an_application(render: Render, team: Objects, case: str) -> None:
    granted = of("scientist", team)
    for item in render("compss", CASES["compss"][case], "physics"):
        verbs = {"get", "create", "update", "patch", "delete"}
        wanted = {(*place(item), verb) for verb in verbs}
        if item["kind"] in NOT_A_TEAMS:
            assert not {right for right in granted & wanted if right[2] != "get"}, item["kind"]
        else:
            assert wanted <= granted, item["kind"]
        if item["kind"] == "Role":
            # Nobody grants what he does not have.
            assert rights(item["rules"]) <= granted


def test_nobody_of_a_team_changes_what_holds_it(team: Objects) -> None:
    kept = {
        "resourcequotas",
        "limitranges",
        "networkpolicies",
        "namespaces",
        "validatingadmissionpolicies",
        "endpointslices",
    }
    for role in ("scientist", "viewer"):
        granted = of(role, team)
        assert {right for right in granted if right[1] in kept and right[2] not in ("get", "list", "watch")} == set()
        assert not any("*" in right for right in granted)
        assert not {verb for _, _, verb in granted} & {"bind", "escalate", "impersonate"}
        assert not any(resource == "serviceaccounts/token" for _, resource, _ in granted)


def test_a_viewer_looks_and_reads_no_secret(team: Objects) -> None:
    granted = of("viewer", team)
    assert {verb for _, _, verb in granted} == {"get", "list", "watch"}
    assert not any(resource in ("secrets", "pods/exec", "services/proxy") for _, resource, _ in granted)


def test_accounts_and_bindings(team: Objects) -> None:
    accounts = {
        (each["metadata"]["name"], each["metadata"]["namespace"]) for each in team if each["kind"] == "ServiceAccount"
    }
    assert accounts == {("physics.ann", "continuum-tenants"), ("physics.vic", "continuum-tenants")}
    bindings = {
        each["metadata"]["name"]: sorted(subject["name"] for subject in each["subjects"])
        for each in team
        if each["kind"] == "RoleBinding"
    }
    everybody = ["physics.ann", "physics.vic"]
    assert bindings == {"scientist": ["physics.ann"], "viewer": everybody, "continuum-viewer": everybody}
    assert not [each for each in team if each["kind"] in ("ClusterRole", "ClusterRoleBinding")]


def test_the_namespace_is_as_strict_as_applications_can_run_under(team: Objects) -> None:
    (namespace,) = (each for each in team if each["kind"] == "Namespace")
    assert namespace["metadata"]["name"] == "physics"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (policy,) = (each["spec"] for each in team if each["kind"] == "NetworkPolicy")
    assert (policy["podSelector"], policy["policyTypes"]) == ({}, ["Ingress", "Egress"])


def test_a_quota_is_laid_over_the_defaults_and_null_takes_one_away(render: Render) -> None:
    objects = render("tenant", {"quota": {"pods": 5, "secrets": None}})
    (quota,) = (each["spec"]["hard"] for each in objects if each["kind"] == "ResourceQuota")
    assert quota["pods"] == "5"
    assert quota["services.nodeports"] == "0"
    assert "secrets" not in quota
