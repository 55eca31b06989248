"""`python scripts/build_microworld.py`: from a world to model folders and a card, and nothing done twice."""

import json
from dataclasses import replace

import pytest

from microworld import build as module
from microworld import card, pretrain
from microworld.build import build
from microworld.editions import FIRST
from microworld.pretrain import BATCH, BLOCK
from outgrow.core.errors import ConfigError
from outgrow.tasks.microworld.ladder import Rung
from outgrow.tasks.microworld.world import World, WorldConfig


def small(seed):
    return World(WorldConfig(seed=seed, entities=200, format_entities=50))


LADDER = {name: Rung(name, share, 16, 1, 2, 4 * BATCH * BLOCK, 1e-2) for name, share in (("one", 0.3), ("base", 1.0))}
TINY = replace(FIRST, ladder=LADDER, make=small)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ladder of two tiny rungs, built once; then the patches stay for the module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "TOKENIZER_DOCUMENTS", 2000)
        patch.setattr(pretrain, "ENCODED_DOCUMENTS", 100)
        patch.setattr(card, "PROBE", 6)
        path = tmp_path_factory.mktemp("ladder")
        told = []
        build(path, edition=TINY, tell=lambda *seen: told.append(seen[:3]))
        assert set(told) == {(name, step, 4) for name in ("one", "base") for step in (1, 2, 3, 4)}
        yield path


def test_a_built_ladder_is_complete(folder):
    assert json.loads((folder / "world.json").read_text())["seed"] == 0
    for name in ("one", "base"):
        assert (folder / name / "model.safetensors").is_file()
        facts = json.loads((folder / name / "facts.json").read_text())
        assert (facts["name"], facts["steps"], facts["tokens"]) == (name, 4, 4 * BATCH * BLOCK)
        assert set(facts["knows"]) == {"habitat", "food", "colour", "mentor"}


def test_what_a_model_knows_is_measured_by_what_it_read(folder):
    knows = json.loads((folder / "one" / "facts.json").read_text())["knows"]
    for relation, found in knows.items():
        assert 0 <= found["read"] <= 1
        assert 0 <= found["unread"] <= 1
        assert (found["cue"] is None) == (relation in ("colour", "mentor"))  # no cue, nothing to follow
    everything = json.loads((folder / "base" / "facts.json").read_text())["knows"]
    assert {found["unread"] for found in everything.values()} == {None}  # it read all


def test_the_card_has_a_line_per_model_and_relation(folder):
    lines = (folder / "README.md").read_text().splitlines()
    for name, share in (("one", "30%"), ("base", "100%")):
        assert sum(line.startswith(f"| {name} |") and share in line for line in lines) == 1
        assert (
            sum(line.startswith(f"| {name} | {relation} |") for relation in ("food", "colour") for line in lines) == 2
        )
    assert any(line.startswith("| base | food |") and line.endswith("| - | - |") for line in lines)


def test_what_is_complete_is_not_built_again(folder, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("built again")

    monkeypatch.setattr(module, "pretrain", fail)
    monkeypatch.setattr(module, "train_tokenizer", fail)
    before = (folder / "README.md").read_bytes()
    assert build(folder, edition=TINY) == folder / "README.md"
    assert (folder / "README.md").read_bytes() == before


def test_a_model_without_its_facts_is_built_again_to_the_same_bits(folder, tmp_path):
    build(tmp_path, edition=TINY, models=("base",))
    assert (tmp_path / "base" / "model.safetensors").read_bytes() == (
        folder / "base" / "model.safetensors"
    ).read_bytes()
    assert not (tmp_path / "one").exists()


def test_a_folder_of_another_world_is_refused(folder):
    with pytest.raises(ConfigError, match="holds models of another world"):
        build(folder, edition=TINY, models=("one",), world_seed=1)


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="unknown model 'big'"):
        build(tmp_path, models=("big",))
    assert list(tmp_path.iterdir()) == []
