"""Labels as one self-contained page: histograms that filter a table of questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import DataError
from outgrow.core.files import whole_file
from outgrow.reliability.hashing import hash_order
from outgrow.reporting import formatting as forms
from outgrow.reporting.bars import bars_of_numbers, bars_of_words
from outgrow.reporting.page import packed, render_page
from outgrow.reporting.texts import Texts, rounded, vote_numbers
from outgrow.reporting.views import Tile

MOST_QUESTIONS = 200_000
MOST_ANSWERS = 500_000
MOST_VARIANTS = 8
NO_SOURCES: dict[str, Any] = {"source": None}
SAID = ("variant", "sample", "value", "text", "prompt", "logprob")


MEANINGS = {
    "softmax": "reliability is how far the votes lean to the label: 1 if all agree, .73 if three of five do",
    "vote_share": "reliability is the share of the answers that are the label",
    "mean_logprob": "reliability is the mean log-probability of the answers that gave the label, at most 0",
    "probability": "reliability is the mean probability that the answers gave the label",
    "margin": "reliability is by how much the label is more probable than the next",
    "calibrated": "reliability is the probability that the label is right, learnt from known gold",
}
"""What reliability means, in a sentence, by estimator; of models of annotators it is P(right)."""


def write_explorer(
    labels: pa.Table,
    path: Path | str,
    *,
    answers: pa.Table | None = None,
    annotators: pa.Table | None = None,
    variants: Mapping[str, Sequence[Mapping[str, int]]] | None = None,
    merged: bool = False,
    name: str = "labels",
) -> Path:
    """Write the page, complete or not at all.

    Args:
        labels: labels table (`outgrow.core.tables.LABELS`; measures may be null throughout).
        path: the page.
        answers: the answers behind the labels, shown with their prompts when a row opens.
        annotators: table of annotators (`outgrow.annotators`), shown with flags and confusions.
        variants: of labels, ids and annotators, the ways in which one thing is written, each with its number of answers
            (`outgrow.io.tidy.Audit`).
        merged: whether these ways count as one.
        name: the page's title.

    Raises:
        DataError: no answer belongs to a label, or the page cannot be written.
    """
    path = Path(path)
    with whole_file(path) as file:
        page = build_explorer(
            labels, answers=answers, annotators=annotators, variants=variants, merged=merged, name=name
        )
        file.write(page.encode("utf-8"))
    return path


def build_explorer(
    labels: pa.Table,
    *,
    answers: pa.Table | None = None,
    annotators: pa.Table | None = None,
    variants: Mapping[str, Sequence[Mapping[str, int]]] | None = None,
    merged: bool = False,
    name: str = "labels",
) -> str:
    """The page's HTML; arguments as of `write_explorer`."""
    payload = explore_payload(labels, answers, annotators)
    estimator = (labels.schema.metadata or {}).get(b"estimator", b"").decode("utf-8", "replace")
    context = {
        "name": name,
        "meaning": MEANINGS.get(estimator, f"reliability is the probability that the label is right, by {estimator}")
        if estimator
        else "",
        "annotators": annotators is not None,
        "model": "" if annotators is None else (annotators.schema.metadata or {}).get(b"model", b"a model").decode(),
        "questions": labels.num_rows,
        "variants": [
            {"what": what, "ways": [(repr(way), n) for way, n in group.items()]}
            for what, groups in (variants or {}).items()
            for group in groups[:MOST_VARIANTS]
        ],
        "variants_left_out": sum(max(0, len(groups) - MOST_VARIANTS) for groups in (variants or {}).values()),
        "merged": merged,
        "tiles": _tiles(labels),
        "left_out": payload["left_out"],
        "answers_left_out": payload["answers_left_out"],
        "forms": forms,
        "payload": packed(payload),
    }
    styles = ("report.css", "explore.css")
    scripts = ("report.js", "shared.js", "explore_annotators.js", "explore.js")
    return render_page("explore.html.j2", context, styles=styles, scripts=scripts)


