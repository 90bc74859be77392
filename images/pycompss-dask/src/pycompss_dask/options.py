"""Options of COMPSs' runcompss, and what each does on Dask: for the launcher, README's table and the tests."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import PyCOMPSsException, unsupported


class Effect(enum.StrEnum):
    HONOURED = "honoured"
    NOTHING = "no effect"  # taken, and named in one warning
    REFUSED = "refused"


class Form(enum.StrEnum):
    FLAG = "flag"
    VALUE = "value"
    EITHER = "either"  # a flag that may have a value after an equals sign


@dataclass(frozen=True)
class Option:
    """One option: its long name, short letter ("" for none), form, effect, and what it means here."""

    name: str
    form: Form
    effect: Effect
    meaning: str
    letter: str = ""
    alone: str = "true"  # the value of Form.EITHER that is given without one
    refused_values: tuple[str, ...] = ()
    idle_values: tuple[str, ...] = ()  # values of an honoured option that have no effect


FLAG, VALUE, EITHER = Form
HONOURED, NOTHING, REFUSED = Effect
SCHEDULING = "Dask's scheduler places the tasks"
TRACE = "the engine writes the trace itself, without Extrae"
JVM = "there is no Java virtual machine"
WORKERS = "Kubernetes or whoever starts the workers decides"
AFFINITY = "the operating system places the processes"
CHECKPOINT = "the engine writes no checkpoints; a run starts from its beginning"
STREAMING = "streams need COMPSs' streaming back-end"

OPTIONS = (
    Option("help", FLAG, HONOURED, "prints the options and ends", "h"),
    Option("opts", FLAG, HONOURED, "prints this table and ends"),
    Option("version", FLAG, HONOURED, "prints the engine's version and ends", "v"),
    Option("flower", FLAG, REFUSED, "a picture that COMPSs prints"),
    Option("recipe", FLAG, REFUSED, "a text that COMPSs prints"),
    Option("graph", EITHER, HONOURED, "the graph is always written", "g", idle_values=("false",)),
    Option(
        "tracing",
        EITHER,
        HONOURED,
        "the trace is always written",
        "t",
        idle_values=("false", "scorep", "arm-map", "arm-ddt"),
    ),
    Option("monitoring", EITHER, HONOURED, "milliseconds between updates of COMPSs_state.xml", "m", alone="2000"),
    Option("external_debugger", EITHER, NOTHING, JVM),
    Option("jmx_port", VALUE, NOTHING, JVM),
    Option("coverage", VALUE, NOTHING, JVM),
    Option("task_execution", VALUE, HONOURED, "tasks run on the engine's workers", idle_values=("storage",)),
    Option("storage_impl", VALUE, HONOURED, "where persistent objects are"),
    Option("storage_conf", VALUE, HONOURED, "the storage's configuration file"),
    Option("project", VALUE, NOTHING, WORKERS),
    Option("resources", VALUE, NOTHING, WORKERS),
    Option("lang", VALUE, HONOURED, "the application is a Python script", refused_values=("java", "c")),
    Option("summary", FLAG, NOTHING, "the last line of runtime.log counts the tasks"),
    Option("log_level", VALUE, NOTHING, "runtime.log has one level of detail"),
    Option("debug", FLAG, NOTHING, "runtime.log has one level of detail", "d"),
    Option("extrae_config_file", VALUE, NOTHING, TRACE),
    Option("extrae_config_file_python", VALUE, NOTHING, TRACE),
    Option("trace_label", VALUE, NOTHING, TRACE),
    Option("tracing_task_dependencies", VALUE, NOTHING, TRACE),
    Option("generate_trace", VALUE, NOTHING, TRACE),
    Option("delete_trace_packages", VALUE, NOTHING, TRACE),
    Option("custom_threads", VALUE, NOTHING, TRACE),
    Option("comm", VALUE, NOTHING, "Dask's own protocol connects master and workers"),
    Option("conn", VALUE, NOTHING, WORKERS),
    Option("streaming", VALUE, HONOURED, STREAMING, refused_values=("FILES", "OBJECTS", "PSCOS", "ALL")),
    Option("streaming_master_name", VALUE, REFUSED, STREAMING),
    Option("streaming_master_port", VALUE, REFUSED, STREAMING),
    Option("scheduler", VALUE, NOTHING, SCHEDULING),
    Option("scheduler_config_file", VALUE, NOTHING, SCHEDULING),
    Option("checkpoint", VALUE, NOTHING, CHECKPOINT),
    Option("checkpoint_params", VALUE, NOTHING, CHECKPOINT),
    Option("checkpoint_folder", VALUE, NOTHING, CHECKPOINT),
    Option("library_path", VALUE, NOTHING, "the workers' environment says where libraries are"),
    Option("classpath", VALUE, NOTHING, JVM),
    Option("appdir", VALUE, NOTHING, "the script's folder is sent to the workers"),
    Option("pythonpath", VALUE, HONOURED, "folders to import from, separated by colons; workers get them, too"),
    Option("env_script", VALUE, HONOURED, "shell scripts, separated by colons, whose environment the application gets"),
    Option("log_dir", VALUE, HONOURED, "folder whose .COMPSs gets the results folders"),
    Option("base_log_dir", VALUE, HONOURED, "the former name of --log_dir"),
    Option("specific_log_dir", VALUE, HONOURED, "the results folder itself"),
    Option("master_working_dir", VALUE, NOTHING, "temporary files are in the results folder's tmpFiles"),
    Option("uuid", VALUE, NOTHING, "each run gets an identity of its own"),
    Option("master_name", VALUE, NOTHING, "workers are started with the master's name"),
    Option("master_port", VALUE, HONOURED, "port on which workers reach the scheduler"),
    Option("jvm_master_opts", VALUE, NOTHING, JVM),
    Option("jvm_workers_opts", VALUE, NOTHING, JVM),
    Option("cpu_affinity", VALUE, NOTHING, AFFINITY),
    Option("gpu_affinity", VALUE, NOTHING, AFFINITY),
    Option("fpga_affinity", VALUE, NOTHING, AFFINITY),
    Option("fpga_reprogram", VALUE, NOTHING, "the engine programs no FPGA"),
    Option(
        "io_executors",
        VALUE,
        HONOURED,
        "I/O tasks that run at a time on each worker, beside those that compute",
        idle_values=("0",),
    ),
    Option("task_count", VALUE, NOTHING, "the number of functions has no limit"),
    Option("input_profile", VALUE, NOTHING, SCHEDULING),
    Option("output_profile", VALUE, NOTHING, "the trace has the tasks' durations"),
    Option("PyObject_serialize", VALUE, NOTHING, "values travel as pickles"),
    Option("persistent_worker_c", VALUE, NOTHING, "applications are Python scripts"),
    Option("enable_external_adaptation", VALUE, NOTHING, "Kubernetes scales the workers"),
    Option("gen_coredump", FLAG, NOTHING, JVM),
    Option("keep_workingdir", FLAG, NOTHING, "a task's folder goes with the task"),
    Option("python_interpreter", VALUE, NOTHING, "the interpreter is the one that runs runcompss"),
    Option("python_propagate_virtual_environment", VALUE, NOTHING, "workers run in the environment of their image"),
    Option("python_mpi_worker", VALUE, NOTHING, "each computing unit has a Python process of its own"),
    Option("python_memory_profile", FLAG, NOTHING, "the engine writes no memory profile"),
    Option("python_worker_cache", VALUE, NOTHING, "workers share large values as shared memory without being asked"),
    Option("python_cache_profiler", VALUE, NOTHING, "the engine writes no cache profile"),
    Option("wall_clock_limit", VALUE, HONOURED, "seconds after which the application is ended"),
    Option("shutdown_in_node_failure", VALUE, NOTHING, "tasks of a lost worker run again on another"),
    Option("ear", EITHER, NOTHING, "the engine measures no energy"),
    Option("provenance", EITHER, NOTHING, "the engine writes no RO-Crate", "p"),
)
BY_NAME = {f"--{option.name}": option for option in OPTIONS} | {
    f"-{option.letter}": option for option in OPTIONS if option.letter
}


def _singly(argument: str) -> list[str]:
    """`-dg` is `-d -g`, as getopts reads it."""
    letters = [f"-{letter}" for letter in argument[1:]]
    return letters if letters and set(letters) <= set(BY_NAME) else [argument]


def _taken(option: Option, equals: str, value: str) -> bool:
    """Whether the option, as it is given, has an effect; raises PyCOMPSsException where it is refused."""
    if option.effect is REFUSED:
        raise unsupported(f"--{option.name} ({option.meaning})")
    if value in option.refused_values:
        raise unsupported(f"--{option.name}={value} ({option.meaning})")
    if option.effect is NOTHING and option.form is VALUE and not equals:
        # COMPSs refuses it, too: what follows could be the script.
        raise PyCOMPSsException(f"--{option.name} needs its value after an equals sign: --{option.name}=VALUE")
    return option.effect is HONOURED and value not in option.idle_values


def sort_out(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments without COMPSs' options that have no effect here, and the names of those, each once.

    What follows the script is the script's own. Raises PyCOMPSsException for an option or a value that is refused.
    """
    kept: list[str] = []
    without_effect: dict[str, None] = {}
    rest: Iterator[str] = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            kept.append(argument)
            break
        for given in _singly(argument):
            name, equals, value = given.partition("=")
            option = BY_NAME.get(name)
            if option is None or option.form is not EITHER or equals:
                written = given
            else:
                written = f"--{option.name}={option.alone}"
            if option is not None and not _taken(option, equals, value):
                shown = f"--{option.name}={value}" if option.effect is HONOURED else f"--{option.name}"
                without_effect[shown] = None
                continue
            kept.append(written)
            if not equals and (option is None or option.form is VALUE):
                kept += itertools.islice(rest, 1)
    return [*kept, *rest], list(without_effect)


def table() -> str:
    """The table of options in Markdown."""
    rows = ["| option | | meaning |", "|---|---|---|"]
    for option in OPTIONS:
        value = {FLAG: "", VALUE: "=…", EITHER: "[=…]"}[option.form]
        names = f"`--{option.name}{value}`" + (f", `-{option.letter}`" if option.letter else "")
        meaning = option.meaning
        for values, what in ((option.idle_values, "no effect"), (option.refused_values, "refused")):
            if values:
                meaning += f"; {what}: {', '.join(f'`{each}`' for each in values)}"
        rows.append(f"| {names} | {option.effect} | {meaning} |")
    return "\n".join([*rows, ""])
