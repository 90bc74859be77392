"""Telemetry of tasks: deadlines, and events for whoever monitors the application. Needs neither engine."""

from .deadline import deadline, install
from .limits import Deadlines
from .sink import RedisSink, Sink, open_sink

__all__ = ["Deadlines", "RedisSink", "Sink", "deadline", "install", "open_sink"]
