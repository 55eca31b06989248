"""Questions of the generated world: exact mixes, disjoint splits, strata, wordings and the parsing of answers."""

import json
import re
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import Example, iter_examples
from outgrow.tasks.base import Task
from outgrow.tasks.microworld import task as module
from outgrow.tasks.microworld.language import LETTERS, solution_text
from outgrow.tasks.microworld.task import MIXES, Counts, MicroworldConfig, MicroworldTask, stratum_of
from outgrow.tasks.microworld.world import RELATIONS, VALUES, World, WorldConfig

COUNTS = Counts(supervisor_train=120, pool=200, validation=40, test=300)
MIX = (("read", 0.45), ("helpful", 0.1), ("no_cue", 0.25), ("misleading", 0.2))
FAMILIES = ("choice", "claim", "sums")


@pytest.fixture(autouse=True, scope="module")
def _a_smaller_world():
    """A world of 500 entities is as good here and made three times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "shared_world", lru_cache(lambda seed: World(WorldConfig(seed=seed, entities=500))))
        module._drawn.cache_clear()
        yield
        module._drawn.cache_clear()


@lru_cache
def task(family="choice", counts=COUNTS, mix=MIX, **options):
    """A task, made once per test run."""
    mix = dict(mix) if isinstance(mix, tuple) else mix
    if family == "sums":
        mix = "default"
    return MicroworldTask(MicroworldConfig(family=family, questions=counts, mix=mix, **options))


def rows(made, split):
    """Examples and their gold values."""
    gold = made.gold(split).to_pydict()
    assert gold["objective"] == ["truth"] * len(gold["value"])
    examples = list(iter_examples(made.examples(split)))
    assert [e.example_id for e in examples] == gold["example_id"]
    return list(zip(examples, gold["value"], strict=True))


def strata(made, split):
    return Counter(stratum_of(meta) for meta in made.examples(split)["meta"].to_pylist())


# Mixes and splits ---------------------------------------------------------------------------------------------------


def test_the_microworld_is_a_task():
    assert isinstance(task(), Task)
    assert task().splits == ("supervisor_train", "pool", "validation", "test")
    known = Counts(supervisor_train=1, pool=1, validation=1, test=1, known=5)
    assert task(mix="natural", counts=known).splits == ("supervisor_train", "pool", "validation", "test", "known")
    assert task(mix="natural", counts=known).examples("known").num_rows == 5
    assert task("claim").classes == ("no", "yes")
    assert task().classes is task("sums").classes is None


def test_a_mix_gives_exact_counts():
    # pool: 200 questions; .45, .1, .25 and .2 of them
    assert strata(task(), "pool") == {"read": 90, "helpful": 20, "no_cue": 50, "misleading": 40}
    assert strata(task(), "test") == {"read": 135, "helpful": 30, "no_cue": 75, "misleading": 60}
    assert strata(task(), "validation") == {"read": 18, "helpful": 4, "no_cue": 10, "misleading": 8}
    assert strata(task("claim"), "pool") == {"read": 90, "helpful": 20, "no_cue": 50, "misleading": 40}


def test_a_mix_that_does_not_divide_the_count_still_adds_up_to_it():
    thirds = (("read", 1 / 3), ("no_cue", 1 / 3), ("misleading", 1 / 3))
    counts = Counts(supervisor_train=10, pool=100, validation=50, test=10)
    # edges 33.3 and 66.7 round to 33 and 67: 33 + 34 + 33
    assert strata(task(mix=thirds, counts=counts), "pool") == {"read": 33, "no_cue": 34, "misleading": 33}
    # edges 16.7 and 33.3 round to 17 and 33: 17 + 16 + 17
    assert strata(task(mix=thirds, counts=counts), "validation") == {"read": 17, "no_cue": 16, "misleading": 17}


def test_sums_are_half_one_step_and_half_two_steps():
    made = task("sums")
    assert strata(made, "pool") == {"one_step": 100, "two_steps": 100}
    for example, _ in rows(made, "pool"):
        steps = len(re.findall(r"\b(got|lost)\b", example.question))
        assert example.meta["stratum"] == {1: "one_step", 2: "two_steps"}[steps]


def test_the_natural_mix_is_the_worlds_own():
    found = strata(task(), "supervisor_train")  # natural by default, reader mini
    # Half is read; of the rest, two relations of four have no cue, and the others' names say nothing for .2 of them.
    assert sum(found.values()) == 120
    assert abs(found["read"] - 60) < 25
    assert abs(found["no_cue"] - 120 * 0.5 * 0.6) < 25


def test_the_supervisors_training_set_has_its_own_mix():
    made = task(supervisor_train_mix="ignorance")
    assert MIXES["ignorance"] == {"read": 0.7, "no_cue": 0.3}
    assert strata(made, "supervisor_train") == {"read": 84, "no_cue": 36}
    assert strata(made, "pool") == strata(task(), "pool")


@pytest.mark.parametrize("family", FAMILIES)
def test_splits_share_no_entity_and_no_question(family):
    made = task(family)
    groups = {split: set(made.examples(split)["group_id"].to_pylist()) for split in made.splits}
    ids = [i for split in made.splits for i in made.examples(split)["example_id"].to_pylist()]
    assert len(ids) == len(set(ids)) == 660
    for a in groups:
        assert groups[a] <= set(made.world.entities)
        assert all(not groups[a] & groups[b] for b in groups if b != a)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_names_its_own_entity_and_no_other(family):
    made = task(family)
    names = set(made.world.names)
    for split in made.splits:
        for example, _ in rows(made, split):
            assert {word for word in re.findall(r"[A-Za-z]+", example.question) if word in names} == {example.group_id}


def test_a_stratum_that_runs_out_is_named_with_its_split():
    with pytest.raises(ConfigError, match=r"split 'pool' needs 1500 questions of stratum 'misleading', the world has"):
        task(mix=(("misleading", 1.0),), counts=Counts(supervisor_train=1, pool=1500, validation=1, test=1)).examples(
            "pool"
        )


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="no split 'train'; there are"):
        task().examples("train")


def test_draws_depend_on_the_seed_and_on_nothing_else():
    again = MicroworldTask(MicroworldConfig(questions=COUNTS, mix=dict(MIX)))
    assert again.examples("test") == task().examples("test")
    assert again.gold("test") == task().gold("test")
    assert again.fingerprint() == task().fingerprint()
    other = task(seed=1)
    assert set(other.examples("test")["question"].to_pylist()) != set(task().examples("test")["question"].to_pylist())
    assert other.fingerprint() != task().fingerprint()


def test_a_named_mix_counts_in_the_fingerprint_by_its_shares(monkeypatch):
    before = task(mix="ignorance").fingerprint()
    monkeypatch.setitem(MIXES, "ignorance", {"read": 0.6, "no_cue": 0.4})
    assert task(mix="ignorance").fingerprint() != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": "defualt"}, "unknown mix 'defualt'; choose one of"),
        ({"mix": {"read": 0.5, "guess": 0.5}}, r"unknown strata \['guess'\] in mix; this family has \['read', "),
        ({"family": "sums", "mix": {"read": 1.0}}, r"unknown strata \['read'\] in mix; this family has \['one_step'"),
        ({"supervisor_train_mix": {"read": 0.5}}, "the shares of supervisor_train_mix sum to 0.5; they must sum to 1"),
        ({"reader": "tiny"}, "unknown reader 'tiny'; the ladder is"),
        ({"family": "claim", "answer": "letter"}, "only the family 'choice' can be answered by letter"),
        ({"familly": "claim"}, "familly"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        MicroworldConfig(**options)


# Questions and gold -------------------------------------------------------------------------------------------------


def test_a_choice_has_four_options_of_its_relation_and_the_worlds_answer():
    made = task()
    places = Counter()
    for example, gold in rows(made, "test"):
        fact = made.world.facts[example.group_id][example.meta["relation"]]
        assert gold == fact.value
        assert len(set(example.choices)) == 4
        assert set(example.choices) <= set(VALUES[fact.relation])
        assert example.meta == {"stratum": fact.stratum(fact.rank < 0.5), "relation": fact.relation, "cue": fact.cue}
        places[example.choices.index(gold)] += 1
    # 300 questions, each place 75 on average with a standard deviation of 7.5
    assert all(abs(places[place] - 75) < 34 for place in range(4))


def test_a_misleading_choice_offers_the_wrong_value_that_the_name_suggests():
    misled = [(e, gold) for e, gold in rows(task(), "test") if e.meta["stratum"] == "misleading"]
    assert len(misled) == 60
    for example, gold in misled:
        assert example.meta["cue"] in example.choices
        assert example.meta["cue"] != gold


def test_a_helpful_choice_is_one_whose_name_suggests_the_answer():
    assert all(e.meta["cue"] == gold for e, gold in rows(task(), "test") if e.meta["stratum"] == "helpful")
    assert all(e.meta["cue"] is None for e, _ in rows(task(), "test") if e.meta["stratum"] == "no_cue")


def claim_value(example):
    """The value a claim names."""
    words = re.findall(r"[A-Za-z]+", example.question)
    return next(v for v in VALUES[example.meta["relation"]] if v in words)


def test_a_claim_is_true_exactly_when_it_names_the_worlds_value():
    made = task("claim")
    found = Counter()
    for example, gold in rows(made, "test"):
        fact = made.world.facts[example.group_id][example.meta["relation"]]
        assert gold == ("yes" if claim_value(example) == fact.value else "no")
        found[gold] += 1
    assert abs(found["yes"] - 150) < 39  # 4.5 standard deviations of 8.7


def test_strata_of_claims_follow_from_what_the_name_suggests_about_the_claim():
    made = task("claim")
    for example, gold in rows(made, "test"):
        fact = made.world.facts[example.group_id][example.meta["relation"]]
        if fact.rank < 0.5:
            expected = "read"
        elif fact.cue is None:
            expected = "no_cue"
        else:  # a reader who goes by the name says yes to a claim about the cue and no to any other
            guess = "yes" if claim_value(example) == fact.cue else "no"
            expected = "helpful" if guess == gold else "misleading"
        assert example.meta["stratum"] == expected


def left(question):
    """What is left in a sum's story, worked out from its words."""
    total = int(re.search(r"had (\d+)", question).group(1))
    for verb, number in re.findall(r"(got|lost) (\d+)", question):
        total += int(number) if verb == "got" else -int(number)
    return total


