"""Whether two runs gave the same numbers: python scripts/compare_results.py BEFORE/results.json AFTER/results.json.

Every leaf of the first file has to be in the second, written with the same digits; the second may have more. Format 2
with one cell is read as format 1. The recipe is left aside, since it names what newer versions can be told. Exit code 1
if anything differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEFT_ASIDE = ("format", "recipe")


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf with its place, numbers as they are written."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{place}.{name}")
    elif isinstance(value, list):
        yield f"{place}.length", str(len(value))
        for i, item in enumerate(value):
            yield from leaves(item, f"{place}[{i}]")
    else:
        yield place, json.dumps(value, ensure_ascii=False)


def flat(path: Path) -> dict[str, str]:
    """The leaves of a results file, a single cell's beside the run's."""
    results = json.loads(path.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    cells = results.pop("cells", [])
    if len(cells) > 1:
        raise SystemExit(f"{path} has {len(cells)} cells; format 1 has one")
    merged = {**results, **(cells[0] if cells else {})}
    return dict(leaves({name: value for name, value in merged.items() if name not in LEFT_ASIDE or name == "name"}))


def main() -> None:
    """Compare two files and print what differs."""
    before, after = (flat(Path(name)) for name in sys.argv[1:3])
    before = {place: value for place, value in before.items() if place != ".name"}
    different = [place for place, value in before.items() if after.get(place) != value]
    for place in different[:20]:
        print(f"{place}: {before[place]} before, {after.get(place, 'absent')} after")
    print(f"{len(before)} values compared, {len(different)} differ, {len(set(after) - set(before))} are new")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
