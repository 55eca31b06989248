"""Coded checks: what a careful reader would look for first, each with its finding and why it matters.

"Not applicable" is an outcome of its own: a check that could not be made has not been passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from outgrow.reporting.formatting import bounds, count, join_words, percent, plural, points, share
from outgrow.reporting.run import as_provenance, as_results
from outgrow.reporting.schema import Provenance, Results

Severity = Literal["ok", "note", "warning", "error", "not applicable"]
MOST_UNPARSED = 0.05
LEAST_AUROC = 0.55
MOST_REPEATS = 30


@dataclass(frozen=True)
class Check:
    """One check's outcome. `finding` holds the numbers of this run, `explanation` why it matters and what to do."""

    code: str
    title: str
    severity: Severity
    finding: str
    explanation: str

    @property
    def fired(self) -> bool:
        """Whether it found something."""
        return self.severity in ("note", "warning", "error")


Outcome = tuple[Severity, str]


def run_checks(results: Mapping[str, Any], provenance: Mapping[str, Any] | None = None) -> list[Check]:
    """All checks on the raw contents of results.json and provenance.json, in the order of their codes.

    Raises:
        DataError: the contents are not those of a finished run.
    """
    return check_run(as_results(results), None if provenance is None else as_provenance(provenance))


def check_run(results: Results, provenance: Provenance | None) -> list[Check]:
    """All checks on a typed run, in the order of their codes."""
    return [
        Check(code, title, *look(results, provenance), explanation) for code, (title, look, explanation) in _ALL.items()
    ]


def _ceiling(results: Results, _: Provenance | None) -> Outcome:
    ceiling, floor = results.ceiling, results.supervisor.floor
    if ceiling is None:
        return "not applicable", "The run has no strong_ceiling arm, so no gap was measured."
    gap = ceiling.accuracy.value - floor.value
    if math.isnan(gap):
        return "not applicable", "The floor or the ceiling has no accuracy."
    numbers = f"ceiling {percent(ceiling.accuracy.value)} %, floor {percent(floor.value)} %, gap {points(gap)} points"
    if gap <= 0:
        return "error", f"The ceiling is not above the floor: {numbers}."
    undefined = [arm for arm in results.arms if arm is not ceiling and not arm.pgr.defined]
    if undefined:
        reason = undefined[0].pgr.reason or "the lower bound of ceiling − floor does not exceed .02"
        return "warning", f"PGR is undefined for {plural(len(undefined), 'arm')} ({reason}): {numbers}."
    return "ok", f"The ceiling is above the floor: {numbers}."


def _primary(results: Results, _: Provenance | None) -> Outcome:
    if results.primary is None:
        return "not applicable", "The recipe names no primary comparison."
    compared = results.primary_comparison
    name = f"{results.primary.a} against {results.primary.b}"
    if compared is None or math.isnan(compared.low) or math.isnan(compared.high):
        return "not applicable", f"{name} has no interval; that needs at least two seeds."
    numbers = f"{points(compared.value)} points {bounds(compared, 'points')}"
    if compared.low <= 0 <= compared.high:
        return "warning", f"{name}: {numbers} contains zero."
    return "ok", f"{name}: {numbers} excludes zero."


def _overlap(results: Results, _: Provenance | None) -> Outcome:
    shared = {pair: n for pair, n in results.task.overlap.items() if n}
    if not results.task.overlap:
        return "not applicable", "The run did not record the overlap of its splits."
    if shared:
        pairs = join_words([f"{say_pair(pair)} ({count(n)})" for pair, n in shared.items()])
        return "error", f"Splits share questions: {pairs}."
    return "ok", f"No question is shared in {plural(len(results.task.overlap), 'pair')} of splits."


def say_pair(pair: str) -> str:
    """`pool&test` as `pool and test`."""
    return pair.replace("_", " ").replace("&", " and ")


def _unparsed(results: Results, _: Provenance | None) -> Outcome:
    shares = {arm.name: arm.unparsed_share for arm in results.arms}
    if results.reliability is not None:
        shares = {"the supervisor on the pool": results.reliability.unparsed_share, **shares}
    known = {name: value for name, value in shares.items() if not math.isnan(value)}
    if not known:
        return "not applicable", "The run recorded no share of unparsed answers."
    many = [f"{name} ({percent(value)} %)" for name, value in known.items() if value > MOST_UNPARSED]
    if many:
        return "warning", f"More than 5 % of the answers could not be parsed: {join_words(many)}."
    worst = max(known, key=lambda name: known[name])
    return "ok", f"At most {percent(known[worst])} % of the answers could not be parsed ({worst})."