def explore_payload(
    labels: pa.Table, answers: pa.Table | None = None, annotators: pa.Table | None = None
) -> dict[str, Any]:
    """What the page's script needs.

    Returns:
        A JSON-able mapping: `texts` (every text once), per question `ids`, and as text numbers (-1: null) `asked` (the
        first prompt), `label` and `source` (None where there is but one), then `votes` (`[text, count, ...]`),
        `entropy`, `reliability`, `invalid`; `histograms` (key, title, bar names, each row's bar); `starts`: the
        answers of question i are those from `starts[i]` to before `starts[i + 1]`, and their columns stand in `answers`
        (`source` None where there is but one); `people`: the annotators, None where nothing is known of them, with the
        text number of their name if answers of theirs are shown, and `classes` of their confusions. Above 200,000
        questions those of smallest hash are taken and `left_out` counts the others; above 500,000 answers those of the
        later questions are left out and counted.
    """
    total = labels.num_rows
    labels = _sample(labels)
    texts = Texts(rest_in="the file")
    get = {column: labels.column(column).to_pylist() for column in ("example_id", "source", "value", "votes")}
    numbers = {column: _floats(labels, column) for column in ("entropy", "reliability", "n_invalid")}
    starts, columns, left = _said(labels, answers, texts)
    people, classes = _people(annotators, texts, columns["source"])
    prompts = columns["prompt"]
    of_label = [
        None if value is None or votes is None else dict(votes).get(value, 0)  # perhaps nobody gave the likeliest
        for votes, value in zip(get["votes"], get["value"], strict=True)
    ]
    histograms = {
        ("label", "Label"): bars_of_words(get["value"], missing="no label"),
        ("reliability", "Reliability"): bars_of_numbers(numbers["reliability"], missing="undefined"),
        ("entropy", "Entropy, nats"): bars_of_numbers(numbers["entropy"], missing="undefined"),
        ("votes", "Votes for the label"): bars_of_numbers(
            np.array([np.nan if n is None else n for n in of_label], dtype=np.float64), missing="no label"
        ),
    }
    return {
        "texts": texts.all,  # filled below, too
        "ids": get["example_id"],
        "asked": [next((prompt for prompt in prompts[a:b] if prompt >= 0), -1) for a, b in pairwise(starts)],
        "label": texts.numbers(get["value"]),
        "source": texts.numbers(get["source"]) if len(set(get["source"])) > 1 else None,
        "votes": [vote_numbers(votes, texts) for votes in get["votes"]],
        "entropy": [rounded(value) for value in numbers["entropy"].tolist()],
        "reliability": [rounded(value) for value in numbers["reliability"].tolist()],
        "invalid": [None if np.isnan(value) else int(value) for value in numbers["n_invalid"].tolist()],
        "histograms": [
            {"key": key, "title": title, "names": bars.names, "rows": bars.rows}
            for (key, title), bars in histograms.items()
            if bars is not None
        ],
        "starts": starts if answers is not None else None,
        "answers": columns,
        "people": people,
        "classes": classes,
        "left_out": total - labels.num_rows,
        "answers_left_out": left,
    }


def _people(
    annotators: pa.Table | None, texts: Texts, shown: list[int] | None
) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """Annotators as the page's script takes them, flagged ones first and then by accuracy; and the classes."""
    if annotators is None:
        return None, []
    classes = json.loads((annotators.schema.metadata or {}).get(b"classes", b"[]"))
    there, people = set(shown or ()), []
    for row in annotators.to_pylist():
        numbers = {name: rounded(value) for name, value in row.items() if isinstance(value, float)}
        number = texts.number(row["annotator"])
        confusion = row["confusion"] and [[rounded(share) for share in each] for each in row["confusion"]]
        people.append({**row, **numbers, "confusion": confusion, "number": number if number in there else -1})
    people.sort(
        key=lambda row: (not row["flags"], 2.0 if row["accuracy"] is None else row["accuracy"], row["annotator"])
    )
    return people, classes


