"""What workers offer, and what constraints ask for under which names."""

from __future__ import annotations

import platform
from collections.abc import Iterable

# COMPSs' names of constraints and the workers' resources that they ask for. True: an amount; False: a property,
# which a worker offers under "<resource>=<value>".
CONSTRAINTS: dict[str, tuple[str, bool]] = {
    "memory_size": ("memory", True),
    "storage_size": ("storage", True),
    "storage_bw": ("storage_bw", True),
    "memory_type": ("memory_type", False),
    "storage_type": ("storage_type", False),
    "processor_architecture": ("architecture", False),
    "processor_name": ("processor", False),
    "processor_type": ("processor_type", False),
    "operating_system_type": ("os", False),
    "operating_system_distribution": ("os_distribution", False),
    "app_software": ("software", False),
    "host_queues": ("queue", False),
    "operating_system_version": ("os_version", False),
    "processor_speed": ("processor_speed", True),
    "processor_internal_memory_size": ("processor_memory", True),
    "processor_property_name": ("processor_property_name", False),
    "processor_property_value": ("processor_property_value", False),
}
LEGACY = {
    "computingUnits": "computing_units",
    "ComputingUnits": "computing_units",
    "memorySize": "memory_size",
    "MemorySize": "memory_size",
    "memoryType": "memory_type",
    "storageSize": "storage_size",
    "storageBW": "storage_bw",
    "storageType": "storage_type",
    "processorArchitecture": "processor_architecture",
    "ProcessorArchitecture": "processor_architecture",
    "processorName": "processor_name",
    "processorType": "processor_type",
    "operatingSystemType": "operating_system_type",
    "operatingSystemDistribution": "operating_system_distribution",
    "appSoftware": "app_software",
    "hostQueues": "host_queues",
    "operatingSystemVersion": "operating_system_version",
    "processorSpeed": "processor_speed",
    "processorInternalMemorySize": "processor_internal_memory_size",
    "processorPropertyName": "processor_property_name",
    "processorPropertyValue": "processor_property_value",
    "wallClockLimit": "wall_clock_limit",
    "isLocal": "is_local",
}
# What a worker need not declare to be taken for a task that asks for it, as in COMPSs: a property of which nothing is
# known excludes nobody. Memory, architecture and units are always known; software and devices must be there.
OPEN = frozenset(
    resource
    for resource, _ in CONSTRAINTS.values()
    if resource not in ("memory", "architecture", "software", "processor_type")
)
LARGE = 1e15  # a property is there for any number of tasks
NO_UNIT = "@IO"  # what a task asks for that takes no computing unit; every worker has it
UNASSIGNED = ("[unassigned]", "", None)


def machine() -> str:
    """The architecture of this machine, under the name that COMPSs and Kubernetes use."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def architecture(value: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(value, value)


def kind(resource: str) -> str:
    """What a property is of: `memory_type` of `memory_type=dram`."""
    return resource.partition("=")[0]


def undeclared(wanted: Iterable[str], declared: Iterable[str]) -> list[str]:
    """Those of the wanted resources of whose kind a worker that declares these says nothing."""
    kinds = {kind(resource) for resource in declared}
    return [resource for resource in wanted if kind(resource) in OPEN and kind(resource) not in kinds]


def offered(units: int, memory: float, extra: list[tuple[str, str]]) -> dict[str, float]:
    """What @constraint may ask this worker for; `memory` in gigabytes, `extra` may name one property several times."""
    offer: dict[str, float] = {
        "units": units,
        "memory": memory,
        NO_UNIT: LARGE,
        f"architecture={machine()}": LARGE,
        "os=linux": LARGE,
    }
    for name, value in extra:
        try:
            offer[name] = float(value)
        except ValueError:
            offer[f"{name}={value.lower()}"] = LARGE
    return offer
