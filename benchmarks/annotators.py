"""Models of annotators beside crowd-kit's and cleanlab's: time, memory, and what their labels are worth.

python benchmarks/annotators.py [--tasks 200000] [--answers 5] [--classes 4] [--crowds FOLDER]

In turns, from the same votes in memory: twenty iterations of Dawid-Skene by ours (the votes counted, the model fitted)
and by crowd-kit, and the peak of memory of either in a process of its own. `--crowds` is a folder with `crowd_NAME.csv`
(task, worker, label) and `crowd_NAME_gold.csv` of real crowds: share of right labels, calibration of the stated
probabilities (ECE, 15 bins of equal mass) and negative log-likelihood of the right label, of every model of ours, of
crowd-kit's and of cleanlab's consensus.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from harness import Contestant, Report
from machine import PeakMemory

from outgrow.evaluation import ece
from outgrow.io import read_answers, read_gold
from outgrow.reliability.annotators import MODELS, CrowdVotes, DawidSkene, annotator_table, crowd_votes, make_model

CROWDS = Path(__file__).parents[2] / "shared" / "data"
ITERATIONS = 20


def make(tasks: int, answers: int, classes: int) -> pd.DataFrame:
    """A crowd of a thousand, as crowd-kit takes it."""
    rng = np.random.default_rng(0)
    truth, skill = rng.integers(0, classes, tasks), rng.uniform(0.5, 0.95, 1000)
    task, worker = np.repeat(np.arange(tasks), answers), rng.integers(0, 1000, tasks * answers)
    right = rng.random(len(task)) < skill[worker]
    label = np.where(right, truth[task], rng.integers(0, classes, len(task)))
    frame = pd.DataFrame({"task": task.astype(str), "worker": worker.astype(str), "label": label.astype(str)})
    return frame.drop_duplicates(["task", "worker"])


def as_table(frame: pd.DataFrame) -> pa.Table:
    """The same crowd, as ours takes it."""
    names = {"example_id": "task", "source": "worker", "value": "label"}
    return pa.table({ours: pa.array(frame[theirs], pa.string()) for ours, theirs in names.items()})


def ours(table: pa.Table) -> Any:
    """Dawid-Skene from a table of answers."""
    return DawidSkene(prior=0.0, n_iter=ITERATIONS, tol=-1.0).fit(table)


def crowd_kit(frame: pd.DataFrame) -> Any:
    """Dawid-Skene from a data frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from crowdkit.aggregation import DawidSkene as Theirs

        return Theirs(n_iter=ITERATIONS, tol=-1e9).fit(frame)


