"""A step's source must not change without its version: results in stores would be taken for what they are not.

`step_versions.json` holds per step its version and the fingerprint of the code that decides its result. After a
change, run this file:

    python tests/test_step_versions.py                  # the version was raised: results differ from before
    python tests/test_step_versions.py --same-results   # the change cannot change any result
"""

import json
import sys
from pathlib import Path

import pytest

RECORD = Path(__file__).with_name("step_versions.json")


def steps():
    """Step -> (version, where the version is, what decides the step's result)."""
    import outgrow.microworld.language
    import outgrow.microworld.task
    import outgrow.microworld.world
    import outgrow.objectives
    import outgrow.supervisors.local
    import outgrow.tasks.base
    import outgrow.tasks.table
    import outgrow.tasks.table_config
    import outgrow.tasks.table_rows
    from outgrow import bench, splits
    from outgrow.methods import rows
    from outgrow.training import (
        batches,
        batching,
        checkpoints,
        classifying,
        encode,
        generation,
        heads,
        loading,
        loop,
        schedule,
        scoring,
        text,
    )

    inference = [
        outgrow.supervisors.local, scoring, generation, classifying, batches, batching, encode, heads, loading, text,
    ]  # fmt: skip
    train = [
        outgrow.objectives,
        outgrow.tasks.base,
        loop,
        checkpoints,
        schedule,
        rows.normalise_weights,
        bench.Bench.words,
    ]
    choice = [bench.Bench._agreement]
    world = outgrow.microworld.world
    return {
        "answer": (bench.ANSWER_VERSION, "ANSWER_VERSION in src/outgrow/bench.py", [*inference, bench.Bench.answer]),
        "train": (
            bench.TRAIN_VERSION,
            "TRAIN_VERSION in src/outgrow/bench.py",
            [*inference, *train, *choice, bench.Bench.train],
        ),
        "microworld questions": (
            outgrow.microworld.task.WORDINGS_VERSION,
            "WORDINGS_VERSION in src/outgrow/microworld/task.py",
            [outgrow.microworld.task, world, outgrow.microworld.language],
        ),
        "table questions": (
            outgrow.tasks.table.WORDINGS_VERSION,
            "WORDINGS_VERSION in src/outgrow/tasks/table.py",
            [outgrow.tasks.table, outgrow.tasks.table_rows, outgrow.tasks.table_config, splits],
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
