"""Models of annotators by name, and labels and tables from answers in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.names import import_attr, unknown
from outgrow.reliability.annotator_models import AUTO, MODELS
from outgrow.reliability.annotators.annotator_table import FlagRules, annotator_table
from outgrow.reliability.annotators.base import AnnotatorModel
from outgrow.reliability.annotators.crowd import MANY_CLASSES, CrowdVotes, crowd_votes


def make_model(name: str, votes: CrowdVotes | None = None, **settings: Any) -> AnnotatorModel:
    """A model that is not fitted yet.

    Args:
        name: one of `MODELS`, or "auto": `robust_dawid_skene` for classes, `one_coin` for free answers.
        votes: what it will be fitted to, for "auto".
        **settings: of the model.

    Raises:
        ConfigError: there is no such model, or it has no such setting.
    """
    if name == AUTO:
        many = votes is not None and len(votes.classes) > MANY_CLASSES
        name = "one_coin" if many else "robust_dawid_skene"
    if name not in MODELS:
        raise ConfigError(unknown("model of annotators", name, MODELS))
    home, given = MODELS[name]
    model: AnnotatorModel = import_attr(home)(**given)
    has = model.get_params()
    if strange := [key for key in settings if key not in has]:
        raise ConfigError(f"{name} has no setting {', '.join(map(repr, strange))}; it has {', '.join(has)}")
    model.set_params(**settings)
    return model


def fit_annotators(
    answers: pa.Table,
    *,
    model: str | AnnotatorModel = AUTO,
    known: pa.Table | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    probabilities: bool = False,
    **settings: Any,
) -> AnnotatorModel:
    """Estimate who answers how well from the answers of several annotators.

    Args:
        answers: answers table; `source` is the annotator.
        model: one of `MODELS`, "auto" (`robust_dawid_skene`; `one_coin` above 50 different labels), or a model.
        known: gold labels of some tasks, `example_id` and `value`.
        classes: all labels there are; others count as invalid.
        probabilities: let an answer with option probabilities vote with them.
        **settings: of a model given by name.

    Raises:
        ConfigError: unknown model or setting.
        DataError: no vote, or known labels that do not fit.
        PrerequisiteError: the answers of one source alone, or labels that are free answers to a model for classes.

    Examples:
        Three people answer four questions; the third says "x" whatever is asked:

        >>> import pyarrow as pa
        >>> rows = [(f"q{i}", who, v) for i, vs in enumerate(["xxx", "yyx", "xxx", "yyx"]) for who, v in zip("abc", vs)]
        >>> columns = dict(zip(["example_id", "source", "value"], map(list, zip(*rows))))
        >>> model = fit_annotators(pa.table(columns), model="dawid_skene")
        >>> model.posterior_table()["value"].to_pylist()
        ['x', 'y', 'x', 'y']
        >>> model.accuracy_.round(1).tolist()
        [1.0, 1.0, 0.5]
    """
    if pc.count_distinct(answers["source"]).as_py() < 2:
        raise PrerequisiteError(
            f"all answers are of one source, {answers['source'][0].as_py()!r}; how good an annotator is shows in the "
            "agreement with others. Name the annotators in a column 'source' (or worker, annotator)"
        )
    votes = crowd_votes(answers, classes=classes, probabilities=probabilities)
    if isinstance(model, str):
        model = make_model(model, votes, **settings)
    return model.fit(votes, known=known)


def annotators(
    answers: pa.Table,
    *,
    model: str | AnnotatorModel = AUTO,
    known: pa.Table | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    rules: FlagRules | None = None,
    **settings: Any,
) -> pa.Table:
    """Who answers well: a row per annotator (`outgrow.reliability.annotators.ANNOTATORS`).

    Args:
        answers: answers table; `source` is the annotator.
        model: as for `fit_annotators`.
        known: gold labels of some tasks.
        classes: all labels there are.
        rules: when an annotator is flagged.
        **settings: of the model.

    Raises:
        As `fit_annotators`.
    """
    return annotator_table(fit_annotators(answers, model=model, known=known, classes=classes, **settings), rules)
