"""A label per question, by whatever estimator: agreement within one source, or a model of several annotators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError
from outgrow.core.names import did_you_mean
from outgrow.reliability.agreement import Estimator, agreement
from outgrow.reliability.annotator_models import AUTO, ESTIMATORS


def of_several(answers: pa.Table) -> bool:
    """Whether the answers are of several sources."""
    return "source" in answers.column_names and int(pc.count_distinct(answers["source"]).as_py()) > 1


def for_annotators(estimator: str | None, answers: pa.Table) -> bool:
    """Whether an estimator is a model of annotators; without one, whether the answers ask for such a model.

    Raises:
        ConfigError: there is no such estimator.
    """
    if estimator is None:
        return of_several(answers)
    known = (*ESTIMATORS, *get_args(Estimator))
    if estimator not in known:
        near = did_you_mean(estimator, known)
        raise ConfigError(f"unknown estimator {estimator!r}{near}; choose one of {', '.join(known)}")
    return estimator in ESTIMATORS


def label_answers(
    answers: pa.Table,
    *,
    estimator: str | None = None,
    seed: int = 0,
    temperature: float = 0.2,
    one_label_per_source: bool = False,
    known: pa.Table | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    **settings: Any,
) -> pa.Table:
    """A label per question with its reliability (`outgrow.core.tables.LABELS`).

    Args:
        answers: answers table.
        estimator: of `agreement`, for answers of one source; or a model of annotators
            (`outgrow.reliability.annotators.MODELS`), for several: `reliability` is then P(label is right), `entropy`
            the posterior's. By default `softmax` for one source and `auto` for several.
        seed: breaks ties.
        temperature: of the softmax reliability.
        one_label_per_source: label each source apart, by agreement.
        known: for models of annotators: labels known to be right.
        classes: for models of annotators: all labels there are.
        **settings: of the model of annotators.

    Raises:
        As `agreement` and `fit_annotators`.
    """
    if not one_label_per_source and for_annotators(estimator, answers):
        from outgrow.reliability.annotators import fit_annotators

        model = fit_annotators(answers, model=estimator or AUTO, known=known, classes=classes, **settings)
        return model.posterior_table(seed=seed)
    if settings:
        raise ConfigError(f"{', '.join(settings)}: settings of models of annotators; {estimator or 'softmax'} has none")
    return agreement(
        answers,
        seed=seed,
        temperature=temperature,
        estimator=estimator or "softmax",
        one_label_per_source=one_label_per_source,
    )
