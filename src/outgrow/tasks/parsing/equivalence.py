"""Definition 4: answers that a judge calls the same are rewritten to one representative per question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import pyarrow as pa

from outgrow.core.tables import PROBABILITIES, with_column

Same = Callable[[str, str], bool]
"""A judge of two answers. It has to be symmetric; each pair is put to it once at most, smaller string first."""


def cluster(values: Sequence[str], same: Same) -> list[int]:
    """Groups of values that are connected by `same`.

    The transitive closure is taken: its groups depend on the set of values alone. Clustering around leaders would
    depend on which value comes first. The price is that a judge who is not transitive (say, within 1 %) chains.
    Only distinct values are compared, and no pair that is connected already: n(n-1)/2 calls at most for n of them.

    Args:
        values: the answers, repeats allowed.
        same: whether two different values are the same answer.

    Returns:
        One group number per value, from 0 in order of first appearance.
    """
    group = {value: value for value in sorted(set(values))}  # value -> its group's name
    for first, second in combinations(list(group), 2):
        if group[first] != group[second] and same(first, second):
            keep, gone = group[first], group[second]
            group = {value: keep if name == gone else name for value, name in group.items()}
    numbers: dict[str, int] = {}
    return [numbers.setdefault(group[value], len(numbers)) for value in values]


def representatives(values: Iterable[str], same: Same) -> dict[str, str]:
    """Each value's representative: the shortest of its group, the smallest of equally short ones."""
    distinct = sorted(set(values), key=lambda value: (len(value), value))
    first: dict[int, str] = {}
    return {
        value: first.setdefault(number, value) for value, number in zip(distinct, cluster(distinct, same), strict=True)
    }


def canonicalise_answers(answers: pa.Table, same: Same) -> pa.Table:
    """An answers table (`records.ANSWERS`) in which equal answers of a question are equal strings.

    Per `example_id`, over all sources and wordings, `value` becomes its representative (`representatives`); so do the
    values that `probabilities` names, and the probabilities of values that become one are added. Invalid answers
    (null) stay null and agree with nobody. Rows, their order and the table's metadata stay.
    """
    ids: list[str] = answers["example_id"].to_pylist()
    values: list[str | None] = answers["value"].to_pylist()
    maps: list[list[tuple[str, float]] | None] = [None] * len(ids)
    if "probabilities" in answers.column_names:
        maps = answers["probabilities"].to_pylist()
    said: dict[str, set[str]] = {}
    for question, value, own in zip(ids, values, maps, strict=True):
        known = said.setdefault(question, set())
        known.update([] if value is None else [value], (key for key, _ in own or ()))
    chosen = {question: representatives(known, same) for question, known in said.items()}
    rewritten = [
        None if value is None else chosen[question][value] for question, value in zip(ids, values, strict=True)
    ]
    table = with_column(answers, "value", pa.array(rewritten, pa.string()))
    if any(own is not None for own in maps):
        merged = [
            None if own is None else _added(own, chosen[question]) for question, own in zip(ids, maps, strict=True)
        ]
        table = with_column(table, "probabilities", pa.array(merged, PROBABILITIES))
    return table


def _added(probabilities: Iterable[tuple[str, float]], representative: Mapping[str, str]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for value, share in probabilities:
        sums[representative[value]] = sums.get(representative[value], 0.0) + share
    return list(sums.items())
