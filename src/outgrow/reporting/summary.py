"""The run in words: what was done, what came out, and what to be careful with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.reporting.checks import Check
from outgrow.reporting.formatting import bounds, count, counts, join_words, p_value, percent, plural, points, share
from outgrow.reporting.schema import Accuracy, Arm, Results
from outgrow.reporting.schema.results import SupervisorFacts
from outgrow.reporting.views import Tile
from outgrow.reporting.weak import floor_title, teachers


def best_arm(results: Results) -> Arm | None:
    """The method of highest accuracy that saw no gold and is no control; None when no method has an accuracy."""
    scored = [arm for arm in results.of_kind("method") if not math.isnan(arm.accuracy.value)]
    return max(scored, key=lambda arm: arm.accuracy.value, default=None)


def model_name(entry: Any) -> str:
    """The model in a recipe's entry, which is a name or a mapping with the key `model`."""
    if isinstance(entry, Mapping):
        entry = entry.get("model", "")
    return str(entry or "")


def say(value: Accuracy) -> str:
    """`64.1 % [62.9, 65.3]`."""
    return f"{percent(value.value)} % {bounds(value)}".rstrip()


def in_words(results: Results, checks: Sequence[Check]) -> list[str]:
    """Short paragraphs of plain text: the run's message first, then what was done and what else came out."""
    message = _primary(results) or _best(results) or _gap(results)
    others = [_what_was_run(results), _gap(results), _best(results), _reliability(results)]
    told = [message, _fired(checks), *(paragraph for paragraph in others if paragraph != message)]
    return [paragraph for paragraph in told if paragraph]


def _what_was_run(results: Results) -> str:
    supervisor, splits = results.supervisor, results.task.splits
    student = results.student.model or model_name(results.recipe.get("student")) or "the student"
    taught = f", tuned on {gold} gold questions," if (gold := _tuned_on(results)) else ""
    pool = f"{count(splits['pool'].questions)} pool questions" if "pool" in splits else "the pool"
    asked = supervisor.variants * supervisor.samples
    ways = f" {asked} times each" if asked > 1 else ""
    test = f", and tested on {plural(splits['test'].questions, 'held-out question')}" if "test" in splits else ""
    return (
        f"{teachers_by_model(supervisor)}{taught} answered {pool}{ways}. {student} was trained on those answers in "
        f"{plural(len(results.arms), 'way')} with {plural(len(results.seeds), 'seed')} each{test}."
    )


def teachers_by_model(supervisor: SupervisorFacts) -> str:
    """The only supervisor's model, or the names of several."""
    return teachers(supervisor) if supervisor.members else supervisor.model or supervisor.name


def _tuned_on(results: Results) -> str:
    """How many gold questions the supervisor was tuned on, a range where several differ; empty where none was."""
    supervisor, splits = results.supervisor, results.task.splits
    if supervisor.members:
        tuned = [member.tuned_on for member in supervisor.members if member.tuned_on is not None]
        return counts(tuned) if tuned else ""
    if supervisor.tuned_on is not None:
        return count(supervisor.tuned_on)
    known = "supervisor_train" in splits and supervisor.kind == "local"
    return count(splits["supervisor_train"].questions) if known else ""


def _floor(supervisor: SupervisorFacts) -> str:
    """The floor, and beside it the other ways to take one."""
    voted = supervisor.variants * supervisor.samples > 1 and not math.isnan(supervisor.vote.value)
    vote = percent(supervisor.vote.value)
    if not supervisor.members:
        text = f"The floor, the supervisor's own accuracy, is {say(supervisor.floor)}"
        return text + (f" ({vote} % when its answers are put to a vote)" if voted else "")
    others = [
        f"{floor_title(floor)}: {percent(floor.accuracy.value)} %"
        for floor in supervisor.floors
        if floor.reason is None and floor.name != "mean"
    ]
    beside = "; ".join([*([f"when each one's answers are put to a vote: {vote} %"] if voted else []), *others])
    mean = f"The floor, the mean accuracy of the {len(supervisor.members)} supervisors, is {say(supervisor.floor)}"
    return f"{mean} ({beside})" if beside else mean


def _gap(results: Results) -> str:
    supervisor, ceiling = results.supervisor, results.ceiling
    text = _floor(supervisor)
    if ceiling is None:
        return f"{text}. The run has no ceiling, so no performance gap is defined."
    gap = ceiling.accuracy.value - supervisor.floor.value
    text += f"; the ceiling, the same student trained on gold, is {say(ceiling.accuracy)}"
    if gap <= 0:
        return f"{text}. There is no gap to recover."
    text += f". The gap to recover is {percent(gap)} points"
    before = results.zero_shot
    if before is None or not before.value > supervisor.floor.value:
        return f"{text}."
    recovered = share((before.value - supervisor.floor.value) / gap)
    return f"{text}; before any training the student scores {say(before)}, {recovered} of it already."


