"""What a machine does in a second, as measured here (`calibrate.py`) or taken from a data sheet (`data_sheets.py`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import ConfigError
from outgrow.core.files import write_json
from outgrow.core.hashing import sha256_text
from outgrow.experiment.planning.formulas import forward_flops, training_flops
from outgrow.experiment.planning.memory import Held
from outgrow.experiment.work import Passes
from outgrow.models.config import Lora
from outgrow.models.shapes import Shape

FORMAT = 1


@dataclass(frozen=True)
class Pace:
    """Seconds of one model in one use on one machine, fitted to a few real passes.

    Attributes:
        passes: per forward pass, whatever is in it; in training with its backward pass.
        position: per position.
        pair: per pair of positions.
        place: per place at which the head is applied.
        update: per optimiser step.
        held: bytes that a training pass keeps, counted; None for asking.
    """

    passes: int | float
    position: int | float
    pair: int | float
    place: int | float
    update: int | float = 0.0
    held: Held | None = None

    def seconds(self, work: Passes) -> float:
        """Of all passes."""
        return (
            self.passes * work.passes + self.position * work.positions + self.pair * work.pairs
            + self.place * work.places
        )  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What decides time, memory and cost of a device and the process on it.

    Attributes:
        name: what tables call it.
        kind: `cpu` or `cuda`.
        flops: floating-point operations per second of matrix products, by type of number.
        widths: the same in float32, by the width of the matrices: small ones are slower. Empty: as `flops`.
        bandwidth: bytes per second to and from memory.
        memory: bytes of one device; 0 where it is not known.
        fraction: of `flops` that a model without a measured pace achieves.
        launch: seconds that a layer takes however little is in it.
        start: seconds until a run begins its first job, and of a worker until it can take one.
        job: seconds of a job besides its steps.
        step: seconds of a step besides its passes: model and tokenizer read, result committed.
        answer: seconds per answer: wording, tokens, parsing, writing.
        row: seconds per training row.
        report: seconds of results and report.
        arm: the same for each arm.
        votes: the same for an estimate of accuracy from votes, which three answers or more per question allow.
        disk: bytes per second of the disk that holds models and store.
        spare: what activations take with what the allocator holds besides, as a multiple.
        adapter: seconds until the adapters' library is loaded.
        adapter_memory: bytes of that library.
        base: bytes of a process before it holds a model.
        paces: measured models, by `pace_key`.
    """

    name: str
    kind: str
    flops: dict[str, float]
    bandwidth: int | float
    memory: int | float = 0.0
    fraction: int | float = 0.4
    launch: int | float = 1e-4
    start: int | float = 8.0
    job: int | float = 0.3
    step: int | float = 0.5
    answer: int | float = 1e-3
    row: int | float = 1e-3
    report: int | float = 4.0
    arm: int | float = 0.2
    votes: int | float = 4.5
    disk: int | float = 1e9
    spare: int | float = 1.0
    adapter: int | float = 3.0
    adapter_memory: int | float = 5e7
    base: int | float = 6e8
    widths: dict[str, float] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)

    def rate(self, shape: Shape, dtype: str) -> float:
        """Floating-point operations per second of a model of that shape."""
        if self.widths and dtype == "float32":
            sizes = sorted(int(width) for width in self.widths)
            rates = [self.widths[str(size)] for size in sizes]
            return float(np.interp(np.log(shape.hidden), np.log(sizes), rates)) * self.fraction
        return self.flops.get(dtype, self.flops["float32"]) * self.fraction

    def ask(self, shape: Shape, work: Passes, dtype: str, bytes_: int | float, use: str = "ask") -> float:
        """Seconds of answering.

        Args:
            shape: of the model.
            work: its passes.
            dtype: of the passes.
            bytes_: of the weights: read anew in every pass.
            use: `ask` scores answers, `write` generates them.
        """
        pace = self.paces.get(pace_key(shape, use, dtype))
        if pace is not None:
            return pace.seconds(work)
        fixed = self.launch * shape.layers + bytes_ / self.bandwidth
        return work.passes * fixed + forward_flops(shape, work) / self.rate(shape, dtype)

    def train(
        self,
        shape: Shape,
        work: Passes,
        dtype: str,
        steps: int,
        lora: Lora | None,
        *,
        bytes_: int | float,
        busy: int | float = 1.0,
        parts: int = 1,
        checkpointing: bool = False,
    ) -> float:
        """Seconds of training passes and updates.

        Args:
            shape: of the model.
            work: its passes, forward.
            dtype: of the passes.
            steps: updates.
            lora: the adapter.
            bytes_: of the weights: read anew in every pass.
            busy: devices that have a pass at a time.
            parts: devices that share an update.
            checkpointing: activations are computed again.
        """
        operations = training_flops(shape, work, lora, checkpointing=checkpointing)
        pace = self.paces.get(pace_key(shape, use_of(lora), dtype))
        if pace is not None:
            again = operations / training_flops(shape, work, lora) if checkpointing else 1.0
            return pace.seconds(work) * again / busy + pace.update * steps / parts
        fixed = (4.0 if checkpointing else 3.0) * (self.launch * shape.layers + bytes_ / self.bandwidth)
        update = 7 * 4.0 * shape.trained(lora) / self.bandwidth  # four arrays are read and three written
        return (work.passes * fixed + operations / self.rate(shape, dtype)) / busy + steps * update / parts

    def held(self, shape: Shape, lora: Lora | None, dtype: str) -> Held | None:
        """What was counted for a measured model; None otherwise."""
        pace = self.paces.get(pace_key(shape, use_of(lora), dtype))
        return None if pace is None else pace.held

    def save(self, file: Path) -> None:
        """Write it, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json({"format": FORMAT, **asdict(self)}, file)


def use_of(lora: Lora | None) -> str:
    """How a model is used: trained whole, or with an adapter."""
    if lora is None:
        return "train"
    modules = lora.target_modules if isinstance(lora.target_modules, str) else "+".join(sorted(lora.target_modules))
    return f"lora {lora.r} {modules}{' dropout' if lora.dropout else ''}"


def pace_key(shape: Shape, use: str, dtype: str) -> str:
    """Under which a measured model is kept: its shape, its use, the type of number."""
    return sha256_text(repr(shape), use, dtype)


def read_machine(file: Path) -> Machine:
    """A machine as `outgrow plan --measure` wrote it, or as somebody wrote by hand.

    Raises:
        ConfigError: no such file, or an entry is missing, unknown or no number.
    """
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the machine {file} cannot be read: {error}; measure one: outgrow plan --measure") from None
    try:
        if raw.pop("format") != FORMAT:
            raise ValueError("another format")
        paces = {
            key: Pace(**{**pace, "held": Held(**pace["held"]) if pace.get("held") else None})
            for key, pace in raw.pop("paces", {}).items()
        }
        machine = Machine(**raw, paces=paces)
        machine.flops["float32"], machine.bandwidth + machine.start
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the machine {file} is not as outgrow plan --measure writes it: {error}") from None
    return machine
