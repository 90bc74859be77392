# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The platform itself: API server, cluster DNS, and the targets that everything else is read from."""

from __future__ import annotations

from ..model import Metric

NO_QUESTION = "nothing has asked the cluster DNS anything yet"

METRICS = (
    Metric(
        name="job:targets:count",
        category="platform",
        unit="count",
        type="count",
        meaning="Targets of a scrape job.",
        expr="count by ($cluster, job) (up)",
    ),
    Metric(
        name="job:targets_up:sum",
        category="platform",
        unit="count",
        type="count",
        meaning="Targets of a scrape job that answer.",
        expr="sum by ($cluster, job) (up)",
    ),
    Metric(
        name="job:targets_up:ratio",
        category="platform",
        unit="ratio",
        type="ratio",
        meaning="Share of a scrape job's targets that answer.",
        expr="job:targets_up:sum / job:targets:count",
    ),
    Metric(
        name="apiserver:requests:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Requests per second to the API server, by verb and code.",
        expr="sum by ($cluster, verb, code) (rate(apiserver_request_total{$apiserver}[$window]))",
    ),
    Metric(
        name="cluster:apiserver_requests:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Requests per second to the API server.",
        expr="sum by ($cluster) (apiserver:requests:rate)",
    ),
    Metric(
        name="cluster:apiserver_request_errors:ratio",
        category="platform",
        unit="ratio",
        type="ratio",
        meaning="Share of the requests to the API server that it failed (code 5xx).",
        expr="""\
(sum by ($cluster) (apiserver:requests:rate{code=~"5.."}) or 0 * cluster:apiserver_requests:rate)
/ (cluster:apiserver_requests:rate > 0)""",
        warning=0.01,
        critical=0.05,
    ),
    Metric(
        name="apiserver:request_duration_seconds_bucket:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Requests per second to the API server that were executed within le seconds, by type.",
        expr="""\
sum by ($cluster, type, le) (rate(apiserver_flowcontrol_request_execution_seconds_bucket{$apiserver}[$window]))""",
        difference=(
            "Priority and fairness' histogram has some hundred series; apiserver_request_duration_seconds has "
            "thousands, more than all other series of a small cluster. Of a WATCH it measures the start only."
        ),
    ),
    *(
        Metric(
            name=f"apiserver:request_duration_seconds:p{percent}",
            category="platform",
            unit="seconds",
            type="quantile",
            meaning=f"{percent} of 100 requests to the API server are executed faster, by type (readOnly, mutating).",
            expr=f"histogram_quantile({percent / 100}, apiserver:request_duration_seconds_bucket:rate)",
            warning=0.5 if percent == 50 else 1,
        )
        for percent in (50, 99)
    ),
    Metric(
        name="cluster:apiserver_request_duration_seconds:mean",
        category="platform",
        unit="seconds",
        type="gauge",
        meaning="Mean time in which the API server executes a request.",
        expr="""\
sum by ($cluster) (rate(apiserver_flowcontrol_request_execution_seconds_sum{$apiserver}[$window]))
/ (sum by ($cluster) (rate(apiserver_flowcontrol_request_execution_seconds_count{$apiserver}[$window])) > 0)""",
    ),
    Metric(
        name="apiserver:inflight_requests:sum",
        category="platform",
        unit="count",
        type="gauge",
        meaning="Requests that the API server executes now, by kind.",
        expr="sum by ($cluster, request_kind) (apiserver_current_inflight_requests{$apiserver})",
    ),
    Metric(
        name="coredns:requests:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Questions per second to the cluster DNS, by record type and protocol.",
        expr="sum by ($cluster, type, proto) (rate(coredns_dns_requests_total{$coredns}[$window]))",
        absent=NO_QUESTION,
    ),
    Metric(
        name="coredns:responses:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Answers per second of the cluster DNS, by response code.",
        expr="sum by ($cluster, rcode) (rate(coredns_dns_responses_total{$coredns}[$window]))",
        absent=NO_QUESTION,
    ),
    Metric(
        name="cluster:coredns_errors:ratio",
        category="platform",
        unit="ratio",
        type="ratio",
        meaning=(
            "Share of the cluster DNS' answers that are a failure of the server's. A name that is not there is none."
        ),
        expr="""\
(
  sum by ($cluster) (coredns:responses:rate{rcode!~"NOERROR|NXDOMAIN"})
  or 0 * sum by ($cluster) (coredns:responses:rate)
)
/ (sum by ($cluster) (coredns:responses:rate) > 0)""",
        warning=0.01,
        critical=0.05,
        absent=NO_QUESTION,
    ),
    Metric(
        name="coredns:request_duration_seconds_bucket:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Questions per second that the cluster DNS answers within le seconds.",
        expr="sum by ($cluster, le) (rate(coredns_dns_request_duration_seconds_bucket{$coredns}[$window]))",
        absent=NO_QUESTION,
    ),
    *(
        Metric(
            name=f"cluster:coredns_request_duration_seconds:p{percent}",
            category="platform",
            unit="seconds",
            type="quantile",
            meaning=f"{percent} of 100 questions to the cluster DNS are answered faster.",
            expr=f"histogram_quantile({percent / 100}, coredns:request_duration_seconds_bucket:rate)",
            warning=0.1 if percent == 50 else 0.5,
            absent=NO_QUESTION,
        )
        for percent in (50, 99)
    ),
    Metric(
        name="coredns:cache_hits:rate",
        category="platform",
        unit="requests/s",
        type="rate",
        meaning="Questions per second that the cluster DNS answers out of its cache, by kind of entry.",
        expr="sum by ($cluster, type) (rate(coredns_cache_hits_total{$coredns}[$window]))",
        absent="the cluster DNS has no cache, or has answered nothing out of it yet",
    ),
    Metric(
        name="cluster:coredns_cache_hits:ratio",
        category="platform",
        unit="ratio",
        type="ratio",
        meaning="Share of the questions to the cluster DNS' cache that it can answer.",
        expr="""\
(
  sum by ($cluster) (coredns:cache_hits:rate)
  or 0 * sum by ($cluster) (rate(coredns_cache_requests_total{$coredns}[$window]))
)
/ (sum by ($cluster) (rate(coredns_cache_requests_total{$coredns}[$window])) > 0)""",
        absent="the cluster DNS has no cache",
    ),
)
