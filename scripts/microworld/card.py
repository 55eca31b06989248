"""What a base model knows, measured, and the model card that says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.tasks.microworld.ladder import Rung
from outgrow.tasks.microworld.language import CLAUSES
from outgrow.tasks.microworld.world import RELATIONS, VALUES, Fact, World

PROBE = 400  # facts per relation and group


def knowledge(world: World, rung: Rung, folder: Path) -> dict[str, dict[str, float | None]]:
    """Share of facts a model completes rightly, per relation: of those it read, and of those it did not.

    A fact is asked as the beginning of a training sentence; the answer is the most probable of all values of its
    relation. `cue` is the share of unread facts for which the model says what the name suggests.
    """
    from outgrow.models.config import ModelRef
    from outgrow.models.loading import load
    from outgrow.models.scoring import score_options

    loaded = load(ModelRef(model=str(folder)))
    found: dict[str, dict[str, float | None]] = {}
    for relation in RELATIONS:
        facts = [world.facts[entity][relation] for entity in world.entities]
        read = [fact for fact in facts if fact.rank < rung.share][:PROBE]
        unread = [fact for fact in facts if fact.rank >= rung.share][:PROBE]
        said = _complete(loaded, relation, [*read, *unread], score_options)
        cued = [(fact, value) for fact, value in zip(unread, said[len(read) :], strict=True) if fact.cue is not None]
        found[relation] = {
            "read": _share([fact.value == value for fact, value in zip(read, said[: len(read)], strict=True)]),
            "unread": _share([fact.value == value for fact, value in zip(unread, said[len(read) :], strict=True)]),
            "cue": _share([fact.cue == value for fact, value in cued]),
        }
    return found


def _complete(loaded: Any, relation: str, facts: list[Fact], score_options: Any) -> list[str]:
    if not facts:
        return []
    stem = CLAUSES[relation][0]
    before, after = stem.split("{v}")
    options = tuple(value + after for value in VALUES[relation])
    prompts = [f"{fact.entity} {before}".strip() for fact in facts]
    scores = score_options(loaded, prompts, [options] * len(prompts))
    return [VALUES[relation][int(score.logprobs.argmax())] for score in scores]


def _share(marks: list[bool]) -> float | None:
    return round(sum(marks) / len(marks), 4) if marks else None


def write_card(folder: Path, world: World, facts: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write `README.md`: how the models came about and what each of them knows."""
    config = world.config
    lines = [
        "# Microworld base models",
        "",
        "Llama-architecture language models pretrained by `scripts/build_microworld.py` on generated text",
        f"about world {config.seed}: {config.entities} entities that recipes ask about, and",
        f"{config.format_entities} format",
        "entities for question-shaped text. Weights are 16-bit safetensors. They know this invented world and nothing",
        "else; they are for experiments with weak supervision, not for use as language models. Licence: Apache-2.0.",
        "",
        "| model | parameters | reads | tokens | steps | loss (nats) | minutes | device |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, f in facts.items():
        lines.append(
            f"| {name} | {f['parameters']:,} | {f['share']:.0%} | {f['tokens']:,} | {f['steps']:,} | {f['loss']:.3f} "
            f"| {f['seconds'] / 60:.0f} | {f['device']} |"
        )
    lines += [
        "",
        "Share of facts completed rightly (most probable of all values), of those the model read and of those it did",
        "not; `cue` is how often it says what the name suggests about facts it did not read.",
        "",
        "| model | relation | read | unread | cue |",
        "|---|---|--:|--:|--:|",
    ]
    for name, f in facts.items():
        for relation, k in f["knows"].items():
            cells = " | ".join("-" if k[key] is None else f"{k[key]:.3f}" for key in ("read", "unread", "cue"))
            lines.append(f"| {name} | {relation} | {cells} |")
    lines += [
        "",
        "Training text: hearsay, statements, passages, statements on format entities, quizzes, reading, lettered",
        "quizzes, claims, sums, equations (shares in `scripts/microworld/corpus.py`). Loss is the mean of the last",
        "100 steps. To build them again: `python scripts/build_microworld.py FOLDER`.",
    ]
    card = folder / "README.md"
    card.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return card
