"""Soft labels: option probabilities averaged over a question's answers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.encoding import encode
from outgrow.core.tables import PROBABILITIES, with_column
from outgrow.reliability.groups import group_means
from outgrow.reliability.options import flatten
from outgrow.reliability.votes import column


def mean_probabilities(answers: pa.Table, labels: pa.Table) -> pa.Table:
    """`labels` with `probabilities` = option probabilities averaged over each question's answers.

    An option that an answer's map does not list counts 0 there. Questions none of whose answers has
    probabilities keep their vote shares. Labels are matched by `example_id` (and by `source`, where the
    label has one and the answers have the column).

    Args:
        answers: answers table.
        labels: labels table of (some of) the same questions, one row per question and source.
    """
    maps = column(answers, "probabilities")
    if maps is None:
        return labels
    joined, known = _key(answers, labels)
    place = pc.index_in(joined, value_set=known).fill_null(-1).to_numpy()
    flat = flatten(maps)
    pair_label = place[flat.row]
    use = pair_label >= 0
    option = encode(flat.keys)
    width = max(len(option.names), 1)
    keys, pair = np.unique(pair_label[use] * width + option.codes[use], return_inverse=True)
    with_map = np.zeros(len(place), bool)
    with_map[flat.row[use]] = True
    n_maps = np.bincount(place[with_map], minlength=labels.num_rows)
    n_given = np.bincount(pair, minlength=len(keys))
    owner, name = np.divmod(keys, width)
    mean = group_means(pair, flat.items[use], len(keys)) * n_given / n_maps[owner]
    old = flatten(labels.column("probabilities"))
    stays = n_maps[old.row] == 0
    order = np.lexsort((np.asarray(pc.rank(option.names).to_numpy())[name] if len(name) else name, -mean, owner))
    row = np.concatenate([old.row[stays], owner])
    kept = old.keys.combine_chunks().filter(pa.array(stays))
    names = pa.concat_arrays([kept, option.names.take(pa.array(name[order]))])
    values = np.concatenate([old.items[stays], mean[order]])
    into = np.argsort(row, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=labels.num_rows))])
    built = pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), names.take(pa.array(into)), pa.array(values[into]))
    return with_column(labels, "probabilities", built.cast(PROBABILITIES))


def _key(answers: pa.Table, labels: pa.Table) -> tuple[pa.ChunkedArray, pa.Array]:
    """What answers and labels are matched by: the id, with the source where both have it."""
    ids, own = answers.column("example_id"), labels.column("example_id")
    if column(labels, "source") is None or column(answers, "source") is None:
        return ids, own.combine_chunks()
    both = pc.binary_join_element_wise(ids, answers.column("source"), "\x1f", null_handling="replace")
    known = pc.binary_join_element_wise(own, labels.column("source"), "\x1f", null_handling="replace")
    return both, known.combine_chunks()
