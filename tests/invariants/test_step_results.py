"""A step whose results change needs another version: stores would take old results for new ones.

Tiny steps of every kind are made and compared with `golden.json`, which holds their results and the versions that
made them: texts, values and orders as hashes, log-probabilities and losses as numbers, because their last digits
depend on the processor. Code that changes no result needs no new version. Record results after raising a version,
or those of a new case (of a case that was itself changed, take the old entry out first):

    python tests/invariants/test_step_results.py
"""

import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest

import outgrow
from outgrow.core.tables import ANSWERS, build, iter_examples
from outgrow.experiment.together import TOGETHER
from outgrow.experiment.tokens import TOKEN_FILE
from outgrow.models.files import resolve
from outgrow.recipe.recipe import parse_recipe
from outgrow.store import Store
from outgrow.tasks import load, table

TESTS = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("golden.json")
TOLERANCE = 1e-4  # relative, absolute below 1; vector units of other widths differ by 5e-6 (measured)
FITTED = {"linear_probe.probe.safetensors": 1e-3}  # a penalised fit to states that differ so: 1.1e-4 (measured)
VERSIONS = {
    "answer": "ANSWER_VERSION",
    "answer from elsewhere": "ELSEWHERE_VERSION",
    "train": "TRAIN_VERSION",
    "count parameters": "COUNT_VERSION",
    "pretrain": "PRETRAIN_VERSION",
    "prompt": "PROMPT_VERSION",
    "reference": "REFERENCE_VERSION",
    "contrast": "COMPOSE_VERSION",
    "best_of": "COMPOSE_VERSION",
    "best_of answer": "BEST_ANSWER_VERSION",
    "contrast answer": "CONTRAST_ANSWER_VERSION",
    "joint": "COMPOSE_VERSION",
    "joint answer": "JOINT_ANSWER_VERSION",
    "score": "SCORE_VERSION",
    "probe": "PROBE_VERSION",
    "probe answer": "PROBE_ANSWER_VERSION",
    "hidden states": "STATES_VERSION",
    "microworld questions": "MicroworldTask.version",
    "microworld2 questions": "Microworld2Task.version",
    "table questions": "WORDINGS_VERSION of tables",
    "benchmark questions": "WORDINGS_VERSION of benchmarks",
    "label accuracy": "VERSION of the accuracy from votes",
}

# Results ------------------------------------------------------------------------------------------------------------


class Result:
    """What steps came to: hashes of what is exact, numbers of what is not, and the versions of the steps."""

    def __init__(self):
        self.versions, self._parts, self.numbers = {}, defaultdict(list), defaultdict(list)

    def exact(self, part, value):
        self._parts[part].append(value)

    def number(self, part, *values):
        self.numbers[part] += [None if v is None or math.isnan(v) else float(f"{v:.7g}") for v in values]

    def table(self, part, columns):
        """Floats, also those in lists and maps, as numbers; everything else is exact."""
        for field in columns.schema:
            values, name = columns[field.name].to_pylist(), f"{part}.{field.name}"
            if pa.types.is_floating(field.type):
                self.number(name, *values)
            elif pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type):
                self.exact(name, [None if several is None else len(several) for several in values])
                self.number(name, *(number for several in values for number in several or ()))
            elif pa.types.is_map(field.type) and pa.types.is_floating(field.type.item_type):
                self.exact(name, [None if pairs is None else [key for key, _ in pairs] for pairs in values])
                self.number(name, *(number for pairs in values for _, number in pairs or ()))
            else:
                self.exact(name, values)

    def plain(self):
        def digest(value):
            return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

        exact = {part: digest(values) for part, values in self._parts.items()}
        return {"versions": self.versions, "exact": exact, "numbers": dict(self.numbers)}


def steps_in(store, result, *, elsewhere=False, without=()):
    """The step's name to its artefacts in a store, but for some kinds and what supervisors answer together."""
    found = defaultdict(list)
    for manifest in store.steps():
        name = manifest["step"]
        if name in without or manifest["meta"].get("detail", "").startswith(TOGETHER):
            continue
        found[name].append(store.open(manifest["key"]))
        result.versions["answer from elsewhere" if elsewhere else name] = manifest["version"]
    return found


