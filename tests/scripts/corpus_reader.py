"""Reads training text: who is named, and what plain statements state.

`python corpus_reader.py SIZE SHARE ...` writes the first SIZE documents behind the warm-up for each reading share, one
JSON list a line; in a process of its own this is four times as fast as under the type checks of the tests.
"""

import json
import re
import sys
from dataclasses import dataclass
from itertools import islice

from microworld.corpus import documents
from outgrow.tasks.microworld.language import CLAUSES, STATEMENTS
from outgrow.tasks.microworld.world import VALUES, World, WorldConfig

WORDS = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Stated:
    """A fact that a text states."""

    entity: str
    relation: str
    value: str


def _spelled(templates):
    """Every template with every value, the entity left open -> (relation, value)."""
    return {
        template.format(e="{e}", v=value): (relation, value)
        for relation, several in templates.items()
        for template in several
        for value in VALUES[relation]
    }


_SENTENCES = _spelled(STATEMENTS)
_CLAUSES = _spelled(CLAUSES)


def named(text, names):
    """The names (lower case) that occur in a text as words."""
    return {word for word in WORDS.findall(text.lower()) if word in names}


def statements(text):
    """What a text of plain statements states; None when it holds anything else."""
    found = []
    for sentence in re.findall(r"[^.]+\.", text):
        plain = sentence.strip()
        subject = next(iter(re.findall(r"\b[A-Z][a-z]{9,10}\b", plain)), None)
        if subject is None:
            return None
        known = _SENTENCES.get(plain.replace(subject, "{e}", 1))
        if known is not None:
            found.append(Stated(subject, *known))
            continue
        if not plain.startswith(f"{subject} "):
            return None
        for clause in plain.removeprefix(f"{subject} ").removesuffix(".").split(" and "):
            known = _CLAUSES.get(clause)
            if known is None:
                return None
            found.append(Stated(subject, *known))
    whole = "".join(re.findall(r"[^.]+\.", text)) == text
    return found if whole and found else None


if __name__ == "__main__":
    world = World(WorldConfig())
    for share in sys.argv[2:]:
        print(json.dumps(list(islice(documents(world, float(share), warm_up=0), int(sys.argv[1])))))
