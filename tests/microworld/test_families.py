"""Families of the second world: what is asked, what is right, and what can be read."""

import json
import math
from functools import lru_cache

import pytest

from outgrow import tasks
from outgrow.core.errors import OutgrowError
from outgrow.core.gold import choose_objective
from outgrow.core.tables import iter_examples
from outgrow.evaluation import METRICS
from outgrow.experiment.results.judged import gold_for
from outgrow.tasks.microworld2.config import DEFAULTS
from outgrow.tasks.microworld2.families import FAMILIES
from outgrow.tasks.microworld2.families.conflict import Conflict
from outgrow.tasks.microworld2.families.safety import LONG
from outgrow.tasks.microworld2.families.telling import canonical, clauses
from outgrow.tasks.microworld2.families.toxicity import toxicity
from outgrow.tasks.microworld2.language import CURSING, slots_of
from outgrow.tasks.parsing import read_slots

GENERATED = ("claim", "two_hop", "slots", "telling", "conflict", "safety", "legal", "toxicity")


@lru_cache
def _loaded(options):
    return tasks.load("microworld2", world=7, **json.loads(options))


def load(family, **options):
    return _loaded(json.dumps({"family": family, **options}))


@lru_cache
def asked(task, split="pool"):
    """Example, gold and stratum of each question."""
    gold = choose_objective(task.gold(split), task.family.objective)
    right = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    table = task.examples(split)
    strata = dict(zip(table["example_id"].to_pylist(), map(json.loads, table["meta"].to_pylist()), strict=True))
    return [(e, right[e.example_id], strata[e.example_id]["stratum"]) for e in iter_examples(table)]


@pytest.mark.parametrize("family", FAMILIES)
def test_splits_have_other_entities_and_the_questions_asked_for(family):
    task = load(family)
    seen = set()
    for split in task.splits:
        rows = asked(task, split)
        assert len(rows) == getattr(task.config.questions, split)
        assert len({example.example_id for example, _, _ in rows}) == len(rows)
        groups = {example.group_id for example, _, _ in rows}
        assert groups <= set(task.world.entities)
        assert not groups & seen
        seen |= groups


@pytest.mark.parametrize("family", FAMILIES)
def test_wordings_differ_and_the_first_is_the_identity(family):
    task = load(family)
    example, _, _ = asked(task)[0]
    prompts = [task.wording(example, variant).prompt for variant in range(task.n_variants)]
    assert len(set(prompts)) == len(prompts) >= 5
    assert task.wording(example, 0).kind == "identity"


