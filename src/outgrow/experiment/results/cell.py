"""What a cell collects from the store: its splits with gold, and what its supervisors and its student answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from outgrow import evaluation as ev
from outgrow.core.lab import Source, Student
from outgrow.core.tables import LABELS, Example, iter_examples
from outgrow.experiment.cells import Cell, cell_folder
from outgrow.experiment.graph import Done, zero_shot
from outgrow.experiment.lab import gold_values, identity_answers, identity_values, one_value_each
from outgrow.experiment.results.views import Seed, Split, values_of
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import Recipe
from outgrow.reliability.labels import label_answers, of_several
from outgrow.tasks.equivalence import in_form_of

Scores = Float[np.ndarray, "seeds questions"]


class CollectedCell:
    """Answers and scores of some supervisors and one student; methods of one supervisor take the first.

    Attributes:
        test, pool, known: splits with their gold; `known` is None where the task has no such questions.
        seeds: what the first supervisor said, per seed.
        students: what the job of an arm and seed came to.
        zero_answers: the student's answers to the test before training.
        arm_answers: per arm and seed the trained student's answers to the test.
        unparsed: per arm the share of those that could not be parsed.
        unanswered: test questions that the supervisor was not asked.
        paired: accuracy of references (floor, vote, zero_shot) and arms (`arm:` and the name).
        metrics: the same of every other metric by name.
        scores: which answers are right, by the names in `paired`.
    """

    def __init__(self, runner: StepRunner, place: int, cell: Cell, done: Sequence[Done]) -> None:
        assert isinstance(runner.recipe, Recipe)
        recipe = runner.recipe
        self.recipe, self.runner, self.cell = recipe, runner, cell
        self.folder = cell_folder(cell.name)
        self.test, self.pool = read_split(runner, "test"), read_split(runner, "pool")
        self.known = read_split(runner, "known") if "known" in runner.task.splits else None
        own_gold = gold_values(runner.gold("supervisor_train")) if "supervisor_train" in runner.task.splits else {}
        bought = {} if self.known is None else self.known.gold
        self.trained_on = {**own_gold, **bought, **self.pool.gold}  # of every question that training rows may be about
        self.answered_freely = self._answered_freely()
        self.seeds = [self._seed(seed) for seed in recipe.seeds]
        self.students = {(d.job.arm, d.job.seed): d for d in done if d.job.arm is not None and d.job.place == place}
        self.zero_answers = identity_values(self._answers(zero_shot(runner, cell.student), "test"))
        self.unanswered = self._unanswered()
        self.arm_answers: dict[str, list[dict[str, str]]] = {}
        self.unparsed: dict[str, float] = {}
        for arm in recipe.methods:
            tables = [self._answers(self.student(arm.id, seed), "test") for seed in recipe.seeds]
            self.arm_answers[arm.id] = [identity_values(table) for table in tables]
            self.unparsed[arm.id] = float(np.mean([table["value"].null_count / table.num_rows for table in tables]))
        predicted: dict[str, Sequence[Mapping[str, Any]]] = {
            "zero_shot": [self.zero_answers] * len(recipe.seeds),
            **{f"arm:{arm}": answers for arm, answers in self.arm_answers.items()},
        }
        if not self.unanswered:  # a supervisor that was not asked the test has no accuracy there
            predicted["floor"] = [s.floor for s in self.seeds]
            predicted["vote"] = [values_of(s.test) for s in self.seeds]
        ids, groups, gold = self.test.ids, self.test.groups, self.test.gold
        self.metrics = {
            name: ev.PairedScores.of(ev.METRICS.require(name), groups, ids, predicted, gold)
            for name in ("accuracy", *recipe.evaluation.metrics)
        }
        self.paired = self.metrics.pop("accuracy")
        self.scores: dict[str, Scores] = {name: arm[..., 0] for name, arm in self.paired.arms.items()}

    def student(self, arm: str, seed: int) -> Student:
        """What an arm trained in a seed, which can be asked."""
        done = self.students[arm, seed]
        assert done.student is not None
        assert done.base is not None
        self.runner.adopt(done.student, done.base)
        return done.student

    def _answers(self, source: Source, split: str, **asked: Any) -> pa.Table:
        """Answers with gold's own form where they equal gold; nobody but the results sees this form."""
        questions = {"test": self.test, "pool": self.pool, "known": self.known}[split]
        assert questions is not None
        answers = self.runner.answer(source, split, **{"seed": 0, "full": False, **asked})
        return in_form_of(self.runner.plain_task, questions.gold, answers)

    def pool_answers(self, seed: int) -> pa.Table:
        """What all supervisors say of the pool in its identity wording, each under its own name."""
        asked = {"seed": seed, "full": True, "shown": True}
        sources = [self.runner.tune_supervisor(i, seed) for i in self.cell.supervisors]
        return pa.concat_tables([identity_answers(self._answers(source, "pool", **asked)) for source in sources])

    def n_options(self, split: Split) -> list[int]:
        """How many options each question of a split has, its own or the task's classes; 0 where there are none."""
        return [len(choices or self.runner.task.classes or ()) for choices in split.choices]

    @cached_property
    def chance(self) -> float | None:
        """Accuracy of guessing at the test; None where there are questions without options."""
        counts = self.n_options(self.test)
        return float(np.mean([1 / count for count in counts])) if all(counts) else None

    def _answered_freely(self) -> dict[str, Example]:
        """Pool questions that are answered in the supervisor's own words, by id: training targets are whole texts."""
        if self.runner.task.classes is not None:
            return {}
        return {e.example_id: e for e in iter_examples(self.runner.examples("pool")) if e.choices is None}

    def _seed(self, seed: int) -> Seed:
        source = self.runner.tune_supervisor(self.cell.supervisors[0], seed)
        settings = {"seed": seed, **self.recipe.reliability.settings()}
        crowd = {"seed": seed}  # of annotators under their own names, a model of them
        asked = {"seed": seed, "full": True, "shown": True}
        pool, test = self._answers(source, "pool", **asked), self._answers(source, "test", **asked)
        known = None if self.known is None else self._answers(source, "known", **asked)

        def labels(answers: pa.Table) -> pa.Table:  # a file may have no answer to any question of a split
            if not answers.num_rows:
                return LABELS.empty_table()
            return label_answers(answers, **(crowd if of_several(answers) else settings))

        return Seed(
            seed, source, pool, labels(pool), labels(test), one_value_each(test, seed),
            None if known is None else labels(known),
        )  # fmt: skip

    def _unanswered(self) -> int:
        """Test questions whose identity wording a file has no answer to, not even one that could not be parsed."""
        first = self.seeds[0]
        answers = self.runner.answer(first.supervisor, "test", seed=first.seed, full=True, shown=True)
        return len(set(self.test.ids) - set(identity_answers(answers)["example_id"].to_pylist()))


def read_split(runner: StepRunner, name: str) -> Split:
    """A split of the runner's task with its gold."""
    return split_of(runner.examples(name), runner.gold(name))


def split_of(table: pa.Table, gold: pa.Table) -> Split:
    """Examples with the gold of one objective."""
    from outgrow.tasks.microworld.task import stratum_of

    groups = table["group_id"].to_pylist()
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    return Split(
        tuple(table["example_id"].to_pylist()),
        np.array([codes[group] for group in groups], dtype=np.int64),
        tuple(table["question"].to_pylist()),
        tuple(table["choices"].to_pylist()),
        tuple(stratum_of(meta) for meta in table["meta"].to_pylist()),
        gold_values(gold),
    )
