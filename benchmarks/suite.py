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


def demo() -> dict[str, Any]:
    """The shipped recipe as it is written."""
    from importlib import resources

    found: dict[str, Any] = yaml.safe_load(
        (resources.files("outgrow") / "recipes" / "demo.yaml").read_text(encoding="utf-8")
    )
    return found


def recipe_of(seeds: list[int], arms: list[Any] | None, share: float) -> Any:
    """The demo with `share` of its questions."""
    from outgrow.recipe import parse_recipe

    settings = demo()
    counts = {"supervisor_train": 500, "pool": 800, "validation": 100, "test": 2000}
    settings["task"]["questions"] = {name: max(20, round(count * share)) for name, count in counts.items()}
    settings |= {"seeds": seeds, "methods": arms or settings["methods"], "threads": 1}
    if arms:
        settings.pop("primary")
    return parse_recipe(settings, name="suite")


def carry_out(recipe: Any, folder: Path, store: str) -> tuple[float, list[dict[str, Any]]]:
    """Wall seconds of a run with its results, and the steps that it used."""
    from outgrow.experiment import run_recipe

    start = time.perf_counter()
    with redirect_stderr(io.StringIO()):
        run = run_recipe(recipe, store=folder / store, out=folder / f"run-{store}", jobs=1)
    taken = time.perf_counter() - start
    steps: list[dict[str, Any]] = json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))["steps"]
    return taken, steps


class Seeds:
    """The two sides of the comparison, a seed a round."""

    def __init__(self, share: float, arms: list[Any] | None) -> None:
        self.share, self.arms = share, arms
        self.together = self.apart = 0

    def shared(self) -> float:
        """All arms of the next seed in one experiment."""
        recipe = recipe_of([self.together], self.arms, self.share)
        self.together += 1
        with tempfile.TemporaryDirectory() as folder:
            return carry_out(recipe, Path(folder), "store")[0]

    def separate(self) -> float:
        """Every arm of the next seed in an experiment of its own."""
        arms = self.arms or all_arms()
        seed, self.apart = self.apart, self.apart + 1
        total = 0.0
        for arm in arms:
            with tempfile.TemporaryDirectory() as folder:
                total += carry_out(recipe_of([seed], [arm], self.share), Path(folder), "store")[0]
        return total


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
    report.note(f"The run with one more arm took {second:.1f} s; its new steps: {names}. The first run took {first:.1f} "
                f"s, the same again with everything in the store {idle:.1f} s.")  # fmt: skip


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--share", type=float, default=0.25, help="of the demo's questions")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    options.threads = 1  # as the recipe says
    harness.start(options)
    report = Report("suite", "The method suite", options)
    share = 0.02 if options.quick else options.share
    arms = ["naive", "majority_vote"] if options.quick else None
    sides = Seeds(share, arms)
    times = harness.in_turns(
        [Contestant("one experiment", sides.shared), Contestant("separate runs", sides.separate)],
        rounds=2 if options.quick else options.seeds,
        seconds=options.seconds * 5,
    )
    seeds, count = len(times["one experiment"]), len(arms or all_arms())
    row = harness.compare(
        f"{count} arms, a seed", times, "one experiment", "separate runs", target=3.0, unit="s"
    )
    report.add({**row, "ratio": sum(times["separate runs"]) / sum(times["one experiment"])})
    report.note(f"{seeds} of {options.seeds} seeds were measured; the ratio is that of the sums. {share:g} of the demo's "
                "questions, one thread, one process.")  # fmt: skip
    one_more(report, share, arms or all_arms())
    report.write()


if __name__ == "__main__":
    main()
