"""Text that wants to be more than text, put everywhere a user's text can stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

HOSTILE = (
    "<script>window.hacked=1</script>",
    '</script><img src=x onerror="window.hacked=1">',
    "=cmd|' /C calc'!A0",
    "\"quotes\" & 'apostrophes' <!--",
    "مرحبا \u202e txt.exe",
    "日本語 \u2028 $x^2$ {{ 7 * 7 }}",
    "`code` |pipe| [link](javascript:alert(1)) *stars*",
)


def poison(folder: Path, write_answers: Callable[[list[dict], Path], None]) -> None:
    """Put hostile text wherever a user's text can stand: names, labels, notes, questions, answers, the recipe."""
    results = json.loads((folder / "results.json").read_text("utf-8"))
    provenance = json.loads((folder / "provenance.json").read_text("utf-8"))
    rows = pq.read_table(folder / "answers.parquet").to_pylist()
    results["name"], results["recipe"]["hostile"] = HOSTILE[0], list(HOSTILE)
    results["task"]["name"], results["supervisor"]["model"] = HOSTILE[5], HOSTILE[2]
    provenance["command"], provenance["recipe_given"] = list(HOSTILE), {"hostile": list(HOSTILE)}
    old, new = results["arms"][1]["name"], HOSTILE[1]
    results["arms"][1] |= {"name": new, "doc": HOSTILE[6], "notes": [HOSTILE[3]]}
    results["reliability"]["heat"]["label"] = results["reliability"]["heat"]["truth"] = list(HOSTILE[:4])
    for each in results["comparisons"]:
        each["a"] = new if each["a"] == old else each["a"]
    for each in results["strata"]:
        each["arms"][new] = each["arms"].pop(old)
    results["strata"][0]["stratum"] = HOSTILE[4]
    for row in rows:
        row[f"arm:{new}"] = row.pop(f"arm:{old}")
        place = int(row["example_id"][1:])
        if place < len(HOSTILE):
            row["question"] = row["arm:naive"] = HOSTILE[place]
            row["choices"], row["votes"] = list(HOSTILE[:4]), [(HOSTILE[place], 5)]
        row["stratum"] = HOSTILE[4] if row["stratum"] == "known" else row["stratum"]
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (folder / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    write_answers(rows, folder / "answers.parquet")
