"""Learning from pairs: a DPO step of 16 pairs, its memory, and a reference that is asked once.

python benchmarks/preferences.py [--quick] [--pairs FILE] [--kinds real made-up] [--lora 0 1] [--seconds 25]

Ours (`fit` with `Dpo`, the reference's log-probabilities stored with the rows) in turns with TRL's `DPOTrainer` as it
comes (the reference in every step), with `precompute_ref_log_probs` (of these two the faster counts), and with that
and a head at answer places only, as TRL's kernel for GPUs has it and its way on CPUs has not. The same for all: 16
pairs a step, float32, AdamW, gradients clipped, no dropout, no accumulation, nothing cut off. TRL's own default
besides is gradient checkpointing: off in all of them, and on in one row without a target. A step is measured as in
`training.py`, and so is peak memory. The check: losses of the first two steps (the first is ln 2 for everybody) and
log-probabilities of the answers at the first; an adapter begins with the same numbers.

Pairs: `real`, the first of a file of dialogues `chosen` and `rejected` with 20 to 200 words of prompt and 20 to 80 of
each answer, a token for each word; and `made-up`, prompts of 60 to 200 tokens, where there is more to share.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import contestants
import harness
import shapes
from harness import Contestant, Report

NAMES = {
    "ours": "ours", "trl": "TRL DPOTrainer", "stored": "TRL, reference stored",
    "careful": "TRL, reference stored, head at answers", "checkpointed": "TRL DPOTrainer, gradient checkpointing",
}  # fmt: skip
AS_SHIPPED = ("trl", "stored")
RATE, BETA = 1e-4, 0.1
REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "hh_harmless_test.jsonl"
TURN = "\n\nAssistant:"
Pairs = list[tuple[str, str, str]]


def real_pairs(file: Path, count: int, known: int) -> Pairs:
    """(prompt, chosen, rejected) of a file, each word and mark as one of `known` made-up words."""
    names: dict[str, str] = {}

    def words(text: str) -> str:
        found = re.findall(r"\w+|[^\w\s]", text)
        return " ".join(names.setdefault(word, f"w{len(names) % known}") for word in found)

    pairs: Pairs = []
    for line in file.read_text(encoding="utf-8").splitlines():
        chosen, rejected = (json.loads(line)[name] for name in ("chosen", "rejected"))
        end = os.path.commonprefix([chosen, rejected]).rfind(TURN) + len(TURN)  # noqa: RUF071  # of characters
        pair = tuple(words(text) for text in (chosen[:end], chosen[end:], rejected[end:]))
        prompt, *answers = (len(text.split()) for text in pair)
        if 20 <= prompt <= 200 and all(20 <= answer <= 80 for answer in answers):
            pairs.append(pair)
        if len(pairs) == count:
            break
    return pairs


def made_up(count: int, known: int) -> Pairs:
    """Pairs of random words, prompts of 60 to 200 tokens and answers of 20 to 80."""
    draw = random.Random(2)

    def words(least: int, most: int) -> str:
        return " ".join(f"w{draw.randrange(known)}" for _ in range(draw.randint(least, most)))

    return [(words(60, 200), words(20, 80), words(20, 80)) for _ in range(count)]


def ours(folder: Path, pairs: Pairs, kind: contestants.Kind, batch: int) -> contestants.Runner:
    """`fit`, the reference asked once."""
    _, rows, config, loaded = _own(folder, pairs, kind, batch)
    return contestants.fitted(loaded, _with_reference(loaded, rows, config), _dpo(), config)


def _own(folder: Path, pairs: Pairs, kind: contestants.Kind, batch: int) -> tuple[Callable[[], Any], Any, Any, Any]:
    from outgrow.models.config import ModelRef
    from outgrow.models.loading import load
    from outgrow.training.rows import TrainRow

    def open_model() -> Any:
        return load(ModelRef(model=str(folder), dtype="float32"))

    rows = [
        TrainRow(str(i), prompt, None, (chosen, rejected), (1.0, 0.0))
        for i, (prompt, chosen, rejected) in enumerate(pairs)
    ]
    return open_model, rows, contestants.settings(kind, batch, RATE), open_model()


def _with_reference(loaded: Any, rows: Any, config: Any) -> Any:
    from dataclasses import replace

    from outgrow.training.reference import reference_scores

    scores = reference_scores(loaded, rows, config)
    return [replace(row, fields={"reference": tuple(own)}) for row, own in zip(rows, scores, strict=True)]


def _dpo() -> Any:
    from outgrow.objectives.preference import Dpo

    return Dpo(beta=BETA)


def theirs(key: str, folder: Path, pairs: Pairs, kind: contestants.Kind, device: str) -> contestants.Runner:
    """TRL's trainer; an adapter begins as `begin` has left it in the folder."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
    from trl import DPOConfig, DPOTrainer

    logging.set_verbosity_error()
    clock = contestants.timer()
    own = contestants.common(kind, len(pairs), device, RATE) | {"gradient_checkpointing": key == "checkpointed"}
    stored = key in ("stored", "careful")
    data = [{"prompt": prompt, "chosen": f" {one}", "rejected": f" {other}"} for prompt, one, other in pairs]
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=DPOConfig(**own, beta=BETA, max_length=None, precompute_ref_log_probs=stored),
        train_dataset=Dataset.from_list(data), processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=contestants.adapter_of(kind), callbacks=[clock],
    )  # fmt: skip
    if kind.lora:
        found = trainer.model.load_state_dict(torch.load(folder / "adapter.pt"), strict=False)
        if found.unexpected_keys or any("lora" in name for name in found.missing_keys):
            raise SystemExit(f"TRL's adapter is another one: {found}")
    run = contestants.trained(trainer, clock)
    if key != "careful":
        return run

    def compact(steps: int) -> contestants.Steps:
        with patch("trl.trainer.utils._use_triton", lambda device: True):  # asked there for this alone
            return run(steps)

    return compact


