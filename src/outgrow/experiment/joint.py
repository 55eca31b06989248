"""Answers of models that decide together, each scoring what any of them proposes (arXiv 2406.03199)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError
from outgrow.core.tables import with_column
from outgrow.experiment.composing import DerivedAnswer, Scores
from outgrow.experiment.readings import Score
from outgrow.experiment.sources import JointHandle, Sources
from outgrow.experiment.steps import Size, StepRequest
from outgrow.experiment.tokens import TOKEN_FILE, TokensOf
from outgrow.methods.rows import said_in_words
from outgrow.models.config import ModelRef
from outgrow.store import Step, Work

JOINT_ANSWER_VERSION = 2
LOWEST = -1e30


@dataclass(frozen=True)
class Proposals:
    """Texts that some model wrote to a wording, each once, and what every model makes of them.

    Attributes:
        rows: the answers that hold them (`core.tables.ANSWERS`), of the model that proposed the text first.
        tokens: the tokens of these answers (`core.tables.TOKENS`).
        scores: mean log-probability of a token under each model, in nats; an empty text has the lowest.
    """

    rows: pa.Table
    tokens: pa.Table
    scores: Float[np.ndarray, "models rows"]


def proposals(
    handle: JointHandle, parts: Mapping[str, StepRequest[pa.Table]], sources: Sources, do: Callable[[Any], pa.Table]
) -> Proposals:
    """What the models wrote, scored by all of them: of each wording the texts that can be read, or all if none can.

    Args:
        handle: the models.
        parts: the steps in which they answer.
        sources: loads models.
        do: carries out a step.
    """
    table = pa.concat_tables([do(each) for each in parts.values()])
    tokens = pa.concat_tables([do(TokensOf(each)) for each in parts.values()])  # row by row those of the answers
    readable, texts = table["value"].is_valid().to_pylist(), said_in_words(table).to_pylist()
    keys = list(zip(table["example_id"].to_pylist(), table["variant"].to_pylist(), strict=True))
    good = {key for key, there in zip(keys, readable, strict=True) if there}
    kept: dict[tuple[str, int, str | None], int] = {}
    for place, (key, there) in enumerate(zip(keys, readable, strict=True)):
        if there or key not in good:
            kept.setdefault((*key, texts[place]), place)
    places = pa.array(kept.values(), pa.int64())
    rows, prompts = table.take(places), table["prompt"].to_pylist()
    spoken = [(prompts[place] or "", texts[place] or "") for place in kept.values()]
    full = [number for number, (_, text) in enumerate(spoken) if text.strip()]
    asked = tuple(spoken[number][0] for number in full), tuple(spoken[number][1] for number in full)
    scores = np.full((len(handle.members), rows.num_rows), LOWEST)
    if full:
        scored = [do(Score(sources, each, *asked)) for each in handle.members]
        scores[:, full] = [each["logprob"].to_numpy() / each["n_tokens"].to_numpy() for each in scored]
    return Proposals(rows, tokens.take(places), scores)


@dataclass(frozen=True, eq=False)
class JointAnswer(DerivedAnswer):
    """Answers (`core.tables.ANSWERS`) of several models together, by the weighted mean of their log-probabilities.

    Options are scored as a whole and normalised. Of texts each model proposes its own, or those of a beam search, and
    that with the highest mean log-probability of a token is the answer; ties fall to the model named first. `logprob`
    of a text is that mean.

    Attributes:
        handle: the models and their weights.
        parts: answers of the models to the same questions, one sample of each wording.
        proposed: texts; None where options are scored.
    """

    handle: JointHandle
    parts: Mapping[str, pa.Table]
    proposed: Proposals | None

    def __post_init__(self) -> None:
        """Refuse what it cannot be asked."""
        if self.asking.samples != 1:
            raise ConfigError(f"'{self.handle.source.name}' decides on one answer a wording; ask it with samples=1")

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        return self.composed("joint answer", JOINT_ANSWER_VERSION, self.handle.members[0].ref)

    def make(self, work: Work) -> None:
        """Add up, and choose."""
        shares = dict(zip(self.handle.models, self.handle.shares, strict=True))

        def add(logs: Mapping[str, Scores]) -> Scores:
            return np.asarray(sum(shares[name] * each for name, each in logs.items()))

        if self.proposed is None:
            table = self.scored(self.parts, add)
        else:
            table, tokens = self._chosen(self.proposed)
            work.save_table(tokens, TOKEN_FILE)
        work.save_table(self.task.canonicalise(table))

    def _chosen(self, proposed: Proposals) -> tuple[pa.Table, pa.Table]:
        """The best text of each wording, and its tokens under the model that proposed it first."""
        scores = np.asarray(self.handle.shares) @ proposed.scores
        best: dict[tuple[str, int], int] = {}
        keys = zip(*(proposed.rows[name].to_pylist() for name in ("example_id", "variant")), strict=True)
        for place, key in enumerate(keys):
            if scores[place] > scores[best.setdefault(key, place)]:
                best[key] = place
        places = pa.array(best.values(), pa.int64())
        first = pa.array([0] * len(places), pa.int64())
        table = with_column(proposed.rows.take(places), "logprob", pa.array(scores).take(places))
        tokens = with_column(proposed.tokens.take(places), "sample", first)
        return with_column(table, "sample", first).replace_schema_metadata({"decoding": "joint"}), tokens

    def size(self) -> Size:
        """Nothing more than the models' own answers and scores."""
        return Size(prompts=0)

    @property
    def model(self) -> ModelRef | None:
        """One of the models."""
        return self.handle.members[0].ref
