"""Delta learning in a linear model (arXiv 2507.06187, equations 4 to 7 of our notes): theory against simulation.

Three questions. Does the best step along the difference of two teachers bring what equation 5 says? Does equation 6
say whether the first step helps, when the teachers' errors are correlated with the student's? And what does the whole
way of online training look like: on the difference, on the difference reversed, on either teacher's labels?
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float
from outgrow.evaluation.delta import accuracy_of, after_step, best_step, slope
from outgrow.reporting.figures.drawn import CONTROL, INK, METHOD, MUTED, ORACLE, WRONG, Drawn, data_table
from outgrow.studies.base import Study

CASES = ((0.8, 0.6, 0.4), (0.5, 0.4, 0.1), (0.8, 0.5, 0.2), (0.6, 0.55, 0.3))
"""Cosines with the truth of a student, of the better teacher, and of the worse one."""
WIDTH = 2000
STEPS, BATCH, NORM, EVERY = 4000, 64, 3.0, 100
"""Of online training: steps, questions in each, length of the student at the start, steps per point."""
RATES = {"difference": 2e-3, "reversed": 2e-3, "chosen": 2e-2, "rejected": 2e-2}
"""Learning rates: labels pull less and less as they are learned, a difference pulls on."""
CORRELATIONS = (-0.6, -0.3, 0.0, 0.3, 0.6)
"""Of the student's error with those of either teacher."""
COLUMNS = ("part", "case", "x", "expected", "measured", "low", "high")


def delta_theory(seeds: Sequence[int]) -> Study:
    """When the difference of two weak teachers helps a better student: equations 4 to 7 against simulation."""
    rows = [*_best_steps(seeds), *_first_steps(), *_ways(list(seeds)[:2])]
    table = data_table(COLUMNS, rows)
    return Study(table, _draw(table), _words(table))


def directions(rng: np.random.Generator, width: int, cosines: Sequence[float]) -> list[Float[np.ndarray, "width"]]:
    """The truth (first), and unit vectors with these cosines to it whose other parts are drawn."""
    truth = np.zeros(width)
    truth[0] = 1.0
    found = [truth]
    for cosine in cosines:
        error = rng.standard_normal(width)
        error[0] = 0.0
        found.append(cosine * truth + math.sqrt(1 - cosine**2) * error / np.linalg.norm(error))
    return found


def cosine(one: Float[np.ndarray, "width"], other: Float[np.ndarray, "width"]) -> float:
    """Of the angle between two vectors."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _best_steps(seeds: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for case in CASES:
        best, measured = best_step(*case), []
        for seed in seeds:
            truth, student, chosen, rejected = directions(np.random.default_rng([0, seed]), WIDTH, case)
            measured.append(cosine(student + best.step * (chosen - rejected), truth))
        spread = [float(np.quantile(measured, q)) for q in (0.025, 0.975)]
        name = " ".join(f"{each:g}" for each in case)
        yield "best step", name, best.step, best.cosine, float(np.mean(measured)), *spread


def _first_steps() -> Iterator[tuple[Any, ...]]:
    """Slope of equation 6 against a short step, with errors of given correlation; exact, nothing is drawn."""
    student, chosen, rejected = CASES[0]
    step = 1e-4
    for with_chosen in CORRELATIONS:
        for with_rejected in CORRELATIONS:
            rest = math.sqrt(1 - with_chosen**2), math.sqrt(1 - with_rejected**2)
            truth, own = np.eye(4)[:2]
            models = [
                a * truth + math.sqrt(1 - a**2) * error
                for a, error in (
                    (student, own),
                    (chosen, with_chosen * own + rest[0] * np.eye(4)[2]),
                    (rejected, with_rejected * own + rest[1] * np.eye(4)[3]),
                )
            ]
            both = [cosine(models[0], each) for each in models[1:]]
            expected = slope(student, chosen, rejected, with_chosen=both[0], with_rejected=both[1])
            moved = cosine(models[0] + step * (models[1] - models[2]), truth)
            measured = (moved - student) / step
            yield (
                "first step",
                f"{with_chosen:g} {with_rejected:g}",
                with_chosen - with_rejected,
                expected,
                measured,
                measured,
                measured,
            )


def _ways(seeds: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Accuracy along online training, mean over seeds; expected for the difference by equation 5."""
    ways = [_way(seed) for seed in seeds]
    student, chosen, rejected = CASES[0]
    for name in ways[0]:
        for i, step in enumerate(range(0, STEPS + 1, EVERY)):
            values = [way[name][i] for way in ways]
            expected = math.nan
            if name in ("difference", "reversed"):
                sign = 1 if name == "difference" else -1
                moved = sign * step * RATES[name] / math.sqrt(2 * math.pi) / NORM
                expected = float(accuracy_of(after_step(moved, student, chosen, rejected)))
            yield "way", name, step, expected, float(np.mean(values)), min(values), max(values)


