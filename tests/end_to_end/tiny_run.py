"""A tiny experiment for tests: two random models, coloured words, five arms.

`python tiny_run.py FOLDER STORE OUT JOBS` runs it.
"""

import json
import random
import sys
from pathlib import Path

COLOURS = ("red", "green", "blue")
METHODS = [
    "naive",
    {"name": "uncertainty_filtering", "keep": 0.5},
    {"name": "random_filtering", "keep": 0.5},
    "reliability_reweighting",
    "strong_ceiling",
]


def write_data(folder):
    """180 questions of three words; the first of them decides the colour."""
    chance = random.Random(0)
    lines = []
    for i in range(180):
        first = i % 6
        text = f"w{first} w{chance.randrange(6, 80)} w{chance.randrange(6, 80)}"
        lines.append({"text": text, "label": COLOURS[first % 3], "kind": "even" if first % 2 == 0 else "odd"})
    (folder / "words.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def make_model(template):
    def make(folder, hidden, seed):
        """A random Llama of two layers with the words of the shared tiny model."""
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from outgrow.models.loading import quiet

        config = LlamaConfig.from_pretrained(template, hidden_size=hidden, intermediate_size=2 * hidden)
        config.head_dim = hidden // config.num_attention_heads
        with torch.random.fork_rng(), quiet():
            torch.manual_seed(seed)
            LlamaForCausalLM(config).save_pretrained(folder)
            AutoTokenizer.from_pretrained(template).save_pretrained(folder)

    return make


def write_models(folder, make):
    """Two random models: `make(folder, hidden, seed)` writes one."""
    make(folder / "weak", 16, 1)
    make(folder / "strong", 32, 2)


def recipe(folder, **changes):
    """The recipe as plain values; models and data lie in `folder`."""
    raw = {
        "name": "tiny",
        "task": {
            "kind": "table",
            "name": "colours",
            "path": "words.jsonl",
            "text": "text",
            "label": "label",
            "stratum": "kind",
            "classes": list(COLOURS),
            "prompts": ["question : {text} ? answer", "{text} is", "answer : {text} ?"],
            "splits": {"supervisor_train": 30, "pool": 40, "validation": 20, "test": 48},
        },
        "supervisors": [{"model": str(folder / "weak"), "train": {"epochs": 2}}],
        "ask": {"variants": 3},
        "student": {"model": str(folder / "strong")},
        "train": {"epochs": 3, "batch_size": 8, "learning_rate": 5e-3, "max_length": 64, "checkpoints": 2},
        "methods": METHODS,
        "primary": {"a": "uncertainty_filtering", "b": "random_filtering"},
        "seeds": [0, 1],
        "jobs": 1,
        "data_dir": str(folder),
    }
    return {**raw, **changes}


def within(recipe, monkeypatch, tmp_path, action):
    """What `action(lab)` gives as the body of a method, and the runner."""
    from outgrow.experiment.graph import Job, perform
    from outgrow.experiment.step_runner import StepRunner
    from outgrow.methods import METHODS, MethodSpec
    from outgrow.methods.naive import Naive
    from outgrow.methods.rows import answer_rows
    from outgrow.store import Store

    given = []

    def method(lab, config):
        given.append(action(lab))
        return lab.train(lab.student, answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1)))

    monkeypatch.setitem(METHODS, "naive", MethodSpec("naive", Naive, method))
    runner = StepRunner(recipe, Store(tmp_path / "store", unsealed=True))
    perform(runner, Job(0, "naive"))
    return given[0], runner


def run(folder, store, out, so_far=None, **changes):
    """Carry the recipe out; its results."""
    from outgrow.execution.run import run_recipe
    from outgrow.recipe.recipe import parse_recipe

    jobs = changes.get("jobs", 1)
    return run_recipe(parse_recipe(recipe(folder, **changes)), store=store, out=out, jobs=jobs, so_far=so_far)


if __name__ == "__main__":
    here, own_store, own_out = map(Path, sys.argv[1:4])
    run(here, own_store, own_out, jobs=int(sys.argv[4]))