def add_training(result, part, artefact):
    facts = artefact.json("fit.json")
    result.number(f"{part}.loss", *(h["loss"] for h in facts["history"]))
    result.number(f"{part}.validation", *(score for _, score in facts["scores"]))
    names = ("steps", "chosen_step", "rows", "questions", "removed_rows", "truncated_prompts", "boundary_mismatches")
    result.exact(f"{part}.facts", [facts[name] for name in names])
    result.table(f"{part}.rows", artefact.table("rows.parquet"))
    from safetensors.numpy import load_file

    for path in sorted(artefact.path("model").glob("*.safetensors")):
        tensors = sorted(load_file(path).items())
        result.exact(f"{part}.{path.name}", [[name, str(t.dtype), list(t.shape)] for name, t in tensors])
        result.number(f"{part}.{path.name}", *(math.sqrt((t.astype("f8") ** 2).sum()) for _, t in tensors))


def beside(folder, name):
    """A module of other tests."""
    sys.path.insert(0, str(TESTS / folder))
    try:
        return import_module(name)
    finally:
        sys.path.pop(0)


# Cases --------------------------------------------------------------------------------------------------------------

NANO = {"model": "microworld/nano", "name": "weak", "train": None}
TRAIN = {"epochs": 1, "batch_size": 4, "max_length": 64, "checkpoints": 1, "precision": "fp32"}
COUNTS = {"supervisor_train": 12, "pool": 6, "validation": 4, "test": 4}


def world(family, **options):
    return {"kind": "microworld", "family": family, "questions": COUNTS, **options}


def labelled(folder, task, supervisor, ask=(), **options):
    """A supervisor's answers, and its training if it is trained."""
    result, store = Result(), folder / "store"
    outgrow.label({"task": task, "supervisors": [supervisor], "ask": dict(ask), **options}, store=store)
    found = steps_in(Store(store, unsealed=True), result, elsewhere="kind" in supervisor)
    for artefact in found["train"]:
        add_training(result, "train", artefact)
    (answers,) = found["answer"]
    result.table("answer", answers.table())
    return result


