"""Prometheus' view. The names are those of the collection's metric catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .state import State


class Application(Collector):
    """All metrics of the application, as they are at the moment of the scrape."""

    def __init__(self, state: State) -> None:
        self.state = state

    def collect(self) -> Iterator[Metric]:
        with self.state.lock:
            yield from self._collect()

    def _collect(self) -> Iterator[Metric]:
        settings, data = self.state.settings, self.state.data
        name = settings.application

        def gauge(metric: str, text: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(metric, text, labels=["application", *labels])

        info = gauge("compss_application_info", "1 while the application runs.", "engine", "version")
        info.add_metric([name, settings.engine, settings.version], 1 if data.phase == "running" else 0)
        yield info
        if data.started:
            start = gauge("compss_application_start_time_seconds", "When the application started, Unix time.")
            start.add_metric([name], data.started)
            yield start
        tasks = gauge("compss_tasks", "Tasks by name and state.", "task", "state")
        for task, states in self.state.tasks().items():
            for state, value in states.items():
                tasks.add_metric([name, task, state], value)
        yield tasks
        durations = HistogramMetricFamily(
            "compss_task_duration_seconds",
            "Duration of the executions that have ended.",
            labels=["application", "task", "worker"],
        )
        for (task, worker), histogram in data.durations.items():
            total, buckets = 0, []
            for bound, count in zip((*map(str, settings.buckets), "+Inf"), histogram.counts, strict=True):
                total += count
                buckets.append((bound, total))
            durations.add_metric([name, task, worker], buckets, histogram.total)
        yield durations
        again = CounterMetricFamily(
            "compss_task_resubmissions", "Executions that were started again.", labels=["application", "task"]
        )
        for task in sorted({*data.tasks, *data.resubmissions}):
            again.add_metric([name, task], data.resubmissions.get(task, 0))
        yield again
        up = gauge("compss_worker_up", "1 for a worker that takes tasks.", "worker")
        units = gauge("compss_worker_computing_units", "Computing units of a worker.", "worker", "architecture")
        used = gauge("compss_worker_computing_units_used", "Computing units that tasks hold.", "worker")
        held = self.state.used_units()
        for worker, found_worker in data.workers.items():
            up.add_metric([name, worker], int(found_worker.up))
            units.add_metric([name, worker, found_worker.architecture], found_worker.units)
            used.add_metric([name, worker], held[worker])
        yield from (up, units, used)
        queue = gauge("compss_queue_length", "Task events in the queue that have not been read yet.")
        queue.add_metric([name], self.state.queue_length)
        yield queue
        events = CounterMetricFamily("compss_events", "Task events read.", labels=["application", "result"])
        events.add_metric([name, "accepted"], data.accepted)
        events.add_metric([name, "refused"], data.refused)
        yield events
        # Where nothing may be pushed, as in a team's namespace, they are scraped, too.
        if not settings.pushgateway:
            yield from deadlines(self.state, application=name)


class Deadlines(Collector):
    """What is pushed; the group that it is pushed to names the application."""

    def __init__(self, state: State) -> None:
        self.state = state

    def collect(self) -> Iterator[Metric]:
        with self.state.lock:
            yield from deadlines(self.state)


def deadlines(state: State, **labels: str) -> Iterator[Metric]:
    """Executions that had a deadline and that missed it, by task and the given labels. The caller holds the lock."""
    names = [*labels, "task"]
    missed = GaugeMetricFamily("deadlines_missed", "Executions that took longer than their deadline.", labels=names)
    checked = GaugeMetricFamily("deadlines_checked", "Executions with a deadline that have ended.", labels=names)
    for task, counts in state.deadlines().items():
        checked.add_metric([*labels.values(), task], counts["checked"] or 0)
        # What nobody has checked is no zero.
        if counts["missed"] is not None:
            missed.add_metric([*labels.values(), task], counts["missed"])
    yield from (missed, checked)


def exposition(collector: Collector) -> bytes:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)
