"""Write docs/benchmarks.md from the JSON files of a folder.

python benchmarks/write.py [--results FOLDER] [--page docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ORDER = ("asking", "sampling", "training", "preferences", "suite", "reliability", "annotators", "startup", "gpu")
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
COMPLETE = "make bench"
EXPLAINED = Path(__file__).parent / "explained"

HEAD = """# Benchmarks

`make bench` measured this and wrote this page. Ours and the others run in one process, in turns (A B C A B C ...),
after a warm-up; a ratio is of medians, and its spread goes from the lowest to the highest ratio of a round. Above 1
ours is faster; where a target says `<=`, the ratio is ours divided by theirs. A share of matrix products divides the
useful operations per second by those of plain matrix products at sizes like the models', same type and threads,
measured in the same rounds (medians): machines here are shared, and what they can do changes from minute to minute. The
ceiling below a table is the best single moment of the whole run.
"""


def page(results: Sequence[dict[str, Any]]) -> str:
    """The whole page.

    Args:
        results: contents of the JSON files.
    """
    ordered = sorted(results, key=lambda r: ORDER.index(r["benchmark"]) if r["benchmark"] in ORDER else 99)
    lines = [HEAD]
    if any(result["quick"] for result in ordered):
        lines += ["**This page comes from a quick run on tiny shapes. Its numbers mean nothing.**", ""]
    lines += _summary(ordered)
    for result in ordered:
        lines += _section(result)
    return "\n".join(lines).rstrip() + "\n"


def _summary(results: Sequence[dict[str, Any]]) -> list[str]:
    rows = [(result, row) for result in results for row in result["rows"] if row["target"] is not None]
    missed = [(result, row) for result, row in rows if not row["met"]]
    lines = [f"{len(rows) - len(missed)} of {len(rows)} targets met.", ""]
    if missed:
        lines += ["Missed:", ""]
        lines += [
            f"- {r['title']}: {row['what']}{_versus(row)}: {_found(row)} (target {row['target']})" for r, row in missed
        ]
        lines += [""]
    return lines


def _section(result: dict[str, Any]) -> list[str]:
    lines = [f"## {result['title']}", ""]
    if result["rows"]:
        lines += ["| what | ours | theirs | ratio | spread | target | |", "|---|--:|--:|--:|--:|--:|---|"]
        lines += [_row(row) for row in result["rows"]]
        lines += [""]
    lines += [f"- {note}" for note in result["notes"]]
    lines += [""] * bool(result["notes"])
    explained = EXPLAINED / f"{result['benchmark']}.md"
    if explained.is_file():
        lines += [explained.read_text(encoding="utf-8").strip(), ""]
    return [*lines, _conditions(result), ""]


def _row(row: dict[str, Any]) -> str:
    spread = "" if row["spread"] is None else f"{row['spread'][0]:.2f} to {row['spread'][1]:.2f} ({row['rounds']})"
    met = "" if row["met"] is None else "met" if row["met"] else "**missed**"
    theirs = "" if row["theirs"] is None else f"{_number(row['theirs'])} {row['unit']}"
    cells = [
        row["what"] + _versus(row),
        f"{_number(row['ours'])} {row['unit']}".strip(),
        theirs,
        "" if row["ratio"] is None else f"{row['ratio']:.2f}",
        spread,
        row["target"] or "",
        met,
    ]
    return f"| {' | '.join(cells)} |"


def _versus(row: dict[str, Any]) -> str:
    return "" if row["against"] is None else f", against {row['against']}"


def _found(row: dict[str, Any]) -> str:
    return _number(row["ours"]) if row["ratio"] is None else f"{row['ratio']:.2f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if value else "0"


def _conditions(result: dict[str, Any]) -> str:
    machine, ceiling = result["machine"], result["ceiling"]
    types = ", ".join(machine["bfloat16"]) or "none"
    parts = [
        f"{result['day']}; {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, bfloat16 "
        f"instructions: {types}; {result['device']}, {result['threads']} thread(s); took {result['seconds']:,.0f} s."
    ]
    if ceiling is not None:
        parts.append(
            "Ceiling: "
            + ", ".join(f"{ceiling[t]:,.0f} GFLOP/s {t}" for t in ("float32", "bfloat16") if t in ceiling)
            + f"; large copy {ceiling['copy_gb_s']:,.1f} GB/s."
        )
    parts.append(
        f"Python {machine['python']}; " + ", ".join(f"{name} {own}" for name, own in result["versions"].items()) + "."
    )
    return " ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    files = sorted(options.results.glob("*.json"))
    if not files:
        raise SystemExit(f"no results in {options.results}; run {COMPLETE}")
    text = page([json.loads(file.read_text(encoding="utf-8")) for file in files])
    options.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