def from_file(folder):
    """Answers of two people in a file, some of them no option, with numbers and texts as people write them."""
    task = {
        "kind": "table", "name": "colours", "path": "q.jsonl", "text": "text", "label": "label", "id": "id",
        "classes": ["red", "green", "blue"],
    }  # fmt: skip
    rows = [{"id": f"q{i}", "text": f"thing {i}", "label": ("red", "green", "blue")[i % 3]} for i in range(20)]
    said = ("red", "Green.", "blue", "mauve", None)
    answers = [
        {"example_id": f"q{i}", "source": who, "sample": 1, "value": said[(3 * i + len(who)) % 5]}
        for i in range(20)
        for who in ("ann", "berta")
    ]
    for name, lines in (("q.jsonl", rows), ("a.jsonl", answers)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return labelled(
        folder, task, {"kind": "file", "path": "a.jsonl", "name": "people", "together": True}, data_dir=str(folder)
    )


def from_server(folder):
    """Worked answers of a chat server, one of them cut off."""
    fake = beside("supervisors/server", "fake_server")

    def reply(asked):
        size = len(asked.text)
        words = f"That is {size} + 1 = {size + 1}. So {size + 1}"
        logprobs = [(word, -1 / size, {}) for word in words.split()]
        return fake.chat(words, logprobs=logprobs, finish_reason="length" if size % 5 == 0 else "stop")

    server = fake.FakeServer(reply)
    try:
        supervisor = {"kind": "server", "name": "far", "model": "weak-1", "base_url": server.url}
        return labelled(folder, world("sums"), supervisor, {"variants": 2})
    finally:
        server.close()


def adapter(folder):
    """Of a copy, since adapters look for their model's folder."""
    model = shutil.copytree(resolve("microworld/nano"), folder / "nano")
    return labelled(folder, world("choice"), {**NANO, "model": str(model), "train": {**TRAIN, "lora": {"r": 2}}})


def students(folder):
    """Students trained on soft and on weighted labels, the better of two checkpoints kept; and the size of a model."""
    raw = {
        "task": world("choice"), "supervisors": [{**NANO, "train": TRAIN}], "student": {"model": "microworld/nano"},
        "ask": {"variants": 3}, "train": {**TRAIN, "epochs": 3, "checkpoints": 2}, "jobs": 1, "seeds": [0],
        "methods": ["soft_labels", "reliability_reweighting"],
    }  # fmt: skip
    result, out = Result(), folder / "out"
    outgrow.run(parse_recipe(raw), store=folder / "store", out=out, jobs=1)
    store = Store(folder / "store", unsealed=True)
    for trained in json.loads((out / "provenance.json").read_text())["trained"]:
        add_training(result, trained["name"], store.open(trained["key"]))
    (size,) = steps_in(store, result)["count parameters"]
    result.exact("size", size.json("size.json"))
    return result


def probes(folder):
    """Class means and logistic regression of hidden states, and what they answer."""
    from safetensors.numpy import load_file

    result = Result()
    for method in ("nearest_centroid", "linear_probe"):
        raw = {
            "task": world("choice"), "supervisors": [NANO], "student": {"model": "microworld/nano"}, "train": TRAIN,
            "methods": [method, "strong_ceiling"], "jobs": 1, "seeds": [0],
        }  # fmt: skip
        outgrow.run(parse_recipe(raw), store=folder / method, out=folder / "out" / method, jobs=1)
        found = steps_in(Store(folder / method, unsealed=True), result)
        (probe,), (answers,) = found["probe"], found["probe answer"]
        add_training(result, method, probe)
        result.table(f"{method}.answers", answers.table())
    lengths = []
    for artefact in found["hidden states"]:
        states = load_file(artefact.path("states.safetensors"))["states"].astype("f8")
        lengths.append(float(((states**2).sum(axis=2) ** 0.5).mean()))
    result.number("states", *sorted(lengths))
    return result


def reader(folder):
    """A model that reads the texts of questions before it learns labels."""
    from safetensors.numpy import load_file

    raw = {
        "task": world("choice"), "supervisors": [NANO], "student": {"model": "microworld/nano"}, "train": TRAIN,
        "methods": ["generative_finetuning", "generative_ceiling"], "jobs": 1, "seeds": [0],
    }  # fmt: skip
    result = Result()
    outgrow.run(parse_recipe(raw), store=folder / "store", out=folder / "out", jobs=1)
    found = steps_in(Store(folder / "store", unsealed=True), result)
    (read,) = found["pretrain"]  # both arms begin with it
    result.number("loss", *(h["loss"] for h in read.json("fit.json")["history"]))
    for name, tensor in sorted(load_file(read.path("model") / "model.safetensors").items()):
        result.number(name, math.sqrt((tensor.astype("f8") ** 2).sum()))
    return result


def shots(folder):
    """What a model says behind three weak labels."""
    raw = {
        "task": world("choice"), "supervisors": [NANO], "student": {"model": "microworld/nano"}, "train": TRAIN,
        "methods": [{"name": "few_shot", "shots": 3}, "strong_ceiling"], "jobs": 1, "seeds": [0],
    }  # fmt: skip
    result = Result()
    outgrow.run(parse_recipe(raw), store=folder / "store", out=folder / "out", jobs=1)
    (prompt,) = steps_in(Store(folder / "store", unsealed=True), result)["prompt"]
    result.exact("turns", prompt.json("turns.json"))
    (student,) = [each for each in json.loads((folder / "out" / "provenance.json").read_text())["trained"]
                  if each["name"] == "few_shot"]  # fmt: skip
    assert student["key"] == prompt.key
    return result


def pairs(folder):
    """A training on pairs against its start, kept near it, a difference of models, and the best of several."""
    weak = [{**NANO, "name": "first", "train": TRAIN}, {**NANO, "name": "second", "train": {**TRAIN, "epochs": 2}}]
    result = Result()
    for family, more in (("choice", ["delta_learning", {"name": "reward_model", "samples": 3}]), ("sums", [])):
        raw = {
            "task": world(family), "supervisors": weak, "student": {"model": "microworld/nano"},
            "ask": {"variants": 1}, "train": {**TRAIN, "epochs": 3, "checkpoints": 2, "learning_rate": 1e-3},
            "methods": ["logit_contrast", *more],
            "jobs": 1, "seeds": [0],
        }  # fmt: skip
        outgrow.run(parse_recipe(raw), store=folder / family, out=folder / "out" / family, jobs=1)
        found = steps_in(Store(folder / family, unsealed=True), result, without=("score",))  # of a floor
        for artefact in found["reference"]:
            values = artefact.table()["reference"].to_pylist()
            result.number("reference", *(each for pair in values for each in pair))
            (trained,) = [each for each in found["train"] if "kl" in each.json("fit.json")]
            add_training(result, "train", trained)
            result.number("kl", *(kl for _, kl in trained.json("fit.json")["kl"]))
        result.exact(f"{family}.contrast", sorted(found["contrast"][0].json("contrast.json")["models"]))
        for artefact in found["contrast answer"]:
            result.table(f"{family}.answers", artefact.table())
        for artefact in found["best_of answer"]:
            result.table("best of", artefact.table().select(["example_id", "text", "value", "finish_reason"]))
    return result


def joint(folder):
    """Two models that decide together, about options and by their texts."""
    result = Result()
    weak = [{**NANO, "name": "first", "train": TRAIN}, {**NANO, "name": "second", "train": {**TRAIN, "epochs": 2}}]
    for family in ("choice", "sums"):
        raw = {
            "task": world(family), "supervisors": weak, "student": {"model": "microworld/nano"},
            "ask": {"variants": 1}, "train": TRAIN, "methods": [{"name": "joint_decoding", "weights": [2, 1]}],
            "jobs": 1, "seeds": [0],
        }  # fmt: skip
        outgrow.run(parse_recipe(raw), store=folder / family, out=folder / "out" / family, jobs=1)
        found = steps_in(Store(folder / family, unsealed=True), result)
        result.exact(f"{family}.joint", found["joint"][0].json("joint.json")["shares"])
        for artefact in found["joint answer"]:
            result.table(f"{family}.answers", artefact.table())
    return result


def texts(folder):
    """What two models write after a search, token by token, and students of these texts."""
    raw = {
        "task": world("sums"), "student": {"model": "microworld/nano"}, "ask": {"variants": 1}, "train": TRAIN,
        "supervisors": [{**NANO, "name": name, "train": {**TRAIN, "epochs": 4}} for name in ("first", "second")],
        "methods": [
            {"name": "bayesian_multi_weak", "kl": 0.001, "beams": 2, "confidence": 0.2, "warmup": 0.5},
            {"name": "joint_decoding", "labels": "soft", "beams": 2},
        ],
        "jobs": 1, "seeds": [0],
    }  # fmt: skip
    result, out = Result(), folder / "out"
    outgrow.run(parse_recipe(raw), store=folder / "store", out=out, jobs=1)
    store = Store(folder / "store", unsealed=True)
    for trained in json.loads((out / "provenance.json").read_text())["trained"]:
        if trained["name"] not in ("first", "second"):
            add_training(result, trained["name"], store.open(trained["key"]))
    found = steps_in(store, result)
    for artefact in [*found["answer"], *found["joint answer"]]:
        if TOKEN_FILE in artefact.files:
            result.table("tokens", artefact.table(TOKEN_FILE))
    return result


def questions(step, version, make):
    """Questions, gold and wordings of a task, and how it reads answers."""

    def result_of(folder):
        task, result = make(folder), Result()
        result.versions[step] = version
        result.exact("task", [task.name, task.classes, task.n_variants, task.max_new_tokens, task.splits])
        for split in task.splits:
            examples, gold = task.examples(split), task.gold(split)
            result.table("examples", examples)
            result.table("gold", gold)
            values = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
            for example in islice(iter_examples(examples), 3):
                value = values.get(example.example_id)
                wordings = [task.wording(example, variant) for variant in range(task.n_variants)]
                result.exact("wordings", [asdict(wording) for wording in wordings])
                result.exact("solutions", value and task.solution(example, value))
                texts = ["A", " (b)", "Yes.", "so 1,119.0", "\\boxed{3/4}", "#### 12", *(wordings[-1].options or ())]
                texts += [f"The answer is {value}.", f" {value}\n", str(value).upper(), f"So {value}"]
                read = [task.extract(text, example, wordings[-1]) for text in texts]
                result.exact("readings", read)
                columns = {"example_id": example.example_id, "source": "s", "variant": 0}
                rows = {name: [value] * len(read) for name, value in columns.items()}
                answers = build(ANSWERS, {**rows, "sample": range(len(read)), "value": read})
                result.exact("canonical", task.canonicalise(answers)["value"].to_pylist())
        return result

    return result_of


def world_task(config, folder):
    return load(**config)


def table_task(folder, **options):
    """Sixty rows, one of them twice, with options of their own, a class and a number each."""
    words = ["moss", "Reed", "fern", "sedge"]
    rows = [
        {"text": f"Which plant is number {i % 59}?", "options": words[i % 2 : i % 2 + 3], "best": words[i % 2 + i % 3],
         "class": words[i % 4], "number": f"1,0{i:02d}.0", "group": f"g{i // 3}"}
        for i in range(60)
    ]  # fmt: skip
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load("table", path="t.jsonl", data_dir=folder, text="text", group="group", **options)


def benchmark_task(folder, kind):
    made = beside("tasks/benchmarks", "benchmark_sets").MADE[kind]
    return load(kind, **{"path": str(made.write(folder)), **made.options})


def cases():
    """Name to what makes a result in an empty folder."""
    from outgrow.tasks.benchmarks import base
    from outgrow.tasks.microworld import task as microworld
    from outgrow.tasks.microworld2.task import Microworld2Task

    answers = {
        "answers by options": (world("choice"), NANO, {"variants": 3, "samples": 2, "temperature": 1.0}),
        "answers by text": (world("sums"), NANO, {"variants": 2, "samples": 2, "temperature": 1.0}),
        "answers with demonstrations": (
            world("choice", answer="letter"),
            NANO,
            {"variants": 3, "kinds": ["task", "demonstrations"], "demonstrations": 2},
        ),
        "training on worked answers": (world("sums"), {**NANO, "train": {**TRAIN, "normalise": "token"}}, {}),
        "training of rewards": (world("choice"), {**NANO, "head": "reward", "train": TRAIN}, {"variants": 2}),
        "training of a classifier": (world("claim"), {**NANO, "head": "classifier", "train": TRAIN}, {"variants": 2}),
    }
    found = {name: partial(labelled, task=t, supervisor=s, ask=ask) for name, (t, s, ask) in answers.items()}
    found |= {"answers from a file": from_file, "answers of a server": from_server}
    found |= {"training of an adapter": adapter, "students": students, "probes": probes, "reader": reader}
    found |= {"shots": shots, "pairs": pairs, "joint": joint, "texts": texts}
    families = [(family, {}) for family in microworld.FAMILIES] + [("choice", {"answer": "letter"})]
    for family, options in families:
        wordings = {} if family in ("sums", "kind") else {"wordings": "mixed"}
        config = {**world(family, **wordings, **options)}
        found[" ".join(["microworld", family, *options])] = questions(
            "microworld questions", microworld.MicroworldTask.version, partial(world_task, config)
        )
    for family in Microworld2Task.families:
        config = {**world(family), "kind": "microworld2"}
        found[f"microworld2 {family}"] = questions(
            "microworld2 questions", Microworld2Task.version, partial(world_task, config)
        )
    tables = {
        "options": {"choices": "options", "label": "best", "letters": True},
        "classes": {"label": "class", "prompts": ["{text}", "Say {options}: {text}"]},
        "numbers": {"label": "number", "answer": "number"},
        "texts": {"label": "class", "answer": "text"},
    }
    for name, options in tables.items():
        found[f"table of {name}"] = questions("table questions", table.WORDINGS_VERSION, partial(table_task, **options))
    for kind in beside("tasks/benchmarks", "benchmark_sets").MADE:
        found[f"benchmark {kind}"] = questions(
            "benchmark questions", base.WORDINGS_VERSION, partial(benchmark_task, kind=kind)
        )
    return found


# Comparison ---------------------------------------------------------------------------------------------------------


def near(a, b, tolerance=TOLERANCE):
    if a is None or b is None:
        return a is b
    return abs(a - b) <= tolerance * max(1.0, abs(a))


def differing(old, new):
    """The parts in which two results differ."""
    parts = [
        part for part in sorted({*old["exact"], *new["exact"]}) if old["exact"].get(part) != new["exact"].get(part)
    ]
    for part in sorted({*old["numbers"], *new["numbers"]}):
        a, b = old["numbers"].get(part, []), new["numbers"].get(part, [])
        if len(a) != len(b) or not all(map(partial(near, tolerance=FITTED.get(part, TOLERANCE)), a, b)):
            parts.append(part)
    return parts


def complaint(name, old, new):
    """What is wrong with a result against what was recorded; None if nothing is."""
    if old is None:
        return f"'{name}' has no recorded result; {RUN}"
    if old["versions"] != new["versions"]:
        return f"'{name}' was recorded under versions {old['versions']}, they are {new['versions']} now; {RUN}"
    if parts := differing(old, new):
        made = " or ".join(f"{VERSIONS[step]} ({version})" for step, version in sorted(new["versions"].items()))
        return (
            f"'{name}' gives other results than before, in {', '.join(parts)}, and its version still stands. Results "
            f"in stores would be taken for these. Raise {made}, that of the step that has changed, and {RUN}"
        )
    return None


RUN = "run `python tests/invariants/test_step_results.py` to record it"
CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_recorded_under_the_same_version(name, tmp_path):
    wrong = complaint(name, json.loads(RECORD.read_text()).get(name), CASES[name](tmp_path).plain())
    assert wrong is None, wrong


def test_every_recorded_case_and_every_kind_of_step_is_still_tried():
    recorded = json.loads(RECORD.read_text())
    assert set(recorded) == set(CASES)
    assert {step for result in recorded.values() for step in result["versions"]} == set(VERSIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"numbers": {"loss": [2.0001, None]}}, None),  # another processor
        ({"numbers": {"loss": [2.01, None]}}, "in loss, and its version still stands"),
        ({"numbers": {"loss": [2.0, 1.0]}}, "in loss, and"),
        ({"numbers": {}}, "in loss, and"),
        ({"exact": {"value": "b"}}, "in value, and its version still stands.*Raise TRAIN_VERSION \\(4\\)"),
        ({"versions": {"train": 5}, "exact": {"value": "b"}}, "recorded under versions .*; run"),
    ],
)
def test_what_differs_is_named_unless_the_version_was_raised(change, message):
    import re

    old = {"versions": {"train": 4}, "exact": {"value": "a"}, "numbers": {"loss": [2.0, None]}}
    wrong = complaint("case", old, {**old, **change})
    assert wrong is None if message is None else re.search(message, wrong)
    assert "has no recorded result; run" in complaint("case", None, old)


def record():
    """Write the results of all cases down, unless one differs under the same version."""
    old = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    new = {}
    for name, make in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            new[name] = make(Path(folder)).plain()
        if name in old and old[name]["versions"] == new[name]["versions"]:
            if wrong := complaint(name, old[name], new[name]):
                sys.exit(wrong)
            new[name] = old[name]
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(result)}" for name, result in sorted(new.items()))
    RECORD.write_text(f"{{\n{lines}\n}}\n")
    print(f"recorded {len(new)} results")


if __name__ == "__main__":
    record()
