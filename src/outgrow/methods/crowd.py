"""Several supervisors as annotators: everybody is asked, and a model of them says what is right."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.lab import Lab


def ask_all(lab: Lab, questions: pa.Table, *, variants: int | None = None) -> pa.Table:
    """The answers of all supervisors, each under its own name."""
    return pa.concat_tables([lab.ask(each, questions, variants=variants) for each in lab.supervisors])


def validation_labels(lab: Lab, estimator: str) -> pa.Table | None:
    """What a model of the annotators makes of their answers to `lab.validation`: `example_id`, `value`.

    None where fewer than two of them answer.
    """
    from outgrow.reliability.annotators import fit_annotators

    answers = ask_all(lab, lab.validation, variants=1)
    answers = answers.filter(answers["value"].is_valid())
    if pc.count_distinct(answers["source"]).as_py() < 2:
        return None
    labels = fit_annotators(answers, model=estimator).posterior_table(seed=lab.seed)
    return labels.select(["example_id", "value"])
