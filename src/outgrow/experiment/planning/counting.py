"""Passes, tokens and answers of a step, counted by the code that would carry it out, on a sample of its questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.tables import iter_examples
from outgrow.experiment.planning.recording import BytesTokenizer, Texts, counting
from outgrow.experiment.planning.training_passes import training_passes
from outgrow.experiment.work import NOTHING, Pass, Passes, PlannedWork
from outgrow.models.assemble import make_tokenizer
from outgrow.models.config import ModelRef
from outgrow.models.shapes import Shape
from outgrow.supervisors.asking import Asking
from outgrow.supervisors.local import answer
from outgrow.supervisors.queries import pose
from outgrow.tasks.base import Task
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow, check_rows
from outgrow.training.schedule import checkpoint_steps

PASS_OVERHEAD = {"cpu": 64, "cuda": 2048}
"""Positions that one more micro-batch costs, as training plans its steps (`outgrow.training.run`)."""
BUDGET = {"cpu": 2048, "cuda": 16384}
"""Positions of an answering pass (`outgrow.models.batches.default_budget`)."""


def tokenizer_of(ref: ModelRef) -> tuple[Any, bool]:
    """The model's tokenizer if it is on this machine, and whether it is; nothing is fetched."""
    import os
    from pathlib import Path

    from outgrow.core.errors import PrerequisiteError
    from outgrow.models.files import resolve

    place = resolve(ref.model)
    if isinstance(place, Path):
        return make_tokenizer(ref), True
    before = os.environ.get("HF_HUB_OFFLINE")
    from huggingface_hub import constants

    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        return make_tokenizer(ref), True
    except (PrerequisiteError, OSError):
        return BytesTokenizer(), False
    finally:
        constants.HF_HUB_OFFLINE = offline
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


def spread(examples: pa.Table, count: int) -> pa.Table:
    """At most `count` rows, evenly spaced."""
    if examples.num_rows <= count:
        return examples
    return examples.take(np.linspace(0, examples.num_rows - 1, count).astype(int))