def test_the_answer_of_a_sum_is_what_its_story_leaves():
    for example, gold in rows(task("sums"), "test"):
        assert gold == str(left(example.question))
        assert left(example.question) >= 0


# Wordings -----------------------------------------------------------------------------------------------------------

WORDINGS = [
    ("choice", {}, 8),  # four shifts, four shifts of the reversed order
    ("choice", {"wordings": "instructions"}, 5),
    ("choice", {"wordings": "mixed"}, 40),
    ("choice", {"answer": "letter"}, 8),
    ("claim", {}, 2),
    ("claim", {"wordings": "instructions"}, 5),
    ("claim", {"wordings": "mixed"}, 10),
    ("sums", {}, 5),
]


@pytest.mark.parametrize(("family", "options", "count"), WORDINGS)
def test_all_wordings_are_distinct_and_the_first_is_the_identity(family, options, count):
    made = task(family, **options)
    example = next(iter(iter_examples(made.examples("test"))))
    wordings = [made.wording(example, variant) for variant in range(made.n_variants)]
    assert made.n_variants == count
    assert len({w.prompt for w in wordings}) == count
    assert [w.kind == "identity" for w in wordings] == [True] + [False] * (count - 1)
    assert not any(w.prompt.endswith(" ") for w in wordings)  # the space belongs to the answer
    if family == "choice":
        assert wordings[0].permutation == (0, 1, 2, 3)
        assert wordings[0].values == example.choices


