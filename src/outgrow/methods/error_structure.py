"""As many errors as the supervisor makes, elsewhere: which does a student leave behind (arXiv 2312.09390, E.1)?"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.hashing import seed_of
from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import gold_rows
from outgrow.reliability.hashing import hash_order
from outgrow.reliability.probes import logistic, out_of_fold


class ErrorStructure(MethodConfig):
    """Where labels are wrong.

    Attributes:
        errors: at `random`; on the `longest` or `shortest` questions; or on the `hardest`, those whose gold a
            logistic regression of the student's hidden states, fitted to gold of other questions, finds least probable.
    """

    errors: Literal["random", "longest", "shortest", "hardest"] = "random"


def error_structure(lab: Lab, config: ErrorStructure) -> Student:
    """Oracle: gold labels of which as many are wrong as the supervisor's are, but chosen otherwise."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    gold = lab.gold(lab.pool)
    answers = lab.in_form_of(gold, answers.filter(pc.is_valid(answers["value"])))
    truth = gold["value"].take(pc.index_in(answers["example_id"], value_set=gold["example_id"].combine_chunks()))
    values, ids = truth.to_pylist(), answers["example_id"].to_pylist()
    wrong = int(pc.sum(pc.not_equal(answers["value"], truth)).as_py() or 0)
    everything = sorted(set(values))
    for place in _order(lab, config, answers, values)[:wrong].tolist():
        shares = answers["probabilities"][place].as_py()
        options = [value for value in (dict(shares) if shares else everything) if value != values[place]]
        draw = np.random.default_rng(seed_of("wrong label", lab.seed, ids[place]))
        values[place] = options[int(draw.integers(len(options)))]
    labels = pa.table({"example_id": answers["example_id"], "value": pa.array(values, pa.string())})
    lab.note(f"{wrong:,} of {len(values):,} labels are wrong, as many as the supervisor's.")
    return lab.train(lab.student, gold_rows(labels), select="last")


def _order(lab: Lab, config: ErrorStructure, answers: pa.Table, truth: list[str]) -> Int[np.ndarray, "answers"]:
    """The questions, those first that are to be wrong; ties by hash."""
    ids = answers["example_id"].to_pylist()
    shuffled = hash_order(["errors", lab.seed], ids)
    score: Float[np.ndarray, "answers"]
    if config.errors == "random":
        return shuffled
    if config.errors == "hardest":
        names = sorted(set(truth))
        label = np.array([names.index(value) for value in truth])
        states = lab.activations(lab.student, answers.select(["example_id"]), [-1], pool="auto")[:, 0]
        folds = np.argsort(shuffled) % 10
        score = out_of_fold(logistic, states, np.eye(len(names))[label], folds)[np.arange(len(ids)), label]
    else:
        where = pc.index_in(answers["example_id"], value_set=lab.pool["example_id"].combine_chunks())
        length = pc.utf8_length(lab.pool["question"].take(where)).to_numpy().astype(np.float64)
        score = length if config.errors == "shortest" else -length
    return shuffled[np.argsort(score[shuffled], kind="stable")]
