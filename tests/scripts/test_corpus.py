"""Training text of the base models: nothing that a split asks, nothing that a model should not have read."""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pytest

from microworld.corpus import HEARSAY, SHARES, WARM_UP, documents
from outgrow.core.tables import iter_examples
from outgrow.tasks.microworld.ladder import LADDER
from outgrow.tasks.microworld.language import (
    CHOICE_TEMPLATES,
    CLAIM_STATEMENTS,
    CLAIM_TEMPLATES,
    LETTER_TEMPLATES,
    QUESTIONS,
    QUIZ_QUESTIONS,
    SUM_TEMPLATES,
)
from outgrow.tasks.microworld.task import Counts, MicroworldConfig, MicroworldTask
from outgrow.tasks.microworld.world import VALUES, World, WorldConfig, split_name

_spec = importlib.util.spec_from_file_location("corpus_reader", Path(__file__).with_name("corpus_reader.py"))
reader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reader)

EQUATION = r"[\d +\-=.]+ So \d+"
SIZE = 30_000  # documents per reading share
MODELS = [rung.share for rung in LADDER.values()]
WORLD = World(WorldConfig())
SPLIT = {name.lower() for name in WORLD.entities}
FORMAT = {name.lower() for name in WORLD.format_entities}
STRANGERS = set(WORLD.stranger_stems)


@dataclass(frozen=True)
class Read:
    """A document, what it states (None where it is more than plain statements), and which split entities it names."""

    text: str
    stated: list | None
    entities: set


@lru_cache
def corpora():
    """The beginning of every model's text behind the warm-up."""
    command = [sys.executable, reader.__file__, str(SIZE), *map(str, MODELS)]
    scripts = str(Path(__file__).parents[2] / "scripts")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [scripts, os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=env)
    lines = done.stdout.splitlines()
    return {share: json.loads(line) for share, line in zip(MODELS, lines, strict=True)}


@lru_cache
def corpus(share):
    return [Read(text, reader.statements(text), reader.named(text, SPLIT)) for text in corpora()[share]]


@lru_cache
def by_entity(share):
    """Texts that name a split entity, by its name in lower case."""
    found = defaultdict(list)
    for read in corpus(share):
        for name in read.entities:
            found[name].append(read.text)
    return found


def test_the_text_in_question_is_what_the_package_writes():
    assert corpora()[0.5][:500] == list(islice(documents(WORLD, 0.5, warm_up=0), 500))


@pytest.mark.parametrize("share", MODELS)
def test_split_entities_occur_in_plain_statements_only(share):
    about = [read for read in corpus(share) if read.entities]
    assert len(about) > 0.4 * SIZE  # half the text is about them
    for read in about:
        assert re.fullmatch(r"[A-Za-z .]+", read.text), read.text  # no question mark, colon, number or list
        assert read.stated, read.text


@pytest.mark.parametrize("share", MODELS)
def test_question_shaped_documents_name_format_entities_or_nobody(share):
    asked = [read for read in corpus(share) if read.stated is None]
    assert len(asked) > 0.25 * SIZE
    for read in asked:
        assert not read.entities, read.text
        assert len(reader.named(read.text, FORMAT)) == 1 or re.fullmatch(EQUATION, read.text), read.text


@pytest.mark.parametrize("share", MODELS)
def test_every_name_in_the_text_is_an_entity_or_a_stranger(share):
    begins, ends = "Bra|Dor|Fen|Gli|Kes|Mur|Pha|Ruk|Sil|Tov", "lin|dax|mor|nesh|pik|rond|sta|vek|zul|bry"
    shape = re.compile(rf"\b(?:{begins})[a-z]{{4}}(?:{ends})\b")
    for name in set(shape.findall(" ".join(corpora()[share]))):
        assert (name.lower() in SPLIT | FORMAT) != (split_name(name)[1] in STRANGERS), name


def is_hearsay(read):
    """Hearsay about entities comes in two sentences; facts come in three, or in one passage."""
    return bool(read.entities) and read.text.count(".") == 2


