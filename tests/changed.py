"""Names what of the tests a change touches: one line for each stage of tests/run, with the tests or scenarios of it.

`python tests/changed.py [BASE]`: all that differs from where this branch left BASE (main), committed or not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVERYTHING = "*"
SITE = "check monitoring upgrade edge airgap"
#: Files, the tests without a cluster that they touch, and the scenarios. A file takes every row that it fits.
TOUCHES = (
    ("apps/*", "tests/pycompss/test_apps.py", "compss"),
    ("apps/queue/*", "tests/qos", ""),
    ("bench/*", "tests/bench", ""),
    ("charts/compss/*", "tests/charts tests/compss tests/dashboards", "compss"),
    ("charts/docs.py", "tests/charts", ""),
    ("charts/edge-monitoring/*", "tests/charts tests/rules tests/gitops", SITE),
    ("charts/grafana-dashboards/*", "tests/charts tests/dashboards tests/gitops", "monitoring"),
    ("charts/metrics-server/*", "tests/charts tests/gitops", "monitoring airgap"),
    ("charts/orchestrator/*", "tests/charts tests/gitops", "compss"),
    ("charts/monitoring-api/*", "tests/charts tests/api tests/gitops", "compss"),
    ("charts/tenant/*", "tests/charts", "compss"),
    ("dashboards/*", "tests/dashboards tests/api", "monitoring"),
    ("docs/benchmarks.*", "tests/bench", ""),
    ("docs/pictures/*", "tests/dashboards/test_pictures.py", ""),
    ("docs/*.md", "tests/unit tests/dashboards", ""),
    ("images/alertmanager/*", "tests/alerts", EVERYTHING),
    ("images/components/*", "", EVERYTHING),
    ("images/kubernetes/*", "", EVERYTHING),
    ("images/prometheus-pages/*", "tests/pages", "default monitoring"),
    ("images/compss-monitoring/*", "tests/compss", "compss"),
    ("images/monitoring-api/*", "tests/api", "compss"),
    ("images/orchestrator/*", "tests/qos", "compss"),
    ("images/pycompss-dask/*", "tests/pycompss tests/compss tests/bench", "compss"),
    ("inventories/*", "tests/gitops tests/sites", SITE),
    ("molecule/airgap/*", "", "airgap"),
    ("molecule/check/*", "", "check"),
    ("molecule/compss/*", "", "compss"),
    ("molecule/default/*", "", "default"),
    ("molecule/edge/*", "", "edge"),
    ("molecule/monitoring/*", "", "monitoring"),
    ("molecule/operator/*", "", "operator"),
    ("molecule/release/*", "", "release"),
    ("molecule/upgrade/*", "", "upgrade"),
    ("molecule/*.yml", "", EVERYTHING),
    ("playbooks/backup.yml", "", "upgrade"),
    ("playbooks/status.yml", "tests/sites tests/unit", ""),
    ("playbooks/restore.yml", "", "upgrade"),
    ("playbooks/build_image.yml", "", "compss"),
    ("playbooks/bundle.yml", "tests/unit", "airgap"),
    ("playbooks/gitops.yml", "tests/gitops", ""),
    ("playbooks/images.yml", "tests/sites", "edge"),
    ("playbooks/kind.yml", "tests/sites", ""),
    ("playbooks/minikube.yml", "tests/sites", ""),
    ("playbooks/local_cluster.yml", "", EVERYTHING),
    ("playbooks/remove.yml", "", SITE),
    ("playbooks/run.yml", "tests/charts tests/unit", "compss"),
    ("playbooks/site.yml", "tests/gitops", SITE),
    ("playbooks/tenant.yml", "tests/sites", ""),
    ("playbooks/upgrade.yml", "tests/sites", "upgrade"),
    ("playbooks/verify.yml", "", "monitoring edge"),
    (
        "plugins/*",
        "tests/unit tests/contracts tests/rules tests/gitops tests/charts tests/dashboards tests/property",
        "release check monitoring",
    ),
    ("plugins/*/application.py", "", "compss"),
    ("plugins/callback/pipeline.py", "tests/sites", ""),
    ("plugins/*/volume.py", "", "upgrade"),
    ("plugins/*/bundle*.py", "", "airgap"),
    ("plugins/*/nodes.py", "", "edge"),
    ("plugins/*/prometheus_pages.py", "tests/pages", "default monitoring"),
    ("meta/runtime.yml", "tests/contracts", ""),
    ("roles/*", "tests/unit tests/contracts", ""),
    ("roles/build_image/*", "", "compss"),
    ("roles/bundle/*", "", "airgap"),
    ("roles/common/*", "", SITE),
    ("roles/compss/*", "tests/charts tests/compss", "compss"),
    ("roles/control_host/*", "", "edge"),
    ("roles/gitops/*", "tests/gitops", ""),
    ("roles/grafana/*", "tests/dashboards tests/gitops", "monitoring upgrade"),
    ("roles/helm/*", "", "check airgap edge"),
    ("roles/kind/*", "tests/sites", ""),
    ("roles/local_cluster/*", "tests/lint", EVERYTHING),
    ("roles/metrics_server/*", "tests/gitops", "monitoring"),
    ("roles/minikube/*", "tests/sites", ""),
    ("roles/monitoring_api/*", "tests/gitops", "compss"),
    ("roles/orchestrator/*", "tests/gitops", "compss"),
    ("roles/node/*", "", "edge"),
    ("roles/prometheus/*", "tests/rules tests/gitops tests/charts tests/alerts", SITE),
    ("roles/tenant/*", "tests/sites", ""),
    ("tests/alerts/*", "tests/alerts", ""),
    ("tests/api/*", "tests/api", ""),
    ("tests/qos/*", "tests/qos", ""),
    ("tests/bench/*", "tests/bench", ""),
    ("tests/charts/*", "tests/charts", ""),
    ("tests/compss/*", "tests/compss", ""),
    ("tests/contracts/*", "tests/contracts", ""),
    ("tests/dashboards/*", "tests/dashboards", ""),
    ("tests/gitops/*", "tests/gitops", ""),
    ("tests/pycompss/*", "tests/pycompss", ""),
    ("tests/pages/*", "tests/pages", ""),
    ("tests/property/*", "tests/property", ""),
    ("tests/rules/*", "tests/rules", ""),
    ("tests/sites/*", "tests/sites", ""),
    ("tests/unit/*", "tests/unit", ""),
    ("tests/tools.py", EVERYTHING, ""),
    ("pyproject.toml", EVERYTHING, ""),
    ("requirements*.txt", EVERYTHING, EVERYTHING),
    ("collections/*", EVERYTHING, EVERYTHING),
    ("bootstrap", "", "default"),
)
#: What only the linters see, which every run has: texts, settings of tools, and what needs a cluster of its own.
ONLY_LINTED = (
    *("*.md", "LICENSE", "Makefile", "galaxy.yml", "ansible.cfg", "meta/*", "changelogs/*", ".ci/*", ".config/*", ".*"),
    *(
        "tests/lint/*",
        "tests/live/*",
        "tests/run",
        "tests/machines",
        "tests/*.py",
        "tests/sanity/*",
        "docs/platforms.json",
    ),
)
#: What the stage sanity looks at: the collection as its users get it.
BUILT = ("plugins/*", "roles/*", "playbooks/*", "meta/*", "galaxy.yml", "tests/sanity/*", "tests/unit/*")


def touched(files: Collection[str]) -> dict[str, list[str]]:
    """By stage, what runs of it; an empty list where all of it does."""
    rows = [row for file in files for row in TOUCHES if fnmatchcase(file, row[0])]
    stages = {}
    if any(fnmatchcase(file, pattern) for file in files for pattern in BUILT):
        stages["sanity"] = []
    for stage, column in (("unit", 1), ("cluster", 2)):
        names = sorted({name for row in rows for name in row[column].split()})
        if names:
            stages[stage] = [] if EVERYTHING in names else names
    return stages


def changed(base: str) -> list[str]:
    def git(*command: str) -> list[str]:
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"tests/run: error: git {' '.join(command)}: {done.stderr.strip() or 'no common commit'}")
        return done.stdout.splitlines()

    (start,) = git("merge-base", base, "HEAD")
    return sorted({*git("diff", "--name-only", start), *git("ls-files", "--others", "--exclude-standard")})


if __name__ == "__main__":
    for stage, names in touched(changed(sys.argv[1] if len(sys.argv) > 1 else "main")).items():
        print(stage, *names)
