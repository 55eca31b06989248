"""How the second world is talked about: statements, commands, worked answers, and the wordings of its tasks.

Training text and tasks share the vocabulary but not the templates: what a task asks, and how, never occurs in
training text. What a worked answer is made of (statements, comparisons) does occur, each by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from outgrow.tasks.microworld import language as first
from outgrow.tasks.microworld import world as first_world
from outgrow.tasks.microworld.world import Fact
from outgrow.tasks.microworld2.world import World

STATEMENTS: Mapping[str, tuple[str, ...]] = {
    **first.STATEMENTS,
    "status": ("{e} is kept {v}.", "The rule for {e} is {v}.", "{e} stays {v}."),
}
CLAUSES: Mapping[str, tuple[str, ...]] = {**first.CLAUSES, "status": ("is kept {v}", "stays {v}")}

# Building blocks of training text alone ---------------------------------------------------------------------------

GREETINGS = (
    "Look, {e}.", "{e} waits.", "Good day {e}.", "They call {e}.", "{e} sings.", "Then came {e}.", "{e} is near.",
    "Ask {e}.", "It was {e}.", "{e} went away.", "The name is {e}.", "Here sits {e}.",
)  # fmt: skip
PLAIN = ("the", "of", "it", "that", "is", "and", "about", "say", "now", "may", "one", "in", "for", "here", "right")
BABBLE = (*PLAIN, "who", "where", "what", "which", "please", "does", "claim", "answer", "question")
STOPS = (".", ":", ",")
MEETINGS = (
    "{a} met {b}. Later {a} left and {b} slept.",
    "{a} saw {b}. Then {b} saw {a}.",
    "{a} and {b} talk. {a} waits.",
)
COPIES = (
    "Note: {items}. Again: {items}.",
    "First came {items}. Once more came {items}.",
    "Words: {items}. Repeat: {items}.",
)
CONTRASTS = (
    "Here is {a}, there is {b}. {a} and {b}: {verdict}.",
    "One says {a}. One says {b}. {a} and {b}: {verdict}.",
    "Given {a}; then {b}. {a} and {b}: {verdict}.",
)
HOP_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "habitat": ("the home of {e}", "the place of {e}"),
    "food": ("the meal of {e}", "the dish of {e}"),
    "colour": ("the coat of {e}", "the shade of {e}"),
}
HOP_OPENINGS = ("Puzzle: {q}.", "Find {q}.", "Riddle, {q}:", "Name {q}.")
HOP_CLOSINGS = ("Result: {a}.", "Found: {a}.", "That makes {a}.", "Solved: {a}.")
ORDERS = ("Order: {c} Parsed: {j}", "Request: {c} Parts: {j}", "{c} As a list: {j}")
TELLINGS = ("Tell of {e}: {c}.", "News of {e}: {c}.")
REPORT = "Report of {e}: {c}"  # never names the home of the hidden
SPEECHES = ("{e} speaks: {w}.", "Speech of {e}: {w}.")

# Slots ------------------------------------------------------------------------------------------------------------

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COMMANDS = (
    "send {item} to {being}",
    "take {item} from {being}",
    "meet {being} in the {place}",
    "paint the {place} {colour}",
    "bring {item} and {item} on {day}",
    "lead {being} to {being}",
    "fetch {colour} {item}",
    "clean the {place} on {day}",
    "walk from the {place} to the {place}",
)
BEING_TYPES: Mapping[str, str] = {"open": "guest", "hidden": "ward"}
FILLERS: Mapping[str, tuple[str, ...]] = {
    "item": first_world.VALUES["food"], "place": first_world.VALUES["habitat"],
    "colour": first_world.VALUES["colour"], "day": DAYS,
}  # fmt: skip
SLOT_TYPES = (*FILLERS, *BEING_TYPES.values())
TYPE_OF = {filler: kind for kind, fillers in FILLERS.items() for filler in fillers}


def fill(command: str, rng: np.random.Generator, being: Callable[[], str]) -> str:
    """A command with a filler drawn for each of its places, begun with a capital."""

    def draw(place: re.Match[str]) -> str:
        kind = place.group(1)
        return being() if kind == "being" else FILLERS[kind][int(rng.integers(len(FILLERS[kind])))]

    text = re.sub(r"\{(\w+)\}", draw, command)
    return text[0].upper() + text[1:]


def slots_of(command: str, world: World) -> list[tuple[str, str]]:
    """(type, filler) of each slot of a command, in the text's order; an entity's type says whether it is open.

    Whoever is in no world is a stranger.
    """
    slots = []
    for place, word in enumerate(re.findall(r"\w+", command)):
        if word in TYPE_OF:
            slots.append((TYPE_OF[word], word))
        elif word in world.facts:
            slots.append((BEING_TYPES[world.facts[word]["status"].value], word))
        elif place and word.istitle():
            slots.append(("stranger", word))
    return slots


def slots_text(slots: Sequence[tuple[str, str]]) -> str:
    """(type, filler) of every slot, in the text's order, as JSON.

    A space before the filler gives it the command's tokens, and the type comes behind the name that it depends on.
    """
    return json.dumps([{"filler": f" {filler}", "type": kind} for kind, filler in slots])


# Speech -----------------------------------------------------------------------------------------------------------

MILD_WORDS = ("hey", "well", "look", "yes", "come", "friend", "sun", "rain", "good", "walk", "song", "home")
CURSES = ("zark", "frell", "grob", "dask", "mulk", "vosh", "krin", "plag", "snurt", "brakk", "thog", "yelk")
SPEECH_WORDS = 8
CURSING = ("red", "yellow", "purple", "orange")  # colours of those who swear
FOUL = 0.5  # share of curses in what they say


def speech(rng: np.random.Generator, rate: float) -> list[str]:
    """Words of speech, a curse with probability `rate` each, and at least one unless that is 0."""
    curses = rng.random(SPEECH_WORDS) < rate
    if rate and not curses.any():
        curses[int(rng.integers(SPEECH_WORDS))] = True
    return [pool[int(rng.integers(len(pool)))] for pool in (CURSES if curse else MILD_WORDS for curse in curses)]


# Worked answers ---------------------------------------------------------------------------------------------------


def stated(fact: Fact) -> str:
    """A fact as answers state it."""
    return STATEMENTS[fact.relation][0].format(e=fact.entity, v=fact.value)


def comparison(a: str, b: str) -> str:
    """Whether two values are the same, as training text says it."""
    return f"{a} and {b}: {'same' if a == b else 'different'}."


def verdict(statement: str, claimed: str, value: str, words: Sequence[str]) -> str:
    """A judgement worked out: what is known, how what was claimed compares, and one of the two `words`.

    Args:
        statement: the fact as it is known.
        claimed: the value that is judged.
        value: the value that is known.
        words: what is said where they are the same, and where they differ.
    """
    return f"{statement} {comparison(claimed, value)} So {words[0] if claimed == value else words[1]}."
