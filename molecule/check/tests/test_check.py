"""What site.yml announces in check mode and diff mode is what it then does, and announcing it changes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from testinfra.host import Host

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = PROJECT / ".local" / "molecule"
TASK = re.compile(
    r"^(?:TASK|RUNNING HANDLER) \[([^\n]+)\] \*+\n(.*?)(?=^(?:TASK|RUNNING HANDLER|PLAY)\b|\Z)", re.M | re.S
)


def changes(host: Host, arguments: str) -> dict[str, str]:
    """By task, the differences shown by a run of site.yml; only those of tasks that changed something."""
    result = host.run(
        f"cd {PROJECT} && PATH={PROJECT}/.venv/bin:$PATH ANSIBLE_FORCE_COLOR=false ansible-playbook continuum.edge.site"
        f" -i inventories/local -e @molecule/cluster.yml --diff {arguments}"
    )
    assert result.rc == 0, result.stdout
    diffs = {}
    for name, text in TASK.findall(result.stdout):
        if re.search(r"^changed: ", text, re.M):
            # Progress goes, and what the modules return, which is more after a run than before.
            text = re.sub(r"^ +\d+ s  .*\n", "", text, flags=re.M)
            diffs[name] = re.split(r"^changed: ", text, maxsplit=1, flags=re.M)[0]
    return diffs


def releases(host: Host) -> str:
    """Every release with its revision, and the resource version of every object that Helm or people may change."""
    kubectl = f"KUBECONFIG={CLUSTER}/kubeconfig {CLUSTER}/bin/kubectl"
    kinds = "namespaces,configmaps,secrets,services,serviceaccounts,persistentvolumeclaims,clusterroles"
    # Only objects that nothing but a run changes.
    return host.check_output(
        f"{kubectl} get {kinds} --all-namespaces"
        " -o jsonpath='{range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}'"
    )


CASES = [
    pytest.param("", True, id="empty cluster"),
    pytest.param("", False, id="installed"),
    pytest.param("-e prometheus_retention_time=7d", True, id="one changed value"),
]


@pytest.mark.parametrize(("arguments", "changing"), CASES)
def test_what_is_announced_is_done(host: Host, arguments: str, changing: bool) -> None:
    before = releases(host)
    announced = changes(host, f"--check {arguments}")
    assert releases(host) == before
    done = changes(host, arguments)
    assert announced == done
    assert bool(done) is changing
    assert (releases(host) != before) is changing
    if arguments:
        (difference,) = done.values()
        lines = [line for line in difference.splitlines() if re.match(r"[-+] ", line)]
        assert lines
        assert all("15d" in line if line.startswith("-") else "7d" in line for line in lines), difference
