"""10,000 damaged inputs for every reader, extractor and the loader of recipes: a value or an error of ours, in 5 s."""

import json
import math
import random
import time

import pytest

from outgrow.core.errors import OutgrowError
from outgrow.core.tables import iter_examples
from outgrow.io import read_answers, read_gold
from outgrow.io.questions import read_questions
from outgrow.recipe.recipe import load_recipe
from outgrow.supervisors.queries import Query
from outgrow.supervisors.server import ServerConfig
from outgrow.supervisors.server.bodies import text_request
from outgrow.supervisors.server.failures import TransientError, of_status, retry_after
from outgrow.supervisors.server.replies import answer_of, check_model, choices_of, usage_of
from outgrow.supervisors.server.secret import Secret
from outgrow.tasks import parsing
from outgrow.tasks.microworld.task import Counts, MicroworldConfig, MicroworldTask
from outgrow.tasks.table import TableTask
from outgrow.tasks.table_config import TableConfig

CASES, SECONDS = 10_000, 5.0
TEXTS = [
    "So 3 + 4 = 7. The answer is 7.", r"\boxed{\frac{1}{2}} and $x^2$", "#### 1,234.50", "Answer: (B) because A is not",
    "<think>A? No.</think>B", "not billing but technical", '[{"type": "date", "filler": "today"}]', "10^6 or 5!",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "<|channel|>final<|message|>B<|return|>", "½ of −12 × 10^3 km²",
]  # fmt: skip
PIECES = [
    *'{}[]()<>$\\/|"\'`#*_^~:;,.!?=+-', "\n", "\t", "\0", "\r", "\x1b[31m", "\u202e", "\ud800", "\U0001f600", "é",
    "1" * 400, "0" * 60, "9e999", "NaN", "Infinity", "null", "true", "<<", "&a", "*a", "- ", "? ", ": ", "!!",
    "\\boxed{", "\\frac", "####", "answer is ", "<think>", "</think>", "<|channel|>", " or ", " A ", "²", "٣",
]  # fmt: skip
RECIPE = """
name: small
task:
  {kind: table, path: words.csv, text: text, label: label, classes: [a, b],
   splits: {supervisor_train: 2, pool: 2, validation: 2, test: 2}}
supervisors: [{model: microworld/nano, train: {epochs: 2}}]
student: {model: microworld/mini}
ask: {variants: 3, temperature: 0.7}
train: {epochs: 3, learning_rate: 5e-3}
methods: [naive, {name: uncertainty_filtering, keep: 0.5}]
seeds: [0, 1]
"""
ANSWERS = "example_id,source,variant,sample,value,logprob\nq1,m,0,0,a,-0.5\nq1,m,1,0,b,-1\nq2,m,0,0,a,\n"
QUESTIONS = 'example_id,question,choices,label\nq1,what?,"[""a"", ""b""]",a\nq2,and?,"[""a""]",b\n'
GOLD = '{"example_id": "q1", "value": "a"}\n{"example_id": "q2", "value": "b"}\n'
REPLY = {
    "id": "x", "model": "weak-1", "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "red"},
                 "logprobs": {"content": [{"token": "red", "logprob": -0.5}]}}],
}  # fmt: skip


def damaged(rng, text):
    """The text after up to six damages; one in fifty times many times as long."""
    for _ in range(rng.randint(1, 6)):
        at, end = sorted(rng.randint(0, len(text)) for _ in range(2))
        how = rng.randrange(5)
        if how == 0:
            text = text[:at] + text[min(end, at + 5) :]
        elif how == 1:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif how == 2:
            text = text[:at] + text[at:end] * 2 + text[end:]
        elif how == 3:
            text = (
                text[:at]
                + chr(rng.choice([rng.randrange(128), rng.randrange(0xD800), rng.randrange(0x110000)]))
                + text[at + 1 :]
            )
        else:
            text = text[:at]
    return text * rng.randint(50, 500) if rng.random() < 0.02 else text


def damaged_json(rng, value):
    """The value with something else in some places."""
    if rng.random() < 0.12:
        odd = [
            None,
            True,
            -1,
            10**401,
            2.5,
            float("nan"),
            float("inf"),
            "",
            "x" * 3000,
            [],
            {},
            [[]],
            {"a": [1]},
            "\ud800",
        ]
        return rng.choice(odd)
    if isinstance(value, dict):
        return {key: damaged_json(rng, own) for key, own in value.items() if rng.random() > 0.03}
    if isinstance(value, list):
        return [damaged_json(rng, own) for own in value] * rng.choice([1, 1, 1, 1, 2])
    return value


def run(read, make, *, allowed=OutgrowError, cases=CASES):
    """How many inputs were read, and how many refused."""
    rng, read_well, refused = random.Random(14), 0, 0
    for case in range(cases):
        given = make(rng)
        began = time.process_time()
        try:
            read(given)
            read_well += 1
        except allowed:
            refused += 1
        except Exception as error:
            raise AssertionError(f"case {case}, {str(given)[:300]!r}: {type(error).__name__}: {error}") from error
        assert time.process_time() - began < SECONDS, f"case {case}, {str(given)[:300]!r}"
    return read_well, refused


