"""Tasks, one after another."""

import functools

from pycompss import standin


def task(**_):
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return standin.runtime.execute(function, args, kwargs)

        return call

    return decorate
