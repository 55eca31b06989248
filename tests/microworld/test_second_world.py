"""The second world: mentors in a circle, open and hidden entities, and readers that know different things."""

import math
from collections import Counter

import pytest

from outgrow.tasks.microworld2.ladder import LADDER
from outgrow.tasks.microworld2.world import MENTORS, RELATIONS, VALUES, World, WorldConfig


@pytest.fixture(scope="module")
def world():
    return World(WorldConfig(seed=3))


def near(count, n, p):
    return abs(count - n * p) <= 4.5 * math.sqrt(n * p * (1 - p))


def test_mentors_are_entities_and_each_was_taught_by_the_next_in_one_circle(world):
    at, seen = MENTORS[0], []
    for _ in MENTORS:
        seen.append(at)
        at = world.facts[at]["mentor"].value
    assert sorted(seen) == sorted(MENTORS)
    assert at == MENTORS[0]


def test_values_of_mentors_are_dealt_evenly(world):
    for relation in ("habitat", "food", "colour", "status"):
        counts = Counter(world.facts[mentor][relation].value for mentor in MENTORS)
        assert counts == dict.fromkeys(VALUES[relation], 16 // len(VALUES[relation]))


def test_every_entity_has_every_relation_and_half_are_hidden(world):
    assert all(set(world.facts[name]) == set(RELATIONS) for name in (*world.names, *MENTORS))
    hidden = sum(world.facts[name]["status"].value == "hidden" for name in world.entities)
    assert near(hidden, len(world.entities), 0.5)
    assert not set(MENTORS) & set(world.names)


def test_facts_of_the_first_four_relations_follow_the_cues(world):
    facts = [world.facts[e][r] for e in world.entities for r in ("food", "habitat")]
    cued = [fact for fact in facts if fact.cue is not None]
    assert len(cued) > 0.7 * len(facts)
    assert near(sum(fact.cue == fact.value for fact in cued), len(cued), 0.45)


def test_each_model_reads_its_share_and_two_of_one_share_read_different_facts(world):
    facts = [fact for entity in world.entities for fact in world.facts[entity].values()]
    read = {name: [world.reads(fact, rung) for fact in facts] for name, rung in LADDER.items()}
    for name, rung in LADDER.items():
        assert near(sum(read[name]), len(facts), rung.share) if rung.share < 1 else all(read[name])
    both = sum(a and b for a, b in zip(read["mini-a"], read["mini-b"], strict=True))
    rho = world.config.rho
    assert near(both, len(facts), 0.25 + rho**2 * 0.25)  # both by the shared rank, or independently


def test_every_model_has_read_about_the_mentors(world):
    nano = LADDER["nano"]
    assert all(world.reads(fact, nano) for mentor in MENTORS for fact in world.facts[mentor].values())


def test_rho_one_nests_the_readers():
    world = World(WorldConfig(seed=3, rho=1.0))
    facts = [fact for entity in world.entities[:200] for fact in world.facts[entity].values()]
    read = [{f for f in facts if world.reads(f, LADDER[name])} for name in ("nano", "mini-a", "mini-b", "small")]
    assert read[0] < read[1] == read[2] < read[3]


def test_worlds_of_other_seeds_share_no_facts_by_right():
    one, two = (World(WorldConfig(seed=seed)) for seed in (1, 2))
    assert set(one.names) != set(two.names)
    shared = [name for name in one.entities if name in set(two.entities)]
    same = [one.facts[n]["colour"].value == two.facts[n]["colour"].value for n in shared]
    assert sum(same) < 0.5 * max(len(same), 1) + 1
    assert [one.facts[m]["mentor"].value for m in MENTORS] != [two.facts[m]["mentor"].value for m in MENTORS]
