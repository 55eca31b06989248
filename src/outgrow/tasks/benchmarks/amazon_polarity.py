"""Amazon polarity: whether a review is positive or negative (arXiv 1509.01626).

Source: `fancyzhx/amazon_polarity` (train 3,600,000, test 400,000; licence Apache 2.0), pinned. On disk: Parquet or
JSON Lines with `title`, `content`, `label` (0 negative, 1 positive), or the original CSV files without a header
(label 1 or 2, title, content).

    {"title": "Leaks", "content": "The jug leaks from the first day on.", "label": 0}

Paper 03's code (arXiv 2312.09390) takes the first 20,000 rows of train, halved, and 10,000 of test, title before
text. So are the default splits; the first 21,000 rows of train are read (1,000 more to validate). The words are
ours. Variants: the answer words in either order. Canonical answer: negative or positive.
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import Benchmark, BenchmarkConfig, Classes, FileSplit, Hub, Question, Row

CLASSES = ("negative", "positive")


def read(row: Row) -> Question:
    """A row as a question."""
    original = "file_name" in row.cells
    label = row.index("label", 3 if original else 2) - original
    if label < 0:
        raise row.fault("label", "the label must be 1 or 2, found '0'")
    text = "\n".join(filter(None, [row.text("title", empty=True), row.text("content")]))
    return row.classified(text, CLASSES[label])


class AmazonPolarity(BenchmarkConfig):
    """Amazon polarity."""

    kind: Literal["amazon_polarity"] = "amazon_polarity"
    revision: str | None = "7a396a7058bb654c8a7fa8059eece5f1f2206624"
    SET = Benchmark(
        name="amazon_polarity",
        hub=Hub("fancyzhx/amazon_polarity", ("amazon_polarity",)),
        files={"train": FileSplit(3_600_000), "test": FileSplit(400_000)},
        columns=("title", "content", "label"),
        read=read,
        splits={
            "supervisor_train": ("train", 0.48),
            "validation": ("train", 0.04),
            "pool": ("train", "rest"),
            "test": ("test", "rest"),
        },
        prompts={"": ("Is this review {words}?\nReview: {text}\n### Answer:",)},
        answer=Classes(CLASSES),
        limit=21_000,
        headers=("label", "title", "content"),
        keywords=("amazon",),
    )