def begin(folder: Path, kind: contestants.Kind) -> None:
    """Write down the weights that ours gives a new adapter."""
    import torch

    from outgrow.models.config import ModelRef
    from outgrow.models.loading import load
    from outgrow.training.weights import open_weights

    loaded = load(ModelRef(model=str(folder), dtype="float32"))
    open_weights(loaded, contestants.settings(kind, 1), 0, "all")
    torch.save({k: v for k, v in loaded.adapter.state_dict().items() if "lora" in k}, folder / "adapter.pt")


def make(key: str, folder: Path, pairs: Pairs, kind: contestants.Kind, device: str) -> contestants.Runner:
    """A loop whose step is all the pairs."""
    return contestants.apart(
        lambda: ours(folder, pairs, kind, len(pairs)) if key == "ours" else theirs(key, folder, pairs, kind, device)
    )


def measure(report: Report, what: str, folder: Path, pairs: Pairs, kind: contestants.Kind) -> None:
    """One comparison: equality of losses, time of a step, peak memory."""
    options = report.options
    if kind.lora:
        begin(folder, kind)
    keys = [key for key in NAMES if key != "checkpointed" or not kind.lora]
    runners = {key: make(key, folder, pairs, kind, options.device) for key in keys}
    agree(report, what, {key: runner(2).told for key, runner in runners.items()})
    times = harness.in_turns(
        [Contestant(NAMES[key], lambda own=runner: own(2).seconds[1]) for key, runner in runners.items()],
        rounds=options.rounds,
        seconds=options.seconds,
    )
    faster = min(AS_SHIPPED, key=lambda key: statistics.median(times[NAMES[key]]))
    targets = {faster: 1.3, "careful": 1.0}
    for key in keys[1:]:
        report.add(harness.compare(what, times, "ours", NAMES[key], target=targets.get(key), unit="s per step"))
    peaks = {key: _peak(report, folder, pairs, kind, key) for key in keys}
    leaner = min(AS_SHIPPED, key=lambda key: peaks[key])
    for key in keys[1:]:
        row = harness.at_most(
            f"{what}: peak memory, all in all", peaks["ours"], peaks[key], against=NAMES[key], target=1.0, unit="MiB"
        )
        report.add(row if key in (leaner, "careful") else {**row, "target": None, "met": None})


