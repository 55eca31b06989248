"""What a base model knows and can do, measured, and the model card that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from outgrow.tasks.microworld.ladder import Rung
from outgrow.tasks.microworld.world import VALUES, Fact, World, generator

if TYPE_CHECKING:
    from microworld.editions import Edition

PROBE = 400  # facts per relation and group


def knowledge(world: World, rung: Rung, folder: Path, clauses: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Share of facts a model completes rightly, per relation: of those it read, and of those it did not.

    A fact is asked as the beginning of a training sentence; the answer is the most probable of all values of its
    relation. `cue` is the share of unread facts for which the model says what the name suggests.

    Args:
        world: what the model read about.
        rung: which model it is.
        folder: where it lies.
        clauses: relation -> how training text says it behind a name.
    """
    return {"knows": _knows(_Asked(folder), world, rung, clauses)}


def _knows(
    asked: _Asked, world: World, rung: Rung, clauses: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for relation in world.values:
        facts = [world.facts[entity][relation] for entity in world.entities]
        read = [fact for fact in facts if world.reads(fact, rung)][:PROBE]
        unread = [fact for fact in facts if not world.reads(fact, rung)][:PROBE]
        values = world.values[relation]
        said = asked.complete([*read, *unread], clauses[relation][0], values)
        cued = [(fact, value) for fact, value in zip(unread, said[len(read) :], strict=True) if fact.cue is not None]
        found[relation] = {
            "read": _share([fact.value == value for fact, value in zip(read, said[: len(read)], strict=True)]),
            "unread": _share([fact.value == value for fact, value in zip(unread, said[len(read) :], strict=True)]),
            "cue": _share([fact.cue == value for fact, value in cued]),
        }
    return found


def skills(world: World, rung: Rung, folder: Path, clauses: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a model knows, and how well it copies and compares.

    Copying: a name that was said comes again, as the model writes it. Comparing: two values are told to be the same or
    not; half are. `wrong` says of `PROBE` entities, relation by relation, which facts the model gets wrong.
    """
    asked = _Asked(folder)
    rng = generator("probe", world.config.seed)
    names = [world.entities[i] for i in rng.integers(len(world.entities), size=PROBE)]
    written = asked.write([f"Look, {name}. They call" for name in names])
    pairs = []
    for i in range(PROBE):
        values = VALUES[("habitat", "food", "colour", "mentor")[i % 4]]
        first = values[int(rng.integers(len(values)))]
        others = [value for value in values if value != first]
        pairs.append((first, first if i % 8 < 4 else others[int(rng.integers(len(others)))]))
    judged = asked.choose([f"{a} and {b}:" for a, b in pairs], ("same.", "different."))
    wrong = {}
    for relation, values in world.values.items():
        facts = [world.facts[entity][relation] for entity in world.entities[:PROBE]]
        said = asked.complete(facts, clauses[relation][0], values)
        wrong[relation] = "".join(str(int(fact.value != value)) for fact, value in zip(facts, said, strict=True))
    return {
        "knows": _knows(asked, world, rung, clauses),
        "copies": _share([text.startswith(name) for text, name in zip(written, names, strict=True)]),
        "compares": _share([(word == "same.") == (a == b) for word, (a, b) in zip(judged, pairs, strict=True)]),
        "wrong": wrong,
    }


class _Asked:
    """A model that is asked to go on."""

    def __init__(self, folder: Path) -> None:
        from outgrow.models.config import ModelRef
        from outgrow.models.loading import load

        self.loaded = load(ModelRef(model=str(folder)))

    def complete(self, facts: Sequence[Fact], clause: str, values: Sequence[str]) -> list[str]:
        """The most probable value of each fact."""
        before, after = clause.split("{v}")
        options = {value + after: value for value in values}
        return [options[said] for said in self.choose([f"{f.entity} {before}".strip() for f in facts], tuple(options))]

    def choose(self, prompts: Sequence[str], options: tuple[str, ...]) -> list[str]:
        """The most probable option behind each prompt."""
        from outgrow.models.scoring import score_options

        if not prompts:
            return []
        scores = score_options(self.loaded, list(prompts), [options] * len(prompts))
        return [options[int(score.logprobs.argmax())] for score in scores]

    def write(self, prompts: Sequence[str]) -> list[str]:
        """A few words behind each prompt."""
        from outgrow.models.generation import generate

        return [done.text.strip() for done in generate(self.loaded, list(prompts), max_new_tokens=16)]


def _share(marks: Sequence[bool]) -> float | None:
    return round(sum(marks) / len(marks), 4) if marks else None


def write_card(folder: Path, edition: Edition, world: World, facts: Mapping[str, Mapping[str, Any]]) -> Path:
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
    if all("copies" in f for f in facts.values()):
        lines += ["", *_skill_lines(facts), "", *_correlation_lines(edition, world, facts)]
    lines += ["", *edition.about]
    card = folder / "README.md"
    card.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return card


def _skill_lines(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "Copying: how often a name that was said comes again rightly. Comparing: how often two values are rightly"
    yield "called the same or different (chance is one half)."
    yield ""
    yield "| model | copying | comparing |"
    yield "|---|--:|--:|"
    for name, f in facts.items():
        yield f"| {name} | {f['copies']:.3f} | {f['compares']:.3f} |"


def _correlation_lines(edition: Edition, world: World, facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Correlation of two models' errors over facts that the first of them did not read."""
    yield "Models do not read the same facts. Correlation of the errors of two models (phi) over facts that the first"
    yield "did not read, within each stratum: the name helps, says nothing, or misleads. A dash: one of them is always"
    yield "right there, or always wrong."
    yield ""
    yield "| models | helpful | no cue | misleading | both read, share |"
    yield "|---|--:|--:|--:|--:|"
    for a, b in combinations(facts, 2):
        errors: dict[str, list[tuple[int, int]]] = {}
        both = total = 0
        for relation in world.values:
            wrong = zip(facts[a]["wrong"][relation], facts[b]["wrong"][relation], strict=True)
            for entity, (x, y) in zip(world.entities, wrong, strict=False):
                fact = world.facts[entity][relation]
                read = world.reads(fact, edition.ladder[a])
                errors.setdefault(fact.stratum(read), []).append((int(x), int(y)))
                both += read and world.reads(fact, edition.ladder[b])
                total += 1
        cells = [_phi(errors.get(stratum, [])) for stratum in ("helpful", "no_cue", "misleading")]
        yield f"| {a}, {b} | {' | '.join(cells)} | {both / total:.2f} |"


def _phi(pairs: Sequence[tuple[int, int]]) -> str:
    x, y = np.array(pairs or [(0, 0)]).T
    return "-" if x.std() == 0 or y.std() == 0 else f"{np.corrcoef(x, y)[0, 1]:.2f}"
