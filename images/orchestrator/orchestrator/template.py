"""Templates of agreements: plain data, with the fields of the reference system and a few of our own."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from .constraint import Constraint

Action = Literal["scale_out", "scale_in", "scale_up", "scale_down", "notify", "none"]
GROWING = ("scale_out", "scale_up")
SHRINKING = ("scale_in", "scale_down")
Seconds = Annotated[float, Field(ge=0, le=86400)]


class Guarantee(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    name: str = Field(min_length=1)
    constraint: str

    @field_validator("constraint")
    @classmethod
    def _parses(cls, text: str) -> str:
        Constraint(text)
        return text

    @cached_property
    def condition(self) -> Constraint:
        return Constraint(self.constraint)


class Template(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    #: Whose series are read: those of the application, or those of the whole cluster.
    type: Literal["app-compss", "infr"]
    #: A label of Kubernetes has it as its value.
    guarantee_name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
    #: Violations that are let pass before the action.
    max_allowed: int = Field(ge=0)
    action: Action
    #: What the number of workers, or their size, is multiplied by.
    scale_factor: float = Field(default=1.0, gt=0, le=100)
    guarantees: tuple[Guarantee, ...] = Field(min_length=1)
    #: After a change nothing is changed, and no violation counted, for as long.
    cool_down_seconds: Seconds = 60
    #: After as long without a violation one step goes back; 0: never.
    calm_seconds: Seconds = 300
    #: A level that does not hold is a violation once in as long. A total's every growth is one.
    period_seconds: Seconds = 30
    #: What is done where the cluster has no room for another worker.
    otherwise: Literal["scale_up", "notify"] = "notify"

    @model_validator(mode="after")
    def _consistent(self) -> Template:
        if self.action in GROWING and self.scale_factor <= 1:
            raise ValueError(f"scaleFactor is {self.scale_factor:g}; {self.action} needs more than 1")
        if self.action in SHRINKING and self.scale_factor >= 1:
            raise ValueError(f"scaleFactor is {self.scale_factor:g}; {self.action} needs less than 1")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All metrics that it reads."""
        return tuple(dict.fromkeys(name for each in self.guarantees for name in each.condition.names))


_LIST = TypeAdapter(list[dict[str, Any]])


def parse(content: str) -> tuple[dict[str, Template], dict[str, str]]:
    """Templates by name, and what is wrong with the others. Raises ValueError where it is no list of objects."""
    good: dict[str, Template] = {}
    bad: dict[str, str] = {}
    for index, entry in enumerate(_LIST.validate_json(content)):
        name = str(entry.get("guaranteeName", f"number {index + 1}"))
        try:
            template = Template.model_validate(entry)
        except ValidationError as error:
            faults = (".".join(map(str, fault["loc"])) + ": " + fault["msg"] for fault in error.errors())
            bad[name] = "; ".join(faults).replace(": Value error, ", ": ").removeprefix(": ")
            continue
        if name in good or name in bad:
            good.pop(name, None)
            bad[name] = "two templates have this name"
        else:
            good[name] = template
    return good, bad


def read(path: str) -> tuple[dict[str, Template], dict[str, str]]:
    """As `parse`. Raises OSError or ValueError."""
    return parse(Path(path).read_text(encoding="utf-8"))
