"""`samples_*.jsonl` of lm-evaluation-harness (`--log_samples`): a question per line and filter, one model a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError
from outgrow.io.text import json_objects

INVALID = ("[invalid]", "")


def matches(path: Path, first: Mapping[str, Any]) -> bool:
    """Whether the first line is one of its samples."""
    return {"doc_id", "resps", "filtered_resps"} <= first.keys()


def task(path: Path) -> str:
    """The task that a file's name tells: `samples_TASK_DATE.jsonl`."""
    name = path.stem.removeprefix("samples_")
    return re.sub(r"_[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9.:-]+$", "", name)


def answers(path: Path, chosen: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of every question what the model answered.

    The value is what the filter found in the text ("[invalid]" is none), or of scored options the one with the highest
    log-probability, with `probabilities` over all. Where several filters were used, `chosen` names one; the first is
    the rule. The source is the folder, which the harness names after the model.
    """
    lines = list(json_objects(path))
    filters = list(dict.fromkeys(row.get("filter", "none") for _, row in lines))
    if chosen is not None and chosen not in filters:
        raise ConfigError(f"{path}: no filter {chosen!r}; the samples have {', '.join(map(repr, filters))}")
    source = path.resolve().parent.name if path.name.startswith("samples_") else path.stem
    for number, row in lines:
        if row.get("filter", "none") == (chosen or filters[0]):
            try:
                for sample, answer in enumerate(_answers(row)):
                    shared = {"example_id": str(row["doc_id"]), "source": source, "variant": 0, "sample": sample}
                    yield number, {**shared, **answer}
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise DataError(f"{path}, line {number}: not a sample that can be read ({error!r})") from None


def _answers(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    requests = list((row.get("arguments") or {}).values())
    prompt = requests[0].get("arg_0") if requests else None
    scores = row["filtered_resps"]
    if len(scores) > 1 and all(isinstance(each, list) and len(each) == 2 for each in scores):
        yield {"prompt": prompt, "finish_reason": "scored", **_chosen(requests, [float(each[0]) for each in scores])}
        return
    texts = row["resps"][0]
    values = scores[0] if isinstance(scores[0], list) else [scores[0]]
    for i, value in enumerate(values):
        text = texts[i] if i < len(texts) and len(values) <= len(texts) else None
        yield {"prompt": prompt, "text": text, "value": None if value.strip() in INVALID else value.strip()}


def _chosen(requests: list[Mapping[str, Any]], scores: list[float]) -> dict[str, Any]:
    """The option with the highest log-probability, named by its text where the requests tell it."""
    names = [str(each.get("arg_1", i)).strip() for i, each in enumerate(requests)]
    if len(names) != len(scores) or len(set(names)) < len(names):
        names = [str(i) for i in range(len(scores))]
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    probabilities = {name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)}
    return {"value": names[scores.index(top)], "probabilities": probabilities}
