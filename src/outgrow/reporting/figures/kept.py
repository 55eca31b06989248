"""Figures that an earlier report left, for a report of the same results by the same code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from outgrow.core.files import sha256_file, write_json
from outgrow.reporting.figures.drawn import Shown

MANIFEST = "figures.json"
WORDS = ("title", "caption", "alt", "wide")


def fingerprint(results: bytes) -> str:
    """SHA-256 of all that decides the figures: the results, the code of this room, and what it draws with."""
    sha = hashlib.sha256(results)
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        sha.update(file.name.encode() + file.read_bytes())
    sha.update("".join(map(version, ("outgrow", "matplotlib", "numpy", "pyarrow"))).encode())
    return sha.hexdigest()


def kept_figures(folder: Path, of: str) -> dict[str, Shown] | None:
    """The figures in a run's folder; None unless they were drawn for the fingerprint `of` and lie there untouched."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if content["of"] != of:
            return None
        figures = {}
        for key, entry in content["figures"].items():
            svg = (folder / "figures" / f"{key}.svg").read_bytes()
            if _hashes(folder, key) != entry["sha256"]:
                return None
            figures[key] = Shown(key=key, svg=svg.decode("utf-8"), **{word: entry[word] for word in WORDS})
        return figures
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_figures(folder: Path, of: str, figures: Mapping[str, Shown]) -> None:
    """Note for what the figures in a run's folder were drawn, in the order of the report."""
    entries = {
        key: {**{word: getattr(each, word) for word in WORDS}, "sha256": _hashes(folder, key)}
        for key, each in figures.items()
    }
    write_json({"of": of, "figures": entries}, folder / MANIFEST)


def _hashes(folder: Path, key: str) -> list[str]:
    return [sha256_file(folder / "figures" / f"{key}.{suffix}") for suffix in ("svg", "csv")]
