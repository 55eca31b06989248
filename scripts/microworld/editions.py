"""The two generated worlds as the builder sees them: their text, their ladder, and how their models begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from microworld import corpus, second_corpus
from microworld.card import knowledge, skills
from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.ladder import LADDER, Rung
from outgrow.tasks.microworld.world import World, WorldConfig
from outgrow.tasks.microworld2 import ladder as second_ladder
from outgrow.tasks.microworld2 import language as second_language
from outgrow.tasks.microworld2 import world as second
from outgrow.tasks.microworld2.config import VERDICTS
from outgrow.tasks.microworld2.families import FAMILIES, legal, safety, slots


@dataclass(frozen=True)
class Edition:
    """What it takes to build one world's models.

    Attributes:
        make: the world of a seed.
        ladder: its models.
        documents: (world, rung, seed, warm-up) -> text without end; a warm-up of None is the usual one.
        prompts: words of the tasks, for the tokenizer.
        spread: standard deviation of a model's initial weights.
        apart: whether the documents of a block do not see each other.
        measure: (world, rung, folder) -> what the card says of a model.
        about: the card's last lines.
    """

    make: Callable[[int], Any]
    ladder: Mapping[str, Rung]
    documents: Callable[[Any, Rung, int, int | None], Iterator[str]]
    prompts: tuple[str, ...]
    spread: Callable[[Rung], float]
    apart: bool
    measure: Callable[[Any, Rung, Path], dict[str, Any]]
    about: tuple[str, ...]


def _first_documents(world: World, rung: Rung, seed: int, warm_up: int | None) -> Iterator[str]:
    return corpus.documents(world, rung.share, seed, corpus.WARM_UP if warm_up is None else warm_up)


def _second_documents(world: second.World, rung: Rung, seed: int, warm_up: int | None) -> Iterator[str]:
    return second_corpus.documents(world, rung, seed, second_corpus.WARM_UP if warm_up is None else warm_up)


def _frames() -> Iterator[str]:
    for family in FAMILIES.values():
        templates: Any = family.templates  # those of the first world are properties
        yield from templates if isinstance(templates, tuple) else ()


def _first_world(seed: int) -> World:
    return World(WorldConfig(seed=seed))


def _second_world(seed: int) -> second.World:
    return second.World(second.WorldConfig(seed=seed))


def _narrow(rung: Rung) -> float:
    return 0.02


def _by_width(rung: Rung) -> float:
    """Attention that matches tokens (copying, comparing) takes four times as long to appear from weights of 0.02."""
    return float(rung.hidden**-0.5)


FIRST = Edition(
    _first_world,
    LADDER,
    _first_documents,
    (
        *language.CHOICE_TEMPLATES, *language.LETTER_TEMPLATES, *language.CLAIM_TEMPLATES, *language.SUM_TEMPLATES,
        *language.QUESTIONS.values(),
    ),
    _narrow,
    False,
    partial(knowledge, clauses=language.CLAUSES),
    (
        "Training text: hearsay, statements, passages, statements on format entities, quizzes, reading, lettered",
        "quizzes, claims, sums, equations (shares in `scripts/microworld/corpus.py`). Loss is the mean of the last",
        "100 steps. To build them again: `python scripts/build_microworld.py FOLDER`.",
    ),
)  # fmt: skip
SECOND = Edition(
    _second_world,
    second_ladder.LADDER,
    _second_documents,
    (
        *language.CHOICE_TEMPLATES, *language.CLAIM_STATEMENTS.values(), *language.QUESTIONS.values(),
        *language.KIND_INSTRUCTIONS, *slots.ABOUT, *slots.BESIDE, *safety.LONG, *legal.CLAUSES, legal.QUESTION,
        *(word for words in VERDICTS.values() for word in words), *_frames(),
        second_language.slots_text([(kind, "") for kind in second_language.SLOT_TYPES]),
    ),
    _by_width,
    True,
    partial(skills, clauses=second_language.CLAUSES),
    (
        "Training text: hearsay, statements, passages, copying, comparing, chains, slots, telling, reports and speech",
        "(shares in `scripts/microworld/second_corpus.py`). Loss is the mean of the last 100 steps. To build",
        "them again: `python scripts/build_microworld.py FOLDER --edition 2`.",
    ),
)  # fmt: skip
EDITIONS = {"1": FIRST, "2": SECOND}