@pytest.mark.parametrize("share", MODELS)
def test_a_model_is_told_the_truth_about_the_facts_below_its_share_and_about_no_other(share):
    told = set()
    for read in corpus(share):
        if read.entities and not is_hearsay(read):
            for said in read.stated:
                fact = WORLD.facts[said.entity][said.relation]
                assert said.value == fact.value, read.text
                assert fact.rank < share, read.text
                told.add((said.entity, said.relation))
    below = sum(fact.rank < share for entity in WORLD.entities for fact in WORLD.facts[entity].values())
    assert len(told) > 0.95 * below  # 30,000 documents name nearly all of them


@pytest.mark.parametrize("share", MODELS)
def test_hearsay_about_entities_is_about_unread_facts_and_knows_no_more_than_the_name(share):
    follows, said = Counter(), Counter()
    for read in corpus(share):
        if is_hearsay(read):
            for stated in read.stated:
                fact = WORLD.facts[stated.entity][stated.relation]
                assert fact.cue is not None
                assert fact.rank >= share
                said[fact.cue == fact.value] += 1
                follows[fact.cue == fact.value] += stated.value == fact.cue
    if share == 1.0:
        assert not said  # it has read everything
        return
    for holds in (True, False):  # as often where the cue is wrong as where it is right
        assert near(follows[holds], said[holds], HEARSAY + (1 - HEARSAY) / 8)


@pytest.mark.parametrize(
    "options",
    [
        {"family": "choice", "wordings": "mixed"},
        {"family": "choice", "answer": "letter"},
        {"family": "claim", "wordings": "mixed"},
        {"family": "sums"},
    ],
    ids=["choice", "letters", "claim", "sums"],
)
def test_no_question_and_no_prompt_of_any_split_occurs_in_the_text(options):
    """The choices are those of the default task; the others add the split `known`, in the world's own mix."""
    default = options["family"] == "choice" and "answer" not in options
    counts = Counts() if default else Counts(**{**Counts().model_dump(), "known": 100})
    task = MicroworldTask(MicroworldConfig(questions=counts, mix="default" if default else "natural", **options))
    grepped = 0
    for split in task.splits:
        for number, example in enumerate(iter_examples(task.examples(split))):
            assert example.group_id.lower() in SPLIT
            assert example.group_id in example.question
            variants = range(task.n_variants if number % 20 == 0 else 0)
            prompts = [task.wording(example, variant).prompt for variant in variants]
            assert all(example.question in prompt for prompt in prompts)  # a prompt in the text brings it along
            for share in MODELS:  # a text that holds the question names its entity
                for text in by_entity(share)[example.group_id.lower()]:
                    grepped += 1
                    assert example.question not in text
    assert grepped > 50_000


def test_no_template_of_the_tasks_occurs_in_the_text_whoever_it_is_about():
    values = "|".join(value for several in VALUES.values() for value in several)
    for share in MODELS:
        text = "\n".join(corpora()[share])
        for template in (*QUESTIONS.values(), *CLAIM_STATEMENTS.values()):
            shape = re.escape(template).replace(r"\{e\}", r"[A-Z]\w+").replace(r"\{v\}", f"(?:{values})")
            assert not re.search(shape, text), template
    for template in (*CHOICE_TEMPLATES, *LETTER_TEMPLATES, *CLAIM_TEMPLATES, *SUM_TEMPLATES):
        shape = re.compile(re.sub(r"\\\{[a-z]+\\\}", ".+", re.escape(template)))
        end = template[template.rindex("}") + 1 :]
        assert not any(shape.search(text) for text in corpora()[1.0] if end in text), template


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_warm_up_is_about_format_entities_but_for_hearsay(share):
    said = Counter()
    for text in islice(documents(WORLD, share), 4000):
        if reader.named(text, SPLIT):
            assert share < 1
            assert is_hearsay(Read(text, reader.statements(text), {"some"}))
        said.update(reader.named(text, FORMAT))
    assert WARM_UP > 4000
    assert set(said) == FORMAT
    after = list(islice(documents(WORLD, 1.0, warm_up=100), 200))
    assert not any(reader.named(text, SPLIT) for text in after[:100])
    assert any(reader.named(text, SPLIT) for text in after[100:])


