"""SLURP (EMNLP 2020): spoken commands, their scenario, intent and slots.

Source: github.com/pswietojanski/slurp, `dataset/slurp` (devel 2,033, test 2,974; text licence CC BY 4.0); the copies
on the hub hold audio. On disk: JSON Lines, as `docs/slurp.md` reduces the release, with `sentence`, `scenario`,
`action`, `slots`:

    {"sentence": "dim the lamp at nine", "scenario": "iot", "action": "hue_lightdim",
     "slots": [{"type": "time", "filler": "nine"}]}

No paper of the collection gives words for it; they are ours. Targets: `scenario` (18 classes), `intent` (scenario
and action, joined by "_"), both answered by the class itself, or `slots`, generated as JSON. Canonical answer: the
class, or for slots a JSON list of filler and type, sorted, without repeats (`outgrow.tasks.parsing.read_slots`). What
is trained on, and what metrics of slots compare with, is the list as the file has it.
Default splits: all but the test from devel, 40 % for the supervisor, 10 % to validate, the rest the pool. Variants:
three wordings of the instruction.
"""

from __future__ import annotations

import json
from typing import Literal

from outgrow.tasks.benchmarks import Benchmark, BenchmarkConfig, Classes, FileSplit, Free, Question, Row
from outgrow.tasks.parsing import read_slots, slots_in_order

Target = Literal["scenario", "intent", "slots"]
ENDING = "\nCommand: {text}\n### Answer:"
INSTRUCTIONS: dict[Target, tuple[str, ...]] = {
    "scenario": (
        "To which part of an assistant does the command belong? Answer {words}.",
        "Name the area this spoken command is about: {words}.",
        "Sort the command into one of these: {words}.",
    ),
    "intent": (
        "Name the intent of the command as scenario_action.",
        "What does the speaker want? Answer in the form scenario_action.",
        "Give the scenario and the action of this spoken command, joined by an underscore.",
    ),
    "slots": (
        'List the slots of the command as JSON: [{"type": ..., "filler": ...}]; [] where there are none.',
        'Which pieces of the command fill a slot? Answer with a JSON list of objects with "type" and "filler".',
        'Extract every slot from the spoken command, as JSON with the keys "type" and "filler"; [] if there is none.',
    ),
}


def read_as(target: Target, row: Row) -> Question:
    """A row as a question about one of its three annotations."""
    text, scenario = row.text("sentence"), row.text("scenario")
    if target == "scenario":
        return row.classified(text, scenario)
    if target == "intent":
        return row.classified(text, f"{scenario}_{row.text('action')}", stratum=scenario)
    listed = json.dumps(row.decoded("slots"))
    gold = read_slots(listed)
    if gold is None:
        raise row.fault("slots", f"must be a list of objects with type and filler, found {row.cells['slots']!r}")
    stratum = "no slots" if gold == "[]" else "slots"
    return row.classified(text, gold, stratum=stratum, solution=slots_in_order(listed))


class Slurp(BenchmarkConfig):
    """SLURP.

    Attributes:
        target: what is asked of a command.
    """

    kind: Literal["slurp"] = "slurp"
    target: Target = "scenario"

    def benchmark(self) -> Benchmark:
        """The set."""
        target = self.target
        return Benchmark(
            name=f"slurp/{target}",
            hub=None,
            files={"train": FileSplit(), "devel": FileSplit(2033, ("dev", "validation")), "test": FileSplit(2974)},
            columns=("sentence", "scenario", "slots" if target == "slots" else "action"),
            read=lambda row: read_as(target, row),
            splits={
                "supervisor_train": ("devel", 0.4),
                "validation": ("devel", 0.1),
                "pool": ("devel", "rest"),
                "test": ("test", "rest"),
            },
            prompts={"": tuple(instruction + ENDING for instruction in INSTRUCTIONS[target])},
            answer=Free(read_slots) if target == "slots" else Classes(),
            max_new_tokens=160,
            keywords=("slurp",),
        )
