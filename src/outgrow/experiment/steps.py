"""Steps that cost something, and those who are asked for them: one makes them, one counts them, one looks them up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from outgrow.core.errors import StoreError
from outgrow.core.hashing import sha256_text
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import ModelRef
from outgrow.models.files import model_hash
from outgrow.store import Artefact, Step, Store, Work
from outgrow.training.config import TrainConfig

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Size(NamedTuple):
    """How much a step is: prompts that are answered (wordings and samples counted), training rows, optimiser steps."""

    prompts: int = 0
    rows: int = 0
    steps: int = 0


@runtime_checkable
class Counts(Protocol):
    """Counts passes and tokens of asking and training (`outgrow.experiment.planning`)."""

    def asked(self, request: Any) -> PlannedWork:
        """Of answering: `request` has `handle`, `task`, `examples` and `asking`."""
        ...

    def trained(self, request: Any) -> PlannedWork:
        """Of a training: `request` has `start`, `worded`, `config`, `steps`, and `checks` (a request, or None)."""
        ...


class StepRequest(ABC, Generic[Result_co]):
    """A step somebody asks for: what identifies it, how it is made, and what comes of it.

    A new kind of step is a subclass. Running, dry runs, plans, `outgrow status` and collecting need nothing else.
    """

    @property
    @abstractmethod
    def step(self) -> Step:
        """What identifies the result."""

    @property
    @abstractmethod
    def what(self) -> str:
        """The step in words, the same for every seed."""

    @abstractmethod
    def make(self, work: Work) -> None:
        """Put the result's files into `work.out`."""

    @abstractmethod
    def read(self, artefact: Artefact) -> Result_co:
        """The result, from its files."""

    @abstractmethod
    def sketch(self) -> Result_co:
        """A made-up result of the same shape, at no cost: what is counted must not depend on what comes out."""

    @property
    def drawn(self) -> bool:
        """Whether the seed decides the result itself, besides what it is made from."""
        return False

    @property
    def meta(self) -> dict[str, Any]:
        """Facts for readers of the store that decide nothing (`outgrow.store.Store.make`)."""
        return {"detail": self.what}

    def size(self) -> Size:
        """How much it is, for dry runs."""
        return Size()

    def planned(self, counts: Counts) -> PlannedWork:
        """What it computes, for plans; nothing worth counting by default."""
        return PlannedWork()

    @property
    def about(self) -> str:
        """The split or whatever it is about, for plans."""
        return ""

    @property
    def model(self) -> ModelRef | None:
        """The model on this machine that computes it, if any."""
        return None

    @property
    def train(self) -> TrainConfig | None:
        """Settings of the training that this is, or that made the model that is asked."""
        return None

    @property
    def server(self) -> Any:
        """Settings of the server that is asked, if any."""
        return None


@runtime_checkable
class Steps(Protocol):
    """What a `StepRunner` asks for the results of steps.

    Attributes:
        imagined: whether results are made up, so that no model has to be there.
    """

    imagined: bool

    def do(self, request: StepRequest[Result]) -> Result:
        """The result of a step."""
        ...

    def model_key(self, ref: ModelRef) -> str:
        """What identifies the files of a base model."""
        ...


class Maker:
    """Makes steps that are not in the store yet."""

    imagined = False

    def __init__(self, store: Store) -> None:
        self.store = store

    def do(self, request: StepRequest[Result]) -> Result:
        """The result, from the store or made now.

        Raises:
            OutgrowError: as the step itself, and as `Store.make`.
        """
        return request.read(self.store.make(request.step, request.make, meta=request.meta))

    def model_key(self, ref: ModelRef) -> str:
        """A hash of the model's files."""
        return model_hash(ref)


class NotMadeError(StoreError):
    """A step is not in the store; `request` is what was looked for."""

    def __init__(self, request: StepRequest[Any]) -> None:
        super().__init__(f"not made yet: {request.what} ({request.step.name} {request.step.key[:12]})")
        self.request = request


class Lookup:
    """Finds steps in the store and makes none; `used` has those it found, in order."""

    imagined = False

    def __init__(self, store: Store) -> None:
        self.store = store
        self.used: list[Step] = []

    def do(self, request: StepRequest[Result]) -> Result:
        """The result.

        Raises:
            NotMadeError: there is none.
        """
        artefact = self.store.get(request.step)
        if artefact is None:
            raise NotMadeError(request)
        self.used.append(request.step)
        return request.read(artefact)

    def model_key(self, ref: ModelRef) -> str:
        """A hash of the model's files."""
        return model_hash(ref)


@dataclass(frozen=True)
class Counted:
    """A step that was asked for, and whether another seed's is another step."""

    request: StepRequest[Any]
    seeded: bool

    def identity(self, seed: int | None) -> tuple[str, int | None]:
        """Its key, for one seed."""
        return self.request.step.key, seed if self.seeded else None


@dataclass
class Counter:
    """Makes results up and keeps what was asked for, in order; equal steps have equal results."""

    imagined = True
    asked: list[Counted] = field(default_factory=list)
    _sketches: dict[tuple[str, str], Any] = field(default_factory=dict)
    _seeded: dict[str, bool] = field(default_factory=dict)

    def do(self, request: StepRequest[Result]) -> Result:
        """A made-up result."""
        step = request.step
        kind = type(request).__name__, step.key
        if kind not in self._sketches:
            self._sketches[kind] = request.sketch()
            made_from_seeded = any(self._seeded.get(key, False) for key in step.inputs.values())
            self._seeded[step.key] = request.drawn or made_from_seeded
        self.asked.append(Counted(request, self._seeded[step.key]))
        result: Result = self._sketches[kind]
        return result

    def model_key(self, ref: ModelRef) -> str:
        """Its name and revision: the files may be elsewhere."""
        return sha256_text(ref.model, ref.revision)

    @contextmanager
    def part(self) -> Iterator[list[Counted]]:
        """The steps that are asked for within the block."""
        before, self.asked = self.asked, []
        try:
            yield self.asked
        finally:
            self.asked = before + self.asked
