"""The signs of arXiv 2312.09390, read off runs that are made up."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import paper03_signs as signs

STOPS = {"naive": 0.7, "early_stopping by=last": 0.6, "early_stopping_gold": 0.8}
ERRORS = {"error_structure errors=random": 0.85, "error_structure errors=simulable": 0.62}


def write(folder, cells):
    """A run: per cell the share of 400 questions that floor and arms answer rightly, in three seeds."""
    rng, facts = np.random.default_rng(0), []
    for name, shares in cells.items():
        place = folder / "cells" / name.replace(" ", "-") if name else folder
        place.mkdir(parents=True, exist_ok=True)
        columns = {"seed": np.repeat([0, 1, 2], 400).tolist(), "gold": ["a"] * 1200}
        for arm, share in shares.items():
            said = [np.where(rng.permutation(400) < share * 400, "a", "b") for _ in range(3)]
            columns[arm] = np.concatenate(said).tolist()
        pq.write_table(pa.table(columns), place / "answers.parquet")
        facts.append({"name": name})
    (folder / "results.json").write_text(json.dumps({"cells": facts}))
    return folder


def cell(floor, naive, loss):
    arms = {"naive": naive, "confidence_loss": loss, "strong_ceiling": 0.9}
    return {"supervisor_value": floor} | {f"arm:{name}": share for name, share in arms.items()}


def test_signs_are_told_with_intervals(tmp_path, monkeypatch, capsys):
    """PGR of naive to base: .1 / .5, .16 / .4 and .15 / .3; the loss gains .2, .1 and nothing."""
    ladder = write(
        tmp_path / "ladder",
        {
            "nano to base": cell(0.4, 0.5, 0.6), "mini-a to base": cell(0.5, 0.66, 0.7),
            "small to base": cell(0.6, 0.75, 0.75), "nano to small": cell(0.4, 0.5, 0.3),
        },
    )  # fmt: skip
    kind = write(
        tmp_path / "kind", {"": {"supervisor_value": 0.5} | {f"arm:{k}": v for k, v in (STOPS | ERRORS).items()}}
    )
    monkeypatch.setattr("sys.argv", ["signs", str(ladder), str(kind)])
    signs.main()
    rows = [[part.strip() for part in line.split("|")[2:5]] for line in capsys.readouterr().out.splitlines()[2:]]
    found = {ours: (float(value.split()[0]), verdict) for ours, value, verdict in rows}
    assert found["PGR of naive, small minus nano, base as student"] == (pytest.approx(0.3, abs=2e-3), "agrees")
    assert found["PGR of naive, small minus mini-a, base as student"][0] == pytest.approx(0.1, abs=2e-3)
    assert found["PGR, loss minus naive, nano to base"] == (pytest.approx(0.2, abs=2e-3), "agrees")
    assert found["PGR, loss minus naive, nano to small"] == (pytest.approx(-0.4, abs=2e-3), "disagrees")
    assert found["PGR, loss minus naive, small to base"] == (pytest.approx(0.0, abs=2e-3), "not told from 0")
    assert found["accuracy, weak stop minus last checkpoint"] == (pytest.approx(0.1, abs=2e-3), "agrees")
    assert found["accuracy, random errors minus simulable ones"] == (pytest.approx(0.23, abs=2e-3), "agrees")
