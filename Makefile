# Each target is what you could type yourself, with .venv/bin on PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
inventory ?= inventories/local
# A folder that `make bundle` has made: `make up bundle=<folder>` builds nothing.
bundle ?=

.PHONY: help up status bundle test test-all lint bench down

help:  ## Show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 10

up:  ## Make the cluster on this machine, install everything on it, and run an application (as root)
	CONTINUUM_BUNDLE=$(abspath $(bundle)) ./bootstrap --local-cluster && \
	  ansible-playbook $(addprefix playbooks/,local_cluster.yml site.yml run.yml) -i $(inventory) $(if $(bundle),-e bundle=$(abspath $(bundle)))

status:  ## Say what runs on every site of the inventory, where, in which version, and what is unhealthy; changes nothing
	./bootstrap && ansible-playbook playbooks/status.yml -i $(inventory)

bundle:  ## Pack what `make up` has built, for machines without Go: make bundle output=<folder> (as root)
	./bootstrap --local-cluster && ansible-playbook playbooks/bundle.yml -i $(inventory) -e bundle_output=$(abspath $(output))

test:  ## Run the linters, every test without a cluster, and the scenarios on one; its last lines say what is left out (as root)
	./bootstrap --dev --local-cluster && tests/run

test-all:  ## The same, and the tests that put load on the cluster or take nodes away: tests/live, tests/compss (as root)
	./bootstrap --dev --local-cluster && tests/run --all

lint:  ## Run every linter
	./bootstrap --dev && tests/run lint

bench:  ## Measure, and write docs/benchmarks.md (as root)
	./bootstrap --dev --local-cluster && bench/run

down:  ## Remove the cluster on this machine with all that is in it (as root)
	./bootstrap --local-cluster && ansible-playbook playbooks/local_cluster.yml -i $(inventory) -e local_cluster_state=absent
