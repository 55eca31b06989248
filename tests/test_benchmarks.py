"""The benchmarks run, their files hold what the page needs, and the page is made from them alone."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ROW = {"what", "ours", "against", "theirs", "unit", "ratio", "spread", "rounds", "target", "met"}
RESULT = {
    "benchmark", "title", "rows", "notes", "ceiling", "machine", "versions", "threads", "device", "quick", "seconds",
    "day",
}  # fmt: skip


def run(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    call = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", "--results", str(folder), *arguments]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "default"})
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert set(result) >= RESULT
    assert all(set(row) == ROW for row in result["rows"])
    assert result["quick"] is True
    return result


def write() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_page", BENCHMARKS / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(**changes: Any) -> dict[str, Any]:
    found = {
        "what": "a step", "ours": 2.0, "against": "the other", "theirs": 5.0, "unit": "s", "ratio": 2.5,
        "spread": [2.25, 2.75], "rounds": 4, "target": ">= 2", "met": True,
    }  # fmt: skip
    return {**found, **changes}


def result(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    machine = {"cpu": "some CPU", "cores": 2, "memory_gib": 8.0, "bfloat16": [], "system": "Linux", "python": "3.11.7"}
    found = {
        "benchmark": "training", "title": "A training step", "rows": list(rows), "notes": ["8 rows."],
        "ceiling": {"float32": 140.0, "bfloat16": 400.0, "copy_gb_s": 20.0}, "machine": machine,
        "versions": {"torch": "2.13.0"}, "threads": 2, "device": "cpu", "quick": False, "seconds": 61.0,
        "day": "2026-11-21",
    }  # fmt: skip
    return {**found, **changes}


def test_page_shows_every_row_with_its_spread_and_its_target() -> None:
    text = write().page([result(row(), row(what="memory", spread=None, rounds=1, target=None, met=None))])
    assert "| a step, against the other | 2 s | 5 s | 2.50 | 2.25 to 2.75 (4) | >= 2 | met |" in text
    assert "| memory, against the other | 2 s | 5 s | 2.50 |  |  |  |" in text
    assert "1 of 1 targets met." in text
    assert "Ceiling: 140 GFLOP/s float32, 400 GFLOP/s bfloat16; large copy 20.0 GB/s." in text
    assert "torch 2.13.0" in text
    assert "- 8 rows." in text
    assert "quick run" not in text


def test_page_names_missed_targets_first_and_quick_runs() -> None:
    missed = row(ratio=1.2, met=False)
    text = write().page([result(row(what="other"), benchmark="suite", title="Suite"), result(missed, quick=True)])
    assert "1 of 2 targets met." in text
    assert "- A training step: a step, against the other: 1.20 (target >= 2)" in text
    assert "**missed**" in text
    assert "quick run on tiny shapes" in text
    assert text.index("## A training step") < text.index("## Suite")


def test_page_without_results_says_what_to_do(tmp_path: Path) -> None:
    call = [sys.executable, str(BENCHMARKS / "write.py"), "--results", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode != 0
    assert "make bench" in done.stderr


def test_rounds_take_turns_and_ratios_are_of_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import harness

    order: list[str] = []
    times = {"ours": iter([1.0, 2.0, 4.0]), "theirs": iter([4.0, 6.0, 6.0])}

    def contestant(name: str) -> Any:
        def go() -> float:
            order.append(name)
            return next(times[name])

        return harness.Contestant(name, go)

    found = harness.in_turns([contestant("ours"), contestant("theirs")], rounds=3, seconds=60)
    assert order == ["ours", "theirs"] * 3
    compared = harness.compare("it", found, "ours", "theirs", target=3.0, unit="s")
    assert compared["ratio"] == 3.0
    assert compared["spread"] == [1.5, 4.0]
    assert compared["met"] is True
    assert set(compared) == ROW


def test_reliability(tmp_path: Path) -> None:
    found = run("reliability", tmp_path)
    assert [r["against"] for r in found["rows"][:2]] == ["pandas loop", "crowd-kit MajorityVote"]
    assert all(r["ours"] > 0 for r in found["rows"])


def test_annotators(tmp_path: Path) -> None:
    rows = [(f"q{i}", f"w{j}", "xy"[(i + (j == i % 5)) % 2]) for i in range(20) for j in range(5)]
    (tmp_path / "crowd_made.csv").write_text("task,worker,label\n" + "".join(",".join(row) + "\n" for row in rows))
    (tmp_path / "crowd_made_gold.csv").write_text("task,value\n" + "".join(f"q{i},{'xy'[i % 2]}\n" for i in range(20)))
    found = run("annotators", tmp_path, "--crowds", str(tmp_path))
    assert [r["against"] for r in found["rows"]] == ["crowd-kit DawidSkene", "crowd-kit", None]
    assert found["rows"][2]["met"]  # the same posteriors
    assert any("made, ours: dawid_skene: 1.0000 right" in note for note in found["notes"])


@pytest.mark.slow
def test_asking(tmp_path: Path) -> None:
    found = run("asking", tmp_path, "--shapes", "tiny", "--types", "float32")
    assert [r["against"] for r in found["rows"][:2]] == ["one by one", "batched generate"]
    (equal,) = (r for r in found["rows"] if "slow path" in r["what"])
    assert equal["ours"] == 1.0
    assert any("excluded" in note for note in found["notes"])
    assert set(found["ceiling"]) - {"bfloat16"} == {"float32", "copy_gb_s"}  # bfloat16 where it is not emulated


@pytest.mark.slow
def test_training(tmp_path: Path) -> None:
    found = run("training", tmp_path)
    losses = [r for r in found["rows"] if "losses" in r["what"] and "float32" in r["what"]]
    assert losses
    assert all(r["met"] for r in losses)
    others = {"TRL SFTTrainer", "transformers.Trainer", "Trainer, head at answers"}
    assert {r["against"] for r in found["rows"]} == {None, *others}
    peaks = [r for r in found["rows"] if "peak memory" in r["what"]]
    for what in ("tiny, all weights, float32", "tiny, LoRA, float32"):
        assert {r["against"] for r in peaks if r["what"].startswith(what)} == others, what


@pytest.mark.slow
def test_preferences(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    turns = [[f"{side} {i} " * (11 + i) for side in ("asked", "one", "other")] for i in range(8)]
    dialogues = [{"chosen": f"{a}\n\nAssistant: {b}", "rejected": f"{a}\n\nAssistant: {c}"} for a, b, c in turns]
    pairs.write_text("\n".join(map(json.dumps, dialogues)), encoding="utf-8")
    found = run("preferences", tmp_path, "--pairs", str(pairs), "--kinds", "real")
    equal = [r for r in found["rows"] if "difference" in r["what"]]
    assert len(equal) == 4  # losses and log-probabilities, of all weights and of an adapter
    assert all(r["met"] for r in equal)
    stored = {"TRL, reference stored", "TRL, reference stored, head at answers"}
    for what in ("all weights", "LoRA"):
        against = {r["against"] for r in found["rows"] if what in r["what"] and "peak" in r["what"]}
        assert against >= {"TRL DPOTrainer", *stored}
    assert any(r["against"] == "reference in every epoch" for r in found["rows"])
    assert any("4 of 27 tokens of prompt, 25 and 25 of answers" in note for note in found["notes"])


@pytest.mark.slow
def test_asking_a_trained_model(tmp_path: Path) -> None:
    found = run("asking", tmp_path)
    assert sum("microworld/base" in r["what"] for r in found["rows"]) == 4


@pytest.mark.slow
def test_sampling(tmp_path: Path) -> None:
    assert run("sampling", tmp_path)["rows"][0]["against"] == "generate"


@pytest.mark.slow
def test_suite(tmp_path: Path) -> None:
    found = run("suite", tmp_path)
    assert [r["against"] for r in found["rows"]] == ["separate runs", "separate runs", "its own training and test"]


@pytest.mark.slow
def test_startup(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    assert {r["against"] for r in run("startup", tmp_path)["rows"]} == {"trl", "lm_eval"}


@pytest.mark.slow
def test_gpu_is_measured_or_said_not_to_be(tmp_path: Path) -> None:
    found = run("gpu", tmp_path)
    assert found["rows"] or found["notes"] == ["Not measured: there was no GPU."]