def _floats(labels: pa.Table, column: str) -> Float[np.ndarray, "rows"]:
    numbers = np.asarray(labels.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _sample(labels: pa.Table) -> pa.Table:
    if labels.num_rows <= MOST_QUESTIONS:
        return labels
    order = hash_order([], labels.column("example_id").to_pylist())
    return labels.take(pa.array(np.sort(order[:MOST_QUESTIONS])))


def _said(labels: pa.Table, answers: pa.Table | None, texts: Texts) -> tuple[list[int], dict[str, list[Any]], int]:
    """Where each label's answers begin, and behind them the end; their columns; how many answers were left out."""
    if answers is None:
        return [0] * (labels.num_rows + 1), {name: [] for name in SAID} | NO_SOURCES, 0
    at = _owner(labels, answers)
    labelled = np.flatnonzero(at >= 0)
    if not len(labelled):
        raise DataError(
            "no answer belongs to a label: the answers' ids are like "
            f"{answers.column('example_id')[0].as_py()!r}, the labels' like {labels.column('example_id')[0].as_py()!r}"
        )
    keys = [answers.column(name).to_numpy()[labelled] for name in ("sample", "variant")]
    source = np.asarray(pc.rank(answers.column("source"), tiebreaker="dense").to_numpy())[labelled]
    order = labelled[np.lexsort((*keys, source, at[labelled]))]
    cut = len(order)
    if cut > MOST_ANSWERS:  # whole questions only
        cut = int(np.searchsorted(at[order], at[order[MOST_ANSWERS]]))
    shown = answers.select([*SAID, "source"]).take(pa.array(order[:cut]))
    columns: dict[str, list[Any]] = {
        name: texts.numbers(shown.column(name).to_pylist()) for name in ("value", "text", "prompt")
    }
    columns |= {name: shown.column(name).to_pylist() for name in ("variant", "sample")}
    of_several = pc.count_distinct(answers["source"]).as_py() > 1
    columns |= {"source": texts.numbers(shown.column("source").to_pylist())} if of_several else NO_SOURCES
    columns["logprob"] = [rounded(value) for value in shown.column("logprob").to_pylist()]
    starts = np.searchsorted(at[order[:cut]], np.arange(labels.num_rows + 1))
    return starts.tolist(), columns, len(order) - cut


def _owner(labels: pa.Table, answers: pa.Table) -> Int[np.ndarray, "answers"]:
    """For each answer the row of its label, -1 where there is none; by source too where each source has its label."""
    ids, asked = labels.column("example_id"), answers.column("example_id")
    if pc.count_distinct(ids).as_py() < labels.num_rows:
        ids, asked = (
            pc.binary_join_element_wise(t.column("example_id"), pc.fill_null(t.column("source"), ""), "\x00")
            for t in (labels, answers)
        )
    return np.asarray(pc.fill_null(pc.index_in(asked, value_set=ids), -1).to_numpy(), dtype=np.int64)


def _tiles(labels: pa.Table) -> list[Tile]:
    n, without = labels.num_rows, labels.column("value").null_count
    tiles = [
        Tile("Questions", forms.count(n), f"{forms.count(without)} without a label" if without else "all labelled")
    ]
    entropy, reliability = _floats(labels, "entropy"), _floats(labels, "reliability")
    asked = ~np.isnan(entropy)
    if asked.any():
        note = "of those asked more than once" if not asked.all() else "every answer the same"
        shares = _floats(labels, "vote_share")  # a model of annotators is never quite certain
        same = entropy[asked] == 0 if np.isnan(shares[asked]).all() else shares[asked] == 1
        tiles.append(Tile("Unanimous", forms.percent(float(np.mean(same))) + " %", note))
    if not np.isnan(reliability).all():
        low, middle = np.nanquantile(reliability, [0.25, 0.5])
        note = f"median {forms.share(float(middle))}, lower quarter {forms.share(float(low))}"
        tiles.append(Tile("Mean reliability", forms.share(float(np.nanmean(reliability))), note))
    valid, invalid = _floats(labels, "n_valid"), _floats(labels, "n_invalid")
    answered = float(np.nansum(valid) + np.nansum(invalid))
    if answered:
        share = forms.percent(float(np.nansum(invalid)) / answered)
        tiles.append(Tile("Invalid answers", f"{share} %", f"of {forms.count(answered)} answers"))
    return tiles
