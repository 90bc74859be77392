"""A digital twin of a queue: which load it is under, and how large the application should be for it.

A dynamic Bayesian network over discrete states, the arrival rates that are told apart, by a forward filter. It sees the
mean queue length and the arrival rate of each step; the size that the application had then says which queue length each
state makes. What it keeps between two steps is a value that JSON can hold.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel

Array = NDArray[np.float64]
#: Infinity and NaN are no numbers of a configuration.
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: A queue that has always been of one length, in events, may yet differ from it by so much.
SMALLEST_SPREAD = 0.1
#: An observation that is farther from a mean than so many spreads is as improbable as one can be.
FARTHEST = 1e6


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)


class Length(_Model):
    """Queue length in events, as a mean over one step: its mean, and its standard deviation from step to step."""

    mean: Number
    spread: Positive


class Control(_Model):
    """A size that the application can have: its number of threads or workers, or the size of one."""

    size: int = Field(ge=0)
    #: Events per second, of which M/M/1 makes the lengths; None where they are given.
    service_rate: Positive | None = None
    #: For each state, by observation; empty where the service rate is given.
    lengths: tuple[Length, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Control:
        if (self.service_rate is None) == (not self.lengths):
            given = "neither" if self.service_rate is None else "both"
            raise ValueError(f"size {self.size} has {given}; expected either lengths or serviceRate")
        return self


class Configuration(_Model):
    #: The states, in events per second, ascending. Each stands for the rates that are nearest to it.
    arrival_rates: tuple[Positive, ...] = Field(min_length=2)
    #: By ascending size.
    controls: tuple[Control, ...] = Field(min_length=2)
    #: A state needs the smallest size whose mean queue length there is at most this, or else the largest.
    acceptable_length: Positive
    #: How long an observation covers.
    step_seconds: Positive = 60.0
    #: p: a state stays with (1 - p)^2, goes to a neighbour with p^2 and to any other with p^2 / 2, made to sum up to 1.
    transition_probability: float = Field(default=0.05, ge=1e-6, lt=0.5)
    #: Another size is recommended when the states that need it have had so much of the belief,
    confidence: float = Field(default=0.7, ge=0.5, lt=1)
    #: in so many successive steps.
    confirmations: int = Field(default=1, ge=1)
    #: A smaller size is for states that need it even so many states higher: on the border of two sizes nothing flaps.
    margin: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Configuration:
        sizes = tuple(control.size for control in self.controls)
        for name, values in (("arrivalRates", self.arrival_rates), ("sizes of controls", sizes)):
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} are {list(values)}; expected ascending ones")
        for control in self.controls:
            if control.lengths and len(control.lengths) != len(self.arrival_rates):
                raise ValueError(
                    f"size {control.size} has {len(control.lengths)} lengths; "
                    f"expected {len(self.arrival_rates)}, one for each of arrivalRates"
                )
        needs = self.needs()
        if len(set(needs)) == 1:
            raise ValueError(
                f"acceptableLength is {self.acceptable_length:g}: all arrivalRates need size {needs[0]}; "
                "expected one by which some need another"
            )
        if stuck := set(needs) - set(self.needs(self.margin)):
            raise ValueError(
                f"margin is {self.margin}: size {min(stuck)} would never be recommended again after a larger one; "
                "expected more arrivalRates that need it, or less margin"
            )
        return self

    def lengths(self, control: Control) -> tuple[Length, ...]:
        """For each state."""
        if control.service_rate is None:
            return control.lengths
        return tuple(theoretical(rate, control.service_rate, self.step_seconds) for rate in self.arrival_rates)

    def needs(self, margin: int = 0) -> list[int]:
        """The size that each state needs, and so many states above it, too."""
        means = {control.size: [length.mean for length in self.lengths(control)] for control in self.controls}
        needs = [
            next((size for size in means if means[size][state] <= self.acceptable_length), self.controls[-1].size)
            for state in range(len(self.arrival_rates))
        ]
        return [max(needs[state : state + margin + 1]) for state in range(len(needs))]


@dataclass(frozen=True)
class Observation:
    """One step of the application. What is None, or no finite number, has not been measured.

    `size` is None where it changed during the step: the queue length then tells nothing.
    """

    size: int | None = None
    #: Mean over the step, in events.
    length: float | None = None
    #: Events per second.
    arrival_rate: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name in ("length", "arrival_rate"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                object.__setattr__(self, name, None)
            elif value is not None and value < 0:
                raise ValueError(f"{name} is {value:g}; expected 0 or more")


@dataclass(frozen=True)
class Memory:
    """What a twin keeps from one step to the next."""

    #: Probability of each state.
    belief: tuple[float, ...]
    #: None: there has been no confidence in any size yet.
    recommendation: int | None = None
    #: Another size that the belief is for, and in how many successive steps it has been.
    challenger: int | None = None
    challenged: int = 0
    #: How often another size was recommended than before.
    switches: int = 0
    #: Of the last observation that had a length; None before there was one.
    size: int | None = None
    length: float | None = None

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Memory:
        """What `dataclasses.asdict` has made of a memory, or JSON of that. Raises ValueError."""
        return TypeAdapter(cls).validate_python(record)


@dataclass(frozen=True)
class Step:
    """What a twin makes of an observation."""

    #: Probability of each arrival rate.
    belief: dict[float, float]
    #: None: there is no reason yet to change what is there.
    recommendation: int | None
    #: Whether the recommendation is another one than before.
    switched: bool
    reason: str
    #: Events per second, as the mean of the belief.
    arrival_rate: float
    #: By size: the mean queue length that it would have under the belief, in events.
    lengths: dict[int, float]
    memory: Memory


class Twin:
    """Follows one application. Its memory is all that changes; one thread at a time may call it."""

    def __init__(self, configuration: Configuration, memory: Memory | None = None) -> None:
        """Without a memory all states are equally probable. Raises ValueError where it has other states or sizes."""
        self.configuration = configuration
        self.rates = np.array(configuration.arrival_rates)
        self.sizes = [control.size for control in configuration.controls]
        lengths = [configuration.lengths(control) for control in configuration.controls]
        self.means = np.array([[length.mean for length in row] for row in lengths])
        self.spreads = np.array([[length.spread for length in row] for row in lengths])
        self.rate_spreads = rate_spreads(self.rates, configuration.step_seconds)
        self.transitions = transitions(len(self.rates), configuration.transition_probability)
        self.needs = np.array(configuration.needs())
        self.needs_to_shrink = np.array(configuration.needs(configuration.margin))
        self.memory = memory or Memory((1 / len(self.rates),) * len(self.rates))
        self._check(self.memory)

    def step(self, observation: Observation) -> Step:
        """Takes in what has been observed since the last step."""
        belief = np.array(self.memory.belief) @ self.transitions
        evidence = self._evidence(observation)
        if evidence is not None:
            # After a transition no state is impossible, and the likeliest has weight 1: the sum cannot underflow to 0.
            belief *= np.exp(evidence - evidence.max())
        belief /= belief.sum()
        before = self.memory
        if observation.length is not None:
            before = replace(before, size=observation.size, length=observation.length)
        needs = self._needs(before.recommendation)
        shares = {size: float(belief[needs == size].sum()) for size in self.sizes}
        best = max(shares, key=lambda size: shares[size])
        self.memory = self._decide(before, belief, None if evidence is None else best, shares[best])
        return Step(
            belief=dict(zip(self.configuration.arrival_rates, self.memory.belief, strict=True)),
            recommendation=self.memory.recommendation,
            switched=self.memory.switches > before.switches,
            reason=self._reason(best, shares[best])
            if evidence is not None
            else "nothing has been observed that tells the rates apart",
            arrival_rate=float(belief @ self.rates),
            lengths=dict(zip(self.sizes, (self.means @ belief).tolist(), strict=True)),
            memory=self.memory,
        )

    def _needs(self, recommendation: int | None) -> NDArray[np.int64]:
        """The size that each state needs after this one."""
        if recommendation is None:
            return self.needs
        return np.where(self.needs < recommendation, np.minimum(self.needs_to_shrink, recommendation), self.needs)

    def _evidence(self, observation: Observation) -> Array | None:
        """Logarithm of the likelihood of each state, but for a constant; None where nothing has been measured."""
        evidence = []
        if observation.length is not None and observation.size in self.sizes and self._is_of_now(observation):
            row = self.sizes.index(observation.size)
            evidence.append(log_normal(observation.length, self.means[row], self.spreads[row]))
        if observation.arrival_rate is not None:
            evidence.append(log_normal(observation.arrival_rate, self.rates, self.rate_spreads))
        return np.sum(evidence, axis=0) if evidence else None

    def _is_of_now(self, observation: Observation) -> bool:
        """Whether a queue's length tells of the present: one that is too long may be a backlog that is worked off.

        That it is none shows where the length has not fallen under the same size.
        """
        before = self.memory
        if observation.length is None or before.length is None:
            return True
        if observation.length <= self.configuration.acceptable_length:
            return True
        return observation.size == before.size and observation.length >= before.length

    def _decide(self, before: Memory, belief: Array, best: int | None, share: float) -> Memory:
        memory = replace(before, belief=tuple(belief.tolist()))
        if best is None:
            return memory
        if best == before.recommendation or share < self.configuration.confidence:
            return replace(memory, challenger=None, challenged=0)
        challenged = before.challenged + 1 if best == before.challenger else 1
        if challenged < self.configuration.confirmations:
            return replace(memory, challenger=best, challenged=challenged)
        switches = before.switches + (before.recommendation is not None)
        return replace(memory, recommendation=best, challenger=None, challenged=0, switches=switches)

    def _reason(self, best: int, share: float) -> str:
        memory, configuration = self.memory, self.configuration
        likeliest = int(np.argmax(memory.belief))
        reason = (
            f"{memory.belief[likeliest]:.0%} for {self.rates[likeliest]:g} events per second, "
            f"{share:.0%} for rates that need size {best}"
        )
        if memory.challenger is not None:
            return f"{reason}, in {memory.challenged} of {configuration.confirmations} successive steps"
        if memory.recommendation != best:
            return f"{reason}, of {configuration.confidence:.0%} that are needed"
        return reason

    def _check(self, memory: Memory) -> None:
        count, total = len(memory.belief), sum(memory.belief)
        if count != len(self.rates):
            raise ValueError(f"the memory has {count} states; expected {len(self.rates)}, as arrivalRates")
        if not (min(memory.belief) >= 0 and abs(total - 1) < 1e-6):
            raise ValueError(f"the memory's belief is {list(memory.belief)}; expected probabilities that sum up to 1")
        for size in (memory.recommendation, memory.challenger):
            if size is not None and size not in self.sizes:
                raise ValueError(f"the memory has size {size}; expected one of {self.sizes}, as controls")


def transitions(count: int, probability: float) -> Array:
    """Probability of each of so many states, by column, after each of them, by row."""
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    stay, neighbour, other = (1 - probability) ** 2, probability**2, probability**2 / 2
    matrix = np.select([distance == 0, distance == 1], [stay, neighbour], other)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def rate_spreads(rates: Array, seconds: float) -> Array:
    """Standard deviation of a rate that is counted for so long, in each state, in events per second.

    Poisson's, and that of a rate which may be anywhere in the range that the state stands for.
    """
    gaps = np.diff(rates)
    widths = np.concatenate((gaps[:1], (gaps[:-1] + gaps[1:]) / 2, gaps[-1:]))
    return np.asarray(np.sqrt(rates / seconds + widths**2 / 12))


def log_normal(value: float, means: Array, spreads: Array) -> Array:
    """Logarithm of the normal density of a value, but for a constant; finite whatever the value."""
    distance = np.clip(value - means, -FARTHEST * spreads, FARTHEST * spreads) / spreads
    return np.asarray(-0.5 * distance**2 - np.log(spreads))


def mean_waiting(arrival_rate: float, service_rate: float) -> float:
    """Mean number of waiting events in M/M/1, of rates per second; infinite where there is no steady state."""
    if arrival_rate >= service_rate:
        return math.inf
    return arrival_rate**2 / (service_rate * (service_rate - arrival_rate))


def theoretical(arrival_rate: float, service_rate: float, seconds: float) -> Length:
    """What M/M/1 says of the queue length as a mean over so many seconds.

    A queue is nearly as long as it was a moment ago, and the fuller it is the longer that lasts: a short step tells no
    more than a look at it, and has the variance of the number of waiting events. A long one has the asymptotic variance
    of their mean, which falls with the seconds. In between, the correlation is taken to fade exponentially, with the
    time that is right for both. Where there is no steady state, mean and spread are what the queue grows by in a step.
    """
    load = arrival_rate / service_rate
    if load >= 1:
        growth = (arrival_rate - service_rate) * seconds + math.sqrt((arrival_rate + service_rate) * seconds)
        return Length(mean=growth, spread=growth)
    free = 1 - load
    variance = load**2 * (1 + load - load**2) / free**2
    correlated = (1 + load + 2 * load * free + load * free**2) / (service_rate * free**2 * (1 + load - load**2))
    # Beyond so many steps it is a look, to nine digits.
    fading = min(correlated / seconds, 1e5)
    spread = math.sqrt(2 * variance * fading * (1 + fading * math.expm1(-1 / fading)))
    return Length(mean=mean_waiting(arrival_rate, service_rate), spread=max(spread, SMALLEST_SPREAD))


def learned(configuration: Configuration, history: Iterable[Observation], least: int = 10) -> Configuration:
    """The configuration with means and spreads as observed, where a size has `least` observations in a state.

    The state of an observation is the one nearest to its arrival rate: one without a rate teaches nothing.
    Raises ValueError where by what is learned all states need one size, or the margin is too wide.
    """
    rates = np.array(configuration.arrival_rates)
    observed: defaultdict[tuple[int | None, int], list[float]] = defaultdict(list)
    for observation in history:
        if observation.length is not None and observation.arrival_rate is not None:
            state = int(np.abs(rates - observation.arrival_rate).argmin())
            observed[observation.size, state].append(observation.length)

    def length(size: int, state: int, before: Length) -> Length:
        values = observed[size, state]
        if len(values) < max(least, 2):
            return before
        return Length(mean=float(np.mean(values)), spread=max(float(np.std(values, ddof=1)), SMALLEST_SPREAD))

    controls = tuple(
        Control(
            size=control.size,
            lengths=tuple(
                length(control.size, state, before) for state, before in enumerate(configuration.lengths(control))
            ),
        )
        for control in configuration.controls
    )
    return Configuration(**{**dict(configuration), "controls": controls})


class Sample(NamedTuple):
    """One value for Prometheus: a counter where the name ends with _total, and else a gauge."""

    name: str
    description: str
    labels: dict[str, str]
    value: float


def samples(step: Step) -> Iterator[Sample]:
    """What a step tells Prometheus; samples of one name follow each other. No recommendation is no sample."""
    for rate, probability in step.belief.items():
        yield Sample(
            "twin_belief_ratio",
            "Probability that events arrive at about this rate per second.",
            {"arrival_rate": f"{rate:g}"},
            probability,
        )
    for size, length in step.lengths.items():
        yield Sample(
            "twin_expected_queue_length",
            "Mean queue length, in events, that this size would have.",
            {"size": str(size)},
            length,
        )
    rate_text = "Events per second that are believed to arrive."
    yield Sample("twin_arrival_rate_hertz", rate_text, {}, step.arrival_rate)
    if step.recommendation is not None:
        size_text = "Size that the application should have."
        yield Sample("twin_recommended_size", size_text, {}, step.recommendation)
    switches_text = "How often another size was recommended than before."
    yield Sample("twin_switches_total", switches_text, {}, step.memory.switches)
