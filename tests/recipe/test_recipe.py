"""Recipes: what is read, what is filled in, and how every fault is told at once with key, value and suggestion."""

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass

import pytest

import outgrow.models.files
from outgrow.core import plugins
from outgrow.core.config_errors import place
from outgrow.core.errors import ConfigError
from outgrow.methods import METHODS
from outgrow.objectives import Imitation
from outgrow.recipe.recipe import Recipe, load_recipe, parse_recipe

MINIMAL = """
task: {kind: table, path: data.csv, text: sentence, label: intent}
supervisors: [{model: microworld/mini}]
student: {model: microworld/base}
methods: [naive]
"""


@pytest.fixture(autouse=True)
def _known_models(monkeypatch, tmp_path):
    """Two shipped models, whatever the package holds."""
    for name in ("mini", "base"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "config.json").write_text("{}")
    monkeypatch.setattr(
        outgrow.models.files, "_world", {"microworld": tmp_path / "models", "microworld2": tmp_path / "none"}.get
    )


@dataclass
class Write:
    folder: object

    def __call__(self, text):
        path = self.folder / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def write(tmp_path):
    return Write(tmp_path)


def faults(write, text, *overrides):
    """The lines of the error that reading `text` gives."""
    with pytest.raises(ConfigError) as caught:
        load_recipe(write(text), overrides)
    return str(caught.value).splitlines()


def test_defaults_are_filled_in(write):
    recipe = load_recipe(write(MINIMAL))
    assert recipe.seeds == (0, 1, 2, 3, 4)
    assert recipe.ask.variants == 5
    assert recipe.reliability.temperature == 0.2
    assert recipe.supervisors[0].name == "mini"
    assert [arm.id for arm in recipe.methods] == ["naive"]
    assert recipe.train.epochs == 3.0


def test_given_is_what_was_written_and_resolved_is_everything(write):
    recipe = load_recipe(write(MINIMAL), ["train.epochs=2"])
    assert recipe.given["train"] == {"epochs": 2}
    assert "seeds" not in recipe.given
    assert recipe.resolved()["train"]["batch_size"] == 32
    assert recipe.resolved()["task"]["kind"] == "table"


def test_a_resolved_recipe_reads_back_as_the_same_recipe(write):
    text = MINIMAL.replace("[naive]", "[naive, {name: uncertainty_filtering, keep: 0.25}]")
    recipe = load_recipe(write(text), ["primary={a: naive, b: uncertainty_filtering}"])
    again = parse_recipe(recipe.resolved())
    assert again.resolved() == recipe.resolved()
    assert again.canonical_json() == recipe.canonical_json()


def test_a_recipe_travels_to_worker_processes():
    recipe = load_recipe("demo")
    assert pickle.loads(pickle.dumps(recipe)).canonical_json() == recipe.canonical_json()


PLUGIN = """
import outgrow
from outgrow.methods import MethodConfig, MethodSpec

class Halve(MethodConfig):
    by: int = 2

def halve(lab, config):
    "Train on a part."

outgrow.register(MethodSpec("halve", Halve, halve))
"""
OPEN = """
import pickle, sys
recipe = pickle.load(open(sys.argv[1], "rb"))
print(recipe.methods[0].config.by, type(recipe.methods[0].config).__name__, recipe.plugins, recipe.given["seeds"])
"""


@pytest.fixture
def plugin(tmp_path):
    """A plugin file beside the recipe; its method is gone afterwards."""
    path = tmp_path / "halve.py"
    path.write_text(PLUGIN)
    yield path
    METHODS.forget(str(path))
    plugins._FILES.pop(str(path), None)


def test_a_plugin_is_found_beside_the_recipe_and_its_method_is_read(write, plugin):
    recipe = load_recipe(write(MINIMAL), ["plugins=[halve.py]", "methods=[{name: halve, by: 3}]"])
    assert (recipe.methods[0].config.by, recipe.plugins) == (3, ("halve.py",))
    assert "plugins" not in recipe.canonical_json()  # where a file is does not decide the numbers
    line = faults(write, MINIMAL, "methods=[{name: halve, by: x}]")[1]
    assert line == '  methods: the 1st (halve): by: must be a valid integer (seen: "x")'


def test_a_recipe_with_a_plugin_travels_to_a_process_that_cannot_see_the_file(write, plugin, tmp_path):
    overrides = ["plugins=[halve.py]", "methods=[{name: halve, by: 3}]", "seeds=[5]"]
    overrides += ["student.model=organisation/model", "supervisors.0.model=organisation/model"]
    (tmp_path / "recipe.pickle").write_bytes(pickle.dumps(load_recipe(write(MINIMAL), overrides)))
    plugin.unlink()
    opened = subprocess.run(
        [sys.executable, "-c", OPEN, tmp_path / "recipe.pickle"], capture_output=True, text=True, check=True
    )
    assert opened.stdout == "3 Halve ('halve.py',) [5]\n"


