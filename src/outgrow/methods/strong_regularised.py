"""Naive training, its regularisation chosen without gold."""

from __future__ import annotations

from itertools import product
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.lab import ONCE, Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows


class StrongRegularised(MethodConfig):
    """What is tried; every pair is a training of its own.

    Attributes:
        rates: learning rates, as multiples of the recipe's.
        weight_decays: weight decays.
    """

    rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1.0, 0.3, 0.1)
    weight_decays: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (0.0, 0.1)


def strong_regularised(lab: Lab, config: StrongRegularised) -> Student:
    """Naive training with the learning rate and weight decay that agree best with held-out weak labels."""
    rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
    said = lab.ask(lab.supervisors[0], lab.validation, variants=1)
    best: tuple[float, str, Student] | None = None
    for rate, decay in product(config.rates, config.weight_decays):
        settings = {"learning_rate": rate * lab.training["learning_rate"], "weight_decay": decay}
        stage = f"learning rate x {rate:g}, weight decay {decay:g}"
        student = lab.train(lab.student, rows, stage=stage, settings=settings)
        score = agreement_share(lab.ask(student, lab.validation, ONCE), said)
        if best is None or score > best[0]:
            best = score, stage, student
    assert best is not None
    lab.note(f"Chosen: {best[1]}, which says what the supervisor says in {best[0]:.1%} of the validation questions.")
    return best[2]


def agreement_share(answers: pa.Table, others: pa.Table) -> float:
    """Share of the questions that `others` answered to which `answers` say the same; 0 where there are none."""
    there = others.filter(others["value"].is_valid())
    place = pc.index_in(there["example_id"], value_set=answers["example_id"].combine_chunks())
    same = pc.fill_null(pc.equal(answers["value"].take(place), there["value"]), False)
    return float(same.to_numpy().mean()) if there.num_rows else 0.0
