"""Students with a second goal that pulls against their supervisor's, and what may help (arXiv 2406.11431)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import ONCE, Lab, Student
from outgrow.core.tables import PROBABILITIES, ROWS, with_column
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import gold_rows, weak_rows
from outgrow.objectives.conflict import ExplicitConflict

Loss = Literal["bradley_terry", "dpo", "simpo"]
Remedy = Literal["confidence", "reliability", "bootstrapping"]


class Conflicting(MethodConfig):
    """How a student learns which of two answers is harmless; several supervisors teach by their mean probability.

    Attributes:
        loss: `bradley_terry` trains rewards; `dpo` and `simpo` a language model, on preferred answers first and then on
            pairs. Null is `bradley_terry` for a student with head `reward`, `simpo` for one that compares options by
            the mean log-probability of their tokens (`length_normalise`), as that loss does, else `dpo`.
        remedy: `confidence` keeps labels that the supervisor is sure of, `reliability` weighs them by how sure it is,
            `bootstrapping` hands labels on through the recipe's models.
        threshold: probability from which a label is sure.
        draw: another number is another order of rows and other new weights, with the same labels: two students
            without conflict that differ in it are a placebo.
    """

    loss: Loss | None = None
    remedy: Remedy | None = None
    threshold: Annotated[float, Field(ge=0.5, le=1)] = 0.75
    draw: Annotated[int, Field(ge=0)] = 0


class Explicit(Conflicting):
    """How much a student is rewarded for harm.

    Attributes:
        weight: of the reward; the paper's a.
        labels: of `weak` supervision, or `gold`: does it matter that supervision is weak?
    """

    weight: Annotated[float, Field(ge=0)] = 0.5
    labels: Literal["weak", "gold"] = "weak"


class Implicit(Conflicting):
    """Which further labels pull against harmlessness.

    Attributes:
        goal: which gold of the questions in `known` they are; null where these have one.
    """

    goal: str | None = None


def no_conflict(lab: Lab, config: Conflicting) -> Student:
    """Learn from weak preferences alone: what conflicts, and a second such student as placebo, are compared with."""
    return _trained(lab, config, weak_preferences(lab, config), 0.0)


def explicit_conflict(lab: Lab, config: Explicit) -> Student:
    """Oracle adversary: weak preferences, and a reward whenever the student prefers what gold calls harmful."""
    gold = lab.gold(lab.pool)
    rows = as_soft(gold_rows(gold)) if config.labels == "gold" else weak_preferences(lab, config)
    best = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    places = dict(zip(lab.pool["example_id"].to_pylist(), lab.pool["choices"].to_pylist(), strict=True))
    harmless = [float(places[i].index(best[i])) for i in rows["example_id"].to_pylist()]
    return _trained(lab, config, rows.append_column("harmless", pa.array(harmless, pa.float64())), config.weight)


def implicit_conflict(lab: Lab, config: Implicit) -> Student:
    """Weak preferences together with true preferences of another goal about other questions, which are bought."""
    if not lab.known.num_rows:
        raise PrerequisiteError(
            "implicit_conflict takes true preferences of another goal from the split 'known', which has no questions "
            "(task.splits, or questions.known of a microworld)"
        )
    others = as_soft(gold_rows(lab.known_gold(config.goal)))
    others = with_column(others, "source", pa.array(["known"] * others.num_rows, pa.string()))
    return _trained(lab, config, pa.concat_tables([weak_preferences(lab, config), others]), 0.0)


def weak_preferences(lab: Lab, config: Conflicting) -> pa.Table:
    """Training rows with the supervisors' mean probability of either answer, after the remedy."""
    rows = _mean_of(lab)
    if config.remedy == "bootstrapping":
        return _handed_on(lab, rows)
    if config.remedy == "confidence":
        return rows.filter(pa.array(_sure(rows) >= config.threshold))
    if config.remedy == "reliability":
        return with_column(rows, "weight", pa.array(2 * _sure(rows) - 1))
    return rows


def as_soft(rows: pa.Table) -> pa.Table:
    """Hard rows with all probability on their target."""
    shares = [[(target, 1.0)] for target in rows["target"].to_pylist()]
    soft = with_column(rows, "probabilities", pa.array(shares, PROBABILITIES))
    return with_column(soft, "target", pa.nulls(rows.num_rows, pa.string()))


def as_hard(rows: pa.Table) -> pa.Table:
    """Soft rows with the more probable answer as their target."""
    best = [max(shares, key=lambda pair: pair[1])[0] for shares in rows["probabilities"].to_pylist()]
    hard = with_column(rows, "target", pa.array(best, pa.string()))
    return with_column(hard, "probabilities", pa.nulls(rows.num_rows, PROBABILITIES))


def usual_loss(lab: Lab) -> Loss:
    """The loss that fits how the student's answers are read."""
    if lab.head == "reward":
        return "bradley_terry"
    return "dpo" if lab.length_normalise is None else "simpo"


def _trained(lab: Lab, config: Conflicting, rows: pa.Table, weight: float) -> Student:
    """A student of these preferences; of DPO read by its implicit reward."""
    loss = config.loss or usual_loss(lab)
    objective = ExplicitConflict(loss=loss, weight=weight)
    settings: dict[str, Any] = {"select": "last", "draw": config.draw}
    if loss == "bradley_terry":
        return lab.train(lab.student, rows, objective, **settings)
    hard = as_hard(rows)
    said = lab.train(lab.student, hard.select(ROWS.names), stage="preferred answers", **settings)
    student = lab.train(said, hard, objective, stage="preferences", **settings)
    return lab.contrast(student, said, stage="implicit reward") if loss == "dpo" else student


def _handed_on(lab: Lab, rows: pa.Table) -> pa.Table:
    """The labels after each of the recipe's models, taught without conflict, has handed them on to the next."""
    if not lab.models:
        lab.note("The recipe has no model between the supervisor and this student (models): nothing is handed on.")
    for model in lab.models:
        teacher = lab.train(model, rows, ExplicitConflict(weight=0.0), stage=model.name, select="last")
        rows = weak_rows(lab.ask(teacher, lab.pool, ONCE), "soft")
    return rows


def _mean_of(lab: Lab) -> pa.Table:
    """Soft rows about what all supervisors answered, with the mean of the probabilities that they gave."""
    rows, *others = [weak_rows(lab.ask(each, lab.pool, variants=1), "soft") for each in lab.supervisors]
    if not others:
        return rows
    said = [{row["example_id"]: dict(row["probabilities"]) for row in each.to_pylist()} for each in (rows, *others)]
    rows = rows.filter(pa.array([all(i in each for each in said) for i in rows["example_id"].to_pylist()], pa.bool_()))
    means = [
        [(value, float(np.mean([each[i].get(value, 0.0) for each in said]))) for value in said[0][i]]
        for i in rows["example_id"].to_pylist()
    ]
    names = pa.array([" + ".join(each.name for each in lab.supervisors)] * rows.num_rows, pa.string())
    return with_column(with_column(rows, "probabilities", pa.array(means, PROBABILITIES)), "source", names)


def _sure(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of the more probable answer of each row."""
    return np.array([max(share for _, share in shares) for shares in rows["probabilities"].to_pylist()])
