"""Seconds, bytes, tokens and money of planned jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from outgrow.experiment.dry import counted_steps
from outgrow.experiment.planning.formulas import forward_flops, training_flops, update_flops
from outgrow.experiment.planning.machine import Machine
from outgrow.experiment.planning.memory import (
    BYTES,
    Memory,
    activations,
    asking_memory,
    is_sharded,
    training_memory,
    weights_bytes,
)
from outgrow.experiment.planning.schedule import Timed, finish
from outgrow.experiment.planning.steps import PlannedJob, PlannedStep, Planner
from outgrow.experiment.work import Pass
from outgrow.models.config import ModelRef
from outgrow.models.shapes import Shape
from outgrow.training.config import TrainConfig


@dataclass(frozen=True)
class Cost:
    """What a job or a run takes.

    Attributes:
        seconds: on one worker; None without a machine.
        flops: floating-point operations.
        answers: rows of answers.
        steps: optimiser steps.
        asked_tokens: positions that are read to answer, what is shared once, no padding.
        trained_tokens: positions that are trained on.
        generated: tokens of generated text at their usual length; `bound` at the longest.
        bound: see `generated`.
        requests: to servers.
        prompt_tokens: that servers charge.
        price: what servers charge for them; None where no price is given.
        disk: bytes that the store keeps.
        memory: at the highest point of the job.
    """

    seconds: int | float | None = 0.0
    flops: int | float = 0.0
    answers: int | float = 0.0
    steps: int = 0
    asked_tokens: int | float = 0.0
    trained_tokens: int | float = 0.0
    generated: int | float = 0.0
    bound: int | float = 0.0
    requests: int | float = 0.0
    prompt_tokens: int | float = 0.0
    price: int | float | None = 0.0
    disk: int | float = 0.0
    memory: Memory = field(default_factory=Memory)

    def __add__(self, other: Cost) -> Cost:
        """Sums, which are not known where a part is not; memory at the highest."""
        sums: dict[str, Any] = {
            name: None if value is None or getattr(other, name) is None else value + getattr(other, name)
            for name, value in vars(self).items()
            if name != "memory"
        }
        return Cost(**sums, memory=max(self.memory, other.memory, key=lambda m: m.total))


@dataclass(frozen=True)
class Hardware:
    """Where it would run.

    Attributes:
        machine: None where only counts are wanted.
        devices: that one job is spread over.
        jobs: at a time.
        price: of one device for one hour; None if it is not asked.
    """

    machine: Machine | None = None
    devices: int = 1
    jobs: int = 1
    price: int | float | None = None

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return "cpu" if self.machine is None else self.machine.kind


@dataclass(frozen=True)
class Estimate:
    """A plan with its costs.

    Attributes:
        jobs: each job with what it costs beyond steps that were made before.
        total: of all jobs, memory at the highest.
        wall: seconds from start to report on `jobs` workers; None without a machine.
        hours: device hours; None likewise.
        money: of devices and servers together; None where a price is missing.
        notes: what a reader should know.
    """

    jobs: tuple[tuple[PlannedJob, Cost], ...]
    total: Cost
    wall: int | float | None
    hours: int | float | None
    money: int | float | None
    notes: tuple[str, ...]


def estimate(planner: Planner, hardware: Hardware) -> Estimate:
    """The costs of a recipe.

    Args:
        planner: of the recipe.
        hardware: where it would run.
    """
    machine = hardware.machine
    costed = [
        (
            job,
            sum(
                (step_cost(planner, step, hardware) for step in steps),
                Cost(seconds=None if machine is None else machine.job),
            ),
        )
        for job, steps in counted_steps(planner.jobs())
    ]
    total = sum((cost for _, cost in costed), Cost(seconds=None if machine is None else 0.0))
    wall = hours = None
    money = total.price or None
    if machine is not None:
        begin = machine.start + (machine.adapter if recipe_adapts(planner) else 0.0)
        wall = begin + finish(_timed(costed), hardware.jobs) + report_seconds(planner, machine)
        if hardware.jobs > 1:
            wall += begin  # workers start a process of their own
        hours = wall * hardware.devices * hardware.jobs / 3600
        if hardware.price is not None and total.price is not None:
            money = hours * hardware.price + total.price
    return Estimate(tuple(costed), total, wall, hours, money, tuple(planner.notes))


def recipe_adapts(planner: Planner) -> bool:
    """Whether any training of the recipe is one of an adapter."""
    trains = [planner.recipe.train, *(getattr(s, "train", None) for s in planner.recipe.supervisors)]
    return any(train is not None and train.lora is not None for train in trains)


def report_seconds(planner: Planner, machine: Machine) -> float:
    """Of results and report, which the process that started the jobs writes alone."""
    recipe = planner.recipe
    votes = recipe.ask.variants * recipe.ask.samples >= 3 and not recipe.reliability.decoys
    return machine.report + machine.arm * len(recipe.methods) + (machine.votes if votes else 0.0)


def _timed(costed: Sequence[tuple[PlannedJob, Cost]]) -> list[Timed]:
    """Arms wait for their seed's supervisors, and so does what these answer together; all else can begin at once."""
    weak: dict[int | None, list[int]] = {}
    for i, (job, _) in enumerate(costed):
        if job.stage == "supervisor" and not job.job.joint:
            weak.setdefault(job.seed, []).append(i)
    paraphrasing = any(step.about.endswith("paraphrased") for job, _ in costed[:1] for step in job.steps)
    first = (0,) if paraphrasing else ()
    return [
        Timed(cost.seconds or 0.0, tuple(weak[job.seed]) if job.stage == "arm" or job.job.joint else first if i else ())
        for i, (job, cost) in enumerate(costed)
    ]