def _uninformative(results: Results, _: Provenance | None) -> Outcome:
    auroc = results.reliability.auroc if results.reliability is not None else None
    if auroc is None or math.isnan(auroc.value):
        reason = "it needs several answers per question, right and wrong ones"
        return "not applicable", f"Reliability has no AUROC: {reason}."
    numbers = f"AUROC {share(auroc.value)} {bounds(auroc, 'share')}".rstrip()
    if auroc.low <= 0.5:
        return "warning", f"{numbers}: the interval reaches .5, which is chance."
    if auroc.value < LEAST_AUROC:
        return "warning", f"{numbers} is below .55, barely better than chance."
    return "ok", f"{numbers}: reliability tells right labels from wrong ones."


def _single_seed(results: Results, _: Provenance | None) -> Outcome:
    if not results.seeds:
        return "not applicable", "The run has no seeds."
    if len(results.seeds) == 1:
        return "warning", f"Only seed {results.seeds[0]} was run."
    run = f"{plural(len(results.seeds), 'seed')} were run"
    methods = {arm.name for arm in results.of_kind("method")}
    compared = [each for each in results.comparisons if {each.a, each.b} <= methods and not math.isnan(each.detectable)]
    if not compared:
        return "ok", f"{run}."
    least, largest = min(each.detectable for each in compared), max(abs(each.value) for each in compared)
    numbers = f"{run}, which find a difference of {percent(least)} points four times in five"
    if largest < least:
        return "warning", f"{numbers}; the largest between two methods is {percent(largest)}."
    return "ok", f"{numbers}."


def _steps(results: Results, _: Provenance | None) -> Outcome:
    taken = {arm.name: arm.all_steps for arm in results.arms if arm.all_steps}
    if len(taken) < 2:
        return "not applicable", "Fewer than two arms recorded their steps."
    usual = max(set(taken.values()), key=lambda steps: (list(taken.values()).count(steps), steps))
    others = [f"{name} ({_say_steps(steps)})" for name, steps in taken.items() if steps != usual]
    if others:
        return "warning", f"Most arms took {_say_steps(usual)} steps, but not {join_words(others)}."
    return "ok", f"Every arm took {_say_steps(usual)} steps."


def _say_steps(steps: tuple[int, ...]) -> str:
    return count(steps[0]) if len(set(steps)) == 1 else ", ".join(count(each) for each in steps)


def _small_sets(results: Results, _: Provenance | None) -> Outcome:
    batch = results.recipe.get("train", {}).get("batch_size")
    seen = {
        arm.name: max(steps * batch / rows for rows, steps in zip(arm.rows, arm.steps, strict=True))
        for arm in results.arms
        if batch and arm.rows and all(arm.rows) and len(arm.rows) == len(arm.steps)
    }
    if not seen:
        return "not applicable", "The run did not record its arms' rows and steps."
    many = [f"{name} ({count(round(times))} times)" for name, times in seen.items() if times >= MOST_REPEATS]
    if many:
        return "warning", f"Every row was trained on again and again: {join_words(many)}."
    worst = max(seen, key=lambda name: seen[name])
    return "ok", f"Every row was trained on at most {count(round(seen[worst]))} times ({worst})."


def _environments(_: Results, provenance: Provenance | None) -> Outcome:
    known = [step.environment for step in provenance.steps if step.environment] if provenance is not None else []
    if not known:
        return "not applicable", "No step recorded the environment it ran in."
    different = sorted(set(known), key=lambda environment: -known.count(environment))
    if len(different) > 1:
        parts = [f"{environment} ({plural(known.count(environment), 'step')})" for environment in different]
        return "warning", f"Steps ran in {len(different)} environments: {join_words(parts)}."
    return "ok", f"All {count(len(known))} steps ran in one environment ({different[0]})."


