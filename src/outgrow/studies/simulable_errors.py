"""Errors that a student can simulate, and errors it cannot (arXiv 2312.09390, appendix E.1), on handwritten digits.

A weak classifier sees the first k of 64 pixels; a student sees all of them and so can be the weak classifier exactly.
Taught by it, the student learns its errors; taught by gold with as many errors at random, it leaves them behind.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Bool, Float, Int
from outgrow.evaluation import Joint, gap_recovered
from outgrow.reporting.figures.drawn import CONTROL, INK, METHOD, MUTED, Drawn, data_table
from outgrow.reporting.formatting import share
from outgrow.studies.base import Study

PIXELS = (16, 24, 32)
PENALTIES = (0.03, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of the L2 penalty; each student takes the one that agrees best with held-out labels of its own."""
TRAIN, HELD_OUT, TEST = 300, 200, 350
"""Images for the weak classifier, for choosing penalties, and for the test; students learn from the rest, 947."""


class Splits(NamedTuple):
    """Places of images."""

    weak: Int[np.ndarray, "weak"]
    student: Int[np.ndarray, "student"]
    held_out: Int[np.ndarray, "held"]
    test: Int[np.ndarray, "test"]


def simulable_errors(seeds: Sequence[int]) -> Study:
    """Which errors are left behind: those of a classifier of fewer pixels, which a student can be, or random ones."""
    from sklearn.datasets import load_digits
    from threadpoolctl import threadpool_limits

    images, digits = load_digits(return_X_y=True)
    pixels = np.asarray(images, dtype=np.float64) / 16
    drawn = np.random.default_rng(0).permutation(len(digits))  # one test set for all seeds: intervals are paired
    found: dict[tuple[int, str], list[Bool[np.ndarray, "test"]]] = {}
    limits = threadpool_limits(1)  # matrices this small lose time with several threads
    for seed in seeds:
        rest = np.random.default_rng([1, seed]).permutation(drawn[TEST:])
        splits = Splits(rest[:TRAIN], rest[TRAIN + HELD_OUT :], rest[TRAIN : TRAIN + HELD_OUT], drawn[:TEST])
        ceiling = _student(pixels, digits, splits) == digits[splits.test]
        for k in PIXELS:
            for arm, right in _of_weak(pixels, digits, splits, k, seed).items():
                found.setdefault((k, arm), []).append(right)
            found.setdefault((k, "ceiling"), []).append(ceiling)
    limits.restore_original_limits()
    rows = []
    for k in PIXELS:
        arms = ("weak", "simulable", "random labels", "random", "ceiling")
        joint = Joint({arm: np.array(found[k, arm], dtype=np.float64) for arm in arms}, np.arange(TEST))
        for errors, floor in (("simulable", "weak"), ("random", "random labels")):
            pgr = gap_recovered(joint, errors, floor=floor, ceiling="ceiling")
            means = [joint.interval({arm: 1}).value for arm in (floor, errors, "ceiling")]
            rows.append((k, errors, *means, pgr.value, pgr.low, pgr.high))
    names = ("pixels", "errors", "labels", "student", "ceiling", "pgr", "low", "high")
    table = data_table(names, rows)
    return Study(table, _draw(table), _words(table))


def _of_weak(
    pixels: Float[np.ndarray, "images 64"], digits: Int[np.ndarray, "images"], splits: Splits, k: int, seed: int
) -> dict[str, Bool[np.ndarray, "test"]]:
    """Who is right on the test images: a classifier of k pixels, its student, random labels, and their student."""
    weak = _fit(pixels[splits.weak, :k], digits[splits.weak], 1.0)
    said = weak.predict(pixels[:, :k])
    random = digits.copy()
    draw = np.random.default_rng([2, seed, k])
    for part in (splits.student, splits.held_out, splits.test):  # as many errors in each part as the classifier has
        wrong = draw.choice(part, int((said[part] != digits[part]).sum()), replace=False)
        random[wrong] = (random[wrong] + draw.integers(1, 10, len(wrong))) % 10
    truth = digits[splits.test]
    return {
        "weak": said[splits.test] == truth,
        "simulable": _student(pixels, said, splits) == truth,
        "random labels": random[splits.test] == truth,
        "random": _student(pixels, random, splits) == truth,
    }


def _student(
    pixels: Float[np.ndarray, "images 64"], labels: Int[np.ndarray, "images"], splits: Splits
) -> Int[np.ndarray, "test"]:
    """What a student of these labels says of the test images."""
    models = [_fit(pixels[splits.student], labels[splits.student], c) for c in PENALTIES]
    agreement = [float((m.predict(pixels[splits.held_out]) == labels[splits.held_out]).mean()) for m in models]
    said: Int[np.ndarray, "test"] = models[int(np.argmax(agreement))].predict(pixels[splits.test])
    return said


def _fit(pixels: Float[np.ndarray, "n features"], labels: Int[np.ndarray, "n"], c: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where labels are separable there is no end
        return LogisticRegression(C=c, max_iter=300, tol=1e-3).fit(pixels, labels)


def _draw(table: pa.Table) -> Drawn:
    from outgrow.reporting.figures.style import canvas, house_style, to_svg

    with house_style():
        figure = canvas(5.2, 3.2)
        axes = figure.subplots()
        for place, (errors, colour) in enumerate((("simulable", METHOD), ("random", CONTROL))):
            rows = [row for row in table.to_pylist() if row["errors"] == errors]
            xs = [i + (place - 0.5) * 0.38 for i in range(len(rows))]
            axes.bar(xs, [row["pgr"] for row in rows], width=0.36, color=colour, alpha=0.8, label=f"{errors} errors")
            for x, row in zip(xs, rows, strict=True):
                axes.plot([x, x], [row["low"], row["high"]], color=INK, linewidth=1.0)
        axes.set_xticks(range(len(PIXELS)), [f"{k} pixels" for k in PIXELS])
        for y in (0.0, 1.0):
            axes.axhline(y, color=MUTED, linewidth=0.8)
        axes.yaxis.set_major_formatter(lambda y, _: share(y, 1))
        axes.set_ylabel("PGR", fontsize=8)
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0.0, 0.95))
        return Drawn(
            key="simulable_errors",
            title="Errors a student can simulate",
            caption="Performance gap recovered by a logistic regression on all pixels of handwritten digits, taught by "
            "one on the first few pixels, and by gold with as many errors at random; 95 % intervals.",
            alt="Bars of recovered gap for simulable and random errors by the weak classifier's pixels.",
            svg=to_svg(figure), data=table, wide=False,
        )  # fmt: skip


def _words(table: pa.Table) -> tuple[str, ...]:
    return tuple(
        f"{row['pixels']} pixels, {row['errors']} errors: labels {row['labels']:.1%} right, student "
        f"{row['student']:.1%}, ceiling {row['ceiling']:.1%}, PGR {share(row['pgr'])} "
        f"[{share(row['low'])}, {share(row['high'])}]."
        for row in table.to_pylist()
    )
