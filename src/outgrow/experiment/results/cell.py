"""What a cell collects from the store: its splits with gold, and what its supervisors and its student answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from outgrow.experiment.results.judged import Judged, Predicted, gold_for, slots_behind
from outgrow.experiment.results.views import Member, Seed, Split, tuned_on, values_of
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.together import obstacle, together
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
        members: the supervisors, where there are several.
        unanswered: test questions that the supervisor was not asked, or one of several.
        paired: accuracy of references (floor, vote, zero_shot) and arms (`arm:` and the name). Of several supervisors
            floor and vote are means, each has its own (`floor:`, `vote:`), and `joint` and `majority` are what all
            answer together (`joint` where `together.obstacle` is None).
        metrics: the same of every other metric by name.
        slots: what metrics of slots judge; None where the recipe names none.
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
        zero = identity_answers(self._answers(zero_shot(runner, cell.student), "test"))
        self.zero_answers = identity_values(zero)
        self.members = tuple(map(self._member, cell.supervisors if len(cell.supervisors) > 1 else ()))
        first = self.seeds[0]
        answered = runner.answer(first.supervisor, "test", seed=first.seed, full=True, shown=True)
        self.unanswered = max([each.unanswered for each in self.members] or [self._unanswered(answered)])
        self.arm_answers: dict[str, list[dict[str, str]]] = {}
        self.unparsed: dict[str, float] = {}
        tables = {"zero_shot": [zero] * len(recipe.seeds)}
        for arm in recipe.methods:
            asked = [self._answers(self.student(arm.id, seed), "test") for seed in recipe.seeds]
            self.arm_answers[arm.id] = [identity_values(table) for table in asked]
            self.unparsed[arm.id] = float(np.mean([table["value"].null_count / table.num_rows for table in asked]))
            tables[f"arm:{arm.id}"] = [identity_answers(table) for table in asked]
        predicted: dict[str, Sequence[Mapping[str, Any]]] = {
            "zero_shot": [self.zero_answers] * len(recipe.seeds),
            **{f"arm:{arm}": answers for arm, answers in self.arm_answers.items()},
        }
        if not self.unanswered:  # a supervisor that was not asked the test has no accuracy there
            predicted |= self._together(tables) if self.members else {
                "floor": [s.floor for s in self.seeds], "vote": [values_of(s.test) for s in self.seeds]
            }  # fmt: skip
            tables["floor"] = [identity_answers(s.test_answers) for s in self.seeds]
            tables["vote"] = [s.test_answers for s in self.seeds]
        predicted |= {f"floor:{each.name}": each.floor for each in self.members if not each.unanswered}
        tables |= {f"floor:{each.name}": each.identity for each in self.members}
        metrics = {name: ev.METRICS.require(name) for name in ("accuracy", *recipe.evaluation.metrics)}
        values, self.slots = Judged(predicted, self.test.gold), self._slots(metrics.values(), predicted, tables)
        self.metrics = {}
        for name, metric in metrics.items():
            judged = self.slots if self.slots is not None and ev.judges_slots(metric) else values
            self.metrics[name] = self._with_means(
                ev.PairedScores.of(metric, self.test.groups, self.test.ids, judged.predicted, judged.gold)
            )
        self.paired = self.metrics.pop("accuracy")
        self.scores: dict[str, Scores] = {name: arm[..., 0] for name, arm in self.paired.arms.items()}

    def _slots(
        self, metrics: Iterable[ev.Metric], predicted: Predicted, tables: Mapping[str, Sequence[pa.Table]]
    ) -> Judged | None:
        metric = next(filter(ev.judges_slots, metrics), None)
        if metric is None:
            return None
        texts = {who: list(map(slots_behind, seeds, tables[who])) for who, seeds in predicted.items()}
        examples = iter_examples(self.runner.examples("test"))
        return Judged(texts, gold_for(metric, self.runner.plain_task, examples, self.test.gold))

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
        asked = {"seed": seed, "full": True, "shown": True}
        pool, test = self._answers(source, "pool", **asked), self._answers(source, "test", **asked)
        known = None if self.known is None else self._answers(source, "known", **asked)
        return Seed(
            seed, source, pool, self._labels(pool, seed), self._labels(test, seed), one_value_each(test, seed), test,
            None if known is None else self._labels(known, seed),
        )  # fmt: skip

    def _labels(self, answers: pa.Table, seed: int) -> pa.Table:
        if not answers.num_rows:  # a file may have no answer to any question of a split
            return LABELS.empty_table()
        if of_several(answers):  # annotators under their own names
            return label_answers(answers, seed=seed)
        return label_answers(answers, seed=seed, **self.recipe.reliability.settings())

    def _member(self, place: int) -> Member:
        """What supervisor `place` of the recipe answered to the test."""
        seeds = self.recipe.seeds
        sources = [self.runner.tune_supervisor(place, seed) for seed in seeds]
        tables = [
            self._answers(who, "test", seed=k, full=True, shown=True) for who, k in zip(sources, seeds, strict=True)
        ]
        return Member(
            self.recipe.supervisors[place].name,
            tuned_on(sources[0]),
            self._unanswered(tables[0]),
            tables,
            [one_value_each(table, seed) for table, seed in zip(tables, seeds, strict=True)],
            [values_of(self._labels(table, seed)) for table, seed in zip(tables, seeds, strict=True)],
        )

    def _together(self, tables: dict[str, list[pa.Table]]) -> dict[str, Sequence[Mapping[str, Any]]]:
        """Votes of each of several supervisors, their majority, and what they decide jointly; `tables` gets answers."""
        seeds = self.recipe.seeds
        rounds = [pa.concat_tables(each) for each in zip(*(each.identity for each in self.members), strict=True)]
        majority = [
            values_of(label_answers(table, estimator="majority", seed=seed))
            for seed, table in zip(seeds, rounds, strict=True)
        ]
        tables |= {"majority": rounds, **{f"vote:{each.name}": list(each.answers) for each in self.members}}
        answers: dict[str, Sequence[Mapping[str, Any]]] = {f"vote:{each.name}": each.vote for each in self.members}
        places = self.cell.supervisors
        if obstacle(self.recipe, places) is None:
            sources = [together(self.runner, places, seed) for seed in seeds]
            joint = [self._answers(each, "test", seed=k, shown=True) for each, k in zip(sources, seeds, strict=True)]
            answers["joint"] = [identity_values(table) for table in joint]
            tables["joint"] = [identity_answers(table) for table in joint]
        return {**answers, "majority": majority}

    def _with_means(self, paired: ev.PairedScores) -> ev.PairedScores:
        """With floor and vote of several supervisors: the means over them."""
        for name in () if self.unanswered or not self.members else ("floor", "vote"):
            paired = paired.with_mean(name, [f"{name}:{each.name}" for each in self.members])
        return paired

    def _unanswered(self, answers: pa.Table) -> int:
        """Test questions whose identity wording a file has no answer to, not even one that could not be parsed."""
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
