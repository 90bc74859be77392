"""Waiting for tasks, which have all ended here."""

from pycompss import standin


def compss_barrier(*_):
    """Nothing is open."""


def compss_wait_on(value, *_):
    standin.runtime.fetch(value)
    return value