FEW = Counts(supervisor_train=1, pool=1, validation=1, test=1)
OPTIONS = ["billing", "technical", "account"]
READERS = {
    "final_number": parsing.final_number,
    "read_number": parsing.read_number,
    "final_math": parsing.final_math,
    "normalise_math": parsing.normalise_math,
    "read_letter": lambda text: parsing.read_letter(text, 4, OPTIONS),
    "read_words": lambda text: parsing.read_words(text, OPTIONS),
    "read_yes_no": parsing.read_yes_no,
    "normalise_answer": parsing.normalise_answer,
    "read_slots": parsing.read_slots,
    "after_reasoning": parsing.after_reasoning,
    "before_cut": lambda text: (parsing.before_cut(text, choice=True), parsing.before_cut(text, choice=False)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_readers_of_texts(name):
    read, refused = run(READERS[name], lambda rng: damaged(rng, rng.choice(TEXTS)))
    assert (read, refused) == (CASES, 0)  # a text is never an error


def extractors(tmp_path):
    """A query of each kind of task."""
    (tmp_path / "q.csv").write_text("text,label\n" + "".join(f"is it {i}?,{'ab'[i % 2]}\n" for i in range(8)))
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"how many {i}?,{i}\n" for i in range(8)))
    about = {"text": "text", "label": "label", "splits": {"pool": 2, "validation": 2, "test": 4}}
    tasks = [
        TableTask(TableConfig(path="q.csv", classes=("a", "b"), letters=True, **about), data_dir=tmp_path),
        TableTask(TableConfig(path="q.csv", classes=("a", "b"), **about), data_dir=tmp_path),
        TableTask(TableConfig(path="n.csv", answer="number", **about), data_dir=tmp_path),
        TableTask(TableConfig(path="n.csv", answer="text", **about), data_dir=tmp_path),
        *(MicroworldTask(MicroworldConfig(family=family, questions=FEW)) for family in ("sums", "claim")),
    ]
    for task in tasks:
        example = next(iter_examples(task.examples("pool")))
        yield task, Query(example, 0, task.wording(example, 0))


@pytest.mark.slow
def test_extractors_of_tasks(tmp_path):
    for task, query in extractors(tmp_path):
        read, _ = run(
            lambda given: query.read(task, *given),  # noqa: B023
            lambda rng: (damaged(rng, rng.choice(TEXTS)), rng.choice(["stop", "length"])),
        )
        assert read == CASES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "name", "text"),
    [
        (read_answers, "answers.csv", ANSWERS),
        (read_answers, "answers.jsonl", '{"example_id": "q1", "value": "a", "probabilities": {"a": 0.5}}\n' * 3),
        (read_questions, "questions.csv", QUESTIONS),
        (read_gold, "gold.jsonl", GOLD),
    ],
)
def test_readers_of_files(tmp_path, reader, name, text):
    def read(content):
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogatepass"))
        return reader(tmp_path / name)

    well, refused = run(read, lambda rng: damaged(rng, text))
    assert well > CASES / 100
    assert refused > CASES / 100


@pytest.mark.slow
def test_the_loader_of_recipes(tmp_path):
    (tmp_path / "words.csv").write_text("text,label\n" + "".join(f"w{i},{'ab'[i % 2]}\n" for i in range(8)))

    def read(content):
        (tmp_path / "recipe.yaml").write_bytes(content.encode("utf-8", "surrogatepass"))
        return load_recipe(tmp_path / "recipe.yaml")

    assert read(RECIPE).name == "small"
    well, refused = run(read, lambda rng: damaged(rng, RECIPE))
    assert well > CASES / 500
    assert refused > CASES / 10


@pytest.mark.slow
def test_replies_of_servers():
    config = ServerConfig(model="weak-1", base_url="http://localhost:1/v1")
    secret = Secret("sk-0123456789abcdef0123", "KEY")
    task = MicroworldTask(MicroworldConfig(questions=FEW, mix="natural"))
    example = next(iter_examples(task.examples("pool")))
    query = Query(example, 0, task.wording(example, 0))
    request = text_request(config, query, "chat", max_new_tokens=8, temperature=0.0, seed=None)

    def read(reply):
        if not isinstance(reply, dict):
            return
        check_model(reply, config, secret)
        found = answer_of(choices_of(reply, request)[0], request, usage_of(reply), secret)
        json.dumps(found, allow_nan=False).encode("ascii")
        assert found["n_tokens"] is None or 0 <= found["n_tokens"] <= 2**31
        assert found["logprob"] is None or found["logprob"] <= 0

    well, refused = run(read, lambda rng: damaged_json(rng, REPLY), allowed=TransientError)
    assert well > CASES / 10
    assert refused > CASES / 10

    def fail(text):
        headers = {"retry-after": text[:40], "retry-after-ms": text[-9:]}
        assert 0 <= retry_after(headers) < math.inf  # the client waits `max_wait` at most
        shown = str(of_status(429, headers, text.encode("utf-8", "replace"), url="http://x", secret=secret))
        assert "0123456789abcdef" not in shown

    run(
        fail,
        lambda rng: damaged(
            rng, rng.choice([*TEXTS, "Fri, 31 Dec 1999 23:59:59 GMT", "120", "key sk-0123456789abcdef0123"])
        ),
    )
