"""Passes, tokens and answers of a step, counted by the code that would carry it out, on a sample of its questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from huggingface_hub import constants

from outgrow.core.errors import PrerequisiteError
from outgrow.core.tables import iter_examples
from outgrow.experiment.planning.recording import BYTES_PER_TOKEN, BytesTokenizer, LightCoder, Texts, counting
from outgrow.experiment.planning.training_passes import training_passes
from outgrow.experiment.work import NOTHING, Pass, Passes, PlannedWork
from outgrow.models.assemble import make_tokenizer
from outgrow.models.batches import default_budget
from outgrow.models.config import REWARD, ModelRef
from outgrow.models.files import resolve
from outgrow.models.shapes import Shape
from outgrow.supervisors.asking import Asking
from outgrow.supervisors.local import answer
from outgrow.supervisors.queries import pose
from outgrow.tasks.base import Task
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow, check_rows

PASS_OVERHEAD = {"cpu": 64, "cuda": 2048}
"""Positions that one more micro-batch costs, as training plans its steps (`outgrow.training.run`)."""
BUDGET = {kind: default_budget(torch.device(kind)) for kind in ("cpu", "cuda")}
"""Positions of an answering pass."""


def tokenizer_of(ref: ModelRef) -> tuple[Any, bool]:
    """The model's tokenizer if it is on this machine, and whether it is; nothing is fetched."""
    if isinstance(resolve(ref.model), Path):
        return make_tokenizer(ref), True
    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        return make_tokenizer(ref), True
    except (PrerequisiteError, OSError):
        return BytesTokenizer(), False
    finally:
        constants.HF_HUB_OFFLINE = offline


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
        classes = task.classes if ref.head == "classifier" else REWARD
        self.loaded = counting(ref, shape, tokenizer, classes)
        # ids as they are: which prompts share a pack in training follows from their order
        coder = None if self.loaded.coder is None else LightCoder(tokenizer, chat=ref.chat, thinking=ref.thinking)
        self.trainee = replace(self.loaded, coder=coder)

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
        if asking.beams > 1:  # as many tokens as that many samples
            asking = replace(asking, samples=asking.beams, temperature=1.0, beams=1)
        head: Any = self.loaded.head
        head.seen, head.texts = [], []
        answers = answer(self.loaded, task, few, source="plan", **asking.settings())
        queries = pose(task, few, asking.variants, asking.turns)
        factor = BUDGET[self.device] // BUDGET["cpu"]  # on a GPU more positions go into a pass
        passes = sum((one.passes for one in head.seen), Passes())
        largest: Pass = max(head.seen, key=lambda p: p.positions, default=NOTHING)
        work = PlannedWork(
            asked=replace(passes, passes=passes.passes / factor),
            largest_asked=replace(
                largest, sequences=largest.sequences * factor, places=largest.places * factor,
                tokens=largest.tokens * factor,
            ),
            questions=len(queries),
            answers=answers.num_rows,
        )  # fmt: skip
        longest = task.max_new_tokens
        grows = self.ref.head == "lm" and head.abilities.grow
        for batch in head.texts:
            work = self._text(work, batch, longest, min(typical or longest, longest), grows=grows)
        return work.times(examples.num_rows / few.num_rows)

    @staticmethod
    def _text(work: PlannedWork, batch: Texts, longest: int, typical: int, *, grows: bool) -> PlannedWork:
        """A batch of texts: the prompts in one pass, then a pass for every token but the last.

        A batch goes on until its last text ends, and hundreds seldom all end early: passes are counted to the limit.
        Where texts grow together, those that have ended cost nothing: beyond the usual length one text is taken to be
        left. Elsewhere all texts stay in the batch.

        Args:
            work: what is there already.
            batch: the texts.
            longest: tokens of the longest text.
            typical: tokens of a usual text.
            grows: texts share a sequence with their prompt.
        """
        usual = (typical if grows else longest) - 1  # passes with all texts
        left = longest - 1 - usual  # passes with one
        before = batch.width + batch.slots * usual
        last = Passes(left, left, left * before + left * (left + 1) / 2, left, left)
        whole = batch.width + batch.slots * (longest - 1)
        biggest = Pass(batch.prompts, whole, batch.texts, batch.tokens + batch.texts * (longest - 1))
        return replace(
            work,
            asked=work.asked + batch.passes(usual) + last,
            largest_asked=max(work.largest_asked, biggest, key=lambda p: p.positions),
            answer_tokens=work.answer_tokens + batch.texts * typical,
            answer_bound=work.answer_bound + batch.texts * longest,
        )

    def trained(self, rows: Sequence[TrainRow], config: TrainConfig, steps: int) -> PlannedWork:
        """Of a training on worded rows, its checkpoints' questions aside."""
        kept = check_rows(rows)
        chance = self.shape.dropout or self.shape.attention_dropout or (config.lora is not None and config.lora.dropout)
        micros, simulated = training_passes(
            self.trainee, kept, config, steps, most=16 * self.sample, overhead=PASS_OVERHEAD[self.device],
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
        solutions = [self.task.solution(e, gold[e.example_id]) for e in examples]
        if not solutions:
            return None
        lengths = sorted(len(ids) for ids in coder.targets([""] * len(solutions), solutions))
        return lengths[min(len(lengths) - 1, math.ceil(0.95 * len(lengths)))]


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

    def tokens(text: str) -> int:
        return math.ceil(len(text.encode("utf-8")) / BYTES_PER_TOKEN)

    requests = prompts = 0
    for query in queries:
        turns = sum(tokens(turn.prompt) + tokens(turn.answer) for turn in query.turns)
        prompt = turns + tokens(query.wording.prompt)
        if options and query.wording.options:
            requests += 1
            prompts += sum(prompt + tokens(option) for option in query.wording.options)
        else:
            requests += asking.samples
            prompts += prompt * asking.samples
    longest = 0 if options else task.max_new_tokens
    work = PlannedWork(
        questions=len(queries), answers=len(queries) * asking.samples, requests=requests, prompt_tokens=prompts,
        answer_tokens=requests * min(typical or longest, longest), answer_bound=requests * longest,
    )  # fmt: skip
    return work.times(examples.num_rows / few.num_rows)