def speed(report: Report, options: Any) -> None:
    """Time in turns, memory each in a process of its own."""
    frame = make(options.tasks, options.answers, options.classes)
    table = as_table(frame)
    crowd_kit(frame.head(1000))  # imports
    times = harness.in_turns(
        [
            Contestant("ours", lambda: ours(table) and None),
            Contestant("crowd-kit DawidSkene", lambda: crowd_kit(frame) and None),
        ],
        rounds=options.rounds,
        seconds=options.seconds,
    )
    what = f"Dawid-Skene, {ITERATIONS} iterations, {len(frame):,} votes on {options.tasks:,} tasks"
    report.add(harness.compare(what, times, "ours", "crowd-kit DawidSkene", target=3.0, unit="s"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.parquet"
        frame.to_parquet(path)
        needed = {}
        for who in ("ours", "crowd-kit"):
            idle, busy = (
                harness.peak(__file__, {"who": who, "path": str(path), "fit": fit}, options) for fit in (0, 1)
            )
            needed[who] = busy - idle
    report.add(
        harness.at_most(
            f"{what}: memory beyond the votes", needed["ours"], needed["crowd-kit"], against="crowd-kit", target=1.0,
            unit="MiB",
        )
    )  # fmt: skip
    same = ours(table)
    theirs = crowd_kit(frame).probas_.loc[same.votes_.tasks.to_pylist(), same.votes_.classes.to_pylist()].to_numpy()
    worst = float(np.abs(same.posterior_ - theirs).max())
    report.add(
        harness.value(f"{what}: largest difference of posteriors", worst, unit="", target="<= 1e-06", met=worst <= 1e-6)
    )


def _alone(job: dict[str, Any]) -> None:
    """One contestant in a process of its own."""
    # imports, of both
    few = make(200, 3, 2)
    crowd_kit(few)
    ours(as_table(few))
    names = {"task": "example_id", "worker": "source", "label": "value"}
    table = pq.read_table(job["path"], columns=list(names)).rename_columns(list(names.values()))
    frame = None
    if job["who"] == "crowd-kit":
        frame, table = table.rename_columns(list(names)).to_pandas(), None
    peak = PeakMemory()
    if job["fit"]:
        ours(table) if frame is None else crowd_kit(frame)
    print(peak.mib())


def crowd(report: Report, folder: Path, name: str) -> None:
    """A table of all models on a real crowd."""
    answers = read_answers(folder / f"crowd_{name}.csv")
    votes = crowd_votes(answers)
    known = read_gold(folder / f"crowd_{name}_gold.csv")
    gold = dict(zip(known["example_id"].to_pylist(), known["value"].to_pylist(), strict=True))
    classes = votes.classes.to_pylist()
    right = np.array([classes.index(gold[task]) for task in votes.tasks.to_pylist()])
    rows: list[tuple[str, np.ndarray]] = []
    for each in MODELS:
        posterior = make_model(each).fit(votes).posterior_
        rows.append((f"ours: {each}", posterior.toarray() if hasattr(posterior, "toarray") else posterior))
    frame = answers.select(["example_id", "source", "value"]).rename_columns(["task", "worker", "label"]).to_pandas()
    rows += [(f"crowd-kit: {each}", posterior) for each, posterior in _crowd_kit_models(frame, votes)]
    rows += [("cleanlab: consensus", _cleanlab(frame, votes))]
    for each, posterior in rows:
        stated = posterior.max(axis=1)
        tied = (posterior >= stated[:, None] - 1e-9).sum(axis=1)
        correct = (posterior[np.arange(len(right)), right] >= stated - 1e-9) / tied  # ties are shared
        nll = -np.log(np.maximum(posterior[np.arange(len(right)), right], 1e-12)).mean()
        found = ece(np.minimum(stated, 1.0), posterior.argmax(axis=1) == right, draws=1).value
        report.note(
            f"{name}, {each}: {correct.mean():.4f} right, {stated.mean():.3f} stated, ECE {found:.3f}, "
            f"negative log-likelihood {nll:.3f}."
        )
    held = _intervals(votes, gold)
    report.note(f"{name}: {held:.1%} of the intervals of annotators' accuracy hold the share that is right by gold.")


def _crowd_kit_models(frame: pd.DataFrame, votes: CrowdVotes) -> list[tuple[str, np.ndarray]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from crowdkit import aggregation

        models: dict[str, Callable[[], Any]] = {
            "MajorityVote": aggregation.MajorityVote,
            "OneCoinDawidSkene": lambda: aggregation.OneCoinDawidSkene(n_iter=100),
            "DawidSkene": lambda: aggregation.DawidSkene(n_iter=100),
            "MACE": aggregation.MACE,
            "GLAD": aggregation.GLAD,
        }
        tasks, classes = votes.tasks.to_pylist(), votes.classes.to_pylist()
        return [
            (name, model().fit_predict_proba(frame).reindex(index=tasks, columns=classes).fillna(0).to_numpy())
            for name, model in models.items()
        ]


def _cleanlab(frame: pd.DataFrame, votes: CrowdVotes) -> np.ndarray:
    """Consensus with its quality, the rest spread evenly; shares of votes stand for a classifier, which it asks for."""
    from cleanlab.multiannotator import get_label_quality_multiannotator

    tasks, classes = votes.tasks.to_pylist(), votes.classes.to_pylist()
    wide = frame.pivot_table(index="task", columns="worker", values="label", aggfunc="first")
    wide = wide.loc[tasks].map(lambda label: classes.index(label) if isinstance(label, str) else np.nan)
    shares = np.clip(votes.shares.toarray(), 1e-3, None)
    found = get_label_quality_multiannotator(wide, shares / shares.sum(axis=1, keepdims=True), verbose=False)
    quality = found["label_quality"]
    chosen, stated = quality["consensus_label"].to_numpy().astype(int), quality["consensus_quality_score"].to_numpy()
    posterior = np.repeat((1 - stated)[:, None] / max(len(classes) - 1, 1), len(classes), axis=1)
    posterior[np.arange(len(tasks)), chosen] = stated
    return posterior


def _intervals(votes: CrowdVotes, gold: dict[str, str]) -> float:
    tasks, classes = votes.tasks.to_pylist(), votes.classes.to_pylist()
    correct = np.array([gold[tasks[t]] == classes[label] for t, label in zip(votes.task, votes.label, strict=True)])
    share = np.bincount(votes.annotator, correct, len(votes.annotators)) / votes.answered
    table = annotator_table(make_model("robust_dawid_skene").fit(votes))
    low, high = (table[name].to_numpy() for name in ("low", "high"))
    return float(((low <= share) & (share <= high)).mean())


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--answers", type=int, default=5)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--crowds", type=Path, default=CROWDS, help="a folder with files of real crowds")
    parser.add_argument("--peak", type=json.loads, help="(used by itself: peak memory of one contestant)")
    options = parser.parse_args()
    harness.start(options)
    if options.peak:
        _alone(options.peak)
        return
    if options.quick:
        options.tasks = 2000
    report = Report("annotators", "Models of annotators", options)
    speed(report, options)
    names = sorted(
        path.stem.removeprefix("crowd_").removesuffix("_gold") for path in options.crowds.glob("crowd_*_gold.csv")
    )
    for name in names:
        crowd(report, options.crowds, name)
    if not names:
        report.note("Real crowds: left out, there were no files of them.")
    report.write()


if __name__ == "__main__":
    main()
