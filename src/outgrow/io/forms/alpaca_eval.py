"""Annotations in AlpacaEval's form: which of two outputs an annotator prefers, an item per instruction and pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outgrow.io.text import json_objects

FIRST, SECOND, TIE = "1", "2", "tie"


def matches(path: Path, first: Mapping[str, Any]) -> bool:
    """Whether the first item compares two outputs."""
    return {"instruction", "output_1", "output_2", "preference"} <= first.keys()


def answers(path: Path, chosen: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of every comparison whom the annotator prefers: "1", "2" or "tie".

    A preference between 1 and 2 is one with probability, 1.5 a tie; 0 or nothing is none.
    """
    for number, item in json_objects(path):
        pair = [str(item.get(f"generator_{i}") or f"output_{i}") for i in (1, 2)]
        preference = item["preference"]
        answer = {
            "example_id": " | ".join([item["instruction"], *pair]),
            "source": str(item.get("annotator") or "annotator"),
            "prompt": item["instruction"],
        }
        if preference is not None and 1 <= float(preference) <= 2:
            second = float(preference) - 1
            answer["value"] = TIE if second == 0.5 else SECOND if second > 0.5 else FIRST
            if 0 < second < 1 and second != 0.5:
                answer["probabilities"] = {FIRST: 1 - second, SECOND: second}
        yield number, answer