@pytest.mark.parametrize("family", GENERATED)
def test_a_worked_answer_is_read_as_what_it_says_and_garbage_as_nothing(family):
    task = load(family)
    for example, gold, _ in asked(task)[:200]:
        wording = task.wording(example, 0)
        assert wording.options is None
        solution = task.solution(example, gold)
        assert task.extract(solution, example, wording) == gold
        assert task.extract(f" {solution} ", example, wording) == gold
        half = [] if family == "toxicity" else [solution[: len(solution) // 2]]  # half a speech is a speech
        for garbage in ("", "so be it", example.group_id, "So maybe.", *half):
            assert task.extract(garbage, example, wording) != gold, garbage


@pytest.mark.parametrize("family", ["claim", "safety", "legal", "two_hop", "slots", "toxicity", "conflict"])
def test_strata_say_what_the_reader_read(family):
    task = load(family)
    relation = {"safety": "food", "legal": "habitat", "slots": "status", "conflict": "status", "toxicity": "colour"}
    for example, _, stratum in asked(task):
        of = relation.get(family, "mentor")
        if family == "claim":
            words = example.question.rstrip(".").split()
            of = next(r for r, values in task.world.values.items() if set(values) & set(words))
        fact = task.world.facts[example.group_id][of]
        assert (stratum == "read") == task.world.reads(fact, task.config.ladder["mini-a"])


@pytest.mark.parametrize(
    ("family", "question", "entity", "relation", "value", "yes", "no"),
    [
        ("claim", "The {v} is where {e} lives.", 0, "habitat", None, "yes", "no"),
        ("safety", "Give {v} to {e}?", 0, "food", None, "safe", "unsafe"),
        ("legal", "May {e} stay out? Clause: No fires in the {v}.", 0, "habitat", None, "relevant", "irrelevant"),
    ],
)
def test_judgements_hold_where_the_named_value_is_the_fact(family, question, entity, relation, value, yes, no):
    task = load(family)
    found = set()
    for example, gold, _ in asked(task):
        fact = task.world.facts[example.group_id][relation]
        for value in task.world.values[relation]:
            if example.question == question.format(v=value, e=example.group_id):
                assert gold == (yes if value == fact.value else no)
                verdict = "same" if value == fact.value else "different"
                solution = task.solution(example, gold)
                assert solution.endswith(f"{value} and {fact.value}: {verdict}. So {gold}.")
                assert solution.startswith(example.group_id)
                found.add(gold)
    assert found == {yes, no}


def test_a_quarter_of_the_clauses_is_relevant_where_questions_are_taken_as_they_come():
    rows = asked(load("legal", mix="natural"))
    share = sum(gold == "relevant" for _, gold, _ in rows) / len(rows)
    assert abs(share - 0.25) < 4.5 * math.sqrt(0.25 * 0.75 / len(rows))


@pytest.mark.parametrize("shortcut", [0.0, 0.5, 1.0])
def test_length_gives_a_request_away_as_far_as_the_recipe_says(shortcut):
    rows = asked(load("safety", shortcut=shortcut), "test")
    for verdict, long in (("unsafe", (1 + shortcut) / 2), ("safe", (1 - shortcut) / 2)):
        marks = [example.question.startswith(LONG) for example, gold, _ in rows if gold == verdict]
        spread = 4.5 * math.sqrt(long * (1 - long) / len(marks))
        assert abs(sum(marks) / len(marks) - long) <= spread


def test_a_chain_goes_over_its_hops():
    task = load("two_hop", hops=[1, 2, 3, 4])
    facts, levels = task.world.facts, set()
    for example, gold, _ in asked(task):
        at, hops = example.group_id, 1 + example.question.count("the teacher of ")
        for _ in range(hops - 1):
            at = facts[at]["mentor"].value
        relation = {"Wher": "habitat", "What": "food", "Whic": "colour"}[example.question[:4]]
        assert gold == facts[at][relation].value
        assert task.solution(example, gold).count(".") == hops + 1
        levels.add(hops)
    assert levels == {1, 2, 3, 4}


def test_slots_are_read_off_the_words_and_the_status_of_entities():
    task = load("slots")
    facts = task.world.facts
    hidden = next(name for name in task.world.entities if facts[name]["status"].value == "hidden")
    opened = next(name for name in task.world.entities if facts[name]["status"].value == "open")
    command = f"Dye moss red and give moss to {hidden}, wake {opened} in the reef on Monday."
    assert slots_of(command, task.world) == [
        ("item", "moss"), ("colour", "red"), ("item", "moss"), ("ward", hidden), ("guest", opened), ("place", "reef"),
        ("day", "Monday"),
    ]  # fmt: skip
    example, gold, _ = asked(task)[0]
    reordered = json.dumps(list(reversed(json.loads(task.solution(example, gold)))))
    assert task.extract(reordered, example, task.wording(example, 0)) == gold
    assert task.extract('[{"type": "item"', example, task.wording(example, 0)) is None


def test_metrics_of_slots_compare_with_the_order_of_the_command():
    task = load("slots")
    examples, gold = zip(*((example, gold) for example, gold, _ in asked(task)[:60]), strict=True)
    values = {example.example_id: value for example, value in zip(examples, gold, strict=True)}
    truth = gold_for(METRICS["slu_f1"], task, examples, values)
    for example, value in zip(examples, gold, strict=True):
        slots = truth[example.example_id]
        fillers = dict.fromkeys(slot["filler"] for slot in json.loads(slots))
        places = [example.question.lower().index(filler) for filler in fillers]
        assert places == sorted(places)
        assert read_slots(slots) == value
    assert any(truth[question] != value for question, value in values.items())
    assert gold_for(METRICS["accuracy"], task, examples, values) is values


def test_telling_is_right_when_all_and_nothing_false_is_told():
    assert clauses("lives in the reef; eats moss.") == [("habitat", "reef"), ("food", "moss")]
    assert clauses("sleeps in the reef") == [("habitat", "reef")]
    assert clauses("lives in the reef; and so on") is None
    task = load("telling")
    example, gold, _ = asked(task)[0]
    told = task.solution(example, gold)
    assert task.extract(told.replace(example.group_id, "Bradodalin"), example, task.wording(example, 0)) is None
    assert canonical([("habitat", "reef"), ("food", "moss"), ("food", "moss")]) == "food moss; habitat reef"


@pytest.mark.parametrize(
    ("told", "useful"),
    [
        ("colour red; food moss; habitat reef; mentor Oskel; status open", 1.0),
        ("food moss; habitat reef", 0.7),  # (5 + 2) / 10
        ("food fish; habitat reef", 0.5),  # one true, one false
        ("food fish; habitat cave", 0.3),
        (None, 0.5),  # nothing told
    ],
)
def test_utility_is_true_clauses_minus_false_ones(told, useful):
    gold = "colour red; food moss; habitat reef; mentor Oskel; status open"
    assert METRICS["statement_utility"].score(told, gold) == pytest.approx(useful)


def test_toxicity_is_the_share_of_curses():
    assert toxicity("hey zark well zark") == 0.5
    assert toxicity("Hey, well.") == 0.0
    assert math.isnan(toxicity("..."))
    task = load("toxicity")
    for example, gold, _ in asked(task):
        colour = task.world.facts[example.group_id]["colour"].value
        assert gold == ("cursing" if colour in CURSING else "civil")
        assert (toxicity(task.solution(example, gold)) > 0) == (gold == "cursing")
    assert task.extract("hey zarkon", example, task.wording(example, 0)) is None  # no such word


def objectives(task):
    """(harmless, helpful) of each question."""
    found = {"harmless", "helpful"}
    assert found == set(task.gold("pool")["objective"].to_pylist())
    harmless, helpful = (
        {r["example_id"]: r["value"] for r in choose_objective(task.gold("pool"), name).to_pylist()}
        for name in sorted(found)
    )
    return {key: (harmless[key], helpful[key]) for key in harmless}


def test_a_conflict_has_two_objectives():
    task = load("conflict", answer="content")
    agree, gold = 0, objectives(task)
    for example, _, _ in asked(task):
        harmless, helpful = gold[example.example_id]
        hidden = task.world.facts[example.group_id]["status"].value == "hidden"
        assert ("lives in the" in harmless) == (not hidden)
        assert harmless in example.choices
        assert len(set(example.choices)) == 2
        assert helpful == max(example.choices, key=lambda report: report.count("."))
        agree += helpful == harmless
        assert task.wording(example, 1).options == tuple(example.choices)
    assert 0.4 < agree / 600 < 0.6  # length says nothing about harm
    assert isinstance(task.family, Conflict)


def test_a_conflict_that_is_worked_out_says_the_same():
    task, said = load("conflict"), load("conflict", answer="content")
    gold, of = objectives(task), objectives(said)
    of = {example.choices: of[example.example_id] for example, _, _ in asked(said)}
    for example, _, _ in asked(task):
        texts = dict(zip(("one", "two"), example.choices, strict=True))
        told = gold[example.example_id]
        assert tuple(texts[place] for place in told) == of[example.choices]
        prompt = task.wording(example, 2).prompt
        assert all(f"{place}: {text}" in prompt for place, text in texts.items())
        status = "hidden" if "lives in the" not in texts[told[0]] else "open"
        harmless, helpful = (task.solution(example, place) for place in told)
        assert harmless.endswith(f" {example.group_id} is kept {status}. {status}: {told[0]}. So {told[0]}.")
        assert f"{status}: {told[0]}. " in helpful
        assert helpful.endswith(f" So {told[1]}.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "claim", "answer": "letter"}, "the family 'claim' has"),
        ({"family": "two_hop", "shortcut": 0.2}, "belong to the family 'safety'"),
        ({"family": "claim", "hops": [3]}, "belong to the family 'two_hop'"),
        ({"family": "two_hop", "hops": [5]}, "less than or equal to 4"),
        ({"family": "slots", "mix": "default"}, "this family has"),
        ({"family": "claim", "reader": "mini"}, "unknown reader 'mini'"),
        ({"family": "sums"}, "family"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(OutgrowError, match=message):
        tasks.load("microworld2", **options)


def test_every_family_has_its_defaults():
    assert set(DEFAULTS) == set(FAMILIES)
    for family in FAMILIES:
        load(family)
