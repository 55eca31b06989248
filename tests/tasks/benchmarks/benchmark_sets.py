"""Small sets of our own in the form in which each public set lies on disk; every sentence is invented here."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SHARES = {
    "supervisor_train": {"file": "train", "share": 0.25},
    "validation": {"file": "train", "share": 0.25},
    "pool": {"file": "train", "rest": True},
    "test": {"file": "validation"},
}


def write(path: Path, rows: list[dict[str, Any]], header: bool = True) -> None:
    """Rows in the format of the file's suffix; `.array.json` holds one JSON array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            if header:
                writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows[0] if len(rows) == 1 else rows), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@dataclass(frozen=True)
class Made:
    """A set's files, the options to read them with, and what must come out.

    Attributes:
        options: besides the path.
        files: relative path to rows.
        sizes: questions per split, counted by hand.
        spots: question text (or its beginning) to gold, for three rows.
    """

    files: dict[str, list[dict[str, Any]]]
    sizes: dict[str, int]
    spots: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    header: bool = True

    def write(self, folder: Path) -> Path:
        """All files below `folder`."""
        for name, rows in self.files.items():
            write(folder / name, rows, self.header)
        return folder


TOOLS = ("spade", "rake", "saw", "drill", "plane", "file", "clamp", "level", "chisel", "mallet", "pliers", "awl",
         "trowel", "hoe", "axe", "vice", "broom", "ladle", "sieve", "tongs")  # fmt: skip
USES = ("digs", "gathers leaves", "cuts planks", "bores holes", "smooths wood", "thins metal", "holds boards",
        "shows a tilt", "carves wood", "strikes chisels", "bends wire", "pricks leather", "lays mortar", "weeds beds",
        "splits logs", "grips work", "sweeps floors", "serves soup", "sifts flour", "lifts coals")  # fmt: skip
N = len(TOOLS)


def wrong(i: int, *steps: int) -> list[str]:
    """Uses of other tools."""
    return [USES[(i + step) % N] for step in steps]


def hellaswag(i: int) -> dict[str, Any]:
    endings = wrong(i, 1, 2, 3)
    endings.insert(i % 4, USES[i])
    return {"ind": i, "activity_label": "Tools", "ctx": f"A man picks up the {TOOLS[i]} and", "endings": endings,
            "source_id": f"made~{i}", "split": "train", "split_type": "indomain", "label": str(i % 4)}  # fmt: skip


def mmlu(i: int) -> dict[str, Any]:
    choices = wrong(i, 1, 2, 3)
    choices.insert((i + 1) % 4, USES[i])
    return {"question": f"What is said of the {TOOLS[i]}?", "subject": ("tool_lore", "craft")[i % 2],
            "choices": choices, "answer": (i + 1) % 4}  # fmt: skip


def keyed(i: int, stem: str) -> dict[str, Any]:
    texts = wrong(i, 4, 5, 6)
    texts.insert(i % 4, USES[i])
    return {"id": f"q{i}", stem: f"The {TOOLS[i]} is the tool that", "answerKey": "ABCD"[i % 4],
            "choices": {"text": texts, "label": list("ABCD")}}  # fmt: skip


def sciq(i: int) -> dict[str, Any]:
    a, b, c = wrong(i, 7, 8, 9)
    return {"question": f"Which work does a {TOOLS[i]} do?", "distractor3": c, "distractor1": a, "distractor2": b,
            "correct_answer": USES[i], "support": ""}  # fmt: skip


def cosmos(i: int) -> dict[str, Any]:
    answers = [*wrong(i, 1, 2), "None of the above choices .", USES[i]]
    label = 2 if i == 3 else 3
    return {"id": str(i), "context": f"I bought a {TOOLS[i]} at the fair.", "question": "What may it be for?",
            **{f"answer{k}": a for k, a in enumerate(answers)}, "label": label}  # fmt: skip


def boolq(i: int) -> dict[str, Any]:
    return {"question": f"is a {TOOLS[i]} made of wood", "passage": f"A {TOOLS[i]} has a handle of ash.",
            "title": TOOLS[i], "answer": i % 4 != 0}  # fmt: skip