class Counter:
    """Counts the work of one model.

    Args:
        ref: the model.
        shape: its shape.
        tokenizer: its tokenizer, or one that stands for it.
        task: words the questions.
        sample: questions and training rows that are looked at; all of it is scaled to the whole.
        device: `cpu` or `cuda`, whose batches are planned.
        devices: that share the micro-batches of a training step.
    """

    def __init__(
        self, ref: ModelRef, shape: Shape, tokenizer: Any, task: Task, sample: int, device: str, devices: int = 1
    ) -> None:
        self.ref, self.shape, self.task, self.sample, self.device = ref, shape, task, sample, device
        self.devices = devices
        self.loaded = counting(ref, shape, tokenizer, task.classes if ref.head == "classifier" else None)

    def asked(self, examples: pa.Table, asking: Asking, typical: int | None, task: Task | None = None) -> PlannedWork:
        """Of answering `examples`.

        Args:
            examples: the questions.
            asking: how they are put.
            typical: tokens of a usual generated answer; None takes the longest allowed.
            task: words the questions, where it is not the counter's.
        """
        task = task or self.task
        if not examples.num_rows:
            return PlannedWork()
        few = spread(examples, self.sample)
        head: Any = self.loaded.head
        head.seen, head.texts = [], []
        answers = answer(self.loaded, task, few, source="plan", **asking.settings())
        queries = pose(task, few, asking.variants, asking.turns)
        seen: list[Pass] = head.seen
        work = PlannedWork(
            asked=self._fewer(sum((one.passes for one in seen), Passes())),
            largest_asked=self._larger(max(seen, key=lambda p: p.positions, default=NOTHING)),
            questions=len(queries),
            answers=answers.num_rows,
        )
        longest = task.max_new_tokens
        grows = self.ref.head == "lm" and head.abilities.grow
        for one in head.texts:
            work = self._text(work, one, longest, min(typical or longest, longest), grows=grows)
        return work.times(examples.num_rows / few.num_rows)

    def _fewer(self, passes: Passes) -> Passes:
        """On a GPU more positions go into a pass."""
        return replace(passes, passes=passes.passes * BUDGET["cpu"] / BUDGET[self.device])

    def _larger(self, one: Pass) -> Pass:
        factor = BUDGET[self.device] // BUDGET["cpu"]
        return replace(one, sequences=one.sequences * factor, places=one.places * factor, tokens=one.tokens * factor)

    @staticmethod
    def _text(work: PlannedWork, one: Texts, longest: int, typical: int, *, grows: bool) -> PlannedWork:
        """A batch of texts: the prompts in one pass, then a pass for every token but the last.

        A batch goes on until its last text ends, and hundreds seldom all end early: passes are counted to the limit.
        Where texts grow together, those that have ended cost nothing: beyond the usual length one text is taken to be
        left. Elsewhere all texts stay in the batch.

        Args:
            work: what is there already.
            one: the batch.
            longest: tokens of the longest text.
            typical: tokens of a usual text.
            grows: texts share a sequence with their prompt.
        """
        usual = (typical if grows else longest) - 1  # passes with all texts
        left = longest - 1 - usual  # passes with one
        room, width = one.slots * usual, one.width
        pairs = one.prompts * (width**2 + one.slots * (usual * width + one.slots * usual * (usual + 1) / 2))
        pairs += left * (width + room) + left * (left + 1) / 2
        passes = Passes(
            longest, one.prompts * (width + room) + left, pairs, one.prompts + one.texts * usual + left,
            one.tokens + one.texts * usual + left,
        )  # fmt: skip
        whole = width + one.slots * (longest - 1)
        biggest = Pass(one.prompts, whole, one.texts, one.tokens + one.texts * (longest - 1))
        return replace(
            work,
            asked=work.asked + passes,
            largest_asked=max(work.largest_asked, biggest, key=lambda p: p.positions),
            answer_tokens=work.answer_tokens + one.texts * typical,
            answer_bound=work.answer_bound + one.texts * longest,
        )

    def trained(self, rows: Sequence[TrainRow], config: TrainConfig, steps: int) -> PlannedWork:
        """Of a training on worded rows, its checkpoints' questions aside."""
        kept = check_rows(rows)
        chance = self.shape.dropout or self.shape.attention_dropout or (config.lora is not None and config.lora.dropout)
        micros, simulated = training_passes(
            self.loaded, kept, config, steps, most=16 * self.sample, overhead=PASS_OVERHEAD[self.device],
            random=bool(chance) or self.loaded.coder is None, devices=self.devices,
        )  # fmt: skip
        factor = steps / simulated
        return PlannedWork(
            trained=sum((one.passes for one in micros), Passes()) * factor,
            largest_trained=max(micros, key=lambda p: p.positions), rows=len(kept), steps=steps,
            micros=len(micros) * factor,
        )  # fmt: skip

    def typical_answer(self) -> int | None:
        """Tokens of a long gold solution (95 of 100 are shorter), end included; None where there is none."""
        coder = self.loaded.coder
        split = next((s for s in ("supervisor_train", "validation", "test") if s in self.task.splits), None)
        if coder is None or split is None:
            return None
        gold = {g["example_id"]: g["value"] for g in self.task.gold(split).to_pylist()}
        examples = [e for e in iter_examples(spread(self.task.examples(split), self.sample)) if e.example_id in gold]
        said = [self.task.solution(e, gold[e.example_id]) for e in examples]
        if not said:
            return None
        lengths = sorted(len(ids) for ids in coder.targets([""] * len(said), said))
        return lengths[min(len(lengths) - 1, math.ceil(0.95 * len(lengths)))]


def checkpoints_of(steps: int, config: TrainConfig) -> int:
    """Checkpoints that are written and asked."""
    return len(checkpoint_steps(steps, config.checkpoints))


def charged(
    task: Task, examples: pa.Table, asking: Asking, sample: int, typical: int | None, options: bool
) -> PlannedWork:
    """Requests and tokens of a server, a token for four bytes.

    Args:
        task: words the questions.
        examples: the questions.
        asking: how they are put.
        sample: questions that are looked at.
        typical: tokens of a usual answer; None takes the longest allowed.
        options: the server scores options: one request serves all samples, and every option repeats the prompt.
    """
    if not examples.num_rows:
        return PlannedWork()
    few = spread(examples, sample)
    queries = pose(task, few, asking.variants, asking.turns)
    tokens = BytesTokenizer()
    requests = prompts = 0.0
    for query in queries:
        turns = sum(
            len(tokens(turn.prompt)["input_ids"]) + len(tokens(turn.answer)["input_ids"]) for turn in query.turns
        )
        own = turns + len(tokens(query.wording.prompt)["input_ids"])
        said = query.wording.options or ()
        if options and said:
            requests += 1
            prompts += sum(own + len(tokens(option)["input_ids"]) for option in said)
        else:
            requests += asking.samples
            prompts += own * asking.samples
    longest = 0 if options else task.max_new_tokens
    work = PlannedWork(
        questions=len(queries), answers=len(queries) * asking.samples, requests=requests, prompt_tokens=prompts,
        answer_tokens=requests * min(typical or longest, longest), answer_bound=requests * longest,
    )  # fmt: skip
    return work.times(examples.num_rows / few.num_rows)
