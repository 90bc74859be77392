"""Tasks that fail, hang, print and run programs."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from pycompss.api.binary import binary
from pycompss.api.epilog import epilog
from pycompss.api.exceptions import COMPSsException
from pycompss.api.on_failure import on_failure
from pycompss.api.parameter import *  # noqa: F403
from pycompss.api.prolog import prolog
from pycompss.api.task import task

# ruff: noqa: F405


def note(path: str) -> int:
    """Count the times that a task ran, in a file that the test and the workers share."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(Path(path).read_text().splitlines())


@task(returns=1)
def fails_until(path, times):
    if note(path) < times:
        raise ValueError("not yet")
    return "done"


@task(returns=1, on_failure="FAIL")
def fails_at_once(path):
    note(path)
    raise ValueError("at once")


@task(returns=1, on_failure="CANCEL_SUCCESSORS")
def cancels_successors(value):
    raise ValueError("no successors")


@task(values=INOUT, on_failure="CANCEL_SUCCESSORS")
def spoils_and_fails(values):
    values.append("spoilt")
    raise ValueError("spoilt")


@task(values=INOUT)
def append(values, value):
    values.append(value)


@task(returns=1)
def double(value):
    return value * 2


@task(returns=1, on_failure="IGNORE")
def ignored(value):
    raise ValueError("ignore me")


@task(returns=2, on_failure="IGNORE")
def ignored_pair(value):
    raise ValueError("ignore me")


@on_failure(management="IGNORE", returns=-1)
@task(returns=1)
def ignored_with_default(value):
    raise ValueError("ignore me")


@on_failure(management="IGNORE", returns=0, values=[9])
@task(returns=1, values=INOUT)
def ignored_with_defaults(values):
    values.append("half")
    raise ValueError("ignore me")


@task(values=INOUT, on_failure="IGNORE")
def ignored_inout(values):
    values.append("half")
    raise ValueError("ignore me")


@task(path=FILE_OUT, on_failure="IGNORE")
def ignored_file(path):
    raise ValueError("ignore me")


@task(path=FILE_INOUT, on_failure="CANCEL_SUCCESSORS")
def spoils_file(path):
    Path(path).write_text("spoilt")
    raise ValueError("no successors")


@task(path=FILE_INOUT)
def extend(path, text):
    with open(path, "a") as file:
        file.write(text)


@task(returns=1, time_out=2, on_failure="CANCEL_SUCCESSORS")
def too_slow(seconds):
    time.sleep(seconds)
    return seconds


@task(returns=1, time_out=2)
def too_slow_at_first(path):
    if note(path) < 2:
        time.sleep(60)
    return "in time"


@task(returns=1)
def dies_at_first(path, number):
    if note(path) < 2:
        os.kill(os.getpid(), number)
        time.sleep(60)
    return "alive"


@task(returns=1)
def exits(path):
    if note(path) < 2:
        sys.exit(3)
    return "ran"


@task(returns=1, on_failure="CANCEL_SUCCESSORS")
def unpicklable():
    return threading.Lock()


@task(returns=3, on_failure="CANCEL_SUCCESSORS")
def too_few():
    return 1, 2


@task(returns=1)
def raises(value):
    raise COMPSsException(f"raised {value}")


@task(values=INOUT)
def raises_after_append(values, value):
    values.append(value)
    raise COMPSsException("after append")


@task(returns=1)
def sleeps(seconds, path=None):
    time.sleep(seconds)
    if path:
        note(path)
    return seconds


@task(returns=1)
def prints(out, err):
    print(out)
    print(err, file=sys.stderr)
    os.system(f"echo child-{out}")
    return os.getcwd()


@task(returns=1)
def where():
    return os.getpid(), os.environ.get("COMPSS_NUM_CPUS")


@task(returns=1)
def nap(path, number):
    """Take a while, and leave word of having run."""
    time.sleep(0.2)
    note(f"{path}{number}")
    return number


@task(returns=1)
def takes_memory(path, size):
    note(path)
    return len(b"x" * (size << 20))


@binary(binary="echo", working_dir="/tmp")
@task(result={Type: FILE_OUT_STDOUT})
def echo(text, result):
    pass


@binary(binary="sh", args="-c exit${IFS}{{status}}", fail_by_exit_value=False)
@task(returns=int)
def exit_value(status):
    pass


@binary(binary="false")
@task(returns=int, on_failure="CANCEL_SUCCESSORS")
def failing_program():
    pass


@binary(binary="true")
@task(returns=1)
def true_program():
    pass


@binary(binary="grep")
@task(source={Type: FILE_IN_STDIN}, result={Type: FILE_OUT_STDOUT})
def grep(keyword, source, result):
    pass


@binary(binary="sed")
@task(path=FILE_INOUT)
def sed(flag, expression, path):
    pass


@binary(binary="printf")
@task(result={Type: FILE_OUT_STDOUT}, size={Type: IN, Prefix: "--size="})
def prefixed(form, size, result):
    pass


@binary(binary="pwd", working_dir="/{{where}}")
@task(where=IN, result={Type: FILE_OUT_STDOUT}, unused={Type: FILE_OUT_STDERR})
def working_dir(where, result, unused):
    pass


@binary(binary="printf", args="%s\\n {{word}} {{other}}")
@task(result=FILE_OUT_STDOUT)
def words(word, other, result):
    pass


@binary(binary="printf", working_dir="{{folder}}", args="%s\\n {{word}} *.txt none*.txt")
@task(out=FILE_OUT_STDOUT)
def wildcards(folder, word, out):
    pass


@binary(binary="pwd", working_dir="{{folder}}/made/here")
@task(result={Type: FILE_OUT_STDOUT})
def made_dir(folder, result):
    pass


@prolog(binary="sh", args="{{script}} before {{path}}")
@epilog(binary="sh", args="{{script}} after {{path}}")
@task(script=FILE_IN, path=FILE_INOUT)
def surrounded(script, path):
    with open(path, "a") as file:
        file.write("task\n")


@prolog(binary="false")
@task(returns=1, on_failure="CANCEL_SUCCESSORS")
def prolog_fails():
    return 1


@epilog(binary="false")
@task(returns=1)
def epilog_fails():
    return 1


@binary(binary="sh", args="{{script}}")
@task(script=FILE_IN, result=FILE_OUT_STDOUT, errors=FILE_OUT_STDERR)
def shell(script, result, errors):
    pass
