"""Questions for classifiers: values and groups as classes, priors, strata by group, prompts that begin statements."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from outgrow import tasks
from outgrow.core.errors import ConfigError
from outgrow.core.tables import Example, iter_examples
from outgrow.tasks.base import Task
from outgrow.tasks.microworld.config import Counts, MicroworldConfig
from outgrow.tasks.microworld.families.kind import apportion
from outgrow.tasks.microworld.language import STATEMENTS
from outgrow.tasks.microworld.task import MicroworldTask, stratum_of
from outgrow.tasks.microworld.world import RELATIONS, VALUES
from outgrow.tasks.variants import Dealt, VariedTask

COUNTS = Counts(supervisor_train=100, pool=200, validation=33, test=150)


def task(**options):
    """A task of this family; the world and what is drawn are kept by the package."""
    return MicroworldTask(MicroworldConfig(family="kind", **{"questions": COUNTS, **options}))


def rows(made, split):
    """Examples and their gold values."""
    return list(zip(iter_examples(made.examples(split)), made.gold(split)["value"].to_pylist(), strict=True))


def facts(made, split):
    """The asked facts, with gold values and strata."""
    for example, gold in rows(made, split):
        yield made.world.facts[example.group_id][made.config.relation], gold, example.meta["stratum"]


# Values as classes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", RELATIONS)
def test_each_entity_is_asked_for_its_value_of_the_relation(relation):
    made = task(relation=relation)
    assert isinstance(made, Task)
    assert made.classes == VALUES[relation]
    asked = [example.group_id for split in made.splits for example, _ in rows(made, split)]
    assert len(asked) == len(set(asked)) == 483
    for fact, gold, stratum in facts(made, "test"):
        assert gold == fact.value
        assert stratum == fact.stratum(fact.rank < 0.5)  # mini reads half


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_prompt_with_its_answer_is_a_statement_of_the_training_text(relation):
    made = task(relation=relation)
    example, gold = rows(made, "pool")[0]
    stated = {template.format(e=example.group_id, v=gold) for template in STATEMENTS[relation]}
    prompts = [made.wording(example, variant).prompt for variant in range(made.n_variants - 2)]
    assert {f"{prompt} {gold}." for prompt in prompts} <= stated
    assert len(set(prompts)) == len(prompts) >= 3


def test_the_wordings_of_a_question():
    made, example = task(), Example("x", "Bradodalin", "The home of Bradodalin is the")
    wordings = [made.wording(example, variant) for variant in range(made.n_variants)]
    assert [wording.prompt for wording in wordings] == [
        "The home of Bradodalin is the",
        "Bradodalin lives in the",
        "Bradodalin was seen in the",
        "Bradodalin sleeps in the",
        "Complete: The home of Bradodalin is the",
        "Fill in the next word. The home of Bradodalin is the",
    ]
    assert [wording.kind for wording in wordings] == ["identity", *["instructions"] * 5]
    assert all(wording.values == wording.options == VALUES["habitat"] for wording in wordings)
    assert made.extract(" Reef.", example, wordings[1]) == "reef"
    assert made.extract(" reefs", example, wordings[1]) is None
    with pytest.raises(ConfigError, match="variant 6 asked of microworld/kind, which has 6 wordings"):
        made.wording(example, 6)


def test_a_paraphrase_takes_the_place_of_the_question():
    example, _ = rows(task(), "pool")[0]
    varied = VariedTask(task(), [Dealt("paraphrase", 1)], {example.example_id: ["Where one meets it is the"]})
    assert varied.wording(example, 1).prompt == "Where one meets it is the"


# Groups and priors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "total", "counts"),
    [
        ([0.5, 0.5], 3, [2, 1]),  # 1.5 and 1.5: the first of equal remainders
        ([0.7, 0.3], 33, [23, 10]),  # 23.1 and 9.9
        ([4.6, 1.4], 6, [5, 1]),  # shares need not sum to 1
        ([0.2, 0.2, 0.6], 4, [1, 1, 2]),  # .8, .8 and 2.4
        ([1.0, 0.0], 2, [2, 0]),
        ([0.5, 0.5], 0, [0, 0]),
    ],
)
def test_largest_remainders_by_hand(shares, total, counts):
    assert apportion(shares, total) == counts


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.integers(0, 2000))
def test_what_is_given_out_adds_up_and_is_within_one_of_its_share(shares, total):
    counts = apportion(shares, total)
    assert sum(counts) == total
    assert all(abs(n - total * share / sum(shares)) < 1 + 1e-9 for n, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"groups": 2}, [4, 4]),
        ({"groups": 3}, [3, 3, 2]),
        ({"groups": 4, "relation": "mentor"}, [4, 4, 4, 4]),
        ({"groups": 2, "prior": (0.7, 0.3)}, [6, 2]),  # 5.6 and 2.4 of eight values
        ({"groups": 2, "prior": (0.95, 0.05)}, [7, 1]),  # 7.6 and .4, and no group without a value
    ],
)
def test_values_are_dealt_in_proportion_to_the_prior_and_no_group_is_empty(options, sizes):
    made = task(**options)
    names = [f"kind {i + 1}" for i in range(len(sizes))]
    assert list(made.classes) == names
    dealt = made.family.class_of
    assert list(dealt) != list(VALUES[made.config.relation])  # shuffled
    assert set(dealt) == set(VALUES[made.config.relation])
    assert [list(dealt.values()).count(name) for name in names] == sizes


def test_the_grouping_follows_from_the_seed_alone():
    assert task(groups=2).family.class_of == task(groups=2, mix="misconceptions").family.class_of
    assert len({json.dumps(task(groups=2, seed=seed).family.class_of, sort_keys=True) for seed in range(5)}) > 1


def test_gold_is_the_group_of_the_value_and_strata_go_by_group():
    made = task(groups=2)
    seen = Counter()
    for fact, gold, stratum in facts(made, "pool"):
        group = made.family.class_of
        assert gold == group[fact.value]
        if fact.rank < 0.5:
            expected = "read"
        elif fact.cue is None:
            expected = "no_cue"
        else:  # a cue to another value of the same group leads to the right answer
            expected = "helpful" if group[fact.cue] == gold else "misleading"
        assert stratum == expected
        seen[stratum, fact.cue == fact.value] += 1
    assert seen["helpful", False] > 0  # such cues occur


def test_every_split_has_the_prior():
    made = task(groups=2, prior=(0.7, 0.3))
    golds = {split: Counter(made.gold(split)["value"].to_pylist()) for split in made.splits}
    assert golds["pool"] == {"kind 1": 140, "kind 2": 60}
    assert golds["supervisor_train"] == {"kind 1": 70, "kind 2": 30}
    assert golds["validation"] == {"kind 1": 23, "kind 2": 10}  # 23.1 and 9.9
    assert made.gold("pool")["value"].to_pylist()[:140] != ["kind 1"] * 140  # in no order


def test_values_have_a_prior_too():
    made = task(prior=(0.3, *[0.1] * 7))
    assert Counter(made.gold("pool")["value"].to_pylist()) == {"marsh": 60, **dict.fromkeys(VALUES["habitat"][1:], 20)}


def test_every_stratum_of_a_mix_has_the_prior():
    made = task(groups=2, prior=(0.6, 0.4), mix={"read": 0.75, "misleading": 0.25})
    seen = Counter((stratum, gold) for _, gold, stratum in facts(made, "pool"))
    assert seen == {
        ("read", "kind 1"): 90,
        ("read", "kind 2"): 60,
        ("misleading", "kind 1"): 30,
        ("misleading", "kind 2"): 20,
    }


def test_a_mix_gives_exact_counts():
    made = task(mix={"read": 0.6, "helpful": 0.1, "no_cue": 0.1, "misleading": 0.2})
    assert Counter(map(stratum_of, made.examples("pool")["meta"].to_pylist())) == {
        "read": 120, "helpful": 20, "no_cue": 20, "misleading": 40,
    }  # fmt: skip


def test_a_class_that_runs_out_is_named():
    # supervisor_train draws from 1600 * 160 / 736 = 348 entities, of which some 45 live in the marsh
    message = r"'supervisor_train' needs 86 questions of stratum 'any' and class 'marsh', the world has .*another prior"
    with pytest.raises(ConfigError, match=message):
        task(prior=(0.86, *[0.02] * 7)).examples("pool")


# Settings -----------------------------------------------------------------------------------------------------------


def test_what_is_not_given_suits_the_family_and_survives_being_written_down():
    config = MicroworldConfig(family="kind")
    assert (config.mix, config.wordings, config.questions.pool) == ("natural", "instructions", 600)
    assert MicroworldConfig.model_validate_json(config.model_dump_json()) == config
    assert tasks.load("microworld", family="kind").examples("test").num_rows == 500
    assert MicroworldConfig().questions == Counts()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wordings": "permutations"}, "wordings 'permutations': the family 'kind' shows no options; leave wordings"),
        ({"mix": "default", "relation": "colour"}, r"asks for \['helpful', 'misleading'\], and relation 'colour' has"),
        ({"mix": "sums"}, r"unknown strata \['one_step', 'two_steps'\] in mix; this family has"),
        ({"supervisor_train_mix": "misconceptions", "relation": "mentor"}, r"asks for \['misleading'\], and relation"),
        ({"prior": (0.5, 0.5)}, r"prior has 2 shares, and there are 8 classes: \['marsh'"),
        ({"groups": 2, "prior": (0.5, 0.4)}, "the shares of prior sum to 0.9; they must sum to 1"),
        ({"groups": 2, "prior": (1.0, 0.0)}, "prior"),
        ({"groups": 5}, "groups"),
        ({"questions": Counts()}, "questions add up to 3400, and the family 'kind' asks one of each of 1600 entities"),
        ({"answer": "letter"}, "only the family 'choice' can be answered by letter"),
        ({"family": "claim", "groups": 2, "relation": "food"}, r"\['relation', 'groups'\] belong to the family 'kind'"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        MicroworldConfig(**{"family": "kind", **options})


def test_what_is_asked_for_counts_in_the_fingerprint():
    tried = [{}, {"relation": "food"}, {"groups": 2}, {"groups": 2, "prior": (0.7, 0.3)}, {"seed": 1}]
    assert len({task(**options).fingerprint() for options in tried}) == len(tried)


@pytest.mark.parametrize(
    ("family", "fingerprint"),
    [
        ("choice", "ab4bb764c74fc31d3fe0ad3de980956c08b38f8f841a67815188bbc80dbdce24"),
        ("claim", "10194e5a0534ddd68b73c1545a38edb7383aa80a082b34c094de25e742350c44"),
        ("sums", "6ece0f68dca61c112b67d0f12b2fb39ae18014245389e2585a4881c20f94f8f6"),
    ],
)
def test_settings_of_this_family_leave_the_others_fingerprints_as_they_were(family, fingerprint):
    config = MicroworldConfig(family=family, questions=Counts())
    assert MicroworldTask(config).fingerprint() == fingerprint