def step_cost(planner: Planner, step: PlannedStep, hardware: Hardware) -> Cost:
    """Of one step that has not been made yet."""
    work, training, machine = step.work, step.training, hardware.machine
    ref, server = step.request.model, step.request.server
    seconds = None
    if machine is not None:
        seconds = machine.step + machine.answer * work.answers + machine.row * work.rows
    if server is not None:  # its time is its own: the seconds are those of this side
        price = None
        if server.prompt_price is not None and server.completion_price is not None:
            price = (work.prompt_tokens * server.prompt_price + work.answer_tokens * server.completion_price) / 1e6
        return Cost(
            seconds=seconds, answers=work.answers, generated=work.answer_tokens, bound=work.answer_bound,
            requests=work.requests, prompt_tokens=work.prompt_tokens, price=price, disk=ANSWER_BYTES * work.answers,
        )  # fmt: skip
    if ref is None or (step.kind not in ("answer", "train") and not work.asked.tokens):
        return Cost(seconds=seconds)
    shape = planner.shape(ref)
    again = training is not None and training.activation_checkpointing
    flops = forward_flops(shape, work.asked) + training_flops(shape, work.trained, step.lora, checkpointing=again)
    flops += work.steps * update_flops(shape.trained(step.lora))
    disk = disk_bytes(shape, ref, step)
    if machine is not None and seconds is not None:
        dtype, passes_in = dtypes(ref, training, hardware.kind)
        weights = weights_bytes(shape, dtype, ref.quantise)
        use = "write" if work.answer_bound else "ask"
        seconds += machine.ask(shape, work.asked, passes_in, weights, use) / hardware.devices
        moved = weights + disk
        if training is not None:
            moved += 2 * 4.0 * shape.trained(step.lora) * work.checkpoints  # written, and read again to be asked
            seconds += machine.train(
                shape, work.trained, passes_in, work.steps, step.lora, bytes_=weights,
                busy=work.busy(hardware.devices), checkpointing=again,
                parts=hardware.devices if is_sharded(hardware.devices, ref.quantise, training) else 1,
            )  # fmt: skip
        seconds += moved / machine.disk
    return Cost(
        seconds=seconds, flops=flops, answers=work.answers, steps=work.steps, asked_tokens=work.asked.tokens,
        trained_tokens=work.trained.tokens, generated=work.answer_tokens, bound=work.answer_bound, disk=disk,
        memory=step_memory(shape, ref, step, hardware),
    )  # fmt: skip


def dtypes(ref: ModelRef, training: TrainConfig | None, kind: str) -> tuple[str, str]:
    """Of the weights at rest, and of the passes."""
    auto = "bfloat16" if kind == "cuda" else "float32"
    weights = auto if ref.dtype == "auto" else ref.dtype
    if training is None:
        return weights, weights
    return weights, {"auto": auto, "bf16": "bfloat16", "fp32": "float32"}[training.precision]


def step_memory(shape: Shape, ref: ModelRef, step: PlannedStep, hardware: Hardware) -> Memory:
    """Of one device at the highest point of a step."""
    machine = hardware.machine or Machine("", "", {}, 1.0)
    training, lora = step.training, step.lora
    dtype, passes_in = dtypes(ref, training, hardware.kind)
    narrow = BYTES[passes_in]
    common: dict[str, Any] = {
        "base": machine.base + (0 if lora is None else machine.adapter_memory), "dtype": dtype,
        "quantise": ref.quantise, "devices": hardware.devices,
    }  # fmt: skip
    asked = asked_bytes(shape, step.work.largest_asked, narrow, step.work.answer_bound > 0)
    asking = asking_memory(shape, training, asked=asked, **common)
    if training is None:
        return asking
    again = training.activation_checkpointing
    held = None if again else machine.held(shape, lora, passes_in)
    if held is None:
        held = activations(shape, narrow=narrow, lora=lora, checkpointing=again, keeps_scores=hardware.kind == "cpu")
    micro = step.work.largest_trained
    largest = held.of(micro.positions, micro.pairs, micro.places) * machine.spare
    trained = training_memory(shape, training, largest=largest, bf16=passes_in == "bfloat16", **common)
    return max(trained, asking, key=lambda m: m.total)


def asked_bytes(shape: Shape, one: Pass, narrow: int, generated: bool) -> float:
    """Of an answering pass: one layer at a time, the head's scores, and keys and values that generation remembers."""
    layer = one.positions * (6 * shape.hidden + 3 * shape.intermediate) * narrow
    seen = one.places / max(1, one.sequences) * one.positions if generated else one.pairs  # a step's texts, or all
    mask = 2.0 * seen * 4
    scores = (3.0 if generated else 2.0) * one.places * shape.vocabulary * 4
    kept = 2 * shape.layers * shape.kv_heads * shape.head_dim * one.positions * narrow if generated else 0
    return max(layer + mask, scores) + kept


ANSWER_BYTES, ROW_BYTES = 60.0, 60.0


def disk_bytes(shape: Shape, ref: ModelRef, step: PlannedStep) -> float:
    """What the store keeps of a step: answers, rows, and an adapter or a model, in the type it is held in."""
    kept = ANSWER_BYTES * (step.work.answers if step.kind == "answer" else 0.0) + ROW_BYTES * step.work.rows + 2e3
    if step.training is None:
        return kept
    width = 4 if step.lora is not None or ref.dtype == "auto" else BYTES[ref.dtype]
    return kept + float(shape.trained(step.lora)) * width
