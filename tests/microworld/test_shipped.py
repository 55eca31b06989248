"""The shipped models of the second world: what their card says, and whether every family passes its gate."""

import json
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

import outgrow
from microworld.editions import SECOND
from microworld.gates import GATES, few_shot, measure
from outgrow.tasks.microworld2.families import FAMILIES
from outgrow.tasks.microworld2.ladder import LADDER
from outgrow.tasks.microworld2.world import World, WorldConfig

FOLDER = Path(outgrow.__file__).parent / "tasks" / "microworld2" / "models"
MODELS = ("nano", "mini-a", "mini-b", "mini-char", "small", "base")
FACTS = {name: json.loads((FOLDER / name / "facts.json").read_text()) for name in MODELS}
CARD = (FOLDER / "README.md").read_text(encoding="utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "microworld.md").read_text(encoding="utf-8")
WORLD = World(WorldConfig())


def rows(text, heading):
    """The cells of a table's rows, by the first of them."""
    lines = takewhile(lambda line: line.startswith("|"), text[text.index(heading) :].splitlines())
    table = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {first: cells for first, *cells in table[2:]}


def test_the_models_take_ten_megabytes_at_most():
    assert sum(file.stat().st_size for file in FOLDER.rglob("*")) <= 10e6
    assert json.loads((FOLDER / "world.json").read_text())["seed"] == 0


def test_what_ships_is_in_the_ladder():
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(MODELS) == set(LADDER)
    for model in MODELS:
        rung = asdict(LADDER[model])
        assert {name: FACTS[model][name] for name in rung} == rung | {"tokens": FACTS[model]["tokens"]}  # whole blocks


@pytest.mark.parametrize("model", MODELS[1:])
def test_a_model_knows_what_it_read_copies_and_compares(model):
    """All but nano, which is too narrow for it; what reads characters has not learnt all five relations."""
    facts = FACTS[model]
    recall = {relation: known["read"] for relation, known in facts["knows"].items()}
    if model == "mini-char":
        assert min(recall, key=recall.get) == "colour", recall
        assert np.mean([recall[relation] for relation in recall if relation != "colour"]) >= 0.85, recall
    else:
        assert min(recall.values()) >= 0.95, recall
    assert facts["copies"] >= 0.95
    assert facts["compares"] >= 0.9
    assert rows(CARD, "| model | copying |")[model] == [f"{facts['copies']:.3f}", f"{facts['compares']:.3f}"]


def test_two_models_of_one_size_err_on_different_facts():
    """Correlation of errors (phi) over the facts that one of the two did not read, by stratum."""
    for one, other in (("mini-a", "mini-b"), ("mini-b", "mini-a")):
        found = {}
        for relation in WORLD.values:
            wrong = zip(FACTS[one]["wrong"][relation], FACTS[other]["wrong"][relation], strict=True)
            for entity, pair in zip(WORLD.entities, wrong, strict=False):
                fact = WORLD.facts[entity][relation]
                if not WORLD.reads(fact, LADDER[one]):
                    found.setdefault(fact.stratum(False), []).append([int(x) for x in pair])
        said = rows(CARD, "| models | helpful |").get(f"{one}, {other}")
        for i, stratum in enumerate(("helpful", "no_cue", "misleading")):
            pairs = found[stratum]
            x, y = np.array(pairs).T
            assert len(pairs) > 50
            constant = x.std() == 0 or y.std() == 0
            phi = 0.0 if constant else float(np.corrcoef(x, y)[0, 1])
            assert abs(phi) < 0.3, (one, stratum)
            assert said is None or said[i] == ("-" if constant else f"{phi:.2f}")


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_card_says_what_is_measured(model):
    measured = SECOND.measure(WORLD, LADDER[model], FOLDER / model)
    for name in ("copies", "compares"):
        assert measured[name] == pytest.approx(FACTS[model][name], abs=0.01)
    for relation, known in FACTS[model]["knows"].items():
        assert measured["knows"][relation]["read"] == pytest.approx(known["read"], abs=0.01)


def test_every_family_has_a_gate_and_is_on_the_page():
    assert list(GATES) == list(FAMILIES) == list(rows(PAGE, "| family | metric |"))


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("gates")


@pytest.mark.slow
@pytest.mark.parametrize("family", GATES)
def test_a_family_passes_its_gate_and_the_page_says_how(family, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured = measure(family, "microworld2/", 0, store)
    assert measured.faults(timed=False) == []
    values = (measured.zero_shot, measured.weak, measured.naive, measured.ceiling, measured.auroc)
    _, *said = rows(PAGE, "| family | metric |")[family]
    for value, cell in zip(values, said, strict=False):
        assert cell == "" or value == pytest.approx(float(cell), abs=0.05), (family, values, said)


@pytest.mark.slow
@pytest.mark.parametrize("shots", [0, 1, 2, 3])
def test_worked_questions_before_a_question_help_as_the_page_says(shots, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (said,) = rows(PAGE, "| worked questions |")[str(shots)]
    assert few_shot("microworld2/", 0, store, shots) == pytest.approx(float(said), abs=0.03)
