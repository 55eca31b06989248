"""The generated world: the same for everybody, with the statistics it promises, and read in nested shares."""

import math
from itertools import pairwise

import pytest

from outgrow.core.errors import ConfigError
from outgrow.tasks.microworld.ladder import LADDER
from outgrow.tasks.microworld.world import (
    BEGINNINGS,
    CUE_PART,
    ENDINGS,
    RELATIONS,
    SYLLABLES,
    VALUES,
    Fact,
    World,
    WorldConfig,
    split_name,
)

SMALL = WorldConfig(seed=3, entities=900, format_entities=100, stranger_stems=50)
SIGMAS = 4.5  # one false alarm in 150,000 per bound, if the draws were new every time; they are fixed


def near(count: int, n: int, p: float) -> bool:
    """Whether `count` of `n` lies within `SIGMAS` standard deviations of a binomial with probability `p`."""
    return abs(count - n * p) <= SIGMAS * math.sqrt(n * p * (1 - p))


@pytest.fixture(scope="module")
def world():
    return World(SMALL)


@pytest.fixture(scope="module")
def facts(world):
    return [fact for entity in world.names for fact in world.facts[entity].values()]


def test_a_world_is_made_by_its_config_alone(world):
    again = World(WorldConfig(seed=3, entities=900, format_entities=100, stranger_stems=50))
    assert again.names == world.names
    assert again.cues == world.cues
    assert again.facts == world.facts


def test_worlds_of_other_seeds_share_the_language_and_nothing_else(world):
    other = World(WorldConfig(seed=4, entities=900, format_entities=100, stranger_stems=50))
    # 5,625 stems x 100 affixes: two draws of 1,000 names share 1000 * 1000 / 562,500 = 1.8 on average.
    assert len(set(world.names) & set(other.names)) < 12
    assert world.cues != other.cues
    assert {f.relation for f in other.facts[other.names[0]].values()} == set(RELATIONS)


def test_names_are_distinct_and_made_of_beginning_stem_and_ending(world):
    parts = [split_name(name) for name in world.names]
    assert len(set(world.names)) == 1000
    assert {begin for begin, _, _ in parts} == set(BEGINNINGS)
    assert {end for _, _, end in parts} == set(ENDINGS)
    assert {stem[:2] for _, stem, _ in parts} | {stem[2:] for _, stem, _ in parts} == set(SYLLABLES)
    assert len({stem for _, stem, _ in parts}) == 1000  # a stem belongs to one name


def test_split_entities_format_entities_and_strangers_have_no_stem_in_common(world):
    split_stems = {split_name(name)[1] for name in world.entities}
    format_stems = {split_name(name)[1] for name in world.format_entities}
    strangers = set(world.stranger_stems)
    assert (len(split_stems), len(format_stems), len(strangers)) == (900, 100, 50)
    assert not split_stems & format_stems
    assert not strangers & (split_stems | format_stems)


def test_a_world_with_more_names_than_stems_is_refused():
    assert len(SYLLABLES) ** 2 == 5625
    World(WorldConfig(entities=5000, format_entities=525, stranger_stems=100))  # uses every stem once
    with pytest.raises(ConfigError, match=r"at most 5525 names; asked for 5001"):
        World(WorldConfig(entities=5001, format_entities=525, stranger_stems=100))


def test_cues_cover_the_stated_share_of_beginnings_and_endings(world):
    assert set(world.cues) == {"food", "habitat"}
    assert CUE_PART == {"food": 0, "habitat": 2}
    for relation, parts in (("food", BEGINNINGS), ("habitat", ENDINGS)):
        cues = world.cues[relation]
        assert len(cues) == 8  # .8 of ten
        assert set(cues) <= set(parts)
        assert set(cues.values()) == set(VALUES[relation])  # eight parts, each of the eight values once


def test_a_cue_holds_for_the_stated_share_of_the_facts_that_carry_it(facts):
    cued = [fact for fact in facts if fact.cue is not None]
    assert near(len(cued), 2000, 0.8)  # two cued relations of 1,000 names, eight parts of ten
    assert near(sum(fact.value == fact.cue for fact in cued), len(cued), 0.45)


def test_a_fact_carries_the_cue_of_its_own_name_part(world, facts):
    for fact in facts:
        begin, _, end = split_name(fact.entity)
        part = {"food": begin, "habitat": end}.get(fact.relation)
        assert fact.cue == world.cues.get(fact.relation, {}).get(part)


def test_values_are_even_where_no_cue_speaks(facts):
    for relation in RELATIONS:
        values = VALUES[relation]
        free = [fact.value for fact in facts if fact.relation == relation and fact.cue is None]
        for value in values:
            assert near(free.count(value), len(free), 1 / len(values))


def test_values_that_contradict_their_cue_are_even(facts):
    against = [fact for fact in facts if fact.cue is not None and fact.value != fact.cue]
    shift = [
        (VALUES[f.relation].index(f.value) - VALUES[f.relation].index(f.cue)) % len(VALUES[f.relation]) for f in against
    ]
    for steps in range(1, 8):  # food and habitat have eight values each, so seven others
        assert near(shift.count(steps), len(shift), 1 / 7)


def test_what_is_read_grows_with_the_share_and_the_ladder_reads_ever_more(facts):
    shares = [rung.share for rung in LADDER.values()]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    read = [{(f.entity, f.relation) for f in facts if f.stratum(f.rank < share) == "read"} for share in shares]
    for less, more in pairwise(read):
        assert less < more
    assert len(read[-1]) == len(facts)
    for share, known in zip(shares[:-1], read[:-1], strict=True):
        assert near(len(known), len(facts), share)


@pytest.mark.parametrize(
    ("rank", "value", "cue", "stratum"),
    [
        (0.49, "moss", "fish", "read"),  # rank below the share: read, whatever the name says
        (0.49, "moss", "moss", "read"),
        (0.49, "moss", None, "read"),
        (0.50, "moss", None, "no_cue"),  # not below: not read
        (0.50, "moss", "moss", "helpful"),
        (0.50, "moss", "fish", "misleading"),
    ],
)
def test_stratum_of_a_fact_for_a_reader_of_half(rank, value, cue, stratum):
    assert Fact("Bradodalin", "food", value, cue, rank).stratum(rank < 0.5) == stratum
