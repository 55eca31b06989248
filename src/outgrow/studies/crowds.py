"""Simulated crowds: does a model of annotators say how sure it may be, how good everybody is, and who copies whom?

Plain Dawid-Skene takes annotators for independent. Here some copy, tasks are hard or lure many to the same wrong label,
classes are skewed, answers few: what then are its probabilities worth, and those of `RobustDawidSkene`, with and
without looking for copies?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float, Int
from outgrow.evaluation import ece
from outgrow.reliability.annotators import AnnotatorModel, DawidSkene, RobustDawidSkene, annotator_table
from outgrow.reporting.figures.drawn import CONTROL, INK, METHOD, MUTED, Drawn, data_table
from outgrow.studies.base import Study


@dataclass(frozen=True)
class Crowd:
    """How a crowd is made.

    Attributes:
        tasks: how many.
        annotators: who answer by their own lights, named a00, a01, ...
        answers: of such annotators to each task.
        prior: P(class).
        skill: Beta distribution of annotators' accuracies, above chance.
        hard: share of tasks whose answers are guesses in seven of ten cases.
        lure: share of tasks on which six of ten answers are drawn to one wrong label, the same for everybody.
        copies: rate at which each further annotator (b00, b01, ...) repeats the one named; they answer eight of ten of
            that one's tasks.
        spammers: how many further annotators (s00, ...) always say the first label.
        adversaries: how many (x00, ...) say the next label instead of the right one in nine of ten cases.
    """

    tasks: int = 1000
    annotators: int = 20
    answers: int = 5
    prior: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    skill: tuple[float, float] = (8.0, 3.0)
    hard: float = 0.0
    lure: float = 0.0
    copies: tuple[tuple[str, float], ...] = ()
    spammers: int = 0
    adversaries: int = 0


@dataclass(frozen=True)
class SimulatedCrowd:
    """Answers and what is true of them.

    Attributes:
        answers: columns `example_id`, `source`, `value`.
        gold: the right label of every task.
        accuracy: expected accuracy of every annotator.
        copies: pairs of annotators of whom one copies the other, sorted; two who copy the same one too.
    """

    answers: pa.Table
    gold: Mapping[str, str]
    accuracy: Mapping[str, float]
    copies: frozenset[tuple[str, str]]


SKEWED = (0.85, 0.08, 0.05, 0.02)
COPYING = (("a00", 0.9), ("a00", 0.9), ("a01", 0.5))
CROWDS = {
    "independent": Crowd(),
    "copies": Crowd(copies=COPYING),
    "hard tasks": Crowd(hard=0.3),
    "hard tasks, copies": Crowd(hard=0.3, copies=COPYING),
    "lures": Crowd(lure=0.2),
    "skewed classes": Crowd(prior=SKEWED),
    "skewed classes, copies": Crowd(prior=SKEWED, copies=COPYING),
    "skewed classes, hard tasks": Crowd(prior=SKEWED, hard=0.3),
    "skewed classes, hard tasks, copies": Crowd(prior=SKEWED, hard=0.3, copies=COPYING),
    "two classes, copies": Crowd(prior=(0.5, 0.5), hard=0.2, copies=COPYING),
    "few answers": Crowd(tasks=400, answers=4),
    "few answers, copies": Crowd(tasks=400, answers=4, copies=COPYING),
}
COLUMNS = ("crowd", "model", "right", "sure", "ece", "coverage", "pairs_found", "pairs_missed", "pairs_wrong")


def simulate(crowd: Crowd, seed: int) -> SimulatedCrowd:
    """A crowd drawn at random."""
    rng = np.random.default_rng([seed, 18])
    n, m, k = crowd.tasks, crowd.annotators, len(crowd.prior)
    truth = rng.choice(k, n, p=crowd.prior)
    kind = rng.choice(3, n, p=[1 - crowd.hard - crowd.lure, crowd.hard, crowd.lure])
    lured = (truth + rng.integers(1, k, n)) % k
    tables, who = _tables(rng, crowd), np.argsort(rng.random((n, m)), axis=1)[:, : crowd.answers]
    label = np.full((n, m + len(crowd.copies) + crowd.spammers + crowd.adversaries), -1)
    row = np.repeat(np.arange(n), crowd.answers), who.ravel()
    label[row] = _drawn(rng, _chances(tables[row[1], truth[row[0]]], kind[row[0]], lured[row[0]]))
    names = [f"a{i:02d}" for i in range(m)]
    for i, (of, rate) in enumerate(crowd.copies):
        source, at = names.index(of), m + i
        names.append(f"b{i:02d}")
        there = np.flatnonzero((label[:, source] >= 0) & (rng.random(n) < 0.8))
        alone = _drawn(rng, _chances(tables[at, truth[there]], kind[there], lured[there]))
        label[there, at] = np.where(rng.random(len(there)) < rate, label[there, source], alone)
    for i in range(crowd.spammers + crowd.adversaries):
        spams = i < crowd.spammers
        names.append(f"s{i:02d}" if spams else f"x{i - crowd.spammers:02d}")
        asked = np.flatnonzero(rng.random(n) < crowd.answers / m)
        turned = np.where(rng.random(n) < 0.9, (truth + 1) % k, truth)
        label[asked, len(names) - 1] = 0 if spams else turned[asked]
    task, annotator = np.nonzero(label >= 0)
    answers = pa.table(
        {
            "example_id": [f"t{i:05d}" for i in task],
            "source": [names[i] for i in annotator],
            "value": ["abcdefghijklmnopqrstuvwxyz"[i] for i in label[task, annotator]],
        }
    )
    gold = {f"t{i:05d}": "abcdefghijklmnopqrstuvwxyz"[c] for i, c in enumerate(truth)}
    return SimulatedCrowd(answers, gold, _accuracies(crowd, tables, names), _pairs(crowd))


def crowds(seeds: Sequence[int]) -> Study:
    """Annotators who copy, hard tasks, skew: are probabilities calibrated, intervals true, copies found?"""
    rows = []
    for name, crowd in CROWDS.items():
        simulated = [simulate(crowd, seed) for seed in seeds]
        for model in ("Dawid-Skene", "robust, copies not sought", "robust"):
            rows.append((name, model, *_measured(model, simulated)))
    table = data_table(COLUMNS, rows)
    return Study(table, _draw(table), _words(table))


def _model(name: str) -> AnnotatorModel:
    if name == "Dawid-Skene":
        return DawidSkene(prior=0.0)
    return RobustDawidSkene(copies=name == "robust")


def _measured(name: str, simulated: Sequence[SimulatedCrowd]) -> tuple[Any, ...]:
    """Means over seeds: share of right labels, mean probability, ECE, coverage of 95 % intervals; pairs in all."""
    right, sure, errors, covered = [], [], [], []
    pairs = np.zeros(3, np.int64)
    for crowd in simulated:
        model = _model(name).fit(crowd.answers)
        labels = model.posterior_table()
        ids, values = labels["example_id"].to_pylist(), labels["value"].to_pylist()
        correct = np.array([crowd.gold[i] == value for i, value in zip(ids, values, strict=True)])
        probability = labels["reliability"].to_numpy()
        right.append(correct.mean())
        sure.append(probability.mean())
        errors.append(ece(probability, correct, draws=1).value)
        for row in annotator_table(model).to_pylist():
            covered.append(row["low"] <= crowd.accuracy[row["annotator"]] <= row["high"])
        copies = model.copies_.to_pylist() if isinstance(model, RobustDawidSkene) else []
        reported = {(row["annotator"], row["other"]) for row in copies}
        direct = {pair for pair in crowd.copies if pair[0].startswith("a")}
        pairs += [len(reported & direct), len(direct - reported), len(reported - crowd.copies)]
    return float(np.mean(right)), float(np.mean(sure)), float(np.mean(errors)), float(np.mean(covered)), *pairs.tolist()


def _tables(rng: np.random.Generator, crowd: Crowd) -> Float[np.ndarray, "annotators classes classes"]:
    """P(label | right class) of those who answer by their own lights and of copiers, when they do not copy."""
    m, k = crowd.annotators + len(crowd.copies), len(crowd.prior)
    skill = 1 / k + (1 - 1 / k) * rng.beta(*crowd.skill, m)
    tables = np.empty((m, k, k))
    for i in range(m):
        for c in range(k):
            accuracy = np.clip(skill[i] + 0.05 * rng.standard_normal(), 0.02, 0.98)
            others = np.arange(k) != c
            tables[i, c, others] = (1 - accuracy) * rng.dirichlet(np.full(k - 1, 5.0))
            tables[i, c, c] = accuracy
    return tables


def _chances(
    table: Float[np.ndarray, "answers classes"], kind: Int[np.ndarray, "answers"], lured: Int[np.ndarray, "answers"]
) -> Float[np.ndarray, "answers classes"]:
    k = table.shape[1]
    hard, lure = 0.3 * table + 0.7 / k, 0.4 * table + 0.6 * np.eye(k)[lured]
    return np.where(kind[:, None] == 1, hard, np.where(kind[:, None] == 2, lure, table))


def _drawn(rng: np.random.Generator, p: Float[np.ndarray, "answers classes"]) -> Int[np.ndarray, "answers"]:
    return np.asarray((rng.random(len(p))[:, None] > p.cumsum(axis=1)[:, :-1]).sum(axis=1))


def _accuracies(
    crowd: Crowd, tables: Float[np.ndarray, "annotators classes classes"], names: Sequence[str]
) -> dict[str, float]:
    k = len(crowd.prior)
    plain = tables[:, range(k), range(k)] @ np.array(crowd.prior)
    clear = 1 - crowd.hard - crowd.lure
    alone = clear * plain + crowd.hard * (0.3 * plain + 0.7 / k) + crowd.lure * 0.4 * plain
    accuracy = dict(zip(names, alone.tolist(), strict=False))
    for i, (of, rate) in enumerate(crowd.copies):
        accuracy[f"b{i:02d}"] = rate * accuracy[of] + (1 - rate) * accuracy[f"b{i:02d}"]
    accuracy |= {f"s{i:02d}": crowd.prior[0] for i in range(crowd.spammers)}
    return accuracy | {f"x{i:02d}": 0.1 for i in range(crowd.adversaries)}


def _pairs(crowd: Crowd) -> frozenset[tuple[str, str]]:
    """Copiers with their source, and with those who copy the same."""
    pairs = {(of, f"b{i:02d}") for i, (of, _) in enumerate(crowd.copies)}
    pairs |= {
        (f"b{i:02d}", f"b{j:02d}")
        for i, (of, _) in enumerate(crowd.copies)
        for j, (other, _) in enumerate(crowd.copies)
        if i < j and of == other
    }
    return frozenset(pairs)


def _draw(table: pa.Table) -> Drawn:
    from outgrow.reporting.figures.style import canvas, house_style, to_svg

    with house_style():
        figure = canvas(6.4, 3.4)
        axes = figure.subplots()
        rows = table.to_pylist()
        for place, (model, colour) in enumerate(
            (("Dawid-Skene", CONTROL), ("robust, copies not sought", MUTED), ("robust", METHOD))
        ):
            heights = [row["ece"] for row in rows if row["model"] == model]
            axes.barh(
                [i + (place - 1) * 0.27 for i in range(len(heights))], heights, height=0.25, color=colour, label=model
            )
        axes.set_yticks(range(len(CROWDS)), list(CROWDS), fontsize=7)
        axes.invert_yaxis()
        axes.set_xlabel("expected calibration error of the labels' probabilities", fontsize=8, color=INK)
        axes.legend(fontsize=7, loc="lower right")
        return Drawn(
            key="crowds",
            title="What probabilities of labels are worth",
            caption="Expected calibration error (15 bins of equal mass) of the probability that a label is right, for "
            "simulated crowds, mean over seeds.",
            alt="Bars of calibration error by crowd and model; plain Dawid-Skene has the longest.",
            svg=to_svg(figure), data=table, wide=False,
        )  # fmt: skip


def _words(table: pa.Table) -> tuple[str, ...]:
    return tuple(
        f"{row['crowd']}, {row['model']}: {row['right']:.1%} of the labels right, stated {row['sure']:.1%}, ECE "
        f"{row['ece']:.3f}, {row['coverage']:.1%} of the intervals of accuracy hold the truth; copying pairs: "
        f"{row['pairs_found']} found, {row['pairs_missed']} missed, {row['pairs_wrong']} wrong."
        for row in table.to_pylist()
    )