def agree(report: Report, what: str, told: dict[str, Any]) -> None:
    """The losses of two steps, and what the first said of the answers; nothing is compared that differs."""
    own = told["ours"]
    others = [steps for key, steps in told.items() if key != "ours"]
    losses = [abs(steps[i]["loss"] - own[i]["loss"]) for steps in others for i in (0, 1)]
    logs = [
        abs(steps[0][f"logps/{side}"] / own[0][f"logprob_{side}"] - 1)
        for steps in others
        for side in ("chosen", "rejected")
    ]
    if abs(own[1]["loss"] - own[0]["loss"]) < 1e-4:
        raise SystemExit(f"{what}: the second loss is the first, so it shows nothing")
    report.add(harness.value(
        f"{what}: largest difference between the losses of the first 2 steps", max(losses), unit="nats",
        target="<= 1e-05", met=max(losses) <= 1e-5,
    ))  # fmt: skip
    report.add(harness.value(
        f"{what}: largest relative difference between log-probabilities of the answers", max(logs), unit="",
        target="<= 1e-05", met=max(logs) <= 1e-5,
    ))  # fmt: skip
    if max(*losses, *logs) > 1e-5:
        raise SystemExit(f"{what}: losses or log-probabilities differ, so there is nothing to compare")


def reference(report: Report, what: str, folder: Path, pairs: Pairs, kind: contestants.Kind) -> None:
    """Three epochs of ours with the reference asked once, and with it asked before each."""
    open_model, rows, config, frozen = _own(folder, pairs, kind, len(pairs) // 2)
    loaded = open_model()

    def epochs(asked: int) -> None:
        for _ in range(asked):
            known = _with_reference(frozen, rows, config)
        contestants.fitted(loaded, known, _dpo(), config)(6)

    times = harness.in_turns(
        [Contestant("ours", lambda: epochs(1)), Contestant("reference in every epoch", lambda: epochs(3))],
        rounds=report.options.rounds,
        seconds=report.options.seconds,
    )
    report.add(harness.compare(
        f"{what}: 3 epochs of {len(pairs)} pairs, reference stored once", times, "ours", "reference in every epoch",
        target=1.0, unit="s",
    ))  # fmt: skip


def _peak(report: Report, folder: Path, pairs: Pairs, kind: contestants.Kind, key: str) -> float:
    job = {"folder": str(folder), "key": key, "dtype": kind.dtype, "lora": kind.lora, "pairs": pairs}
    return harness.peak(__file__, job, report.options)


def _in_process(job: dict[str, Any], device: str) -> None:
    from machine import PeakMemory

    runner = make(job["key"], Path(job["folder"]), job["pairs"], contestants.Kind(job["dtype"], job["lora"]), device)
    peak = PeakMemory(device)
    runner(3)
    print(peak.mib())


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--pairs", type=Path, default=REAL, help="dialogues `chosen` and `rejected`, JSON Lines")
    parser.add_argument("--kinds", nargs="*", default=["real", "made-up"], choices=["real", "made-up"])
    parser.add_argument("--lora", type=int, nargs="*", default=[0, 1], help="0: all weights, 1: an adapter")
    parser.add_argument("--peak", type=json.loads, help="(used by itself: peak memory of one contestant)")
    options = parser.parse_args()
    harness.start(options)
    if options.peak:
        _in_process(options.peak, options.device)
        return
    report = Report("preferences", "A DPO step on pairs", options)
    name, batch = ("llama-tiny", 4) if options.quick else ("llama-7m", 16)
    with tempfile.TemporaryDirectory() as temporary:
        folder, size = shapes.make(name, Path(temporary))
        sets = {"made-up": made_up(2 * batch, size.words)}
        if options.pairs.is_file():
            sets["real"] = real_pairs(options.pairs, 2 * batch, size.words)
        else:
            report.note("Real pairs: left out, there was no file of them.")
        for chosen in [own for own in options.kinds if own in sets]:
            pairs = sets[chosen]
            lengths = [[len(text.split()) for text in texts] for texts in zip(*pairs[:batch], strict=True)]
            means = [round(statistics.mean(own)) for own in lengths]
            mean = f"{means[0]} tokens of prompt, {means[1]} and {means[2]} of answers on average"
            report.note(f"{chosen} pairs: {batch} of {mean}.")
            for lora in options.lora:
                kind = contestants.Kind("float32", bool(lora))
                what = f"{name}, {chosen} pairs, {kind.label}"
                measure(report, what, folder, pairs[:batch], kind)
                if not lora:
                    reference(report, what, folder, pairs, kind)
    assert all(math.isfinite(row["ours"]) for row in report.rows)
    report.write()


if __name__ == "__main__":
    main()
