"""A model on this machine as a supervisor: it scores options, generates text, or classifies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError
from outgrow.core.hashing import seed_of
from outgrow.core.journal import Records
from outgrow.models.batches import Progress, Stage
from outgrow.models.beams import beam_search
from outgrow.models.classifying import read_classes, rewards
from outgrow.models.config import with_option
from outgrow.models.generation import Generation, generate, uniform
from outgrow.models.loaded import Loaded
from outgrow.models.readings import of_evidence
from outgrow.models.scoring import LengthNormalise, score_options, score_texts, softmax
from outgrow.models.text import Dialogue, Prompt
from outgrow.supervisors.queries import (
    Decoding,
    Found,
    Query,
    Turn,
    answers_table,
    check_samples,
    draw,
    is_greedy,
    pose,
    scored_answer,
    tokens_table,
)
from outgrow.tasks.base import Task


def answer(
    loaded: Loaded,
    task: Task,
    examples: pa.Table,
    *,
    source: str,
    variants: int,
    turns: Sequence[Turn] = (),
    samples: int = 1,
    temperature: float = 0.0,
    seed: int,
    decoding: Decoding = "auto",
    length_normalise: LengthNormalise | None = None,
    beams: int = 1,
    keep_tokens: Callable[[pa.Table], object] | None = None,
    journal: Records | None = None,
    progress: Progress | None = None,
) -> pa.Table:
    """Ask a model every question in several wordings, several times.

    Args:
        loaded: the model.
        task: words the questions and reads generated answers.
        examples: the questions (`records.EXAMPLES`).
        source: what the answers call this model.
        variants: wordings per question, from the identity on.
        turns: demonstrations shown before each question (head `lm` alone).
        samples: answers per wording. Options and texts are drawn at `temperature`; a classifier answers sample 0 as it
            is, and the others with dropout.
        temperature: 0 takes the most probable answer. Variant 0, sample 0 is always the most probable answer.
        seed: of the draws, with question, wording, sample and position; independent of batches and order.
        decoding: `auto` classifies with head `classifier`, scores options where a wording has them, else generates.
        length_normalise: see `score_options`; None is as the model's configuration has it.
        beams: above 1 the texts of a beam search are the samples of a wording, the best first; there may be fewer.
        keep_tokens: is given the tokens of the answers (`records.TOKENS`) where texts are generated.
        journal: keeps finished micro-batches against a crash.
        progress: called with (queries done, all queries).

    Returns:
        Answers (`records.ANSWERS`), in the order of questions, wordings, samples. The table's metadata names the
        `decoding`, the model's `reading`, and counts `boundary_mismatches`: options that joint tokenisation would have
        split otherwise.

    Raises:
        ConfigError: settings that contradict each other, the model or the task.
    """
    queries = pose(task, examples, variants, turns)
    kind = _decoding(decoding, loaded, queries)
    check_samples(samples, temperature, certain=kind not in ("classify", "reward"))
    if beams != 1 and (kind != "generate" or samples != 1 or temperature > 0):
        raise ConfigError(
            f"beams is {beams}: a beam search writes texts, and its texts are the samples; found decoding '{kind}', "
            f"{samples} samples, temperature {temperature}"
        )
    asking = _Asking(loaded, queries, samples, temperature, seed, journal, progress)
    if kind == "reward":
        answers = asking.by_reward()
    elif kind == "options":
        answers = asking.by_options(length_normalise or loaded.ref.length_normalise or "none")
    elif kind == "classify":
        answers = asking.by_class()
    else:
        answers = asking.by_text(task) if beams == 1 else asking.by_beams(task, beams)
        if keep_tokens is not None:
            keep_tokens(tokens_table(queries, answers, source=source))
    scored = queries if kind == "options" else []
    pairs = [(_prompt(loaded, query), option) for query in scored for option in query.options]
    mismatches = loaded.coder.mismatches([p for p, _ in pairs], [o for _, o in pairs]) if loaded.coder else 0
    metadata = {"decoding": kind, "boundary_mismatches": str(mismatches), "reading": loaded.reading}
    return answers_table(queries, answers, source=source, metadata=metadata)


def divergence(drawn: pa.Table, reference: Loaded) -> float:
    """KL(model | reference) in nats a token, at least 0, estimated from texts drawn from the model at temperature 1.

    Args:
        drawn: its answers, with `prompt`, `text`, `logprob` and `n_tokens`; empty texts are left out.
        reference: the other model.
    """
    rows = [row for row in drawn.select(["prompt", "text", "logprob", "n_tokens"]).to_pylist() if row["text"].strip()]
    scores = score_texts(reference, [row["prompt"] for row in rows], [row["text"] for row in rows])
    gained = sum(row["logprob"] - score.logprob for row, score in zip(rows, scores, strict=True))
    return max(0.0, float(gained / max(1, sum(row["n_tokens"] for row in rows))))


def _prompt(loaded: Loaded, query: Query) -> Prompt:
    """What the model reads: demonstrations are turns of a chat, or text before the question."""
    return Dialogue(query.turns, query.wording.prompt) if loaded.ref.chat and query.turns else query.asked


def _decoding(decoding: Decoding, loaded: Loaded, queries: Sequence[Query]) -> str:
    options = [query.wording.options is not None for query in queries]
    if loaded.ref.head == "reward":
        if decoding not in ("auto", "options"):
            raise ConfigError(f"decoding '{decoding}' needs another head; this model has head 'reward'")
        if not all(options):
            raise ConfigError("head 'reward' compares options; this task has wordings without")
        if any(query.turns for query in queries):
            raise ConfigError("demonstrations need head 'lm'; this model has head 'reward'")
        return "reward"
    if loaded.classes is not None:
        if decoding not in ("auto", "classify"):
            raise ConfigError(f"decoding '{decoding}' needs head 'lm'; this model has head 'classifier'")
        if any(query.turns for query in queries):
            raise ConfigError("demonstrations need head 'lm'; this model has head 'classifier'")
        return "classify"
    if decoding == "classify":
        raise ConfigError("decoding 'classify' needs head 'classifier'; this model has head 'lm'")
    if decoding == "options" and not all(options):
        raise ConfigError("decoding 'options' needs options in every wording; this task has wordings without")
    if decoding == "auto":
        decoding = "options" if all(options) else "generate"
    if decoding == "generate" and of_evidence(loaded.reading):
        raise ConfigError(
            f"this model was trained to be read by {loaded.reading!r}: it weighs options and writes no texts; ask for "
            "wordings with options, and with decoding: auto"
        )
    return decoding


def _written(query: Query, task: Task, text: Generation) -> Found:
    return {
        "text": text.text,
        "value": query.read(task, text.text, text.finish_reason),
        "logprob": text.logprob,
        "n_tokens": text.n_tokens,
        "finish_reason": text.finish_reason,
        "logprobs": text.logprobs,
        "spans": text.spans,
    }


@dataclass(frozen=True)
class _Asking:
    """A model, what it is asked, and how its answers are drawn and kept; each way of answering gives lists of samples.

    See `answer` for the attributes.
    """

    loaded: Loaded
    queries: Sequence[Query]
    samples: int
    temperature: float
    seed: int
    journal: Records | None
    progress: Progress | None

    def by_options(self, length_normalise: LengthNormalise) -> list[list[Found]]:
        """Every option scored once; the samples are drawn from the same probabilities."""
        scores = score_options(
            self.loaded,
            [_prompt(self.loaded, query) for query in self.queries],
            [query.options for query in self.queries],
            length_normalise=length_normalise,
            stage=Stage(self.journal, "options"),
            progress=self.progress,
        )
        return [
            [
                scored_answer(
                    self._pick(score.probabilities, query, sample),
                    query.options, query.values, score.logprobs, score.probabilities, score.n_tokens,
                    uncertainty=score.uncertainty,
                )
                for sample in range(self.samples)
            ]
            for query, score in zip(self.queries, scores, strict=True)
        ]  # fmt: skip

    def by_class(self) -> list[list[Found]]:
        """One pass per sample, all but the first with dropout."""
        classes = self.loaded.classes
        assert classes is not None
        answers: list[list[Found]] = [[] for _ in self.queries]
        for sample in range(self.samples):
            readout = read_classes(
                self.loaded,
                [query.wording.prompt for query in self.queries],
                dropout_seed=seed_of("sample", self.seed, sample) if sample else None,
                stage=Stage(self.journal, f"classify {sample}"),
                progress=self._after(sample * len(self.queries)),
            )
            unsure = readout.uncertainty.tolist() if of_evidence(self.loaded.reading) else [None] * len(answers)
            rows = readout.logprobs.numpy()
            for query, several, row, own in zip(self.queries, answers, rows, unsure, strict=True):
                pick = self._pick(np.exp(row), query, sample)
                several.append(scored_answer(pick, classes, classes, row, np.exp(row), uncertainty=own))
        return answers

    def by_reward(self) -> list[list[Found]]:
        """One pass per sample over every option behind its question, all passes but the first with dropout."""
        answers: list[list[Found]] = [[] for _ in self.queries]
        texts = [with_option(query.wording.prompt, option) for query in self.queries for option in query.options]
        for sample in range(self.samples):
            found = iter(
                rewards(
                    self.loaded, texts, dropout_seed=seed_of("sample", self.seed, sample) if sample else None,
                    stage=Stage(self.journal, f"reward {sample}"), progress=self._after(sample * len(self.queries)),
                )
            )  # fmt: skip
            for query, several in zip(self.queries, answers, strict=True):
                own = np.array([next(found) for _ in query.options])
                logprobs = own - np.logaddexp.reduce(own)
                pick = self._pick(np.exp(logprobs), query, sample)
                several.append(scored_answer(pick, query.options, query.values, logprobs, np.exp(logprobs)))
        return answers

    def by_text(self, task: Task) -> list[list[Found]]:
        """Texts that the task reads; greedy ones first."""
        asked = [(i, sample) for i in range(len(self.queries)) for sample in range(self.samples)]
        greedy = [(i, sample) for i, sample in asked if is_greedy(self.queries[i].variant, sample, self.temperature)]
        drawn = sorted(set(asked) - set(greedy))
        texts: dict[tuple[int, int], Generation] = {}
        for name, places, heat in (("greedy", greedy, 0.0), ("drawn", drawn, self.temperature)):
            if places:
                generations = generate(
                    self.loaded,
                    [_prompt(self.loaded, self.queries[i]) for i, _ in places],
                    max_new_tokens=task.max_new_tokens,
                    temperature=heat,
                    seeds=[seed_of("text", self.seed, *self._draw_of(self.queries[i], sample)) for i, sample in places],
                    stage=Stage(self.journal, name),
                    progress=self._after(len(texts)),
                )
                texts.update(zip(places, generations, strict=True))
        return [
            [_written(query, task, texts[i, sample]) for sample in range(self.samples)]
            for i, query in enumerate(self.queries)
        ]

    def by_beams(self, task: Task, beams: int) -> list[list[Found]]:
        """Texts of a beam search that the task reads, best first."""
        several = beam_search(
            self.loaded,
            [_prompt(self.loaded, query) for query in self.queries],
            beams=beams,
            max_new_tokens=task.max_new_tokens,
            stage=Stage(self.journal, "beams"),
            progress=self.progress,
        )
        return [[_written(query, task, text) for text in own] for query, own in zip(self.queries, several, strict=True)]

    def _pick(self, probabilities: Float[np.ndarray, "options"], query: Query, sample: int) -> int:
        """The most probable option, or one drawn from softmax(log p / temperature)."""
        if is_greedy(query.variant, sample, self.temperature):
            return int(np.argmax(probabilities))
        with np.errstate(divide="ignore"):
            shares = softmax(np.log(probabilities) / self.temperature)
        return draw(shares, uniform("option", self.seed, *self._draw_of(query, sample)))

    def _draw_of(self, query: Query, sample: int) -> tuple[str, int, int]:
        """What a draw depends on besides the seed."""
        return query.example.example_id, query.variant, sample

    def _after(self, done_before: int) -> Progress | None:
        """Progress of a part, told as progress of all answers."""
        report, total = self.progress, len(self.queries) * self.samples
        return None if report is None else lambda done, _: report(done_before + done, total)