def _way(seed: int) -> Mapping[str, list[float]]:
    rng = np.random.default_rng([1, seed])
    truth, student, chosen, rejected = directions(rng, WIDTH, CASES[0])
    ways = {name: NORM * student for name in RATES}
    found: dict[str, list[float]] = {name: [float(accuracy_of(CASES[0][0]))] for name in ways}
    for step in range(1, STEPS + 1):
        x = rng.standard_normal((BATCH, WIDTH), dtype=np.float32)
        labels = [(x @ each.astype(np.float32) >= 0).astype(np.float32) for each in (chosen, rejected)]
        difference = labels[0] - labels[1]
        said = {name: 1 / (1 + np.exp(-(x @ ways[name].astype(np.float32)))) for name in ("chosen", "rejected")}
        pull = {
            "difference": difference, "reversed": -difference,
            "chosen": labels[0] - said["chosen"], "rejected": labels[1] - said["rejected"],
        }  # fmt: skip
        moves = np.stack(list(pull.values())) @ x / BATCH
        for name, move in zip(pull, moves, strict=True):
            ways[name] = ways[name] + RATES[name] * move
            if step % EVERY == 0:
                found[name].append(float(accuracy_of(cosine(ways[name], truth))))
    return found


def _draw(table: pa.Table) -> Drawn:
    from outgrow.reporting.figures.style import canvas, heading, house_style, to_svg

    rows = table.to_pylist()
    with house_style():
        figure = canvas(9.6, 3.1)
        left, middle, right = figure.subplots(1, 3)
        for axes, part, text in (
            (left, "best step", "cosine after the best step"), (middle, "first step", "slope at the first step")
        ):  # fmt: skip
            here = [row for row in rows if row["part"] == part]
            ends = [f(row[side] for row in here for side in ("expected", "measured")) for f in (min, max)]
            axes.plot(ends, ends, color=MUTED, linewidth=0.8)
            axes.plot([r["expected"] for r in here], [r["measured"] for r in here], "o", color=METHOD, markersize=4)
            heading(axes, text)
            axes.set_xlabel("expected")
        left.set_ylabel("measured")
        colours = {"difference": METHOD, "reversed": WRONG, "chosen": ORACLE, "rejected": CONTROL}
        for name, colour in colours.items():
            way = [row for row in rows if row["part"] == "way" and row["case"] == name]
            steps = [row["x"] for row in way]
            right.plot(steps, [row["measured"] for row in way], color=colour, label=name)
            if not math.isnan(way[0]["expected"]):
                right.plot(steps, [row["expected"] for row in way], color=INK, linewidth=0.8, linestyle=":")
        right.legend(fontsize=7)
        right.set_xlabel("steps of online training")
        heading(right, "accuracy")
        return Drawn(
            key="delta_theory",
            title="Learning from a difference, in a linear model",
            caption="Left and middle: what equations 5 and 6 expect, and what a simulation finds. Right: accuracy "
            "along the way of online training on the difference of two teachers, on its reverse, and on either "
            "teacher's labels; dotted: equation 5. The best place is on the way and not at its end.",
            alt="Scatters of expected and measured values on the diagonal; accuracy against steps of four arms.",
            svg=to_svg(figure), data=table,
        )  # fmt: skip


def _words(table: pa.Table) -> tuple[str, ...]:
    rows = table.to_pylist()
    words = [
        f"Cosines {row['case']}: best step {row['x']:.5f}, cosine {row['expected']:.5f} expected and "
        f"{row['measured']:.5f} measured."
        for row in rows
        if row["part"] == "best step"
    ]
    first = [row for row in rows if row["part"] == "first step"]
    same = sum((row["expected"] > 0) == (row["measured"] > 0) for row in first)
    words.append(f"Equation 6 tells the sign of the first step in {same} of {len(first)} cases.")
    for name in ("difference", "reversed", "chosen", "rejected"):
        way = [row["measured"] for row in rows if row["part"] == "way" and row["case"] == name]
        words.append(
            f"Trained on {name}: accuracy from {way[0]:.3f} by way of at most {max(way):.3f} to {way[-1]:.3f}."
        )
    return tuple(words)