def test_a_plugin_that_is_not_there_is_one_error(write):
    assert "plugin 'none.py' cannot be read" in faults(write, MINIMAL, "plugins=[none.py]")[0]


def test_an_arm_can_be_given_an_objective(write):
    recipe = load_recipe(write(MINIMAL), ["methods=[naive, {name: naive, id: twin, objective: imitation}]"])
    assert [arm.objective and arm.objective.build() for arm in recipe.methods] == [None, Imitation()]
    assert recipe.resolved()["methods"][1]["objective"] == {"name": "imitation"}
    assert "objective" not in recipe.resolved()["methods"][0]  # so that results of recipes without stay what they are
    line = faults(write, MINIMAL, "methods=[{name: naive, objective: imitaton}]")[1]
    there = "  methods: the 1st (naive): objective"
    assert line.startswith(f"{there}: unknown objective 'imitaton'; did you mean 'imitation'?")
    line = faults(write, MINIMAL, "methods=[{name: naive, objective: {name: imitation, power: 2}}]")[1]
    assert line.startswith(f"{there}.power: unknown key")


def test_canonical_json_leaves_out_what_does_not_decide_the_numbers(write):
    plain = load_recipe(write(MINIMAL))
    moved = load_recipe(write(MINIMAL), ["data_dir=/elsewhere", "jobs=7"])
    other = load_recipe(write(MINIMAL), ["threads=2"])
    assert plain.canonical_json() == moved.canonical_json() != other.canonical_json()
    assert list(json.loads(plain.canonical_json())) == sorted(json.loads(plain.canonical_json()))


def test_a_supervisor_inherits_the_recipes_training(write):
    text = MINIMAL + "train: {epochs: 2, batch_size: 8}\n"
    tuned = load_recipe(write(text), ["supervisors.0.train={epochs: 5}"]).supervisors[0].train
    assert (tuned.epochs, tuned.batch_size) == (5.0, 8)
    same = load_recipe(write(text)).supervisors[0].train
    assert (same.epochs, same.batch_size) == (2.0, 8)
    assert load_recipe(write(text), ["supervisors.0.train=null"]).supervisors[0].train is None


def test_supervisors_of_one_model_get_different_names(write):
    recipe = load_recipe(write(MINIMAL), ["supervisors=[{model: microworld/mini}, {model: microworld/mini}]"])
    assert [s.name for s in recipe.supervisors] == ["mini", "mini-2"]


def test_arms_of_one_method_are_told_apart_by_their_settings(write):
    methods = "methods=[naive, {name: uncertainty_filtering, keep: 0.25}, {name: uncertainty_filtering, keep: 0.5}]"
    recipe = load_recipe(write(MINIMAL), [methods])
    assert [arm.id for arm in recipe.methods] == [
        "naive",
        "uncertainty_filtering keep=0.25",
        "uncertainty_filtering keep=0.5",
    ]


def test_an_arm_can_carry_an_id_of_its_own(write):
    recipe = load_recipe(write(MINIMAL), ["methods=[naive, {name: naive, id: twin}]"])
    assert [arm.id for arm in recipe.methods] == ["naive", "twin"]


def test_the_same_arm_twice_is_refused(write):
    assert "arms ['naive'] stand twice" in faults(write, MINIMAL, "methods=[naive, naive]")[1]


def test_overrides_reach_lists_and_open_up_a_method_name(write):
    recipe = load_recipe(
        write(MINIMAL),
        ["methods=[naive, uncertainty_filtering]", "methods.1.keep=0.1", "supervisors.0.layers=1", "seeds=[7]"],
    )
    assert recipe.methods[1].config.keep == 0.1
    assert recipe.supervisors[0].layers == 1
    assert recipe.seeds == (7,)


def test_numbers_in_exponent_form_are_numbers(write):
    assert load_recipe(write(MINIMAL), ["train.learning_rate=1e-3"]).train.learning_rate == 0.001


def test_an_unknown_key_is_named_with_the_nearest_one(write):
    lines = faults(write, MINIMAL + "sedes: [0]\n")
    assert lines[0].endswith("has 1 error:")
    assert lines[1] == "  sedes: unknown key; did you mean 'seeds'? (seen: [0])"


