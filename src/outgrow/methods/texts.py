"""Labels that are texts: what a source writes to each question, and what it makes of every word."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.lab import How, Lab, Source
from outgrow.core.tables import ROWS, WEAK_TOKENS, build
from outgrow.methods.rows import LabelForm, answer_rows, in_own_words
from outgrow.objectives.soft_tokens import SoftTokens


def in_words(answers: pa.Table) -> bool:
    """Whether questions are answered by texts and not by choosing among options."""
    valid = answers.filter(answers["value"].is_valid())
    return bool(len(valid)) and in_own_words(valid).null_count == 0


def text_answers(lab: Lab, source: Source, beams: int = 1) -> pa.Table:
    """What a source finds most probable to write to each question of the pool, where it can be read.

    Args:
        lab: whose pool it is.
        source: who writes.
        beams: of the search for it; 1 is greedy.
    """
    answers = lab.ask(source, lab.pool, _how(beams))
    return answers.filter(pc.and_(pc.equal(answers["sample"], 0), answers["value"].is_valid()))


def text_rows(lab: Lab, source: Source, form: LabelForm = "auto", beams: int = 1) -> pa.Table:
    """A training row for each of `text_answers`.

    Args:
        lab: whose pool it is.
        source: who writes.
        form: `hard` takes the texts as they are; otherwise rows carry what the source makes of each token
            (`WEAK_TOKENS`), for `SoftTokens`.
        beams: as for `text_answers`.
    """
    rows = answer_rows(text_answers(lab, source, beams))
    if form == "hard":
        return rows
    tokens = lab.tokens(source, lab.pool, _how(beams))
    tokens = tokens.filter(pc.equal(tokens["sample"], 0))
    lists = (tokens[name].to_pylist() for name in ("example_id", "starts", "ends", "logprobs"))
    kept = {
        example: [dict(zip(("start", "end", "logprob"), token, strict=True)) for token in zip(*own, strict=True)]
        for example, *own in zip(*lists, strict=True)
    }
    column = pa.array([kept[example] for example in rows["example_id"].to_pylist()], WEAK_TOKENS.type)
    return rows.append_column(WEAK_TOKENS, column)


def rows_of_shares(labels: pa.Table, answers: pa.Table) -> pa.Table:
    """A training row for each value that a label gives a probability: the first text that says it, weighed by that.

    A value that nobody wrote to the question is left out.

    Args:
        labels: one per question (`core.tables.LABELS`).
        answers: the texts behind them, under the names of their sources.
    """
    first: dict[tuple[str, str], tuple[str, str | None]] = {}
    named = (answers[name].to_pylist() for name in ("example_id", "value", "text", "prompt"))
    for example, value, text, prompt in zip(*named, strict=True):
        if value is not None:
            first.setdefault((example, value), (text, prompt))
    shares = [
        (example, number, *first[example, value], p)
        for example, values in zip(labels["example_id"].to_pylist(), labels["probabilities"].to_pylist(), strict=True)
        for number, (value, p) in enumerate(values or [])
        if p > 0 and (example, value) in first
    ]
    return build(
        ROWS,
        {
            "row_id": [f"{example}/posterior/{number}" for example, number, *_ in shares],
            "example_id": [example for example, *_ in shares],
            "source": ["posterior"] * len(shares),
            "variant": [0] * len(shares),
            "prompt": [prompt for *_, prompt, _ in shares],
            "target": [text for _, _, text, *_ in shares],
            "weight": [p for *_, p in shares],
        },
    )


def token_objective(rows: pa.Table) -> SoftTokens | None:
    """`SoftTokens` for rows that carry tokens; None, which is cross-entropy, for others."""
    return SoftTokens() if WEAK_TOKENS.name in rows.column_names else None


def _how(beams: int) -> How:
    return How(variants=1, samples=1, temperature=0.0, beams=beams if beams > 1 else None)
