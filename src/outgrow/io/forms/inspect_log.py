"""Logs of inspect (`.eval` and `.json`): a sample per question and epoch, one model a log."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.io.text import whole_json

ZSTANDARD = 93
"""The method of compression that zipfile does not know and pyarrow does."""
LOCAL_HEADER = 30


def matches(path: Path, first: Mapping[str, Any]) -> bool:
    """Whether it is a log."""
    return path.suffix.lower() == ".eval" or {"version", "status", "eval"} <= first.keys()


def task(path: Path) -> str:
    """The task of a log."""
    header = _zipped(path)[0] if path.suffix.lower() == ".eval" else whole_json(path)["eval"]
    return str(header.get("task", ""))


def answers(path: Path, chosen: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of every question what the model answered; epochs are samples.

    The value is the answer that a scorer found in the text, `chosen` or the first; without scores it is the text.
    """
    header, samples = _zipped(path) if path.suffix.lower() == ".eval" else _whole(path)
    model = header.get("model", path.stem)
    for number, sample in enumerate(samples, start=1):
        try:
            yield number, {"source": model, **_answer(path, sample, chosen)}
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise DataError(f"{path}, sample {number}: not a sample that can be read ({error!r})") from None


def _answer(path: Path, sample: Mapping[str, Any], chosen: str | None) -> dict[str, Any]:
    output, scores = sample.get("output") or {}, sample.get("scores") or {}
    text = output.get("completion") or None
    value = text
    if scores:
        if chosen is not None and chosen not in scores:
            raise ConfigError(f"{path}: no scorer {chosen!r}; the samples have {', '.join(map(repr, scores))}")
        value = scores[chosen or next(iter(scores))].get("answer")
    reason = (output.get("choices") or [{}])[0].get("stop_reason")
    return {
        "example_id": str(sample["id"]),
        "variant": 0,
        "sample": int(sample.get("epoch", 1)) - 1,
        "prompt": _said(sample["input"]),
        "text": text,
        "value": None if value is None else str(value).strip(),
        "finish_reason": reason,
    }


def _said(content: Any) -> str:
    """A question as text: itself, or what the user says in its messages; parts that are no text are left out."""
    if isinstance(content, str):
        return content
    parts = [message["content"] for message in content if message.get("role") == "user"]
    texts = [part if isinstance(part, str) else "\n".join(p["text"] for p in part if "text" in p) for part in parts]
    return "\n".join(texts)


def _whole(path: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    log = whole_json(path)
    return log["eval"], log.get("samples") or []


def _zipped(path: Path) -> tuple[Mapping[str, Any], Iterator[Mapping[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: not an inspect log that can be read ({error})") from None
    by_name = {entry.filename: entry for entry in entries}
    header = by_name.get("header.json") or by_name.get("_journal/start.json")
    if header is None:
        raise DataError(f"{path}: not an inspect log: it holds no header.json")
    evaluation = json.loads(_content(path, header))["eval"]
    samples = sorted(name for name in by_name if name.startswith("samples/") and name.endswith(".json"))
    return evaluation, (json.loads(_content(path, by_name[name])) for name in samples)


def _content(path: Path, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type != ZSTANDARD:
        with zipfile.ZipFile(path) as file:
            return file.read(entry)
    with path.open("rb") as raw:
        raw.seek(entry.header_offset)
        head = raw.read(LOCAL_HEADER)
        raw.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
        packed = raw.read(entry.compress_size)
    return bytes(pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read())