@pytest.mark.parametrize(("family", "options", "count"), WORDINGS)
def test_a_wording_that_does_not_exist_is_refused(family, options, count):
    made = task(family, **options)
    example = next(iter(iter_examples(made.examples("test"))))
    for variant in (-1, count):
        with pytest.raises(ConfigError, match=f"variant {variant} asked of microworld/{family}, which has {count}"):
            made.wording(example, variant)


@pytest.mark.parametrize("start", [0, 4])
@pytest.mark.parametrize("answer", ["content", "letter"])
def test_four_permutations_put_every_option_into_every_place_once(start, answer):
    made = task(answer=answer)
    example = next(iter(iter_examples(made.examples("test"))))
    shown = [made.wording(example, variant).values for variant in range(start, start + 4)]
    for place in range(4):
        assert {values[place] for values in shown} == set(example.choices)


@pytest.mark.parametrize(("family", "options", "count"), WORDINGS[:-1])
def test_prompt_options_values_and_permutation_tell_the_same(family, options, count):
    made = task(family, **options)
    for example, _ in rows(made, "validation")[:6]:
        for variant in range(count):
            wording = made.wording(example, variant)
            identity = made.wording(example, 0).values
            assert wording.values == tuple(identity[i] for i in wording.permutation)
            assert len(set(wording.options)) == len(wording.options)
            assert [wording.say(value) for value in wording.values] == list(wording.options)
            for option, value in zip(wording.options, wording.values, strict=True):
                assert made.extract(f" {option}", example, wording) == value
            places = [wording.prompt.index(value) for value in wording.values]
            if family == "choice":
                assert places == sorted(places)  # listed in this order
            with pytest.raises(DataError, match="is not among the options"):
                wording.say("nothing")


