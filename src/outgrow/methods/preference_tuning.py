"""Learning from pairs: DPO and its kin, delta learning (arXiv 2507.06187), and the controls of both."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from pydantic import Field

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.lab import ONCE, Lab, Near, Source, Student
from outgrow.core.names import unknown
from outgrow.methods.base import MethodConfig
from outgrow.methods.pairs import (
    Flips,
    Match,
    Weighing,
    matched,
    of_sources,
    of_votes,
    one_side,
    shuffled,
    turned,
    weighed,
)


def own_training(learning_rate: float | None, epochs: float | None) -> dict[str, float]:
    """What differs from the recipe's `train` where a stage of pairs has a rate or epochs of its own."""
    given = {"learning_rate": learning_rate, "epochs": epochs}
    return {name: value for name, value in given.items() if value is not None}


class PairsFrom(MethodConfig):
    """Where pairs come from, and how long they are trained on.

    Attributes:
        chosen: whose answers are chosen: a supervisor, one of the recipe's models, or `student`. Without a name, where
            there are several supervisors, the last one.
        rejected: whose answers are rejected; without a name the first supervisor. Without both names, and with one
            supervisor: the answer of the majority of its votes over that of the minority.
        match: keep pairs whose answers are alike in `length`, or in `style`.
        weights: `confidence` lets pairs count by how sure their judge is.
        flips: `p_better` takes the judge's doubt as the probability that a pair stands the wrong way round.
        learning_rate: the recipe's where it is null.
        epochs: passes over the pool; the recipe's where it is null.
    """

    chosen: str | None = None
    rejected: str | None = None
    match: Match | None = None
    weights: Weighing = "equal"
    flips: Flips = "none"
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None

    @property
    def training(self) -> dict[str, float]:
        """What differs from the recipe's `train`."""
        return own_training(self.learning_rate, self.epochs)


class Pairs(PairsFrom):
    """How a student learns from pairs.

    Attributes:
        kl: the checkpoint is kept that has gone furthest from the student's start within so many nats of it
            (`core.lab.Near`); null keeps the last.
    """

    kl: Annotated[float, Field(gt=0)] | None = 0.1


def dpo(lab: Lab, config: Pairs) -> Student:
    """Direct preference optimisation (arXiv 2305.18290) on pairs of two sources, or of one supervisor's votes."""
    return tuned(lab, config, pairs_of(lab, config))


def delta_learning(lab: Lab, config: Pairs) -> Student:
    """Preference tuning on a weak model's answers over a weaker one's, without a judge (arXiv 2507.06187)."""
    if len(lab.supervisors) < 2 and config.chosen is None and config.rejected is None:
        raise PrerequisiteError(
            "delta_learning takes answers of two sources, and this recipe has one supervisor; add a second one, or "
            "name 'chosen' or 'rejected'"
        )
    return tuned(lab, config, pairs_of(lab, config))


def reversed_pairs(lab: Lab, config: Pairs) -> Student:
    """Placebo: the same pairs the other way round, with the same settings."""
    return tuned(lab, config, turned(pairs_of(lab, config)))


def shuffled_pairs(lab: Lab, config: Pairs) -> Student:
    """Placebo: the same pairs, half of them the other way round."""
    return tuned(lab, config, shuffled(pairs_of(lab, config), lab.seed))


def sft_chosen(lab: Lab, config: Pairs) -> Student:
    """Control: fine-tune on the chosen answers alone."""
    return tuned(lab, config, one_side(pairs_of(lab, config), "chosen"))


def sft_rejected(lab: Lab, config: Pairs) -> Student:
    """Control: fine-tune on the rejected answers alone."""
    return tuned(lab, config, one_side(pairs_of(lab, config), "rejected"))


def pairs_of(lab: Lab, config: PairsFrom) -> pa.Table:
    """The pairs of a method (`core.tables.PAIRS`) about questions of the pool.

    Raises:
        ConfigError: an unknown name, or the same source on both sides.
        PrerequisiteError: no question has two different answers, or all pairs are unlike in what they are matched by.
    """
    if config.chosen is None and config.rejected is None and len(lab.supervisors) == 1:
        made = of_votes(lab.ask(lab.supervisors[0], lab.pool), seed=lab.seed)
    else:
        better = named_source(lab, config.chosen, lab.supervisors[-1])
        worse = named_source(lab, config.rejected, lab.supervisors[0])
        if better == worse:
            raise ConfigError(f"'{better.name}' is to be chosen over itself; name another source (chosen, rejected)")
        made = of_sources(_answers(lab, better), _answers(lab, worse))
    if not made.num_rows:
        raise PrerequisiteError("no question has two different answers, so there is no pair to learn from")
    lab.note(f"{made.num_rows} pairs of {lab.pool.num_rows} questions: both answers valid, and different.")
    if config.match is not None:
        made = matched(made, config.match)
        lab.note(f"{made.num_rows} pairs are alike in {config.match}.")
        if not made.num_rows:
            raise PrerequisiteError(f"no pair is alike in {config.match}; leave 'match' out")
    return weighed(made, config.weights, config.flips)


def tuned(lab: Lab, config: Pairs, rows: pa.Table) -> Student:
    """The student after training on pairs or on one side of them, stopped without gold."""
    select = "last" if config.kl is None else Near(config.kl)
    return lab.train(lab.student, rows, settings=config.training, select=select)


def named_source(lab: Lab, name: str | None, usual: Source) -> Source:
    """A supervisor, one of the recipe's models or the `student`, before training; `usual` without a name.

    Raises:
        ConfigError: nobody is called that.
    """
    if name is None:
        return usual
    known = {"student": lab.student} | {each.name: each for each in (*lab.models, *lab.supervisors)}
    if name not in known:
        raise ConfigError(unknown("source of answers", name, known))
    return known[name]


def _answers(lab: Lab, source: Source) -> pa.Table:
    """Its answers to the pool, each question once and greedily."""
    return lab.ask(source, lab.pool, variants=1) if source in lab.supervisors else lab.ask(source, lab.pool, ONCE)
