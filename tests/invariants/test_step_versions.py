"""A step's source must not change without its version: results in stores would be taken for what they are not.

`step_versions.json` holds per step its version and the fingerprint of the code that decides its result. After a
change, run this file:

    python tests/test_step_versions.py                  # the version was raised: results differ from before
    python tests/test_step_versions.py --same-results   # the change cannot change any result
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

RECORD = Path(__file__).with_name("step_versions.json")


# Modules of outgrow.training by what they decide.
INFERENCE = (
    "activations adapters assemble batches batching caching chance classifying encode generation growing heads loading "
    "scoring text trimming"
)
ASKING = "asking demonstrations paraphrase queries"  # of outgrow.supervisors, for all kinds
TRAINING = "checkpoints loop memory optimisers run schedule sharding"
NOTHING = "config hashing machine minilm models quiet ranks rows trackers"  # names, checks, what a config says anyway
LEFT_OUT = ("__init__", "made_up")  # of the packages below outgrow.tasks


def steps():
    """Step -> (version, where the version is, what decides the step's result)."""
    from outgrow import tasks
    from outgrow.experiment import step_runner as runner
    from outgrow.experiment.results import models
    from outgrow.methods.rows import normalise_weights
    from outgrow.tasks import table
    from outgrow.tasks.benchmarks import base
    from outgrow.tasks.microworld import task as microworld

    def modules(names, package):
        return [import_module(f"outgrow.{package}{name}") for name in names.split()]

    def benchmarks():
        """The sets, their task class, and the readers of answers."""
        for package in ("benchmarks", "parsing"):
            folder = Path(tasks.__file__).parent / package
            names = {path.stem for path in folder.glob("*.py")} - set(LEFT_OUT)
            yield from modules(" ".join(sorted(names)), f"tasks.{package}.")

    asking = [*modules(ASKING, "supervisors."), *modules("tasks.varied", "")]
    asking += [runner.StepRunner.answer, runner.StepRunner._ask, runner.StepRunner._paraphrases]
    inference = [*modules(INFERENCE, "training."), *modules("local", "supervisors."), *asking]
    training = [*modules(TRAINING, "training."), *modules("objectives tasks.base words", ""), normalise_weights]
    training += [runner.StepRunner.train, runner.StepRunner._agreement]
    return {
        "answer": (runner.ANSWER_VERSION, "ANSWER_VERSION in src/outgrow/experiment/step_runner.py", inference),
        "answer from elsewhere": (
            runner.ELSEWHERE_VERSION,
            "ELSEWHERE_VERSION in src/outgrow/experiment/step_runner.py",
            [*modules("server file", "supervisors."), *asking],
        ),
        "train": (
            runner.TRAIN_VERSION,
            "TRAIN_VERSION in src/outgrow/experiment/step_runner.py",
            [*inference, *training],
        ),
        "count parameters": (
            models.COUNT_VERSION,
            "COUNT_VERSION in src/outgrow/experiment/results/models.py",
            [models.parameters, *modules("adapters assemble heads loading", "training.")],
        ),
        "microworld questions": (
            microworld.WORDINGS_VERSION,
            "WORDINGS_VERSION in src/outgrow/tasks/microworld/task.py",
            modules("task world language", "microworld."),
        ),
        "table questions": (
            table.WORDINGS_VERSION,
            "WORDINGS_VERSION in src/outgrow/tasks/table.py",
            modules("tasks.table tasks.table_rows tasks.table_config tasks.questions tasks.orders splits", ""),
        ),
        "benchmark questions": (
            base.WORDINGS_VERSION,
            "WORDINGS_VERSION in src/outgrow/tasks/benchmarks/base.py",
            [*benchmarks(), *modules("tasks.questions tasks.orders splits", "")],
        ),
    }


def current():
    """Step -> [version, fingerprint], as the code is now."""
    from outgrow.store import source_fingerprint

    return {name: [version, source_fingerprint(*sources)] for name, (version, _, sources) in steps().items()}


def complaints(recorded, found, places, *, same_results=False):
    """What is wrong with `found` against what was recorded."""
    wrong = []
    for name, (version, fingerprint) in found.items():
        old_version, old_fingerprint = recorded.get(name, (None, None))
        if fingerprint != old_fingerprint and version == old_version and not same_results:
            wrong.append(
                f"the code of step '{name}' has changed, its version is still {version}. If results can differ, raise "
                f"{places[name]} and run `python tests/test_step_versions.py`; if no result can differ, run "
                "`python tests/test_step_versions.py --same-results`"
            )
    return wrong


def test_no_step_has_changed_without_its_version():
    recorded, found = json.loads(RECORD.read_text()), current()
    places = {name: place for name, (_, place, _) in steps().items()}
    wrong = complaints(recorded, found, places)
    if not wrong and recorded != found:
        wrong = ["versions were raised; run `python tests/test_step_versions.py` to record them"]
    assert not wrong, "\n".join(wrong)


def test_every_module_of_training_is_counted_or_left_out_on_purpose():
    import outgrow.training

    found = {path.stem for path in Path(outgrow.training.__file__).parent.glob("*.py")} - {"__init__"}
    assert found == set(f"{INFERENCE} {TRAINING} {NOTHING}".split())


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ([1, "old"], "raise THERE and run"),  # other code, same version
        ([1, "new"], ""),
        ([0, "old"], ""),  # the version was raised
    ],
)
def test_changed_code_needs_another_version(recorded, said):
    found = complaints({"train": recorded}, {"train": [1, "new"]}, {"train": "THERE"})
    assert (said in found[0]) if said else not found
    assert not complaints({"train": recorded}, {"train": [1, "new"]}, {"train": "THERE"}, same_results=True)


if __name__ == "__main__":
    old, new = json.loads(RECORD.read_text()) if RECORD.exists() else {}, current()
    faults = complaints(
        old, new, {name: place for name, (_, place, _) in steps().items()}, same_results="--same-results" in sys.argv
    )
    if faults:
        sys.exit("\n".join(faults))
    RECORD.write_text(json.dumps(new, indent=1, sort_keys=True) + "\n")
    print(f"recorded: {', '.join(new)}")