def _best(results: Results) -> str:
    best, naive = best_arm(results), results.arm_of("naive")
    if best is None:
        return ""
    methods = plural(len(list(results.of_kind("method"))), "method")
    text = f"Of the {methods}, {best.name} reaches the highest accuracy, {say(best.accuracy)}"
    if best.pgr.defined:
        text += f", which recovers {share(best.pgr.value)} {bounds(best.pgr, 'share')} of the gap"
    if naive is not None and naive is not best:
        text += f"; naive training reaches {say(naive.accuracy)}"
        text += f" and recovers {share(naive.pgr.value)}" if naive.pgr.defined else ""
    return f"{text}. It was picked after the fact: whether it beats the others, the comparisons below say."


def _primary(results: Results) -> str:
    if results.primary is None:
        return ""
    compared = results.primary_comparison
    name = f"The primary comparison, {results.primary.a} against {results.primary.b}, "
    if compared is None or math.isnan(compared.value):
        return f"{name}has no result."
    if math.isnan(compared.low):
        return f"{name}is {points(compared.value)} points, without an interval: that needs at least two seeds."
    p = f"p = {p_value(compared.p)}".replace("= <", "< ")
    numbers = f"{points(compared.value)} points {bounds(compared, 'points')} ({p})"
    if compared.low <= 0 <= compared.high:
        found = f"; it would find {points(compared.detectable).lstrip('+')} points four times in five"
        return (
            f"{name}is {numbers}: the interval contains zero, so this run does not tell the two apart"
            f"{'' if math.isnan(compared.detectable) else found}."
        )
    better = results.primary.a if compared.value > 0 else results.primary.b
    return f"{name}is {numbers}: the interval excludes zero, in favour of {better}."


def _reliability(results: Results) -> str:
    quality = results.reliability
    if quality is None or math.isnan(quality.auroc.value):
        return ""
    auroc = f"{share(quality.auroc.value)} {bounds(quality.auroc, 'share')}".rstrip()
    return (
        f"The supervisor's answers to {percent(quality.differing_share)} % of the pool questions disagree, and "
        f"{percent(quality.label_accuracy)} % of its consensus labels are right. As a score for right against wrong "
        f"labels, their reliability has an AUROC of {auroc}, where .5 is chance."
    )


def _fired(checks: Sequence[Check]) -> str:
    fired = [check for check in checks if check.fired]
    skipped = sum(check.severity == "not applicable" for check in checks)
    open_ones = f"; {plural(skipped, 'check')} did not apply" if skipped else ""
    if not fired:
        return f"No check fired{open_ones}."
    names = join_words([f"{check.code} ({check.title.lower()}: {check.severity})" for check in fired])
    return f"{len(fired)} of {len(checks)} checks fired: {names}{open_ones}."


def tiles(results: Results) -> list[Tile]:
    """The four numbers at the top: floor, best method, ceiling, primary comparison."""
    floor, ceiling, best = results.supervisor.floor, results.ceiling, best_arm(results)
    several = len(results.supervisor.members)
    weak = f"mean of {several} supervisors" if several else "supervisor"
    shown = [Tile(f"Floor: {weak}", f"{percent(floor.value)} %", bounds(floor), "reference")]
    if best is not None:
        methods = plural(len(list(results.of_kind("method"))), "method")
        pgr = f"PGR {share(best.pgr.value)}" if best.pgr.defined else "PGR undefined"
        note = f"{best.name} · {pgr}"
        shown.append(Tile(f"Highest of {methods}", f"{percent(best.accuracy.value)} %", note, "method"))
    if ceiling is not None:
        accuracy = ceiling.accuracy
        shown.append(Tile("Ceiling: gold", f"{percent(accuracy.value)} %", bounds(accuracy), "oracle"))
    compared = results.primary_comparison
    if compared is not None:
        shown.append(Tile("Primary comparison", f"{points(compared.value)} pts", bounds(compared, "points"), "primary"))
    return shown


def formula(results: Results) -> str:
    """PGR with this run's numbers put in, for the highest method; empty where it is undefined."""
    best, ceiling = best_arm(results), results.ceiling
    if best is None or ceiling is None or not best.pgr.defined:
        return ""
    top, bottom, student = ceiling.accuracy.value, results.supervisor.floor.value, best.accuracy.value
    return (
        f"PGR of {best.name} = (student − floor) / (ceiling − floor) = ({percent(student)} − {percent(bottom)}) / "
        f"({percent(top)} − {percent(bottom)}) = {share(best.pgr.value)}"
    )
