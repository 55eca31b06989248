"""The table of answers, made small enough to live inside the page: each text once, rows as columns of numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from outgrow.records import sha256_text
from outgrow.reporting.schema import Results

MOST_ROWS = 60_000
LONGEST_TEXT = 4_000
ARM_PREFIX = "arm:"


class _Texts:
    """Texts by number; null is -1."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._known: dict[str, int] = {}

    def number(self, text: Any) -> int:
        if text is None:
            return -1
        text = str(text)
        if text not in self._known:
            self._known[text] = len(self.all)
            cut = len(text) - LONGEST_TEXT
            self.all.append(text if cut <= 0 else f"{text[:LONGEST_TEXT]}… ({cut} more characters in answers.parquet)")
        return self._known[text]

    def numbers(self, values: Sequence[Any]) -> list[int]:
        return [self.number(value) for value in values]


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
    texts = _Texts()
    get = {name: table.column(name).to_pylist() for name in table.column_names}
    nothing = [None] * table.num_rows
    questions, of_row = _questions(get, texts, table.num_rows)
    arms = [arm for arm in results.arms if ARM_PREFIX + arm.name in get]
    speakers = [("supervisor", "supervisor", "supervisor_value"), ("consensus", "supervisor", "label")]
    speakers += [("zero-shot", "reference", "zero_shot")]
    speakers += [(arm.name, arm.kind, ARM_PREFIX + arm.name) for arm in arms]
    speakers = [speaker for speaker in speakers if speaker[2] in get]
    return {
        "speakers": [{"name": name, "kind": kind} for name, kind, _ in speakers],
        "shown": _shown_first(results, [name for name, _, _ in speakers]),
        "questions": questions,
        "row_question": of_row,
        "row_seed": get["seed"],
        "row_votes": [_votes(votes, texts) for votes in get.get("votes", nothing)],
        "row_entropy": [_round(value) for value in get.get("entropy", nothing)],
        "row_reliability": [_round(value) for value in get.get("reliability", nothing)],
        "said": [texts.numbers(get[column]) for _, _, column in speakers],
        "left_out": total - table.num_rows,
        "texts": texts.all,
    }


def to_json_for_script(payload: Any) -> str:
    """JSON that is safe inside a script element: no character that could end it, open a comment or break a line."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _sample(table: pa.Table) -> pa.Table:
    if table.num_rows <= MOST_ROWS:
        return table
    ids = table.column("example_id").to_pylist()
    kept: set[str] = set()
    rows = {each: 0 for each in ids}
    for each in ids:
        rows[each] += 1
    n = 0
    for each in sorted(rows, key=sha256_text):
        n += rows[each]
        if n > MOST_ROWS:
            break
        kept.add(each)
    return table.filter(pa.array([each in kept for each in ids]))


def _questions(get: dict[str, list[Any]], texts: _Texts, n: int) -> tuple[list[list[Any]], list[int]]:
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


def _votes(votes: Any, texts: _Texts) -> list[int]:
    """`[text, count, text, count, ...]`, most votes first."""
    if not votes:
        return []
    pairs = sorted((tuple(pair) for pair in votes), key=lambda pair: (-pair[1], str(pair[0])))
    return [number for value, n in pairs for number in (texts.number(value), int(n))]


def _round(value: float | int | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 4)


def _shown_first(results: Results, names: list[str]) -> list[str]:
    """The few speakers whose columns are open at first: the supervisor, naive, the primary pair, the ceiling."""
    wanted = ["consensus", *[arm.name for arm in results.arms if arm.method in ("naive", "strong_ceiling")]]
    if results.primary is not None:
        wanted += [results.primary.a, results.primary.b]
    if len(names) <= 6:
        wanted = names
    return [name for name in names if name in wanted]
