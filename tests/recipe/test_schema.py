"""The JSON Schema of a recipe: complete, current, and at one with what is read."""

import json
from importlib import resources

import pytest

from outgrow.methods import METHODS
from outgrow.recipe.json_schema import recipe_schema
from outgrow.recipe.recipe import about, builtin_recipes, parse_recipe
from outgrow.recipe.yaml import read_yaml
from outgrow.supervisors import SUPERVISORS
from outgrow.tasks import TASKS

jsonschema = pytest.importorskip("jsonschema")

PLAIN = {
    "task": {"kind": "microworld"},
    "supervisors": [{"kind": "server", "model": "m", "base_url": "http://localhost:1/v1"}],
    "student": {"model": "organisation/model"},
    "methods": ["naive"],
}


@pytest.fixture(scope="module")
def schema():
    return recipe_schema()


@pytest.fixture(scope="module")
def refuses(schema):
    """The paths of the faults that the schema finds."""
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    return lambda recipe: [error.json_path for error in validator.iter_errors(recipe)]


def test_the_schema_that_ships_is_current(schema):
    shipped = json.loads((resources.files("outgrow") / "recipe" / "schema.json").read_text("utf-8"))
    assert shipped == schema, "outgrow schema > src/outgrow/recipe/schema.json"


@pytest.mark.parametrize("path", builtin_recipes().values(), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid_as_written_and_filled_in(refuses, path):
    raw = read_yaml(path)
    assert refuses(raw) == []
    if path.stem != "slurp_scenario":  # its extra may be missing
        assert refuses(parse_recipe(raw).resolved()) == []


def test_every_name_is_in_it_with_its_settings(schema):
    properties = schema["properties"]
    tasks = {each["title"]: each for each in properties["task"]["oneOf"]}
    assert set(tasks) == set(TASKS)
    assert {each["title"] for each in properties["supervisors"]["items"]["oneOf"]} == set(SUPERVISORS)
    names, *methods = properties["methods"]["items"]["oneOf"]
    assert names["enum"] == list(METHODS)
    assert {each["title"] for each in methods} == set(METHODS)
    for kind, task in tasks.items():
        assert set(task["properties"]) == set(TASKS[kind].config_model().model_fields)
    for method in methods:
        spec = METHODS[method["title"]]
        labels = {"estimator"} if spec.choose else set()
        assert set(method["properties"]) == set(spec.config.model_fields) | {"name", "id", "objective"} | labels


def test_every_key_of_a_recipe_is_explained(schema):
    for part in (schema, *schema["$defs"].values()):
        if part.get("title") != "Counts":
            silent = [key for key, value in part.get("properties", {}).items() if not value.get("description")]
            assert set(silent) <= {"a", "b", "draws", "r", "alpha", "dropout", "target_modules"}, part.get("title")


TABLE = {"kind": "table", "path": "a.csv", "text": "t", "label": "l"}


@pytest.mark.parametrize(
    "change",
    [
        {"methods": ["naive", {"name": "uncertainty_filtering", "keep": 0.2, "id": "a", "objective": "imitation"}]},
        {"methods": [{"name": "naive", "objective": {"name": "imitation"}}]},
        {"task": {**TABLE, "splits": {"pool": "rest", "validation": 9, "test": 0.2}}},
        {"supervisors": [{"kind": "file", "path": "a.csv", "train": None}]},
        {"ask": {"kinds": ["paraphrase"], "paraphraser": {"model": "organisation/model"}}},
        {"ask": {"paraphraser": "supervisor"}},
        {"train": {"epochs": 1, "lora": {"r": 4}}, "jobs": None, "seeds": [1]},
    ],
)
def test_what_is_read_is_valid(refuses, change):
    recipe = {**PLAIN, **change}
    parse_recipe(recipe)
    assert refuses(recipe) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sedes": [1]}, "$"),
        ({"methods": ["naiv"]}, "$.methods[0]"),
        ({"methods": [{"name": "uncertainty_filtering", "keep": 2}]}, "$.methods[0]"),
        ({"methods": [{"name": "naive", "objective": {"name": "hinge"}}]}, "$.methods[0]"),
        ({"task": {"kind": "microworld", "famly": "choice"}}, "$.task"),
        ({"task": {"path": "a.csv"}}, "$.task"),
        ({"supervisors": [{"kind": "file"}]}, "$.supervisors[0]"),
        ({"ask": {"kinds": ["paraphrase"], "paraphraser": {"kind": "file", "path": "a.csv"}}}, "$.ask.paraphraser"),
        ({"train": {"epochs": "two"}}, "$.train.epochs"),
    ],
)
def test_what_is_refused_is_not_valid(refuses, change, path):
    from outgrow.core.errors import ConfigError

    recipe = {**PLAIN, **change}
    with pytest.raises(ConfigError):
        parse_recipe(recipe)
    assert refuses(recipe) == [path]


def test_every_shipped_recipe_says_what_it_shows_and_needs(cli):
    said = cli("recipes").out
    for name, path in builtin_recipes().items():
        shows, needs = about(path)
        assert 20 < len(shows) <= 118
        assert needs.endswith(".")
        assert name in said
    assert "extra minilm" in said