def _before_training(results: Results, _: Provenance | None) -> Outcome:
    before, floor = results.zero_shot, results.supervisor.floor
    if before is None or math.isnan(before.value) or math.isnan(floor.value):
        return "not applicable", "The student was not tested before its training."
    lead = before.value - floor.value
    numbers = f"{percent(before.value)} % before training, {points(lead)} points from the floor"
    worse = [arm.name for arm in results.of_kind("method") if arm.accuracy.value <= before.value]
    if worse:
        return "warning", f"The student scores {numbers}; no stronger after training: {join_words(worse)}."
    if lead > 0:
        return "note", f"The student scores {numbers}: part of every PGR was there before any label."
    return "ok", f"The student scores {numbers}; every method ends above that."


def _lent_strength(results: Results, _: Provenance | None) -> Outcome:
    ask = results.recipe.get("ask", {})
    writer, lacking = ask.get("paraphraser", "supervisor"), results.supervisor.missing_share
    if "paraphrase" not in ask.get("kinds", ()):
        return "not applicable", "No question was paraphrased."
    gaps = f" {percent(lacking)} % of the wordings could not be asked for want of a usable paraphrase."
    gaps = gaps if lacking > 0 else ""
    if isinstance(writer, Mapping) and writer.get("model") != results.supervisor.model:
        return "note", f"Paraphrases were written by {writer.get('model')}, not by the supervisor.{gaps}"
    if lacking > MOST_UNPARSED:
        return "note", f"The supervisor wrote the paraphrases itself.{gaps}"
    return "ok", f"The supervisor wrote the paraphrases itself.{gaps}"


_ALL: dict[str, tuple[str, Callable[[Results, Provenance | None], Outcome], str]] = {
    "W2S001": (
        "Gap between floor and ceiling",
        _ceiling,
        "PGR divides by ceiling − floor. Without a gap that is surely there, it is noise over noise: choose a weaker "
        "supervisor, a stronger student, or more test questions, and judge the arms by accuracy meanwhile.",
    ),
    "W2S002": (
        "Primary comparison",
        _primary,
        "An interval that contains zero does not say that the arms are equal, only that this run cannot tell them "
        "apart. The width of the interval says how large a difference could have been missed; more seeds narrow it.",
    ),
    "W2S003": (
        "Split overlap",
        _overlap,
        "A question in two splits lets a model be tested on what it was trained on, and every number here is then too "
        "high. Give duplicates one group_id and split again.",
    ),
    "W2S004": (
        "Unparsed answers",
        _unparsed,
        "An answer that cannot be parsed counts as wrong at test and as a singleton vote in the pool, so a parser "
        "problem looks like a weak model. Look at the raw texts before reading anything else.",
    ),
    "W2S005": (
        "Information in reliability",
        _uninformative,
        "Filtering and re-weighting can only help when right labels score higher than wrong ones. At an AUROC of .5 "
        "they throw data away at random: the supervisor is wrong consistently, or asks too few wordings.",
    ),
    "W2S006": (
        "Number of seeds",
        _single_seed,
        "One seed shows one draw of supervisor, wordings, student and row order, and nothing has an interval. With few "
        "seeds intervals are wide: a run that finds only differences larger than those it sees cannot tell its methods "
        "apart. More seeds narrow them; three are the least.",
    ),
    "W2S007": (
        "Matched steps",
        _steps,
        "An arm that trains longer can win by training longer. Compare arms at equal optimiser steps, or read the "
        "difference as one of method and budget together.",
    ),
    "W2S008": (
        "Environments",
        _environments,
        "Steps made with other library versions or other hardware can differ in the last digits and sometimes in more. "
        "Run the recipe on an empty store in one environment before publishing numbers.",
    ),
    "W2S009": (
        "Student before training",
        _before_training,
        "PGR counts from the supervisor's accuracy, so it credits labels with what the student could do without them. "
        "Read an arm's gain from the student before training as well; an arm that is not above it learnt nothing from "
        "its labels, or was harmed by them.",
    ),
    "W2S010": (
        "Strength lent by paraphrases",
        _lent_strength,
        "Who rewords a question has understood it. A stronger model's paraphrases bring its strength into labels that "
        "are called weak, and the gain of voting is then partly its own; a weak supervisor's own paraphrases do not.",
    ),
    "W2S011": (
        "Rows for the budget",
        _small_sets,
        "All arms take the same steps, so a small training set repeats its rows. A set that is seen dozens of times is "
        "learnt by heart, errors included: keep more of the labels, or give all arms fewer steps.",
    ),
}
