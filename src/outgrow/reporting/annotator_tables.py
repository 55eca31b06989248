"""The table of several supervisors' errors."""

from __future__ import annotations

from outgrow.reporting.formatting import NO_DATA, percent, share
from outgrow.reporting.schema import Estimate, Results
from outgrow.reporting.schema.shared_errors import PairErrors
from outgrow.reporting.views import Cell, TableView, estimate_cell, table


def shared_errors_table(results: Results) -> TableView | None:
    """Pairs of supervisors: how often they differ, and whether they are wrong together; None where there is one."""
    facts = results.shared_errors
    if facts is None:
        return None
    estimated = {(each.a, each.b): each for each in facts.estimates}

    def without_gold(pair: PairErrors) -> Cell:
        found = estimated.get((pair.a, pair.b))
        return Cell(NO_DATA) if found is None else estimate_cell(found, "share")

    without = f", by those without gold {share(facts.estimated_number)}." if facts.estimates else f". {facts.reason}."
    worth = f"By these correlations {len(facts.annotators)} are worth {share(facts.effective_number)} independent ones"
    return table(
        "shared_errors",
        "Errors of the supervisors",
        "On the pool's identity wordings. Correlation of being wrong (phi), by gold and as it is estimated without; "
        "both wrong: share of the questions; of these: share on which both give the same wrong answer. "
        + worth
        + without,
        facts.pairs,
        ("Supervisor", lambda pair: pair.a),
        ("Other", lambda pair: pair.b),
        ("Differ, %", lambda pair: percent(pair.disagreement)),
        (
            "Correlation",
            lambda pair: estimate_cell(Estimate(value=pair.correlation, low=pair.low, high=pair.high), "share"),
        ),
        ("without gold", without_gold),
        ("Both wrong, %", lambda pair: percent(pair.both_wrong)),
        ("of these the same, %", lambda pair: percent(pair.same_wrong)),
        words=(0, 1),
    )
