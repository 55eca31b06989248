"""Seconds, bytes, tokens and money of planned jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from outgrow.experiment.planning.formulas import forward_flops, training_flops, update_flops
from outgrow.experiment.planning.machine import Machine
from outgrow.experiment.planning.memory import (
    BYTES,
    Held,
    Memory,
    activations,
    asking_memory,
    is_sharded,
    training_memory,
    weights_bytes,
)
from outgrow.experiment.planning.schedule import Timed, finish
from outgrow.experiment.planning.steps import Planner
from outgrow.experiment.work import Pass, PlannedJob, PlannedStep, own_steps
from outgrow.models.config import ModelRef
from outgrow.models.shapes import Shape

CACHE = 2
"""Keys and values that generation holds, for each layer and position."""


@dataclass(frozen=True)
class Cost:
    """What a job or a run takes.

    Attributes:
        seconds: on one worker; None without a machine.
        flops: floating-point operations.
        asked_tokens: positions that are read to answer, what is shared once, no padding.
        trained_tokens: positions that are trained on.
        generated: tokens of generated text at their usual length; `bound` at the longest.
        bound: see `generated`.
        requests: to servers.
        prompt_tokens: that servers charge.
        price: what servers charge for them; None where no price is given.
        memory: at the highest point of the job.
        disk: bytes that the store keeps.
        answers: rows of answers.
        steps: optimiser steps.
    """

    seconds: int | float | None = 0.0
    flops: int | float = 0.0
    asked_tokens: int | float = 0.0
    trained_tokens: int | float = 0.0
    generated: int | float = 0.0
    bound: int | float = 0.0
    requests: int | float = 0.0
    prompt_tokens: int | float = 0.0
    price: int | float | None = 0.0
    memory: Memory = field(default_factory=Memory)
    disk: int | float = 0.0
    answers: int | float = 0.0
    steps: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            seconds=None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
            price=None if self.price is None or other.price is None else self.price + other.price,
            memory=max(self.memory, other.memory, key=lambda m: m.total),
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )


_SUMS = (
    "flops", "asked_tokens", "trained_tokens", "generated", "bound", "requests", "prompt_tokens", "disk", "answers",
    "steps",
)  # fmt: skip


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
    jobs = planner.jobs()
    machine = hardware.machine
    costed: list[tuple[PlannedJob, Cost]] = []
    held: set[str] = set()
    for job, steps in own_steps(jobs):
        cost = Cost(seconds=None if machine is None else machine.job)
        for step in steps:
            cost = cost + step_cost(planner, step, hardware)
            held.add(f"{step.key}")
        costed.append((job, cost))
    total = sum((cost for _, cost in costed), Cost(seconds=None if machine is None else 0.0))
    wall = hours = money = None
    if machine is not None:
        begin = machine.start + (machine.adapter if recipe_adapts(planner) else 0.0)
        wall = begin + finish(_timed(costed), hardware.jobs) + report_seconds(planner, machine)
        if hardware.jobs > 1:
            wall += begin  # workers start a process of their own
        hours = wall * hardware.devices * hardware.jobs / 3600
        if hardware.price is not None and total.price is not None:
            money = hours * hardware.price + total.price
        elif total.price and total.price > 0:
            money = total.price
    elif total.price is not None and total.price > 0:
        money = total.price
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
    """Arms wait for their seed's supervisors; everything else can begin at once."""
    weak: dict[int | None, list[int]] = {}
    for i, (job, _) in enumerate(costed):
        if job.stage == "supervisor":
            weak.setdefault(job.seed, []).append(i)
    paraphrasing = any(step.about.endswith("paraphrased") for job, _ in costed[:1] for step in job.steps)
    return [
        Timed(cost.seconds or 0.0, tuple(weak[job.seed]) if job.stage == "arm" else (0,) if paraphrasing and i else ())
        for i, (job, cost) in enumerate(costed)
    ]


def step_cost(planner: Planner, step: PlannedStep, hardware: Hardware) -> Cost:
    """Of one step that has not been made yet."""
    work, machine = step.work, hardware.machine
    if step.server is not None:
        return _served(step, machine)
    if step.ref is None or (step.kind not in ("answer", "train") and not work.asked.tokens):
        return Cost(seconds=None if machine is None else machine.step + machine.answer * work.answers)
    shape = planner.shape(step.ref)
    lora = step.train.lora if step.train is not None else None
    dtype, passes_in = dtypes(step, hardware.kind)
    bytes_ = weights_bytes(shape, dtype, step.ref.quantise)
    again = step.kind == "train" and step.train is not None and step.train.activation_checkpointing
    flops = forward_flops(shape, work.asked) + training_flops(shape, work.trained, lora, checkpointing=again)
    flops += work.steps * update_flops(shape.trained(lora))
    seconds = None
    if machine is not None:
        seconds = machine.step + machine.answer * work.answers + machine.row * work.rows
        use = "write" if work.answer_bound else "ask"
        seconds += machine.ask(shape, work.asked, passes_in, bytes_, use) / hardware.devices
        moved = bytes_ + disk_bytes(shape, step)
        if step.kind == "train" and step.train is not None:
            moved += 2 * 4.0 * shape.trained(lora) * work.checkpoints  # written, and read again to be asked
            seconds += machine.train(
                shape, work.trained, passes_in, work.steps, lora, bytes_=bytes_, busy=work.busy(hardware.devices),
                parts=hardware.devices if is_sharded(hardware.devices, step.ref.quantise, step.train) else 1,
                checkpointing=again,
            )  # fmt: skip
        seconds += moved / machine.disk
    return Cost(
        seconds=seconds, flops=flops, asked_tokens=work.asked.tokens, trained_tokens=work.trained.tokens,
        generated=work.answer_tokens, bound=work.answer_bound, memory=step_memory(shape, step, hardware),
        disk=disk_bytes(shape, step), answers=work.answers, steps=work.steps,
    )  # fmt: skip


