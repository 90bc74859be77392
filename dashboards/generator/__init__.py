# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Grafana's dashboards, made from the metric catalogue. `dashboards/generate.py` writes them."""