def test_unknown_keys_are_found_in_every_part(write):
    lines = faults(
        write,
        MINIMAL,
        "train.epoch=1",
        "supervisors.0.layer=1",
        "methods=[{name: uncertainty_filtering, kep: 0.5}]",
        "task.lable=x",
        "ask.variant=3",
    )
    assert lines[0].endswith("has 5 errors:")
    told = "\n".join(lines)
    for key, near in {
        "train.epoch": "epochs",
        "supervisors: the 1st (mini): layer": "layers",
        "methods: the 1st (uncertainty_filtering): kep": "keep",
        "task.lable": "label",
        "ask.variant": "variants",
    }.items():
        assert f"  {key}: unknown key; did you mean '{near}'?" in told


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.lr=1", "train.lr: unknown key; did you mean 'learning_rate'?"),
        ("train.bs=1", "train.bs: unknown key; did you mean 'batch_size'?"),
        ("train.batch=1", "train.batch: unknown key; did you mean 'batch_size'?"),
        ("train.num_train_epochs=1", "did you mean 'epochs'?"),
        ("train={lora: {rank: 4}}", "train.lora.rank: unknown key; did you mean 'r'?"),
        ("student.torch_dtype=auto", "did you mean 'dtype'?"),
        (
            "supervisors=[{kind: server, model: x, base_url: 'http://h/v1', extra_body: {}}]",
            "supervisors: the 1st (x): extra_body: unknown key; did you mean 'extra'?",
        ),
        ("teacher=x", "teacher: unknown key; did you mean 'supervisors'?"),
        ("methods=[{name: uncertainty_filtering, fraction: 0.5}]", "did you mean 'keep'?"),
    ],
)
def test_a_key_by_the_name_that_others_give_it_is_told_ours(write, override, told):
    assert told in faults(write, MINIMAL, override)[1]


def test_what_others_call_a_setting_is_no_setting_of_ours():
    """And each leads to one: in a recipe, a model, its training, a server or a method."""
    from outgrow.core.names import ALSO_CALLED
    from outgrow.models.config import Lora, ModelRef
    from outgrow.recipe.parts import Ask, Reliability
    from outgrow.supervisors.server import ServerConfig
    from outgrow.tasks.table_config import TableConfig
    from outgrow.training.config import TrainConfig

    models = [Recipe, Ask, Reliability, ModelRef, Lora, TrainConfig, ServerConfig, TableConfig]
    models += [spec.config for spec in METHODS.loaded()[0].values()]
    known = {name for model in models for name in model.model_fields}
    assert set(ALSO_CALLED.values()) <= known


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train=5", "train: must be a mapping of keys to values (seen: 5)"),
        ("student=[a]", 'student: must be a mapping of keys to values (seen: ["a"])'),
        ("seeds=7", "seeds: must be a list (seen: 7)"),
        ("supervisors={a: 1}", 'supervisors: must be a list (seen: {"a": 1})'),
        ("supervisors=[{model: microworld/mini, train: [1]}]", "supervisors: the 1st (mini): train: must be a mapping"),
        ("seeds=[1, x]", 'seeds: the 2nd (x): must be a valid integer (seen: "x")'),
        ("name=" + "n" * 101, "name: must have at most 100 characters"),
        ("methods=[{name: naive, id: " + "n" * 101 + "}]", "methods: the 1st (nnnn"),
    ],
)
def test_shapes_are_told_in_plain_words_and_places_as_a_reader_counts(write, override, told):
    (line,) = faults(write, MINIMAL, override)[1:]
    assert line.startswith(f"  {told}")
    assert len(line) < 250


def test_places_are_counted_in_words():
    for number, word in {1: "1st", 2: "2nd", 3: "3rd", 11: "11th", 22: "22nd", 113: "113th"}.items():
        assert place(("arms", number - 1)) == f"arms: the {word}"


def test_a_supervisor_named_after_a_long_file_gets_a_name_that_fits(write):
    recipe = load_recipe(write(MINIMAL), ["supervisors=[{kind: file, path: " + "a" * 250 + ".csv}]"])
    assert recipe.supervisors[0].name == "a" * 90


def test_an_unknown_method_is_named_with_the_nearest_one_and_the_list(write):
    lines = faults(write, MINIMAL, "methods=[naive, uncertainty_filterin]")
    near = "  methods: the 2nd (uncertainty_filterin): unknown method 'uncertainty_filterin'; did you mean "
    seen = ' (seen: "uncertainty_filterin")'
    assert lines[1] == f"{near}'uncertainty_filtering'? Known: " + ", ".join(METHODS) + seen