def test_lettered_prompts_list_letters_and_are_answered_by_them():
    made = task(answer="letter")
    question = Example("x", "Bradodalin", "What does Bradodalin eat?", ("moss", "fish", "nuts", "honey"))
    wording = made.wording(question, 1)  # one shift: fish first
    assert wording.prompt == (
        "Question: What does Bradodalin eat? A: fish. B: nuts. C: honey. D: moss. Answer with a letter:"
    )
    assert wording.options == LETTERS == ("A", "B", "C", "D")
    assert wording.say("moss") == "D"
    assert made.extract(" d.", question, wording) == "moss"
    assert made.extract(" moss", question, wording) is None


def test_prompts_of_the_other_families_in_full():
    question = Example("x", "Bradodalin", "What does Bradodalin eat?", ("moss", "fish", "nuts", "honey"))
    prompt = task().wording(question, 4).prompt  # the reversed order
    assert prompt == "Question: What does Bradodalin eat? Options: honey, nuts, fish, moss. Answer:"
    claim = Example("x", "Bradodalin", "It is moss that Bradodalin eats.")
    first, second = (task("claim").wording(claim, v).prompt for v in (0, 1))
    assert first == "Claim: It is moss that Bradodalin eats. True, yes or no? Answer:"
    assert second == "Claim: It is moss that Bradodalin eats. True, no or yes? Answer:"
    story = Example("x", "Bradodalin", "Bradodalin had 5 nuts, lost 2. How many nuts are left?")
    assert task("sums").wording(story, 0).prompt == f"Problem: {story.question} Solution:"
    assert task("sums").wording(story, 0).options is None


def test_a_question_without_choices_cannot_be_worded_as_a_choice():
    with pytest.raises(DataError, match="example x has no choices"):
        task().wording(Example("x", "g", "Where does Bradodalin live?"), 0)


# Answers ------------------------------------------------------------------------------------------------------------


