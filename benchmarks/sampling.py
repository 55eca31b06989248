"""Sampling rationales: ten samples of 64 tokens for each prompt.

python benchmarks/sampling.py [--quick] [--shapes gpt2-124m] [--device cuda]

Ours (`generate` with one seed per sample) in turns with `transformers`' own `generate(num_return_sequences=10)`, both
with the same most positions in one batch. Every text has exactly 64 tokens, since a random model seldom ends one; those
that do end are counted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import harness
import shapes
from harness import Contestant, Report

SAMPLES, TOKENS = 10, 64


def ours(loaded: Any, prompts: list[str], samples: int, tokens: int, budget: int) -> list[int]:
    """Tokens of every text."""
    from outgrow.models.generation import generate

    asked = [prompt for prompt in prompts for _ in range(samples)]
    found = generate(
        loaded, asked, max_new_tokens=tokens, temperature=1.0, seeds=list(range(len(asked))), token_budget=budget
    )
    return [text.n_tokens for text in found]


def theirs(loaded: Any, prompts: list[str], samples: int, tokens: int, budget: int) -> list[str]:
    """As many prompts at once as the budget allows."""
    import torch

    loaded.tokenizer.padding_side = "left"
    read = loaded.tokenizer(prompts, return_tensors="pt", padding=True).to(loaded.device)
    ids, mask = read["input_ids"], read["attention_mask"]
    size = max(1, budget // (samples * (ids.shape[1] + tokens)))
    found: list[str] = []
    with torch.inference_mode():
        for start in range(0, len(prompts), size):
            out = loaded.model.generate(
                input_ids=ids[start : start + size], attention_mask=mask[start : start + size], max_new_tokens=tokens,
                do_sample=True, temperature=1.0, top_k=0, num_return_sequences=samples,
            )  # fmt: skip
            found += loaded.tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
    return found


def measure(report: Report, name: str, folder: Path, dtype: str) -> None:
    """One shape."""
    from outgrow.models.config import ModelRef
    from outgrow.models.loading import load

    quick = report.options.quick
    samples, tokens, count = (3, 4, 2) if quick else (SAMPLES, TOKENS, 2)
    loaded = load(ModelRef(model=str(folder), dtype=dtype))  # type: ignore[arg-type]
    asked = shapes.questions(count, known=200 if name == "tiny" else 20000)
    prompts = list(asked.prompts[:: len(shapes.ORDERS)])
    budget = 2 * samples * (asked.shared + asked.tail + tokens + 1)  # two prompts with their samples
    lengths = ours(loaded, prompts, samples, tokens, budget)
    theirs(loaded, prompts, samples, tokens, budget)
    n = len(prompts) * samples
    times = harness.in_turns(
        [
            Contestant("ours", lambda: ours(loaded, prompts, samples, tokens, budget) and None, n),
            Contestant("generate", lambda: theirs(loaded, prompts, samples, tokens, budget) and None, n),
        ],
        rounds=report.options.rounds,
        seconds=report.options.seconds,
    )
    what = f"{name}, {dtype}, {samples} samples of {tokens} tokens"
    times = {key: [1000 * t for t in own] for key, own in times.items()}
    report.add(harness.compare(what, times, "ours", "generate", target=1.3, unit="ms per text"))
    short = sum(length < tokens for length in lengths)
    report.note(f"{what}: {len(prompts)} prompts of {asked.shared + asked.tail} tokens, at most {budget:,} positions "
                f"in a batch; {short} of our {n} texts ended early.")  # fmt: skip


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--shapes", nargs="*", default=["gpt2-124m", "pythia-70m"])
    parser.add_argument("--types", nargs="*", default=["float32"], choices=["float32", "bfloat16"])
    options = parser.parse_args()
    harness.start(options)
    report = Report("sampling", "Sampling rationales", options)
    report.ceiling()
    for name in ["tiny"] if options.quick else options.shapes:
        with tempfile.TemporaryDirectory() as temporary:
            folder, _ = shapes.make(name, Path(temporary))
            for dtype in options.types:
                measure(report, name, folder, dtype)
    report.write()


if __name__ == "__main__":
    main()