def test_an_unknown_task_is_named_with_the_nearest_one_and_the_list(write):
    lines = faults(write, MINIMAL, "task={kind: microwrld}")
    assert lines[1].startswith("  task.kind: unknown task 'microwrld'; did you mean 'microworld'? Known: ")


def test_a_task_without_a_kind_is_told_so(write):
    assert faults(write, MINIMAL, "task={path: a.csv}")[1].startswith("  task.kind: is missing")
    assert faults(write, MINIMAL, "task=table")[1].startswith("  task: must be a mapping with a 'kind'")


def test_an_unknown_model_is_named_with_the_nearest_one(write):
    lines = faults(write, MINIMAL, "student.model=microworld/bsae")
    assert lines[1].startswith("  student.model: there is no model 'microworld/bsae'; did you mean 'microworld/base'?")


def test_a_model_folder_that_does_not_exist_is_refused(write):
    assert faults(write, MINIMAL, "student.model=./no/such")[1].startswith("  student.model: there is no folder")


def test_all_faults_are_shown_at_once_with_the_values_seen(write):
    lines = faults(
        write, MINIMAL, "seeds=[]", "train.batch_size=0", "threads=two", "student={}", "reliability.temperature=-1"
    )
    assert lines[0].endswith("has 5 errors:")
    told = "\n".join(lines)
    assert "  seeds: needs 1 or more (seen: [])" in told
    assert "  train.batch_size: must be greater than or equal to 1 (seen: 0)" in told
    assert '  threads: must be a valid integer (seen: "two")' in told
    assert "  student.model: is missing" in told
    assert "  reliability.temperature: must be greater than 0 (seen: -1)" in told


def test_faults_of_students_are_told_where_they_are_written(write):
    alone = MINIMAL.replace("student: {model: microworld/base}\n", "")
    assert faults(write, alone)[1:] == ["  student: is missing (seen: null)"]
    lines = faults(write, alone, "students=[{model: microworld/base, layer: 1}]")[1:]
    assert [line.partition(":")[0].strip() for line in lines] == ["students"]
    assert lines[0].startswith("  students: the 1st (microworld/base): layer: unknown key; did you mean 'layers'?")


def test_a_fault_in_the_shared_training_is_told_once(write):
    assert faults(write, MINIMAL, "train.batch_size=0")[0].endswith("has 1 error:")


def test_a_wrong_choice_is_told_with_the_choices(write):
    line = faults(write, MINIMAL, "train.schedule=linea")[1]
    assert line.startswith("  train.schedule: must be 'linear', 'cosine' or 'constant'; did you mean 'linear'?")


def test_seeds_are_distinct(write):
    assert "the same seed stands twice" in faults(write, MINIMAL, "seeds=[1, 2, 1]")[1]


def test_a_yes_for_a_number_is_refused(write):
    assert "must be a valid number" in faults(write, MINIMAL, "train.epochs=yes")[1]


def test_a_number_for_a_text_asks_for_quotes(write):
    assert "put it in quotes" in faults(write, MINIMAL, "task.label=3")[1]


def test_the_primary_comparison_names_arms(write):
    line = faults(write, MINIMAL, "primary={a: naive, b: niave}")[1]
    assert line == "  primary.b: unknown arm 'niave'; did you mean 'naive'? Known: naive (seen: \"niave\")"


def test_a_key_that_stands_twice_is_refused_with_its_line(write):
    (line,) = faults(write, MINIMAL + "seeds: [0]\nseeds: [1]\n")
    assert line.endswith("recipe.yaml, line 7, column 1: key 'seeds' stands twice, first in line 6")


def test_broken_yaml_is_told_with_its_line(write):
    (line,) = faults(write, "name: x\ntask: {kind: table\n")
    assert "recipe.yaml, line 3" in line


def test_a_recipe_that_is_no_mapping_is_refused(write):
    assert "this file holds list" in faults(write, "- a\n- b\n")[0]


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_recipe(tmp_path / "nowhere.yaml")


def test_overrides_that_lead_nowhere_are_told_together(write):
    lines = faults(write, MINIMAL, "seeds", "supervisors.3.layers=1", "student.model.sub=1", "train={a")
    assert lines[0] == "4 of the overrides cannot be applied:"
    assert "expected key=value" in lines[1]
    assert "supervisors is a list of 1, counted from 0 in overrides; it has no '3'" in lines[2]
    assert "student.model is \"microworld/base\", which has no key 'sub'" in lines[3]
    assert "override 'train={a', line 1" in lines[4]


def test_a_recipe_does_not_change(write):
    recipe = load_recipe(write(MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        recipe.threads = 3
    assert isinstance(recipe, Recipe)
