"""The table of answers, made small enough to live inside the page: each text once, rows as columns of numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from outgrow.core.hashing import sha256_text
from outgrow.reporting.schema import Results
from outgrow.reporting.texts import Texts, rounded, vote_numbers

MOST_ROWS = 60_000
ARM_PREFIX = "arm:"


def answers_payload(table: pa.Table, results: Results) -> dict[str, Any]:
    """What the page's script needs to show answers.parquet.

    Args:
        table: one row per test question and seed, with one `arm:<name>` column per arm.
        results: names the arms, in their order.

    Returns:
        A JSON-able mapping: `texts` (every text once), `questions` (`[id, question, choices, gold, stratum]` as text
        numbers), and per row the question's number, the seed and the answers as text numbers; -1 stands for
        null. Above 60,000 rows the questions of smallest hash are taken, whole, and `left_out` counts the other rows.
    """
    total = table.num_rows
    table = _sample(table)
    texts = Texts()
    get = {name: table.column(name).to_pylist() for name in table.column_names}
    nothing = [None] * table.num_rows
    questions, of_row = _questions(get, texts, table.num_rows)
    speakers = [
        ("supervisor", "supervisor", "supervisor_value"),
        ("consensus", "supervisor", "label"),
        ("zero-shot", "reference", "zero_shot"),
        *((arm.name, arm.kind, ARM_PREFIX + arm.name) for arm in results.arms),
    ]
    speakers = [speaker for speaker in speakers if speaker[2] in get]
    return {
        "speakers": [{"name": name, "kind": kind} for name, kind, _ in speakers],
        "shown": _shown_first(results, [name for name, _, _ in speakers]),
        "questions": questions,
        "row_question": of_row,
        "row_seed": get["seed"],
        "row_votes": [vote_numbers(votes, texts) for votes in get.get("votes", nothing)],
        "row_entropy": [rounded(value) for value in get.get("entropy", nothing)],
        "row_reliability": [rounded(value) for value in get.get("reliability", nothing)],
        "said": [texts.numbers(get[column]) for _, _, column in speakers],
        "left_out": total - table.num_rows,
        "texts": texts.all,
    }


def _sample(table: pa.Table) -> pa.Table:
    if table.num_rows <= MOST_ROWS:
        return table
    ids = table.column("example_id").to_pylist()
    rows = Counter(ids)
    kept: set[str] = set()
    n = 0
    for example in sorted(rows, key=sha256_text):
        n += rows[example]
        if n > MOST_ROWS:
            break
        kept.add(example)
    return table.filter(pa.array([example in kept for example in ids]))


def _questions(get: dict[str, list[Any]], texts: Texts, n: int) -> tuple[list[list[Any]], list[int]]:
    known: dict[str, int] = {}
    questions: list[list[Any]] = []
    of_row = []
    choices, strata = get.get("choices", [None] * n), get.get("stratum", [None] * n)
    for i, example in enumerate(get["example_id"]):
        if example not in known:
            known[example] = len(questions)
            offered = choices[i] if isinstance(choices[i], list) else []
            question = texts.number(get["question"][i])
            gold, stratum = texts.number(get["gold"][i]), texts.number(strata[i] or None)
            questions.append([texts.number(example), question, texts.numbers(offered), gold, stratum])
        of_row.append(known[example])
    return questions, of_row


def _shown_first(results: Results, names: list[str]) -> list[str]:
    """The few speakers whose columns are open at first: the supervisor, naive, the primary pair, the ceiling."""
    wanted = ["consensus", *[arm.name for arm in results.arms if arm.method in ("naive", "strong_ceiling")]]
    if results.primary is not None:
        wanted += [results.primary.a, results.primary.b]
    if len(names) <= 6:
        wanted = names
    return [name for name in names if name in wanted]
