"""From the store's artefacts to numbers: the one place where students' answers meet gold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from outgrow import evaluation as ev
from outgrow.core.lab import Source, Student
from outgrow.core.tables import LABELS, Example, iter_examples
from outgrow.experiment.cells import Cell, cell_folder, cells_of
from outgrow.experiment.graph import Done, zero_shot
from outgrow.experiment.lab import identity_answers
from outgrow.experiment.question_tables import questions_of
from outgrow.experiment.results.estimates import accuracy_by_decoys, accuracy_by_votes, calibration_quality
from outgrow.experiment.results.labels import label_quality, mean_of
from outgrow.experiment.results.models import models_of
from outgrow.experiment.results.plain import clean, without_places
from outgrow.experiment.results.tables import answers_table, labels_table
from outgrow.experiment.results.views import Seed, Split
from outgrow.experiment.step_runner import StepRunner, gold_values, identity_values
from outgrow.methods import METHODS
from outgrow.recipe.recipe import Recipe
from outgrow.reliability import agreement
from outgrow.reliability.agreement import as_floats
from outgrow.store import Store
from outgrow.tasks.benchmarks import BenchmarkTask
from outgrow.tasks.equivalence import in_form_of, same_as
from outgrow.tasks.splits import contradictions, normalise_text, overlap
from outgrow.tasks.table import TableTask

FORMAT = 2
Scores = Float[np.ndarray, "seeds questions"]


def collect(
    recipe: Recipe, store: Store, done: Sequence[Done]
) -> tuple[dict[str, Any], dict[str, pa.Table], list[Any]]:
    """Results, tables and models of a finished run.

    Returns:
        results: what becomes `results.json`; no time, host or path in it.
        tables: file name to table; of several cells each in a folder of its own.
        models: name, hash and size of each model, for the provenance.
    """
    runner = StepRunner(recipe, store, questions=questions_of(recipe))
    runner.reword()
    cells = [_Cell(runner, place, cell, done) for place, cell in enumerate(cells_of(recipe))]
    results = {
        "format": FORMAT,
        "name": recipe.name,
        "recipe": without_places(recipe.resolved()),
        "seeds": list(recipe.seeds),
        "task": cells[0].describe_task(),
        "primary": None if recipe.primary is None else recipe.primary.model_dump(),
        "cells": [cell.results() for cell in cells],
    }
    tables = {f"{cell.folder}{name}": table for cell in cells for name, table in cell.tables().items()}
    return clean(results), tables, models_of(runner, recipe)


class _Cell:
    """Results of some supervisors and one student; methods of one supervisor take the first."""

    def __init__(self, runner: StepRunner, place: int, cell: Cell, done: Sequence[Done]) -> None:
        assert isinstance(runner.recipe, Recipe)
        self.recipe, self.runner, self.cell = runner.recipe, runner, cell
        self.folder = cell_folder(cell.name)
        self.test, self.pool = self._split("test"), self._split("pool")
        self.known = self._split("known") if "known" in runner.task.splits else None
        owned = gold_values(runner.gold("supervisor_train")) if "supervisor_train" in runner.task.splits else {}
        self.trained_on = {**owned, **self.pool.gold}  # gold of every question that training rows may be about
        self.answered_freely = self._answered_freely()
        recipe = self.recipe
        self.seeds = [self._seed(seed) for seed in recipe.seeds]
        here = [d for d in done if d.job.arm is not None and d.job.place == place]
        self.students = {(d.job.arm, d.job.seed): d for d in here}
        self.zero_answers = identity_values(self._answers(zero_shot(runner, cell.student), "test"))
        self.unanswered = self._unanswered()
        self.said: dict[str, list[dict[str, str]]] = {}
        self.unparsed: dict[str, float] = {}
        for arm in recipe.methods:
            tables = [self._answers(self._student(arm.id, seed), "test") for seed in recipe.seeds]
            self.said[arm.id] = [identity_values(table) for table in tables]
            self.unparsed[arm.id] = float(np.mean([table["value"].null_count / table.num_rows for table in tables]))
        predicted: dict[str, Sequence[Mapping[str, Any]]] = {
            "zero_shot": [self.zero_answers] * len(recipe.seeds),
            **{f"arm:{a}": saids for a, saids in self.said.items()},
        }
        if not self.unanswered:  # a supervisor that was not asked the test has no accuracy there
            predicted["floor"] = [s.floor for s in self.seeds]
            predicted["vote"] = [_values(s.test) for s in self.seeds]
        bootstrap = ev.Bootstrap(self.test.groups, len(recipe.seeds), draws=recipe.evaluation.draws)
        by_metric = {
            name: ev.PairedScores.of(ev.METRICS.require(name), bootstrap, self.test.ids, predicted, self.test.gold)
            for name in ("accuracy", *recipe.evaluation.metrics)
        }
        self.paired = by_metric.pop("accuracy")
        self.further = by_metric
        self.scores: dict[str, Scores] = {name: arm[..., 0] for name, arm in self.paired.arms.items()}

    def _student(self, arm: str, seed: int) -> Student:
        done = self.students[arm, seed]
        assert done.student is not None
        assert done.base is not None
        self.runner.adopt(done.student, done.base)
        return done.student

    def _split(self, name: str) -> Split:
        from outgrow.tasks.microworld.task import stratum_of

        table = self.runner.examples(name)
        groups = table["group_id"].to_pylist()
        codes = {g: i for i, g in enumerate(dict.fromkeys(groups))}
        return Split(
            tuple(table["example_id"].to_pylist()),
            np.array([codes[g] for g in groups], dtype=np.int64),
            tuple(table["question"].to_pylist()),
            tuple(table["choices"].to_pylist()),
            tuple(stratum_of(meta) for meta in table["meta"].to_pylist()),
            gold_values(self.runner.gold(name)),
        )

    def _answers(self, source: Source, split: str, **asked: Any) -> pa.Table:
        """Answers with gold's own form where they equal gold; nobody but the results sees this form."""
        own = {"test": self.test, "pool": self.pool, "known": self.known}[split]
        assert own is not None
        answers = self.runner.answer(source, split, **{"seed": 0, "full": False, **asked})
        return in_form_of(self.runner.plain_task, own.gold, answers)

    def _answered_freely(self) -> dict[str, Example]:
        """Pool questions that are answered in the supervisor's own words, by id: training targets are whole texts."""
        if self.runner.task.classes is not None:
            return {}
        return {e.example_id: e for e in iter_examples(self.runner.examples("pool")) if e.choices is None}

    def _seed(self, seed: int) -> Seed:
        source = self.runner.tune_supervisor(self.cell.supervisors[0], seed)
        settings = {"seed": seed, **self.recipe.reliability.settings()}
        asked = {"seed": seed, "full": True, "shown": True}
        pool, test = self._answers(source, "pool", **asked), self._answers(source, "test", **asked)
        known = None if self.known is None else self._answers(source, "known", **asked)

        def labels(answers: pa.Table) -> pa.Table:  # a file may have no answer to any question of a split
            return agreement(answers, **settings) if answers.num_rows else LABELS.empty_table()

        return Seed(
            seed, source, pool, agreement(pool, **settings), labels(test), identity_values(test),
            None if known is None else labels(known),
        )  # fmt: skip

    def _unanswered(self) -> int:
        """Test questions whose identity wording a file has no answer to, not even one that could not be parsed."""
        first = self.seeds[0]
        said = self.runner.answer(first.supervisor, "test", seed=first.seed, full=True, shown=True)
        return len(set(self.test.ids) - set(identity_answers(said)["example_id"].to_pylist()))

    # Results ------------------------------------------------------------------------------------------------

    def results(self) -> dict[str, Any]:
        """What stands under `cells`."""
        recipe = self.recipe
        supervisor = recipe.supervisors[self.cell.supervisors[0]]
        return {
            "name": self.cell.name,
            "supervisors": [recipe.supervisors[i].name for i in self.cell.supervisors],
            "student": {
                "name": recipe.student_names[self.cell.student],
                "model": recipe.students[self.cell.student].model,
            },
            "supervisor": {
                "name": supervisor.name,
                "model": supervisor.described,
                "kind": supervisor.kind,
                "unanswered_test": self.unanswered,
                "missing_share": self._missing_share(),
                "floor": self._accuracy("floor"),
                "vote": self._accuracy("vote"),
                "variants": min(recipe.ask.variants, self.runner.task.n_variants),
                "samples": recipe.ask.samples,
            },
            "zero_shot": self._accuracy("zero_shot"),
            "arms": [self._arm(arm) for arm in recipe.methods],
            "comparisons": self._comparisons(),
            "reliability": {
                **label_quality(self.seeds, self.pool, **recipe.reliability.settings()),
                "label_free": self._label_free(),
                "calibration": calibration_quality(self.seeds, self.pool, self.known),
            },
            "strata": self._strata(),
            "metrics": self._further(),
        }

    def tables(self) -> dict[str, pa.Table]:
        """File name to table."""
        kept = [
            table.append_column("arm", pa.array([arm] * table.num_rows)).append_column(
                "seed", pa.array([seed] * table.num_rows, pa.int64())
            )
            for (arm, seed), done in self.students.items()
            if done.student is not None and (table := self.runner.checkpoint_answers(done.student)) is not None
        ]
        return {
            **({"checkpoint_answers.parquet": pa.concat_tables(kept)} if kept else {}),
            "answers.parquet": answers_table(self.seeds, self.test, self.zero_answers, self.said),
            "pool_labels.parquet": labels_table(self.seeds, self.pool),
        }

    def _label_free(self) -> dict[str, Any]:
        """Accuracy of the labels without gold: by decoys where the recipe asks for them, else from the votes."""
        decoys = self.runner.decoys
        if decoys is None:
            return accuracy_by_votes(self.runner.steps, self.seeds, self.pool, self._options())
        settings = self.recipe.reliability.settings()
        labels = [
            agreement(self.runner.answer_decoys(s.supervisor, seed=s.seed), seed=s.seed, **settings) for s in self.seeds
        ]
        return accuracy_by_decoys(self.seeds, self.pool, labels, decoys.key)

    def _options(self) -> dict[str, int] | None:
        """Pool question to its number of options; None for free answers."""
        classes = self.runner.task.classes
        sizes = [len(own or classes or ()) for own in self.pool.choices]
        return dict(zip(self.pool.ids, sizes, strict=True)) if all(size > 1 for size in sizes) else None

    def _missing_share(self) -> float:
        """Share of the pool's wordings that questions lack, of those a model or server should have been asked."""
        if self.recipe.supervisors[self.cell.supervisors[0]].kind == "file":
            return 0.0
        wanted = min(self.recipe.ask.variants, self.runner.task.n_variants) * self.recipe.ask.samples
        return 1 - float(np.mean([s.pool_answers.num_rows for s in self.seeds])) / (wanted * len(self.pool.ids))

    def _accuracy(self, name: str) -> dict[str, Any]:
        return _measured(self.paired, name)

    def _further(self) -> list[dict[str, Any]]:
        """Metrics beside accuracy: references and arms, each arm with its difference to naive training."""
        base = self._base()
        return [
            {
                "name": name,
                "higher_is_better": ev.METRICS.require(name).higher_is_better,
                **{reference: _measured(paired, reference) for reference in ("floor", "vote", "zero_shot")},
                "arms": {
                    arm.id: {
                        **_measured(paired, f"arm:{arm.id}"),
                        "difference": asdict(paired.difference(f"arm:{arm.id}", f"arm:{base}"))
                        if arm.id != base
                        else None,
                    }
                    for arm in self.recipe.methods
                },
            }
            for name, paired in self.further.items()
        ]

    def _base(self) -> str:
        """The arm that others are compared with: naive training, else the first."""
        arms = self.recipe.methods
        return next((arm.id for arm in arms if arm.name == "naive"), arms[0].id)

    def describe_task(self) -> dict[str, Any]:
        """The task's splits, and what a reader should know about them."""
        splits, mix, golds, plain = {}, {}, [], self.runner.plain_task
        tables = {name: self.runner.examples(name) for name in self.runner.task.splits}
        for name in tables:
            split = self._split(name)
            splits[name] = {"questions": len(split.ids), "groups": len(set(split.groups.tolist()))}
            mix[name] = {s: split.strata.count(s) for s in sorted(set(split.strata))}
            golds += [
                ((normalise_text(q), tuple(c or ())), split.gold[i])
                for i, q, c in zip(split.ids, split.questions, split.choices, strict=True)
            ]
        return {
            "name": self.runner.task.name,
            "splits": splits,
            "overlap": overlap(tables),
            "contradictory_gold": len(contradictions([key for key, _ in golds], [gold for _, gold in golds])),
            "audit": asdict(plain.audit) if isinstance(plain, BenchmarkTask | TableTask) else None,
            "mix": mix if any(set(m) != {""} for m in mix.values()) else None,
        }

    def _ceiling(self) -> str | None:
        names = [arm.id for arm in self.recipe.methods if arm.name == "strong_ceiling"]
        return f"arm:{names[0]}" if names else None

    def _gap(self, arm: str, floor: str) -> dict[str, Any]:
        ceiling = self._ceiling()
        if ceiling is None:
            missing = "the recipe has no strong_ceiling"
            return {"value": None, "low": None, "high": None, "defined": False, "undefined_draws": 0, "reason": missing}
        if self.unanswered:
            missing = f"the supervisor was not asked {self.unanswered} of {len(self.test.ids)} test questions"
            return {"value": None, "low": None, "high": None, "defined": False, "undefined_draws": 0, "reason": missing}
        return asdict(self.paired.gap_recovered(f"arm:{arm}", floor=floor, ceiling=ceiling))

    def _arm(self, arm: Any) -> dict[str, Any]:
        spec = METHODS[arm.name]
        done = [self.students[arm.id, seed] for seed in self.recipe.seeds]
        facts = [self.runner.fit_facts(d.student) for d in done if d.student is not None]
        rows = [self.runner.training_rows(d.student) for d in done if d.student is not None]
        return {
            "name": arm.id,
            "method": arm.name,
            "config": arm.config.model_dump(mode="json"),
            "uses_gold": spec.uses_gold,
            "control": spec.control,
            "doc": spec.doc,
            "accuracy": self._accuracy(f"arm:{arm.id}"),
            "pgr": self._gap(arm.id, "floor"),
            "pgr_vs_vote": self._gap(arm.id, "vote"),
            "elicited": self._gap(arm.id, "zero_shot"),
            "label_accuracy": [self._target_accuracy(table) for table in rows],
            "rows": [f["rows"] for f in facts],
            "questions": [f["questions"] for f in facts],
            "removed_rows": [f["removed_rows"] for f in facts],
            "steps": [f["steps"] for f in facts],
            "chosen_step": [f["chosen_step"] for f in facts],
            "asked": [d.asked for d in done],
            "known": [d.known for d in done],
            "label_mix": self._mix(rows),
            "agreement": self._agreement(arm.id),
            "curves": [
                {
                    "seed": seed,
                    "loss": [[h["step"], h["loss"]] for h in f["history"]],
                    "validation": [list(score) for score in f["scores"]],
                }
                for seed, f in zip(self.recipe.seeds, facts, strict=True)
            ],
            "unparsed_share": self.unparsed[arm.id],
            "notes": sorted({note for d in done for note in d.notes}),
            "stages": self._stages(done),
        }

    @staticmethod
    def _stages(done: Sequence[Done]) -> list[dict[str, Any]]:
        """Rows, steps and answers asked for by each training, of an arm that has several; per seed."""
        first = done[0].stages
        if len(first) < 2 or any(len(d.stages) != len(first) for d in done):
            return []
        return [
            {
                "name": stage.name,
                "rows": [d.stages[i].student.n_rows for d in done],
                "questions": [d.stages[i].student.n_questions for d in done],
                "steps": [d.stages[i].student.steps for d in done],
                "asked": [d.stages[i].asked for d in done],
            }
            for i, stage in enumerate(first)
        ]

    def _target_accuracy(self, rows: pa.Table) -> float:
        """Weighted share of rows whose target (its parsed answer, the most probable value) is right."""
        task = self.runner.task
        ids, values, weights = [], [], []
        for row in rows.select(["example_id", "variant", "target", "probabilities", "weight", "source"]).to_pylist():
            said = row["target"]
            if row["probabilities"] is not None:
                said = max(row["probabilities"], key=lambda pair: pair[1])[0]
            elif row["source"] != "gold" and (example := self.answered_freely.get(row["example_id"])) is not None:
                said = task.extract(said, example, task.wording(example, row["variant"]))
            ids.append(row["example_id"])
            values.append(said)
            weights.append(row["weight"])
        right = same_as(task, self.trained_on, ids, values)
        total = math.fsum(weights)
        return math.fsum(w for w, ok in zip(weights, right, strict=True) if ok) / total if total else math.nan

    def _mix(self, rows: Sequence[pa.Table]) -> dict[str, Any] | None:
        """Shares of label values among all consensus labels and among (weighted) training targets, over all seeds."""
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        for seed in self.seeds:
            for value in seed.pool["value"].to_pylist():
                if value is not None:
                    before[value] = before.get(value, 0.0) + 1
        for table in rows:
            for row in table.select(["target", "probabilities", "weight"]).to_pylist():
                shares = [(row["target"], 1.0)] if row["probabilities"] is None else row["probabilities"]
                for value, share in shares:
                    after[value] = after.get(value, 0.0) + row["weight"] * share
        if len(before) > 60 or not set(after) <= set(before) | set(self.pool.gold.values()):
            return None
        return {"before": _shares(before), "after": _shares(after)}

    def _agreement(self, arm: str) -> dict[str, Any]:
        """With the supervisor's identity answers on test, pooled over seeds."""
        student, teacher, right = [], [], []
        for said, seed in zip(self.said[arm], self.seeds, strict=True):
            student += [said.get(i) for i in self.test.ids]
            teacher += [seed.floor.get(i) for i in self.test.ids]
            right += [seed.floor.get(i) == self.test.gold[i] for i in self.test.ids]
        return asdict(ev.agreement_with_supervisor(student, teacher, np.array(right, dtype=bool)))

    def _comparisons(self) -> list[dict[str, Any]]:
        arms = [arm.id for arm in self.recipe.methods]
        base = self._base()
        pairs = [(a, base) for a in arms if a != base]
        primary = self.recipe.primary
        if primary is not None and (primary.a, primary.b) not in pairs:
            pairs.append((primary.a, primary.b))
        found = [self.paired.difference(f"arm:{a}", f"arm:{b}") for a, b in pairs]
        # Holm over the arms of the table; the primary comparison was named beforehand and stands alone.
        table = [i for i, pair in enumerate(pairs) if pair[1] == base]
        adjusted = dict(zip(table, ev.holm([found[i].p for i in table]), strict=True))
        return [
            {"a": a, "b": b, **asdict(d), "p_holm": adjusted.get(i, d.p)}
            for i, ((a, b), d) in enumerate(zip(pairs, found, strict=True))
        ]

    def _strata(self) -> list[dict[str, Any]]:
        names = sorted(set(self.test.strata) - {""})
        found = []
        for name in names:
            here = np.array([s == name for s in self.test.strata])
            pool_ids = {i for i, s in zip(self.pool.ids, self.pool.strata, strict=True) if s == name}
            reliability, right = [], []
            for seed in self.seeds:
                columns = zip(
                    seed.pool["example_id"].to_pylist(), seed.pool["value"].to_pylist(),
                    as_floats(seed.pool["reliability"]).tolist(), strict=True,
                )  # fmt: skip
                for i, value, r in columns:
                    if i in pool_ids:
                        reliability.append(r)
                        right.append(value is not None and value == self.pool.gold[i])
            found.append(
                {
                    "stratum": name,
                    "questions": int(here.sum()),
                    "floor": float(self.scores["floor"][:, here].mean()) if "floor" in self.scores else math.nan,
                    "zero_shot": float(self.scores["zero_shot"][:, here].mean()),
                    "arms": {a: float(self.scores[f"arm:{a}"][:, here].mean()) for a in self.said},
                    "consensus_accuracy": float(np.mean(right)) if right else math.nan,
                    "mean_reliability": mean_of(reliability),
                }
            )
        return found


def _measured(paired: ev.PairedScores, name: str) -> dict[str, Any]:
    """A metric's value with its interval, and per seed; nulls for a supervisor that was not asked the test."""
    if name not in paired.arms:
        return {"value": None, "low": None, "high": None, "per_seed": []}
    interval = paired.interval(name)
    return {"value": interval.value, "low": interval.low, "high": interval.high, "per_seed": paired.per_seed(name)}


def _values(labels: pa.Table) -> dict[str, str | None]:
    return dict(zip(labels["example_id"].to_pylist(), labels["value"].to_pylist(), strict=True))


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {value: counts[value] / total for value in sorted(counts)} if total else {}
