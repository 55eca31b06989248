"""LegalBench, privacy policy QA: whether a clause is relevant to a question (arXiv 2308.11462).

Source: `nguha/legalbench`, configuration `privacy_policy_qa`; its main branch has a loading script, so the hub's own
Parquet copy is read. 10,992 rows in all (README of HazyResearch/legalbench), nearly all in test; PrivacyQA's licence
is MIT. On disk: Parquet, JSON Lines or CSV with `text` (the clause), `question`, `answer` (Relevant or Irrelevant).

    {"text": "We delete logs after ten days.", "question": "how long are logs kept?", "answer": "Relevant"}

As the card suggests for fine-tuning, the rows are dealt out anew: all splits come from test. The words are ours,
with LegalBench's order of clause and question and its two labels. Variants: the answer words in either order.
Canonical answer: the label. Questions that many clauses are paired with stay together: their groups are the
questions.
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import Benchmark, BenchmarkConfig, Classes, FileSplit, Hub, Question, Row
from outgrow.tasks.splits import normalise_text
from outgrow.tasks.table_config import DEFAULT_SPLITS

CLASSES = ("Irrelevant", "Relevant")
PROMPT = "Does the clause bear on the question? Answer {words}.\nClause: {text}\n### Answer:"


def read(row: Row) -> Question:
    """A row as a question."""
    label = row.text("answer").capitalize()
    if label not in CLASSES:
        raise row.fault("answer", f"the label must be Relevant or Irrelevant, found {label!r}")
    asked = row.text("question")
    return row.classified(f"{row.text('text')}\nQuestion: {asked}", label, group=normalise_text(asked))


class LegalBench(BenchmarkConfig):
    """LegalBench.

    Attributes:
        subset: which of its tasks.
    """

    kind: Literal["legalbench"] = "legalbench"
    subset: Literal["privacy_policy_qa"] = "privacy_policy_qa"
    revision: str | None = "refs/convert/parquet"
    SET = Benchmark(
        name="legalbench/privacy_policy_qa",
        hub=Hub("nguha/legalbench", ("privacy_policy_qa",)),
        files={"test": FileSplit()},
        columns=("text", "question", "answer"),
        read=read,
        splits={split: ("test", size) for split, size in DEFAULT_SPLITS.items()},
        prompts={"": (PROMPT,)},
        answer=Classes(CLASSES),
        keywords=("legalbench", "privacy"),
    )
