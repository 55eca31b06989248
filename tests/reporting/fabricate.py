"""A fabricated results folder: simulated answers, and numbers that are computed from them.

`python tests/reporting/fabricate.py FOLDER [QUESTIONS]` writes one to look at.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

HABITATS = ("river delta", "pine forest", "salt marsh", "high plateau")
STRATA = ("known", "ignorance", "misconception")
ARMS = (  # name, method, share right on known / ignorance / misconception, gold, control, one line
    ("naive", "naive", (0.95, 0.62, 0.14), 0, 0, "train on the identity-wording answer of every question"),
    ("majority_vote", "majority_vote", (0.96, 0.66, 0.13), 0, 0, "train on the consensus of all wordings"),
    ("all_answers", "all_answers", (0.96, 0.65, 0.14), 0, 0, "train on every answer with its own wording"),
    ("confidence_filtering", "confidence_filtering", (0.96, 0.67, 0.15), 0, 0, "keep what the supervisor is surest of"),
    ("uncertainty_filtering", "uncertainty_filtering", (0.97, 0.74, 0.13), 0, 0, "keep the half that agrees most"),
    ("reliability_reweighting", "reliability_reweighting", (0.97, 0.71, 0.14), 0, 0, "weight by softmax reliability"),
    ("soft_labels", "soft_labels", (0.97, 0.70, 0.16), 0, 0, "train on mean option probabilities"),
    ("random_filtering", "random_filtering", (0.94, 0.60, 0.15), 0, 1, "keep a random half of the consensus labels"),
    ("shuffled_reweighting", "shuffled_reweighting", (0.95, 0.63, 0.14), 0, 1, "the same weights, permuted"),
    ("oracle_filtering", "oracle_filtering", (0.98, 0.90, 0.66), 1, 0, "keep right labels first"),
    ("strong_ceiling", "strong_ceiling", (0.99, 0.95, 0.88), 1, 0, "train on gold"),
)


def accuracy(right: np.ndarray) -> dict:
    """Mean over (seeds, questions) with a normal interval; enough for a fabrication."""
    value, per_seed = float(right.mean()), [float(mean) for mean in right.mean(axis=1)]
    spread = 1.96 * math.sqrt(value * (1 - value) / right.shape[1] + float(np.var(per_seed)) / len(per_seed))
    return {"value": value, "low": value - spread, "high": value + spread, "per_seed": per_seed}


def simulate(questions: int, seeds: int) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Answer rows, and who is right: name -> (seeds, questions)."""
    random = np.random.default_rng(7)
    kind = random.choice(3, questions, p=(0.5, 0.25, 0.25))
    gold = random.integers(0, 4, questions)
    who = {"supervisor": (0.96, 0.45, 0.1), "label": (0.97, 0.5, 0.08), "zero_shot": (0.27, 0.26, 0.24)}
    who |= {f"arm:{name}": shares for name, _, shares, *_ in ARMS}
    right, rows = {}, []
    for name, shares in who.items():
        right[name] = random.random((seeds, questions)) < np.array(shares)[kind]
    wrong = (gold + random.integers(1, 4, (seeds, questions))) % 4
    for seed in range(seeds):
        for q in range(questions):
            said = {name: HABITATS[gold[q] if right[name][seed, q] else wrong[seed, q]] for name in who}
            split = (5,) if kind[q] != 1 else ((3, 2), (3, 1, 1), (4, 1), (2, 2, 1))[random.integers(4)]
            others = [habitat for habitat in HABITATS if habitat != said["label"]]
            rows.append(
                {
                    "example_id": f"q{q:05d}",
                    "question": f"Where does the {('velka', 'orrin', 'tesmar', 'quilf')[q % 4]}-{q} make its nest?",
                    "choices": list(HABITATS),
                    "gold": HABITATS[gold[q]],
                    "seed": seed,
                    "supervisor_value": said["supervisor"],
                    "votes": list(zip([said["label"], *others], split, strict=False)),
                    "label": said["label"],
                    "entropy": -sum(n / 5 * math.log(n / 5) for n in split) + 0.0,
                    "reliability": math.exp(split[0]) / sum(math.exp(n) for n in split),
                    "stratum": STRATA[kind[q]],
                    "zero_shot": said["zero_shot"],
                    **{name: value for name, value in said.items() if name.startswith("arm:")},
                }
            )
    return rows, right