def piqa(i: int) -> dict[str, Any]:
    pair = [f"Take the {TOOLS[i]}.", f"Take the {TOOLS[(i + 1) % N]}."]
    return {"goal": f"Find something that {USES[i]}.", "sol1": pair[i % 2], "sol2": pair[1 - i % 2], "label": i % 2}


def amazon(i: int) -> dict[str, Any]:
    return {"label": i % 2, "title": f"My {TOOLS[i]}", "content": "Held a week." if i % 2 else "Broke at once."}


def legal(i: int) -> dict[str, Any]:
    return {"index": str(i), "text": f"We keep your {TOOLS[i]} for ten days.", "question": f"who keeps my {TOOLS[i]}",
            "answer": "Irrelevant" if i % 3 else "Relevant"}  # fmt: skip


def gsm8k(i: int) -> dict[str, Any]:
    answer = f"There are {i}*1000=<<{i}*1000={i}000>>{i},000 of them.\n#### {f'{i},000' if i else 0}"
    return {"question": f"A shop has {i} boxes of 1,000 {TOOLS[i]}s. How many are there?", "answer": answer}


def math(i: int) -> dict[str, Any]:
    return {"problem": f"What is ${i}$ divided by $7$?", "level": f"Level {i % 5 + 1}", "type": "Algebra",
            "solution": f"It is $\\boxed{{\\frac{{{i}}}{{7}}}}$."}  # fmt: skip


def slurp(i: int) -> dict[str, Any]:
    kind = ("iot", "lists", "alarm")[i % 3]
    slots = [{"type": "thing", "filler": TOOLS[i]}] if i % 2 else []
    return {"slurp_id": i, "sentence": f"please fetch the {TOOLS[i]}", "scenario": kind,
            "action": ("on", "remove", "set")[i % 3], "slots": slots}  # fmt: skip


def commonsense(i: int) -> dict[str, Any]:
    what = "lent" if i % 2 == 0 else "stole"
    tail = " and then the day went on as usual." * (0 if i % 4 < 2 else 3)
    return {
        "label": i % 2,
        "input": f"I {what} my neighbour's {TOOLS[i]}{tail}",
        "is_short": i % 4 < 2,
        "edited": False,
    }


def justice(i: int) -> dict[str, Any]:
    return {
        "group_id": i // 2,
        "label": i % 2,
        "scenario": f"I lend him my {TOOLS[i // 2]} because he is {'kind' * (i % 2) or 'tall'}.",
    }


def deontology(i: int) -> dict[str, Any]:
    return {
        "label": i % 2,
        "scenario": f"Could you bring the {TOOLS[i // 2]}?",
        "excuse": "No, it is lent out." if i % 2 else "No, I am a fish.",
    }


def virtue(i: int) -> dict[str, Any]:
    trait = ("generous", "idle", "brave", "vain", "shy")[i % 5]
    return {"label": int(i % 5 == 0), "scenario": f"Ann gave away her {TOOLS[i // 5]}. [SEP] {trait}"}


def preference(i: int) -> dict[str, Any]:
    if i == 18:
        return {"prompt": f"Name a use of the {TOOLS[i]}.", "chosen": f"It {USES[i]}.", "rejected": "None."}
    talk = f"\n\nHuman: Hello.\n\nAssistant: Hello.\n\nHuman: Name a use of the {TOOLS[i]}.\n\nAssistant:"
    return {"chosen": f"{talk} It {USES[i]}.", "rejected": f"{talk} It sings."}


def utilitarian(i: int) -> dict[str, Any]:
    return {"baseline": f"I found my {TOOLS[i]}.", "less_pleasant": f"I lost my {TOOLS[i]}."}


def rows(make: Any, start: int, stop: int) -> list[dict[str, Any]]:
    """Rows `start` to `stop` - 1."""
    return [make(i) for i in range(start, stop)]


