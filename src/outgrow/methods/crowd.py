"""Several supervisors as annotators: everybody is asked, and a model of them says what is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Lab
from outgrow.core.tables import ROWS, build, with_column
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.methods.texts import in_words, text_rows
from outgrow.reliability.annotator_models import AUTO

Weight = Annotated[float, Field(ge=0)]
Mixing: TypeAlias = Literal["uniform", "estimated", "discounted"] | tuple[Weight, ...] | dict[str, Weight]
"""Weights of supervisors: the same, as a model of annotators estimates their accuracy, or one number each in order.

"discounted" are the estimated ones, less for those whose errors come together. By name, who is not named has none.
"""


_recent: dict[str, pa.Table] = {}
"""Labels made last: the arms of a seed choose their checkpoints by the same ones."""


def ask_all(lab: Lab, questions: pa.Table, *, variants: int | None = None) -> pa.Table:
    """The answers of all supervisors, each under its own name."""
    return pa.concat_tables([lab.ask(each, questions, variants=variants) for each in lab.supervisors])


def validation_labels(lab: Lab, estimator: str = AUTO) -> pa.Table | None:
    """What a model of the annotators makes of their answers to `lab.validation`: `example_id`, `value`.

    None where fewer than two of them answer.
    """
    from outgrow.reliability.annotators import fit_annotators

    answers = ask_all(lab, lab.validation, variants=1)
    answers = answers.filter(answers["value"].is_valid())
    if pc.count_distinct(answers["source"]).as_py() < 2:
        return None
    key = sha256_text(estimator, lab.seed, *(answers[name].to_pylist() for name in ("example_id", "source", "value")))
    if key not in _recent:
        labels = fit_annotators(answers, model=estimator).posterior_table(seed=lab.seed)
        _recent[key] = labels.select(["example_id", "value"])
        for older in list(_recent)[:-8]:
            del _recent[older]
    return _recent[key]


def mixed_rows(lab: Lab, weights: Mixing, form: LabelForm = "auto", beams: int = 1) -> pa.Table:
    """A training row per question: the supervisors' labels averaged, each with its weight.

    Where questions are answered by texts, a row per question and supervisor, which counts by the supervisor's weight.

    Args:
        lab: whose supervisors answer the identity wording.
        weights: of the supervisors. "estimated": `ln ((K - 1) a / (1 - a))`, at least 0, of the accuracy a that a model
            of annotators estimates without gold (the weights of the optimal vote of independent annotators);
            "discounted": these, less for those whose errors are correlated
            (`outgrow.reliability.annotators.discounted`), which takes four supervisors.
        form: as for `weak_rows`, or `text_rows`.
        beams: as for `text_rows`.

    Raises:
        ConfigError: not one weight for each supervisor, or all are 0.
        PrerequisiteError: the answers are of one supervisor.
    """
    answers = [lab.ask(each, lab.pool, variants=1) for each in lab.supervisors]
    if of_texts := all(map(in_words, answers)):
        tables = [text_rows(lab, each, form, beams) for each in lab.supervisors]
    else:
        tables = [weak_rows(each, form) for each in answers]
    rows = pa.concat_tables(tables)
    names = pc.unique(rows["source"]).to_pylist()
    if len(names) < 2:
        raise PrerequisiteError(f"several supervisors are averaged here, and the answers are of {len(names)}")
    share = _weights(lab, names, weights)
    if of_texts:
        return with_column(rows, "weight", pa.array([float(share[name]) for name in rows["source"].to_pylist()]))
    sums: dict[str, dict[str, float]] = {}
    given = (rows[name].to_pylist() for name in ("example_id", "source", "target", "probabilities"))
    for example, source, value, probabilities in zip(*given, strict=True):
        into = sums.setdefault(example, {})
        for option, p in [(value, 1.0)] if probabilities is None else probabilities:
            into[option] = into.get(option, 0.0) + share[source] * p
    kept = {example: into for example, into in sums.items() if sum(into.values()) > 0}
    columns = {
        "row_id": [f"{example}/all/0" for example in kept],
        "example_id": list(kept),
        "source": [" + ".join(names)] * len(kept),
        "variant": [0] * len(kept),
        "probabilities": [[(o, p / sum(into.values())) for o, p in sorted(into.items())] for into in kept.values()],
        "weight": [1.0] * len(kept),
    }
    return build(ROWS, columns)


def _weights(lab: Lab, names: Sequence[str], weights: Mixing) -> Mapping[str, float]:
    order = [each.name for each in lab.supervisors]
    if isinstance(weights, tuple | dict):
        given = weights if isinstance(weights, dict) else dict(zip(order, weights, strict=False))
        fits = isinstance(weights, dict) or len(weights) == len(order)
        if not fits or not any(given.values()) or set(given) - set(order) or set(names) - set(order):
            raise ConfigError(
                f"weights: one number for each of the supervisors {order}, or some of them by name, not all 0; found "
                f"{weights}" + ("" if set(names) <= set(order) else f", and answers of {len(names)} annotators")
            )
        return {name: given.get(name, 0.0) for name in order}
    if weights == "uniform":
        return dict.fromkeys(names, 1.0)
    from outgrow.reliability.annotators import correlation_matrix, discounted, error_correlations, fit_annotators

    model = fit_annotators(ask_all(lab, lab.pool, variants=1), model=AUTO)
    annotators = model.votes_.annotators.to_pylist()
    accuracy = np.clip(model.accuracy_, 1e-3, 1 - 1e-3)
    odds = np.maximum(np.log((len(model.votes_.classes) - 1) * accuracy / (1 - accuracy)), 0.0)
    if not odds.any():
        raise PrerequisiteError("by the estimate no supervisor is better than chance; set the weights by hand")
    if weights == "discounted":
        odds = discounted(odds, correlation_matrix(error_correlations(model), annotators))
    shares = zip(annotators, odds / odds.sum(), strict=True)
    lab.note("Weights of the supervisors: " + ", ".join(f"{name} {w:.2f}" for name, w in shares) + ".")
    return dict(zip(annotators, odds.tolist(), strict=True))