def write_answers(rows: list[dict], path: Path) -> None:
    """The rows as answers.parquet."""
    votes = pa.array([row["votes"] for row in rows], pa.map_(pa.string(), pa.int64()))
    plain = {name: [row[name] for row in rows] for name in rows[0] if name != "votes"}
    pq.write_table(pa.table({**plain, "votes": votes}), path)


def fabricate(folder: Path, questions: int = 240, seeds: int = 5) -> dict:
    """Write results.json, provenance.json and answers.parquet to `folder`; returns the results."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, right = simulate(questions, seeds)
    floor, ceiling = accuracy(right["supervisor"]), accuracy(right["arm:strong_ceiling"])
    arms = [_arm(entry, accuracy(right[f"arm:{entry[0]}"]), floor, ceiling, seeds) for entry in ARMS]
    results = {
        "format": 1,
        "name": "fabricated demo",
        "recipe": {"name": "fabricated demo", "student": {"model": "microworld/base"}, "variants": 5,
                   "train": {"batch_size": 32}},
        "seeds": list(range(seeds)),
        "task": {
            "name": "microworld/choice",
            "splits": {
                name: {"questions": n, "groups": n // 2}
                for name, n in (("supervisor_train", 800), ("pool", 3000), ("validation", 500), ("test", questions))
            },
            "overlap": {"pool&test": 0, "pool&validation": 0, "supervisor_train&test": 0},
            "contradictory_gold": 2,
            "mix": {"pool": {"known": 1500, "ignorance": 750, "misconception": 750}},
        },
        "primary": {"a": "uncertainty_filtering", "b": "random_filtering"},
        "supervisor": {"name": "mini", "model": "microworld/mini", "floor": floor, "vote": accuracy(right["label"]),
                       "variants": 5, "samples": 1},
        "zero_shot": accuracy(right["zero_shot"]),
        "arms": arms,
        "comparisons": _comparisons(right, seeds),
        "reliability": _reliability(),
        "strata": [_stratum(name, rows, right, questions) for name in STRATA],
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (folder / "provenance.json").write_text(json.dumps(_provenance(seeds)), encoding="utf-8")
    write_answers(rows, folder / "answers.parquet")
    return results


def _arm(entry: tuple, value: dict, floor: dict, ceiling: dict, seeds: int) -> dict:
    name, method, _, gold, control, doc = entry
    gap = ceiling["value"] - floor["value"]
    half = "filtering" in name
    ends = {end: (value[end] - floor["value"]) / gap for end in ("value", "low", "high")}
    random = np.random.default_rng(len(name))
    before = dict(zip(HABITATS, (0.28, 0.26, 0.24, 0.22), strict=True))
    after = dict(zip(HABITATS, (0.36, 0.25, 0.22, 0.17), strict=True)) if half else before
    loss = [[s, float(0.15 + 1.2 * math.exp(-s / 60) + 0.08 * random.random())] for s in range(1, 283)]
    right = 0.66 + 0.14 * half
    return {
        "name": name, "method": method, "config": {"keep": 0.5} if half else {}, "uses_gold": bool(gold),
        "control": bool(control), "doc": doc, "accuracy": value,
        "pgr": {**ends, "defined": True, "reason": None},
        "pgr_vs_vote": {**ends, "defined": True, "reason": None},
        "label_accuracy": [right + 0.01 * s for s in range(seeds)],
        "rows": [1490 + s if half else 2990 + s for s in range(seeds)], "questions": [1490 if half else 2990] * seeds,
        "removed_rows": [0] * seeds, "steps": [282] * seeds,
        "chosen_step": [(94, 188, 282)[s % 3] for s in range(seeds)],
        "asked": [0 if gold else 15000] * seeds, "label_mix": {"before": before, "after": after},
        "agreement": {"overall": 0.8, "when_right": 0.95, "when_wrong": 0.52}, "unparsed_share": 0.002, "notes": [],
        "curves": [{"seed": s, "loss": loss, "validation": [[t, 0.7 + 0.03 * random.random()] for t in (94, 188, 282)]}
                   for s in range(seeds)],
    }  # fmt: skip


def _comparisons(right: dict[str, np.ndarray], seeds: int) -> list[dict]:
    pairs = [(name, "naive") for name, *_ in ARMS if name != "naive"] + [("uncertainty_filtering", "random_filtering")]
    out = []
    for a, b in pairs:
        value = float(right[f"arm:{a}"].mean() - right[f"arm:{b}"].mean())
        width = 0.018 if seeds > 1 else None
        p = float(2 * stats.t.sf(abs(value) / 0.018 * 2.776, 4))
        out.append({"a": a, "b": b, "value": value, "se": width and width / 2.776,
                    "low": width and value - width, "high": width and value + width,
                    "p": width and p, "p_holm": width and min(1.0, 10 * p),
                    "detectable": width and 1.5 * width})  # fmt: skip
    return out


def _reliability() -> dict:
    levels = (
        (0.0, 1480, 6900),
        (0.5, 420, 1330),
        (0.67, 560, 980),
        (0.95, 470, 610),
        (1.05, 660, 590),
        (1.33, 610, 390),
    )
    coverage = [(i + 1) / 100 for i in range(100)]
    return {
        "estimator": "softmax", "temperature": 0.2,
        "auroc": {"value": 0.742, "low": 0.731, "high": 0.753, "per_seed": [0.74] * 5},
        "auroc_rows": 0.729, "aurc": 0.183,
        "differing_share": 0.45, "unparsed_share": 0.004, "all_invalid": 0, "label_accuracy": 0.72,
        "by_entropy": [{"entropy": h, "wrong": w, "right": r, "accuracy": r / (w + r),
                        "low": r / (w + r) - 0.98 / math.sqrt(w + r), "high": r / (w + r) + 0.98 / math.sqrt(w + r)}
                       for h, w, r in levels],
        "heat": {"truth": list(HABITATS), "label": list(HABITATS),
                 "mean": [[0.91 if i == j else 0.46 + 0.05 * ((i + j) % 3) for j in range(4)] for i in range(4)],
                 "count": [[2600 if i == j else 350 for j in range(4)] for i in range(4)]},
        "risk_coverage": {"coverage": coverage, "risk": [0.13 + 0.15 * c**1.6 for c in coverage],
                          "oracle": [max(0.0, 1 - 0.72 / c) for c in coverage], "random": 0.28},
    }  # fmt: skip


def _stratum(name: str, rows: list[dict], right: dict[str, np.ndarray], questions: int) -> dict:
    mine = np.array([row["stratum"] == name for row in rows[:questions]])
    shares = {who: float(matrix[:, mine].mean()) for who, matrix in right.items()}
    return {"stratum": name, "questions": int(mine.sum()), "floor": shares["supervisor"],
            "zero_shot": shares["zero_shot"], "arms": {arm: shares[f"arm:{arm}"] for arm, *_ in ARMS},
            "consensus_accuracy": shares["label"],
            "mean_reliability": 0.71 if name == "ignorance" else 0.98}  # fmt: skip


def _provenance(seeds: int) -> dict:
    steps = [{"name": name, "key": f"{i:02x}{s:02x}" * 16, "seconds": base * (1 + s / 9), "cached": s == 0 and i == 1,
              "detail": f"seed {s}, {detail}", "environment": "a1b2c3d4"}
             for i, (name, base, detail) in enumerate((("train", 6.1, "naive"), ("ask", 3.4, "pool, 5 wordings"),
                                                       ("predict", 0.8, "test"), ("labels", 0.05, "softmax")))
             for s in range(seeds)]  # fmt: skip
    return {
        "recipe_given": {"name": "fabricated demo", "seeds": list(range(seeds))}, "recipe_path": "recipes/demo.yaml",
        "command": ["outgrow", "run", "recipes/demo.yaml"],
        "versions": {"outgrow": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        "python": "3.11.7", "platform": "Linux-6.1-x86_64",
        "hardware": {"cores": 2, "cpu": "x86-64", "gpu": []},
        "git": "dc962f9", "started": "2025-01-02T03:04:05Z", "seconds": 431.7, "steps": steps,
        "models": [{"name": "supervisor", "model": "microworld/mini", "hash": "ab" * 32, "parameters": 171000},
                   {"name": "student", "model": "microworld/base", "hash": "cd" * 32, "parameters": 2012000}],
    }  # fmt: skip


if __name__ == "__main__":
    fabricate(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000)