def test_solutions_of_sums_work_out_to_gold_and_are_read_back():
    made = task("sums")
    for example, gold in rows(made, "test"):
        solution = made.solution(example, gold)
        for a, sign, b, result in re.findall(r"(\d+) ([+-]) (\d+) = (\d+)\.", solution):
            assert int(a) + (int(b) if sign == "+" else -int(b)) == int(result)
        assert made.extract(f" {solution}", example, made.wording(example, 0)) == gold
        assert solution.split()[-1] == gold


def test_the_solution_of_a_question_with_options_is_its_gold_value():
    example, gold = rows(task(), "test")[0]
    assert task().solution(example, gold) == gold


def test_a_solution_written_out():
    assert solution_text([12, 7, 4], ["+", "-"]) == "12 + 7 = 19. 19 - 4 = 15. So 15"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(0, 99), st.booleans()), min_size=1, max_size=4),
)
def test_every_step_of_a_solution_is_right_and_its_end_is_the_result(first, steps):
    operands, signs = [first, *(n for n, _ in steps)], ["+" if plus else "-" for _, plus in steps]
    text = solution_text(operands, signs)
    running = first
    for written, (number, plus) in zip(text.split(". ")[:-1], steps, strict=True):
        following = running + number if plus else running - number
        assert written.rstrip(".") == f"{running} {'+' if plus else '-'} {number} = {following}"
        running = following
    assert text.endswith(f"So {running}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" 5 - 2 = 3. So 3", "3"),
        (" So 3.\n", "3"),
        (" So 003", "3"),
        (" So 3 nuts", None),
        (" 5 - 2 = 3.", None),
        (" Sofa 3", None),
        (" So", None),
        ("", None),
        (" So " + "9" * 5000, None),  # longer than Python turns into a number
    ],
)
def test_the_number_behind_the_marker_is_the_answer_of_a_sum(text, value):
    example, _ = rows(task("sums"), "test")[0]
    assert task("sums").extract(text, example, task("sums").wording(example, 0)) == value


@settings(deadline=None, max_examples=80)
@given(
    st.one_of(st.text(), st.from_regex(r"\s*So\s+[0-9٣]{0,40}\s*\.?\s*"), st.sampled_from([" yes", "NO.", "A", "moss"]))
)
def test_parsing_never_fails_and_gives_a_value_of_the_question_or_nothing(text):
    for family, options in (("choice", {}), ("choice", {"answer": "letter"}), ("claim", {}), ("sums", {})):
        made = task(family, **options)
        example = next(iter(iter_examples(made.examples("validation"))))
        wording = made.wording(example, 1)
        found = made.extract(text, example, wording)
        assert found is None or (found.isdecimal() if wording.values is None else found in wording.values)


def test_answers_that_are_not_exactly_an_option_are_invalid():
    made = task()
    example = Example("x", "Bradodalin", "What does Bradodalin eat?", ("moss", "fish", "nuts", "honey"))
    wording = made.wording(example, 0)
    assert [made.extract(text, example, wording) for text in (" Moss", "fish.", "moss fish", "mos", "")] == [
        "moss",
        "fish",
        None,
        None,
        None,
    ]


# What methods may see -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_strata_and_cues_are_not_public(family):
    made = task(family)
    assert made.public_meta == ()
    assert json.loads(made.examples("pool")["meta"][0].as_py())["stratum"]


def test_questions_are_about_all_relations():
    assert {e.meta["relation"] for e, _ in rows(task(), "test")} == set(RELATIONS)


def test_other_worlds_have_other_questions():
    other, own = (set(made.examples("test")["question"].to_pylist()) for made in (task(world=101), task()))
    assert len(other & own) < 3  # two worlds may have a name in common by chance
    assert task(world=101).fingerprint() != task().fingerprint()


def test_options_are_drawn_without_a_pattern_that_tells_the_answer():
    """The gold value is no more often than chance the first of the options in the values' own order."""
    made = task()
    ranks = []
    for example, gold in rows(made, "test"):
        order = VALUES[example.meta["relation"]]
        ranks.append(sorted(example.choices, key=order.index).index(gold))
    counts = np.bincount(ranks, minlength=4)
    assert (np.abs(counts - 75) < 40).all()
