"""As many errors as the supervisor makes, elsewhere: which does a student leave behind (arXiv 2312.09390, E.1)?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
from outgrow.reliability.probes import Shares, States, logistic, out_of_fold


class ErrorStructure(MethodConfig):
    """Where labels are wrong.

    Attributes:
        errors: at `random`; on the `longest` or `shortest` questions; on the `hardest`, those whose gold a logistic
            regression of the student's hidden states, fitted to gold of other questions, finds least probable; or
            `simulable`, what a logistic regression of the question's letters, fitted to the supervisor's answers to
            other questions, would most surely get wrong, with its wrong answer: a misconception that a rule makes.
    """

    errors: Literal["random", "longest", "shortest", "hardest", "simulable"] = "random"


def error_structure(lab: Lab, config: ErrorStructure) -> Student:
    """Oracle: gold labels of which as many are wrong as the supervisor's are, but chosen otherwise."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    gold = lab.gold(lab.pool)
    answers = lab.in_form_of(gold, answers.filter(pc.is_valid(answers["value"])))
    truth = gold["value"].take(pc.index_in(answers["example_id"], value_set=gold["example_id"].combine_chunks()))
    wrong = int(pc.sum(pc.not_equal(answers["value"], truth)).as_py() or 0)
    read = _Read(lab, answers, truth.to_pylist())
    values = list(read.truth)
    score, instead = read.simulable() if config.errors == "simulable" else (read.score(config.errors), None)
    for place in read.shuffled[np.argsort(-score[read.shuffled], kind="stable")][:wrong].tolist():
        values[place] = read.another(place) if instead is None else instead[place]
    labels = pa.table({"example_id": answers["example_id"], "value": pa.array(values, pa.string())})
    lab.note(f"{wrong:,} of {len(values):,} labels are wrong, as many as the supervisor's.")
    return lab.train(lab.student, gold_rows(labels), select="last")


@dataclass(frozen=True)
class _Read:
    """The supervisor's answers beside gold.

    Attributes:
        lab: where they are from.
        answers: the valid ones.
        truth: gold of each.
    """

    lab: Lab
    answers: pa.Table
    truth: list[str]

    @cached_property
    def names(self) -> list[str]:
        """All that gold or the supervisor says."""
        return sorted({*self.truth, *self.answers["value"].to_pylist()})

    @cached_property
    def everything(self) -> list[str]:
        """What can be said where a question has no options of its own."""
        return sorted(set(self.truth))

    @cached_property
    def shuffled(self) -> Int[np.ndarray, "answers"]:
        """The answers in an order drawn by hash, which breaks ties."""
        return hash_order(["errors", self.lab.seed], self.answers["example_id"].to_pylist())

    @cached_property
    def questions(self) -> pa.ChunkedArray:
        """What each answer is to."""
        where = pc.index_in(self.answers["example_id"], value_set=self.lab.pool["example_id"].combine_chunks())
        return self.lab.pool["question"].take(where)

    def options(self, place: int) -> list[str]:
        """What else could be said to the question of an answer."""
        shares = self.answers["probabilities"][place].as_py()
        return [value for value in (dict(shares) if shares else self.everything) if value != self.truth[place]]

    def another(self, place: int) -> str:
        """One of them by chance."""
        draw = np.random.default_rng(seed_of("wrong label", self.lab.seed, self.answers["example_id"][place].as_py()))
        options = self.options(place)
        return options[int(draw.integers(len(options)))]

    def believed(self, states: States, said: list[str]) -> Shares:
        """Probabilities of `names`, by a logistic regression that was fitted to what is said of others."""
        folds = np.argsort(self.shuffled) % 10
        return out_of_fold(logistic, states, np.eye(len(self.names))[list(map(self.names.index, said))], folds)

    def score(self, errors: str) -> Float[np.ndarray, "answers"]:
        """Those with the highest are to be wrong."""
        if errors == "random":
            return np.zeros(len(self.truth))
        if errors == "hardest":
            ids = self.answers.select(["example_id"])
            states = self.lab.activations(self.lab.student, ids, [-1], pool="auto")[:, 0]
            right = list(map(self.names.index, self.truth))
            return -self.believed(states, self.truth)[np.arange(len(right)), right]
        length: Float[np.ndarray, "answers"] = pc.utf8_length(self.questions).to_numpy().astype(np.float64)
        return length if errors == "longest" else -length

    def simulable(self) -> tuple[Float[np.ndarray, "answers"], list[str]]:
        """How sure a rule is of its most probable wrong answer, and which that is."""
        from sklearn.feature_extraction.text import HashingVectorizer

        letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=1024)
        states = letters.transform(self.questions.to_pylist()).toarray()
        shares = self.believed(states, self.answers["value"].to_pylist())
        for place, row in enumerate(shares):
            there = self.options(place)
            row[[name not in there for name in self.names]] = -1.0
        return shares.max(axis=1), [self.names[best] for best in shares.argmax(axis=1).tolist()]