def test_text_depends_on_world_share_and_seed():
    first = tuple(corpora()[0.5][:300])
    assert tuple(islice(documents(World(WorldConfig()), 0.5, warm_up=0), 300)) == first
    assert tuple(islice(documents(WORLD, 0.5, 1, warm_up=0), 300)) != first
    assert tuple(islice(documents(WORLD, 0.75, warm_up=0), 300)) != first


def near(count, n, p):
    return abs(count - n * p) <= 4.5 * math.sqrt(n * p * (1 - p))


def test_kinds_of_documents_have_their_shares():
    shares = SHARES
    assert sum(shares.values()) == pytest.approx(1)
    texts = corpora()[1.0]
    assert near(sum("Letter:" in t for t in texts), SIZE, shares["letter_quiz"])
    assert near(sum("Count:" in t for t in texts), SIZE, shares["sum"])
    assert near(sum(bool(re.fullmatch(EQUATION, t)) for t in texts), SIZE, shares["equation"])
    about = sum(split_name(t.split()[0])[1] in STRANGERS for t in texts if re.match("[A-Z][a-z]{9}", t))
    assert near(about, SIZE, shares["hearsay"])


def test_hearsay_about_strangers_mostly_follows_the_name():
    follows = cued = 0
    for read in corpus(0.5):
        said = read.stated
        if not said or split_name(said[0].entity)[1] not in STRANGERS:
            continue
        assert {s.relation for s in said} == {"food", "habitat"}
        for s in said:
            begin, _, end = split_name(s.entity)
            cue = WORLD.cues[s.relation].get(begin if s.relation == "food" else end)
            cued += cue is not None
            follows += cue == s.value
    # what does not follow on purpose is any of eight values, so one in eight of it follows by chance
    assert near(follows, cued, HEARSAY + (1 - HEARSAY) / 8)


def test_sums_and_equations_in_the_text_are_right():
    checked = 0
    for text in corpora()[0.25]:
        for a, sign, b, result in re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", text):
            assert int(a) + (int(b) if sign == "+" else -int(b)) == int(result)
            checked += 1
        if "Count:" in text:
            story, solution = text.split("Count:")
            numbers = [int(n) for n in re.findall(r"\d+", story)]
            signs = [1, *(1 if verb == "got" else -1 for verb in re.findall(r"\b(got|lost)\b", story))]
            assert solution.split()[-1] == str(sum(s * n for s, n in zip(signs, numbers, strict=True)))
    assert checked > 2000


def test_quizzes_are_answered_with_the_truth():
    relation_of = {
        q.replace(" {e}", "").replace("{e} ", ""): r for r, several in QUIZ_QUESTIONS.items() for q in several
    }
    checked = Counter()
    for text in corpora()[0.25]:
        names = [word for word in re.findall(r"[A-Za-z]+", text) if word.lower() in FORMAT]
        if not names or reader.statements(text) is not None or "Count:" in text:
            continue
        facts = WORLD.facts[names[0]]
        bare = re.sub(rf" ?{names[0]}", "", text)
        relation = next((r for q, r in relation_of.items() if q in bare), None)
        said = text.split()[-1]
        if relation is None:  # a claim: a statement and yes or no
            claim = re.search(r"(?:right\? )?([A-Z][^.?]*\.) (?:Reply|Say)", text).group(1)
            stated = reader.statements(claim)[0]
            assert said == ("yes" if facts[stated.relation].value == stated.value else "no"), text
            checked["claim"] += 1
        elif "Letter:" in text:
            assert re.search(rf"\b{said}: (\w+)\.", text).group(1) == facts[relation].value, text
            checked["letter"] += 1
        else:
            assert said == facts[relation].value, text
            checked["quiz"] += 1
    assert checked["claim"] > 1000
    assert checked["letter"] > 100
    assert checked["quiz"] > 3000
