"""The whole method suite beside the same arms as separate runs, and the cost of one more method.

python benchmarks/suite.py [--quick] [--seeds 5]

The demo's recipe made smaller. In turns, seed by seed: all arms in one experiment, and every arm in an experiment of
its own with a store of its own, as separate scripts would run them. All in one process, one job after the other, so
neither side pays for starting Python. The cost of one more method: an experiment without its last arm, then again with
it; what the second run takes is compared with the training and the test of that arm.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import harness
import yaml
from harness import Contestant, Report

TOGETHER, APART = "one experiment", "separate runs"


def demo() -> dict[str, Any]:
    """The shipped recipe as it is written."""
    from importlib import resources

    found: dict[str, Any] = yaml.safe_load(
        (resources.files("outgrow") / "recipes" / "demo.yaml").read_text(encoding="utf-8")
    )
    return found


def recipe_of(seeds: list[int], arms: list[Any] | None, share: float) -> Any:
    """The demo with `share` of its questions."""
    from outgrow.recipe.recipe import parse_recipe

    settings = demo()
    counts = {"supervisor_train": 500, "pool": 800, "validation": 100, "test": 2000}
    settings["task"]["questions"] = {name: max(20, round(count * share)) for name, count in counts.items()}
    settings |= {"seeds": seeds, "methods": arms or settings["methods"], "threads": 1}
    if arms:
        settings.pop("primary")
    return parse_recipe(settings, name="suite")


def carry_out(recipe: Any, folder: Path, store: str) -> tuple[float, list[dict[str, Any]]]:
    """Wall seconds of a run with its results, and the steps that it used."""
    from outgrow.execution.run import run_recipe

    start = time.perf_counter()
    with redirect_stderr(io.StringIO()):
        run = run_recipe(recipe, store=folder / store, out=folder / f"run-{store}", jobs=1)
    taken = time.perf_counter() - start
    steps: list[dict[str, Any]] = json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))["steps"]
    return taken, steps


class Seeds:
    """The two sides of the comparison, a seed a round.

    Attributes:
        work: seconds of the steps that each side made (tuning, answering, training), by side and round.
    """

    def __init__(self, share: float, arms: list[Any], apart: list[Any]) -> None:
        self.share, self.arms, self.apart_arms = share, arms, apart
        self.work: dict[str, list[float]] = {TOGETHER: [], APART: []}

    def together(self) -> None:
        """All arms of the next seed in one experiment."""
        self._carry_out(TOGETHER, [self.arms])

    def apart(self) -> float:
        """Arms of the next seed, each in an experiment of its own; seconds, scaled to all arms."""
        start = time.perf_counter()
        self._carry_out(APART, [[arm] for arm in self.apart_arms])
        scale = len(self.arms) / len(self.apart_arms)
        self.work[APART][-1] *= scale
        return (time.perf_counter() - start) * scale

    def _carry_out(self, side: str, experiments: list[list[Any]]) -> None:
        seed, total = len(self.work[side]), 0.0
        for arms in experiments:
            with tempfile.TemporaryDirectory() as folder:
                _, steps = carry_out(recipe_of([seed], arms, self.share), Path(folder), "store")
                total += sum(step["seconds"] for step in steps)
        self.work[side].append(total)


def all_arms() -> list[Any]:
    """The demo's arms as a recipe gives them."""
    return list(demo()["methods"])


def one_more(report: Report, share: float, arms: list[Any]) -> None:
    """An experiment run without its last arm, then with it: what that adds."""
    with tempfile.TemporaryDirectory() as folder:
        first, before = carry_out(recipe_of([0], arms[:-1], share), Path(folder), "store")
        idle, _ = carry_out(recipe_of([0], arms[:-1], share), Path(folder), "store")
        second, after = carry_out(recipe_of([0], arms, share), Path(folder), "store")
    known = {step["key"] for step in before}
    new = [step for step in after if step["key"] not in known]
    own = sum(step["seconds"] for step in new)
    names = " and ".join(f"{step['name']} ({step['seconds']:.1f} s)" for step in new)
    report.add(harness.at_most(
        "one more method: a run with it, less a run with nothing to do", second - idle, own,
        against="its own training and test", target=1.25, unit="s",
    ))  # fmt: skip
    report.note(f"The run with one more arm took {second:.1f} s; its new steps: {names}. The first run took "
                f"{first:.1f} s, the same again with everything in the store {idle:.1f} s.")  # fmt: skip


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--share", type=float, default=0.1, help="of the demo's questions")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--apart", type=int, default=4, help="arms that are run apart, evenly chosen; scaled to all")
    options = parser.parse_args()
    options.threads = 1  # as the recipe says
    harness.start(options)
    report = Report("suite", "The method suite", options)
    share = 0.02 if options.quick else options.share
    arms = ["naive", "majority_vote"] if options.quick else None
    arms = arms or all_arms()
    with tempfile.TemporaryDirectory() as folder:
        carry_out(recipe_of([0], arms[:1], 0.02), Path(folder), "store")  # warm-up: imports, the world
    few = [arms[i * len(arms) // options.apart] for i in range(options.apart)] if options.apart < len(arms) else arms
    sides = Seeds(share, arms, few)
    times = harness.in_turns(
        [Contestant(TOGETHER, sides.together), Contestant(APART, sides.apart)],
        rounds=2 if options.quick else options.seeds,
        seconds=options.seconds,
    )
    seeds = len(times[TOGETHER])
    what = f"{len(arms)} arms, a seed"
    for name, found, target in (
        (", whole runs with their results", times, None),
        (", tuning, answers and trainings alone", sides.work, 3.0),
    ):
        row = harness.compare(what + name, found, TOGETHER, APART, target=None, unit="s")
        ratio = sum(found[APART]) / sum(found[TOGETHER])
        goal = {} if target is None else {"target": f">= {target:g}", "met": ratio >= target}
        report.add({**row, "ratio": ratio, **goal})
    report.note(f"{seeds} of {options.seeds} seeds were measured; the ratio is that of the sums. {share:g} of the "
                f"demo's questions, one thread, one process. Of {len(arms)} arms {len(few)} ran apart, scaled. Whole "
                "runs hold parts that do not grow with the questions, which separate runs repeat; so the target is for "
                "the steps alone.")  # fmt: skip
    one_more(report, share, arms)
    report.write()


if __name__ == "__main__":
    main()
