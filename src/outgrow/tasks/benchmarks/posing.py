"""Questions posed otherwise than they stand in the file: candidate by candidate, or with equally frequent classes."""

from __future__ import annotations

import re
from dataclasses import replace

from outgrow.core.hashing import sha256_text
from outgrow.tasks.questions import Question, Rows

CANDIDATE_PROMPT = "{text}\nIs this right? Answer {words}.\n### Answer:"
"""Our own words: paper 03 has a classification head and gives none."""

_ABOUT_OTHERS = re.compile(
    r"\b(?:none|all|both|neither|either)\b.*\b(?:above|these|those|choices|options|answers)\b", re.I
)


def as_candidates(rows: Rows, seed: int) -> tuple[Rows, int]:
    """Each question as two: its right answer and one wrong candidate, both in its group (paper 03, section 6).

    Which wrong one is drawn by (seed, question), and so is the order of the two. An option that speaks of the others
    ("none of the above") cannot be judged alone: it is never drawn, and a question that has it as its answer is left
    out.

    Returns:
        The rows, and how many questions were left out.
    """
    posed: Rows = []
    left_out = 0
    for question, group in rows:
        choices = question.choices or ()
        wrong = [c for c in choices if c != question.gold and not _ABOUT_OTHERS.search(c)]
        if _ABOUT_OTHERS.search(question.gold) or not wrong:
            left_out += 1
            continue
        draw = int(sha256_text("candidate", seed, question.text, sorted(choices)), 16)
        pair = [(question.gold, "yes"), (wrong[draw % len(wrong)], "no")]
        for candidate, gold in pair if (draw >> 128) % 2 else reversed(pair):
            text = f"{question.text}\nProposed answer: {candidate}"
            posed.append((replace(question, text=text, choices=None, gold=gold, form="", fields={}), group))
    return posed, left_out


def downsampled(rows: Rows, seed: int) -> Rows:
    """As many rows of each class as the rarest one has; which ones go depends on (seed, question) alone."""
    order = {id(q): sha256_text("balance", seed, q.text) for q, _ in rows}
    by_class: dict[str, list[Question]] = {}
    for question, _ in rows:
        by_class.setdefault(question.gold, []).append(question)
    fewest = min(map(len, by_class.values()), default=0)
    kept = {id(q) for own in by_class.values() for q in sorted(own, key=lambda q: order[id(q)])[:fewest]}
    return [(q, group) for q, group in rows if id(q) in kept]
