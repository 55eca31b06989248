"""P(correct) of labels, learnt from a few questions whose gold was bought."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import with_column
from outgrow.reliability.calibrators import Kind, Predict, fit_calibrator
from outgrow.reliability.hashing import hash_order

FEATURES = ("vote_share", "mean_logprob", "margin", "invalid_share")


def calibrate(
    labels: pa.Table,
    known_labels: pa.Table,
    known_gold: pa.Table,
    *,
    kind: Kind | str = "platt",
    seed: int = 0,
    folds: int = 10,
    groups: Mapping[str, str] | None = None,
) -> pa.Table:
    """`labels` with `reliability` = P(the label is right), 0 to 1.

    Features: vote share, ln(-mean log-probability) of the consensus, artanh of its margin, share of invalid answers;
    those that any label lacks are left out. A label that is itself known gets its probability from a fit
    on the folds without its group, every other label from the fit on all known labels.

    Args:
        labels: labels table of one source (`agreement`), the known questions in it or not.
        known_labels: labels of the known questions by the same source, asked in the same way.
        known_gold: their gold: columns `example_id` and `value`, of one objective. All rows count as bought.
        kind: `platt`, `beta` or `isotonic`; see `fit_calibrator`.
        seed: of the folds.
        folds: how many; groups are dealt out to them in the order of sha256(seed, group).
        groups: `example_id` to `group_id` of the known questions; a question that is not listed is its own group.

    Returns:
        The labels table. The metadata names `estimator` "calibrated", `kind`, `features`, `folds`, `seed`, and in
        `known_labels` how many gold labels were bought: what a report charges. Labels without a value get 0.

    Raises:
        ConfigError: unknown kind, or fewer than two folds.
        DataError: no known labels, gold that contradicts itself or belongs to no known label (or the reverse),
            several labels of one question, or known labels all (but those of one fold) right or wrong.
        PrerequisiteError: no feature is there for every label.

    Examples:
        Known are ten unanimous labels, nine of them right, and ten split ones, five right. Few labels draw the two
        probabilities together:

        >>> import pyarrow as pa
        >>> from outgrow.reliability import agreement
        >>> ids = [f"q{i}" for i in range(20)]
        >>> values = ["aaaaa" if i < 10 else "aaabb" for i in range(20)]
        >>> answers = pa.table({"example_id": [i for i in ids for _ in range(5)], "value": [*"".join(values)]})
        >>> labels = agreement(answers)
        >>> gold = pa.table({"example_id": ids, "value": [*"aaaaaaaaab", *"ababababab"]})
        >>> new = agreement(pa.table({"example_id": [*"xxxxxyyyyy"], "value": [*"bbbbb", *"cccaa"]}))
        >>> rated = calibrate(new, labels, gold)
        >>> rated["reliability"].to_numpy().round(1).tolist()
        [0.8, 0.6]
        >>> rated.schema.metadata[b"known_labels"]
        b'20'
    """
    if folds < 2:
        raise ConfigError(f"folds must be at least 2, not {folds!r}: a known label is rated by a fit without it")
    right = known_right(known_labels, known_gold)
    for name, table in (("labels", labels), ("known labels", known_labels)):
        _one_each(table, name)
    said = known_labels.column("value").is_valid().to_numpy()
    valid = labels.column("value").is_valid().to_numpy()
    names = [n for n in FEATURES if _complete(known_labels, n, said) and _complete(labels, n, valid)]
    if not names:
        raise PrerequisiteError(
            f"none of {', '.join(FEATURES)} is there for every label, so there is nothing to calibrate: "
            "ask each question at least twice, or bring log-probabilities"
        )
    x, known_x = _matrix(labels, names, valid), _matrix(known_labels, names, said)
    right = right[said]
    found = np.zeros(labels.num_rows)
    predict = fit_calibrator(known_x, right, kind)
    if valid.any():
        found[valid] = predict(x)
    known_ids = np.array(known_labels.column("example_id").to_pylist(), dtype=object)[said]
    row = {name: i for i, name in enumerate(np.array(labels.column("example_id").to_pylist(), dtype=object)[valid])}
    again = np.array([row.get(name, -1) for name in known_ids])
    if (again >= 0).any():
        fold = _folds([(groups or {}).get(name, name) for name in known_ids], folds, seed)
        at = np.flatnonzero(valid)
        for f in range(folds):
            held = (fold == f) & (again >= 0)
            if held.any():
                found[at[again[held]]] = _fit_without(known_x, right, fold == f, kind)(x[again[held]])
    metadata = {
        "estimator": "calibrated",
        "kind": kind,
        "known_labels": str(known_labels.num_rows),
        "features": ",".join(names),
        "folds": str(folds),
        "seed": str(seed),
    }
    return with_column(labels, "reliability", pa.array(found)).replace_schema_metadata(metadata)


def known_right(known_labels: pa.Table, known_gold: pa.Table) -> Bool[np.ndarray, "known"]:
    """Whether each known label equals its gold value; false where it has no value.

    Raises:
        DataError: a table is empty, gold contradicts itself, or the two are not about the same questions.
    """
    gold: dict[str, str] = {}
    for name, value in zip(known_gold["example_id"].to_pylist(), known_gold["value"].to_pylist(), strict=True):
        if gold.setdefault(name, value) != value:
            several = len(set(known_gold["objective"].to_pylist())) if "objective" in known_gold.column_names else 1
            hint = "keep the rows of one objective" if several > 1 else "correct the file, or leave the question out"
            raise DataError(f"known gold: question {name!r} has two values, {gold[name]!r} and {value!r}; {hint}")
    ids = known_labels["example_id"].to_pylist()
    if not gold or not ids:
        raise DataError(
            f"there are {len(gold)} known gold values and {len(ids)} known labels; calibration learns from questions "
            f"that have both: {_check(next(iter(gold), None))}"
        )
    labelled = set(ids)
    for what, lacking in (
        ("gold values belong to no known label; were their questions asked?", [i for i in gold if i not in labelled]),
        ("labels have no gold value; keep the labels whose gold is known", [i for i in ids if i not in gold]),
    ):
        if lacking:
            raise DataError(f"{len(lacking)} known {what} The first is {lacking[0]!r}")
    values = known_labels["value"].to_pylist()
    said = sorted({v for v in values if v is not None})
    if said and not set(said) & set(gold.values()):
        raise DataError(
            f"all {len(ids)} known labels are wrong: no label is a value of the known gold at all; labels are like "
            f"{said[0]!r}, gold like {next(iter(gold.values()))!r}. Gold must be written as the answers are"
        )
    return np.array([v is not None and v == gold[i] for i, v in zip(ids, values, strict=True)], dtype=bool)


def _check(gold_id: str | None) -> str:
    if gold_id is None:
        return "give the task a 'known' split, or a file of gold values"
    return f"the gold is about questions such as {gold_id!r}; check that the labels name them alike"


def _one_each(table: pa.Table, name: str) -> None:
    ids = table.column("example_id")
    if pc.count_distinct(ids).as_py() != len(ids):
        raise DataError(f"{name}: several rows for one question; calibrate the labels of each source by themselves")


def _column(labels: pa.Table, name: str, use: Bool[np.ndarray, "all"]) -> Float[np.ndarray, "labels"]:
    if name == "invalid_share":
        invalid = labels.column("n_invalid").to_numpy()[use]
        return np.asarray(invalid / (invalid + labels.column("n_valid").to_numpy()[use]))
    return np.asarray(labels.column(name).cast(pa.float64()).to_numpy()[use])


def _complete(labels: pa.Table, name: str, use: Bool[np.ndarray, "all"]) -> bool:
    # a share of invalid answers says something only beside another answer to the same question
    return not np.isnan(_column(labels, "vote_share" if name == "invalid_share" else name, use)).any()


def _matrix(labels: pa.Table, names: list[str], use: Bool[np.ndarray, "all"]) -> Float[np.ndarray, "labels features"]:
    """Features in the form in which log odds of being right are about linear in them."""
    columns = []
    for name in names:
        x = _column(labels, name, use)
        if name == "mean_logprob":
            x = np.log(np.clip(-x, 1e-3, None))
        elif name == "margin":
            x = np.arctanh(np.clip(x, -0.98, 0.98))
        columns.append(x)
    return np.stack(columns, axis=1)


def _folds(groups: list[str], folds: int, seed: int) -> Int[np.ndarray, "known"]:
    names = sorted(set(groups))
    order = hash_order([seed], names)
    place = {names[i]: k % folds for k, i in enumerate(order.tolist())}
    return np.array([place[g] for g in groups])


def _fit_without(
    x: Float[np.ndarray, "known features"],
    right: Bool[np.ndarray, "known"],
    held: Bool[np.ndarray, "known"],
    kind: Kind | str,
) -> Predict:
    kept = right[~held]
    if kept.all() or not kept.any():
        raise DataError(
            f"of {len(right)} known labels {int(right.sum())} are right, and those that are "
            f"{'wrong' if right.sum() * 2 > len(right) else 'right'} fall into one fold, so a known label cannot be "
            "rated without itself: buy more gold labels"
        )
    return fit_calibrator(x[~held], kept, kind)
