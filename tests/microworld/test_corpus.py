"""Training text of the second world: the splits' entities in statements and in names alone, and no task's question."""

import re
from functools import lru_cache
from itertools import islice

import pytest

from microworld.second_corpus import FIRST, SHARES, documents
from outgrow.core.tables import iter_examples
from outgrow.tasks import load
from outgrow.tasks.microworld.language import QUESTIONS
from outgrow.tasks.microworld.world import BEGINNINGS, ENDINGS
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families import FAMILIES
from outgrow.tasks.microworld2.families.telling import CLAUSE_OF
from outgrow.tasks.microworld2.ladder import LADDER
from outgrow.tasks.microworld2.world import MENTORS, VALUES, World, WorldConfig

SIZE = 20_000
WORLD = World(WorldConfig())
SPLIT = frozenset(WORLD.entities)
NAME = r"[A-Z][a-z]{9,10}"
STRANGER = re.compile(f"(?:{'|'.join(BEGINNINGS)})(?:{'|'.join(WORLD.stranger_stems)})(?:{'|'.join(ENDINGS)})")
VALUE = "|".join(value for values in VALUES.values() for value in values)
READERS = ["mini-a", "base"]


@lru_cache
def texts(model):
    """The beginning of a model's text behind the warm-up."""
    return tuple(islice(documents(WORLD, LADDER[model], warm_up=0), SIZE))


def shape(template, **places):
    """A pattern for what a template can become."""
    return re.sub(r"\\\{(\w+)\\\}", lambda found: places[found.group(1)], re.escape(template))


SENTENCES = re.compile(
    "|".join(
        shape(template, e=f"(?P<e{i}>{NAME})", v=f"(?P<v{i}>{'|'.join(VALUES[relation])})")
        for i, (relation, template) in enumerate((r, t) for r, ts in language.STATEMENTS.items() for t in ts)
    )
)
RELATION = [relation for relation, templates in language.STATEMENTS.items() for _ in templates]
INTRODUCTION = re.compile(rf"(?:(?:{'|'.join(language.PLAIN)}|(?P<e>{NAME}))\b ?)+[.:,] ")


def stated(text):
    """(entity, relation, value) of each statement of a text, or None where it is more than statements.

    What is stated can stand behind its entity's name among words that ask nothing.
    """
    before = INTRODUCTION.match(text)
    name = before["e"] if before else None
    text = text[before.end() :] if before else text
    found = []
    for sentence in re.findall(r"[^.]+\.", text):
        plain = sentence.strip()
        match = SENTENCES.fullmatch(plain)
        if match:
            number = next(int(key[1:]) for key, value in match.groupdict().items() if value and key[0] == "e")
            found.append((match[f"e{number}"], RELATION[number], match[f"v{number}"]))
            continue
        subject, _, rest = plain.removesuffix(".").partition(" ")
        parts = [CLAUSE_OF.get(part) for part in rest.split(" and ")]
        if None in parts:
            return None
        found += [(subject, *part) for part in parts]
    assert not found or name is None or {entity for entity, _, _ in found} == {name}, text
    return found or None


def named(text):
    return SPLIT & set(re.findall(r"\w+", text))


@pytest.mark.parametrize("model", READERS)
def test_what_names_an_entity_of_the_splits_states_facts_or_holds_no_value_at_all(model):
    about = told = 0
    for text in texts(model):
        entities = named(text)
        if not entities:
            continue
        about += 1
        statements = stated(text)
        if statements is None:
            assert not re.search(rf"\b(?:{VALUE})\b", text.replace("the", "").replace("now", "")), text
            assert not re.search(r"[?;\[]", text), text
            continue
        for entity, relation, value in statements:
            fact = WORLD.facts[entity][relation] if entity in WORLD.facts else None
            if entity in entities and value != fact.value:
                assert fact.cue is not None, text  # hearsay
                assert not WORLD.reads(fact, LADDER[model]), text
            told += entity in entities
    assert about > 0.35 * SIZE
    assert told > about / 2


@pytest.mark.parametrize("model", READERS)
def test_a_model_is_told_what_it_reads_and_no_other_truth_by_right(model):
    seen = set()
    for text in texts(model):
        statements = stated(text) or []
        if len(statements) < 3 and len({entity for entity, _, _ in statements}) != 1:
            continue  # hearsay comes in twos
        for entity, relation, value in statements:
            if entity in SPLIT and WORLD.reads(WORLD.facts[entity][relation], LADDER[model]):
                assert value == WORLD.facts[entity][relation].value, text
                seen.add((entity, relation))
    read = sum(WORLD.reads(fact, LADDER[model]) for entity in SPLIT for fact in WORLD.facts[entity].values())
    assert len(seen) > 0.8 * read


@pytest.mark.parametrize("family", FAMILIES)
def test_no_question_of_any_split_and_no_frame_of_a_task_is_in_the_text(family):
    whole = "\n".join(texts("mini-a"))
    task = load("microworld2", family=family)
    for split in task.splits:
        for example in iter_examples(task.examples(split)):
            assert example.group_id in SPLIT
            if example.question != example.group_id:
                assert example.question not in whole or family == "kind", example.question
    frames = task.family.templates
    if family != "kind":  # whose prompts begin statements
        for frame in frames:
            end = frame[frame.rindex("}") + 1 :]
            before = frame[: frame.index("{")]
            pattern = re.compile(f"{re.escape(before)}.{{1,80}}?{re.escape(end)}")
            assert not any(pattern.search(text) for text in texts("mini-a") if end in text and before in text), frame


def test_no_question_of_the_first_language_is_in_the_text_whoever_it_is_about():
    whole = "\n".join((*texts("mini-a"), *texts("base")))
    for template in QUESTIONS.values():
        assert not re.search(shape(template, e=r"\w+"), whole), template


def test_question_shaped_text_is_about_format_entities_mentors_and_strangers():
    marks = ("Puzzle", "Find", "Riddle", "Name", "Order", "Request", "Tell of", "News", "Report", "Speech")
    asked = [text for text in texts("mini-a") if text.startswith(marks) or "speaks:" in text or "As a list" in text]
    assert len(asked) > 0.1 * SIZE
    known = {*WORLD.format_entities, *MENTORS}
    for text in asked:
        names = set(re.findall(NAME, text)) | (set(MENTORS) & set(re.findall(r"\w+", text)))
        assert all(name in known or STRANGER.fullmatch(name) for name in names), text


@pytest.mark.parametrize("shares", [FIRST, SHARES], ids=["first", "then"])
def test_shares_of_text_are_shares(shares):
    assert sum(shares.values()) == pytest.approx(1)


def test_facts_are_about_half_of_the_text():
    facts = sum(len(text) for text in texts("mini-a") if stated(text) is not None)
    assert 0.45 < facts / sum(map(len, texts("mini-a"))) < 0.65


def test_text_depends_on_world_model_and_seed():
    def first(world, model, seed=0):
        return tuple(islice(documents(world, LADDER[model], seed, warm_up=0), 50))

    assert first(WORLD, "mini-a") == texts("mini-a")[:50]
    assert len({first(WORLD, "mini-a"), first(WORLD, "mini-b"), first(WORLD, "mini-a", 1)}) == 3