def said(tool: str) -> str:
    """The dialogue of a preference up to the responses."""
    return f"Human: Hello.\n\nAssistant: Hello.\n\nHuman: Name a use of the {tool}.\n\nAssistant:"


# train 0 to 11, the other file 12 to 19: of 12 the default halves give 6, 1 (of 1.2) and 5
HALVED = {"supervisor_train": 6, "validation": 1, "pool": 5, "test": 8}

MADE = {
    "hellaswag": Made(
        {"hellaswag_train.jsonl": rows(hellaswag, 0, 12), "hellaswag_val.jsonl": rows(hellaswag, 12, 20)},
        {"supervisor_train": 3, "validation": 3, "pool": 6, "test": 8},
        {
            "A man picks up the spade and": "digs",
            "A man picks up the awl and": "pricks leather",
            "A man picks up the tongs and": "lifts coals",
        },
        {"splits": SHARES},
    ),
    "mmlu": Made(
        {
            "all/dev-00000-of-00001.parquet": rows(mmlu, 0, 4),
            "all/validation-00000-of-00001.parquet": rows(mmlu, 4, 14),
            "all/test-00000-of-00001.parquet": rows(mmlu, 14, 20),
        },
        {"supervisor_train": 4, "validation": 1, "pool": 9, "test": 6},
        {
            "What is said of the rake?": "gathers leaves",
            "What is said of the drill?": "bores holes",
            "What is said of the axe?": "splits logs",
        },
    ),
    "sciq": Made(
        {"train.json": rows(sciq, 0, 12), "valid.json": rows(sciq, 2, 3), "test.json": rows(sciq, 12, 20)},
        HALVED,
        {
            "Which work does a spade do?": "digs",
            "Which work does a saw do?": "cuts planks",
            "Which work does a sieve do?": "sifts flour",
        },
        {"posed": "content"},
    ),
    "preferences": Made(
        {"hh_train.jsonl": rows(preference, 0, 12), "hh_test.jsonl": rows(preference, 12, 20)},
        HALVED,
        {
            said("spade"): "It digs.",
            said("saw"): "It cuts planks.",
            f"Name a use of the {TOOLS[18]}.": f"It {USES[18]}.",
        },
    ),
    "cosmos_qa": Made(
        {"train.csv": rows(cosmos, 0, 12), "valid.csv": rows(cosmos, 12, 20)},
        HALVED,
        {
            "I bought a spade at the fair.\nQuestion: What may it be for?": "digs",
            "I bought a drill at the fair.\nQuestion: What may it be for?": "None of the above choices .",
            "I bought a hoe at the fair.\nQuestion: What may it be for?": "weeds beds",
        },
        {"posed": "letters"},
    ),
    "boolq": Made(
        {"train.jsonl": rows(boolq, 0, 12), "dev.jsonl": rows(boolq, 12, 20)},
        HALVED,
        {
            "A spade has a handle of ash.\nQuestion: is a spade made of wood": "no",
            "A rake has a handle of ash.\nQuestion: is a rake made of wood": "yes",
            "A broom has a handle of ash.\nQuestion: is a broom made of wood": "no",
        },
    ),
    "openbookqa": Made(
        {
            "main/train-00000-of-00001.parquet": [keyed(i, "question_stem") for i in range(12)],
            "main/test-00000-of-00001.parquet": [keyed(i, "question_stem") for i in range(12, 20)],
            "additional/train-00000-of-00001.parquet": [keyed(5, "question_stem")],
        },
        HALVED,
        {
            "The spade is the tool that": "digs",
            "The plane is the tool that": "smooths wood",
            "The tongs is the tool that": "lifts coals",
        },
        {"posed": "letters"},
    ),
    "arc": Made(
        {
            "ARC-Challenge/train-00000-of-00001.parquet": [keyed(i, "question") for i in range(12)],
            "ARC-Challenge/test-00000-of-00001.parquet": [keyed(i, "question") for i in range(12, 20)],
            "ARC-Easy/train-00000-of-00001.parquet": [keyed(3, "question")],
            "ARC-Easy/test-00000-of-00001.parquet": [keyed(13, "question")],
        },
        HALVED,
        {
            "The rake is the tool that": "gathers leaves",
            "The clamp is the tool that": "holds boards",
            "The vice is the tool that": "grips work",
        },
    ),
    "piqa": Made(
        {"piqa_train.parquet": rows(piqa, 0, 12), "piqa_validation.parquet": rows(piqa, 12, 20)},
        HALVED,
        {
            "Find something that digs.": "Take the spade.",
            "Find something that gathers leaves.": "Take the rake.",
            "Find something that lifts coals.": "Take the tongs.",
        },
        {"posed": "letters"},
    ),
    "amazon_polarity": Made(
        {
            "amazon_polarity/train-00000-of-00002.parquet": rows(amazon, 0, 6),
            "amazon_polarity/train-00001-of-00002.parquet": rows(amazon, 6, 12),
            "amazon_polarity/test-00000-of-00001.parquet": rows(amazon, 12, 20),
        },
        # 48 % and 4 % of 12: 5.76 and 0.48, to the nearest
        {"supervisor_train": 4, "validation": 2, "pool": 6, "test": 8},
        {
            "My spade\nBroke at once.": "negative",
            "My rake\nHeld a week.": "positive",
            "My tongs\nHeld a week.": "positive",
        },
        {"splits": {"supervisor_train": 4, "validation": 2, "pool": "rest", "test": "rest"}},
    ),
    "legalbench": Made(
        {"privacy_policy_qa/test/0000.parquet": rows(legal, 0, 20), "abercrombie/test/0000.parquet": [{"text": "x"}]},
        {"supervisor_train": 4, "validation": 2, "pool": 10, "test": 4},
        {
            "We keep your spade for ten days.\nQuestion: who keeps my spade": "Relevant",
            "We keep your rake for ten days.\nQuestion: who keeps my rake": "Irrelevant",
            "We keep your drill for ten days.\nQuestion: who keeps my drill": "Relevant",
        },
    ),
    "gsm8k": Made(
        {
            "train.jsonl": rows(gsm8k, 0, 12),
            "test.jsonl": rows(gsm8k, 12, 20),
            "train_socratic.jsonl": rows(gsm8k, 0, 1),
        },
        HALVED,
        {
            "A shop has 0 boxes of 1,000 spades. How many are there?": "0",
            "A shop has 1 boxes of 1,000 rakes. How many are there?": "1000",
            "A shop has 19 boxes of 1,000 tongss. How many are there?": "19000",
        },
    ),
    "math": Made(
        {
            **{f"train/{('algebra', 'geometry')[i % 2]}/{i}.json": [math(i)] for i in range(12)},
            **{f"test/algebra/{i}.json": [math(i)] for i in range(12, 20)},
        },
        HALVED,
        {
            "What is $0$ divided by $7$?": "0",
            "What is $8$ divided by $7$?": "8/7",
            "What is $19$ divided by $7$?": "19/7",
        },
    ),
    "slurp": Made(
        {"slurp_devel.jsonl": rows(slurp, 0, 12), "slurp_test.jsonl": rows(slurp, 12, 20)},
        # 40 % and 10 % of 12: 4.8 and 1.2, to the nearest
        {"supervisor_train": 5, "validation": 1, "pool": 6, "test": 8},
        {"please fetch the spade": "iot", "please fetch the rake": "lists", "please fetch the tongs": "lists"},
    ),
    "ethics": Made(
        {
            "commonsense/cm_train.csv": rows(commonsense, 0, 12),
            "commonsense/cm_test.csv": rows(commonsense, 12, 20),
            "commonsense/cm_test_hard.csv": rows(commonsense, 0, 1),
            "justice/justice_train.csv": rows(justice, 0, 2),
        },
        HALVED,
        {
            "I lent my neighbour's spade": "acceptable",
            "I stole my neighbour's rake": "unacceptable",
            "I stole my neighbour's tongs and then the day went on as usual. and then the day went on as usual. "
            "and then the day went on as usual.": "unacceptable",
        },
    ),
}