def dtypes(step: PlannedStep, kind: str) -> tuple[str, str]:
    """Of the weights at rest, and of the passes."""
    assert step.ref is not None
    auto = "bfloat16" if kind == "cuda" else "float32"
    held = auto if step.ref.dtype == "auto" else step.ref.dtype
    if step.kind == "train" and step.train is not None:
        return held, {"auto": auto, "bf16": "bfloat16", "fp32": "float32"}[step.train.precision]
    return held, held


def step_memory(shape: Shape, step: PlannedStep, hardware: Hardware) -> Memory:
    """Of one device at the highest point of a step."""
    assert step.ref is not None
    machine = hardware.machine
    program = machine or Machine("", "", {}, 1.0)
    lora = None if step.train is None else step.train.lora
    base = program.base + (0 if lora is None else program.adapter_memory)
    dtype, passes_in = dtypes(step, hardware.kind)
    narrow = BYTES[passes_in]
    asked = asked_bytes(shape, step.work.largest_asked, narrow, step.work.answer_bound > 0)
    own: dict[str, Any] = {"base": base, "dtype": dtype, "quantise": step.ref.quantise, "devices": hardware.devices}
    if step.kind != "train":
        return asking_memory(shape, None, asked=asked, **own)
    assert step.train is not None
    again = step.train.activation_checkpointing
    held: Held | None = machine.held(shape, lora, passes_in) if machine is not None else None
    if held is None or again:
        held = activations(shape, narrow=narrow, lora=lora, checkpointing=again, keeps_scores=hardware.kind == "cpu")
    one = step.work.largest_trained
    largest = held.of(one.positions, one.pairs, one.places) * program.spare
    training = training_memory(shape, step.train, largest=largest, bf16=passes_in == "bfloat16", **own)
    asking = asking_memory(shape, step.train, asked=asked, **own)
    return max(training, asking, key=lambda m: m.total)


def asked_bytes(shape: Shape, one: Pass, narrow: int, generated: bool) -> float:
    """Of an answering pass: one layer at a time, the head's scores, and what generation remembers."""
    layer = one.positions * (6 * shape.hidden + 3 * shape.intermediate) * narrow
    seen = one.places / max(1, one.sequences) * one.positions if generated else one.pairs  # a step's texts, or all
    mask = 2.0 * seen * 4
    scores = (3.0 if generated else 2.0) * one.places * shape.vocabulary * 4
    kept = CACHE * shape.layers * shape.kv_heads * shape.head_dim * one.positions * narrow if generated else 0
    return max(layer + mask, scores) + kept


ANSWER_BYTES, ROW_BYTES = 60.0, 60.0


def disk_bytes(shape: Shape, step: PlannedStep) -> float:
    """What the store keeps of a step: a model or adapter, rows, answers."""
    kept = ANSWER_BYTES * (step.work.answers if step.kind == "answer" else 0.0) + ROW_BYTES * step.work.rows + 2e3
    if step.kind != "train" or step.train is None:
        return kept
    lora = step.train.lora
    if lora is not None:
        return kept + 4.0 * shape.trained(lora)
    assert step.ref is not None
    return kept + float(shape.parameters) * stored_bytes(step.ref)


def stored_bytes(ref: ModelRef) -> int:
    """A weight as it is kept: in the type it is held in."""
    return 4 if ref.dtype == "auto" else BYTES[ref.dtype]


def _served(step: PlannedStep, machine: Machine | None) -> Cost:
    """Requests of a server: its time is its own, so the seconds here are those of this side."""
    work, server = step.work, step.server
    prices = server.prompt_price, server.completion_price
    price = None
    if all(p is not None for p in prices):
        price = (work.prompt_tokens * prices[0] + work.answer_tokens * prices[1]) / 1e6
    return Cost(
        seconds=None if machine is None else machine.step + machine.answer * work.answers,
        requests=work.requests, prompt_tokens=work.prompt_tokens, generated=work.answer_tokens,
        bound=work.answer_bound, price=price, disk=ANSWER_BYTES * work.answers, answers=work.answers,
    )  # fmt: skip
