"""Every format against the schema its reader documents, written down here in our own words with its source."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import PROBABILITIES
from outgrow.io import read_pairs
from outgrow.io.export import FORMATS, find_format, to_format, write_rows
from outgrow.io.export.formats import preference, prompt_completion


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Message(Strict):
    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class TrlPromptCompletion(Strict):
    """huggingface/trl, docs/source/dataset_formats.md, "Prompt-completion", standard: two strings.

    trl 1.16 trainer/sft_trainer.py adds the end-of-sequence token to the completion by itself.
    """

    prompt: str
    completion: str


class TrlChat(Strict):
    """The same page, "Prompt-completion", conversational: two lists of messages with role and content."""

    prompt: list[Message] = Field(min_length=1)
    completion: list[Message] = Field(min_length=1)


class TrlMessages(Strict):
    """The same page, "Language modeling", conversational: one list of messages."""

    messages: list[Message] = Field(min_length=2)


class LlamaFactoryAlpaca(Strict):
    """hiyouga/LLaMA-Factory, data/README.md, "Alpaca Format": instruction and output are required, input is optional.

    src/llamafactory/data/converter.py joins instruction and input by a line break only where input is not empty.
    """

    instruction: str = Field(min_length=1)
    input: str
    output: str = Field(min_length=1)


class Turn(Strict):
    sender: Literal["human", "gpt"] = Field(alias="from")
    value: str = Field(min_length=1)


class LlamaFactorySharegpt(Strict):
    """The same file, "Sharegpt Format": turns with `from` and `value`, human in odd places, gpt in even ones."""

    conversations: list[Turn] = Field(min_length=2)

    @model_validator(mode="after")
    def _alternate(self):
        senders = [turn.sender for turn in self.conversations]
        assert senders == ["human", "gpt"] * (len(senders) // 2)
        return self


class Axolotl(Strict):
    """axolotl-ai-cloud/axolotl, docs/dataset-formats/conversation.qmd, "chat_template": messages with role and content.

    src/axolotl/prompt_strategies/chat_template.py reads the key `messages` and these two properties by default, so
    that `type: chat_template` is all there is to say.
    """

    messages: list[Message] = Field(min_length=2)


class OpenAI(Strict):
    """openai/openai-cookbook, examples/Chat_finetuning_data_prep.ipynb, "Format validation".

    A list `messages`; each message has role and content and no unknown keys; the role is system, user or assistant;
    content is text that is not empty; at least one message is the assistant's.
    """

    messages: list[Message] = Field(min_length=1)

    @model_validator(mode="after")
    def _answered(self):
        assert any(message.role == "assistant" for message in self.messages)
        return self


class TrlPreference(Strict):
    """huggingface/trl, docs/source/dataset_formats.md, "Preference", standard, explicit prompt: three strings."""

    prompt: str
    chosen: str
    rejected: str


class TrlPreferenceChat(Strict):
    """The same page, "Preference", conversational, explicit prompt: three lists of messages."""

    prompt: list[Message] = Field(min_length=1)
    chosen: list[Message] = Field(min_length=1)
    rejected: list[Message] = Field(min_length=1)


class LlamaFactoryPreference(Strict):
    """hiyouga/LLaMA-Factory, data/README.md, "Alpaca Format", "Preference Dataset": chosen and rejected for output."""

    instruction: str = Field(min_length=1)
    input: str
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)


class LlamaFactorySharegptPreference(Strict):
    """The same file, "Sharegpt Format", "Preference Dataset": the last turn is human, both answers are gpt."""

    conversations: list[Turn] = Field(min_length=1, max_length=1)
    chosen: Turn
    rejected: Turn


class AxolotlPreference(Strict):
    """axolotl-ai-cloud/axolotl, docs/rlhf.qmd, "chat_template.default": messages, chosen and rejected by default.

    src/axolotl/prompt_strategies/dpo/chat_template.py reads role and content of each.
    """

    messages: list[Message] = Field(min_length=1)
    chosen: Message
    rejected: Message


PREFERENCES = {
    "trl-preference": TrlPreference,
    "trl-preference-chat": TrlPreferenceChat,
    "llamafactory-preference": LlamaFactoryPreference,
    "llamafactory-sharegpt-preference": LlamaFactorySharegptPreference,
    "axolotl-preference": AxolotlPreference,
}
DOCUMENTED = {
    "trl": TrlPromptCompletion,
    "trl-chat": TrlChat,
    "trl-messages": TrlMessages,
    "llamafactory-alpaca": LlamaFactoryAlpaca,
    "llamafactory-sharegpt": LlamaFactorySharegpt,
    "axolotl": Axolotl,
    "openai": OpenAI,
}
TRICKY = [
    '"quoted", \\ and\ttabs',
    "=cmd|' /C calc'!A0",
    "مرحبا 日本語 \u2028 line",
    "two\nlines",
    "</script><b>{{7*7}}",
]


def rows_of(prompts=("One?", "Two?"), targets=("yes", "no"), **columns):
    ids = [f"r{i}" for i in range(len(prompts))]
    return pa.table({"row_id": ids, "prompt": pa.array(prompts, pa.string()), "target": list(targets), **columns})


def test_every_format_but_our_own_has_a_documented_schema():
    assert {*DOCUMENTED, *PREFERENCES} == set(FORMATS) - {"rows", "pairs"}


def pairs_of(prompts=("One?", "Two?"), chosen=("yes", "no"), rejected=("no", "yes"), **columns):
    texts = {"chosen": list(chosen), "rejected": list(rejected)}
    ids = [f"r{i}" for i in range(len(prompts))]
    return pa.table({"row_id": ids, "prompt": pa.array(prompts, pa.string()), **texts, **columns})


@pytest.mark.parametrize("name", PREFERENCES)
def test_pairs_fit_the_documented_schema_lose_no_text_and_come_back(tmp_path, name):
    others = [f"{text} not" for text in TRICKY]
    pairs = pairs_of(TRICKY, others, TRICKY)
    path, *_ = write_rows(pairs, tmp_path / "train.jsonl", format=name)
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    for row, text in zip(rows, TRICKY, strict=True):
        PREFERENCES[name].model_validate(row)
        texts = [
            value.removeprefix(" ") for value in _texts(row) if value not in ("", "user", "assistant", "human", "gpt")
        ]
        assert texts == [text, f"{text} not", text]
    other, *_ = write_rows(pairs, tmp_path / "b.parquet", format=name)
    assert pq.read_table(other).to_pylist() == rows
    for each in (path, other):
        back = read_pairs(each).select(["prompt", "chosen", "rejected"]).to_pylist()
        assert [[text.removeprefix(" ") for text in row.values()] for row in back] == [
            [text, f"{text} not", text] for text in TRICKY
        ]


def test_a_pair_of_each_format_by_hand():
    def first(name):
        return to_format(pairs_of(), name).to_pylist()[0]

    user, yes, no = (
        {"role": r, "content": c} for r, c in (("user", "One?"), ("assistant", "yes"), ("assistant", "no"))
    )
    assert first("trl-preference") == {"prompt": "One?", "chosen": " yes", "rejected": " no"}
    assert first("trl-preference-chat") == {"prompt": [user], "chosen": [yes], "rejected": [no]}
    assert first("axolotl-preference") == {"messages": [user], "chosen": yes, "rejected": no}
    assert first("llamafactory-preference") == {"instruction": "One?", "input": "", "chosen": "yes", "rejected": "no"}
    assert first("llamafactory-sharegpt-preference") == {
        "conversations": [{"from": "human", "value": "One?"}],
        "chosen": {"from": "gpt", "value": "yes"},
        "rejected": {"from": "gpt", "value": "no"},
    }


def test_the_space_between_belongs_to_each_answer_of_a_pair_for_itself():
    assert preference("Answer: ", "yes", "\nno") == {"prompt": "Answer:", "chosen": " yes", "rejected": "\nno"}
    assert preference("Answer:\n", "yes", " no") == {"prompt": "Answer:\n", "chosen": "yes", "rejected": " no"}


def test_weights_and_flips_of_pairs_are_refused_where_they_would_be_lost():
    weighted, doubtful = pairs_of(weight=[0.5, 1.5]), pairs_of(weight=[1.0, 1.0], flip_probability=[0.0, 0.25])
    for name in PREFERENCES:
        with pytest.raises(ConfigError, match=r"the pairs carry weights.*--weights threshold.*--format pairs"):
            to_format(weighted, name)
        with pytest.raises(
            ConfigError, match=r"flip probabilities.*--weights keep-unused.*TRL: label_smoothing.*outgrow"
        ):
            to_format(doubtful, name)
        assert to_format(weighted, name, keep_weights=True)["weight"].to_pylist() == [0.5, 1.5]
        assert "flip_probability" not in to_format(weighted, name, keep_weights=True).column_names
        assert to_format(doubtful, name, keep_weights=True)["flip_probability"].to_pylist() == [0.0, 0.25]
    assert to_format(doubtful, "pairs") is doubtful
    with pytest.raises(ConfigError, match="our own pairs keep their weights"):
        to_format(weighted, "pairs", keep_weights=True)


def test_pairs_are_written_as_pairs_and_rows_as_rows(tmp_path):
    with pytest.raises(
        ConfigError, match=r"format 'trl' holds rows, and these are pairs; choose pairs, trl-preference,"
    ):
        write_rows(pairs_of(), tmp_path / "p.jsonl", format="trl")
    with pytest.raises(ConfigError, match=r"format 'pairs' holds pairs, and these are rows; choose rows, trl,"):
        write_rows(rows_of(), tmp_path / "p.jsonl", format="pairs")
    with pytest.raises(ConfigError, match=r"unknown format 'trl-preferences'; did you mean 'trl-preference'"):
        find_format("trl-preferences", pairs=True)
    path, *_ = write_rows(pairs_of(), tmp_path / "p.csv")  # our own columns by default
    assert path.read_text().splitlines()[1] == "r0,One?,yes,no"
    assert list(tmp_path.iterdir()) == [path]


def test_pairs_without_words_are_refused():
    with pytest.raises(DataError, match="1 of 2 pairs have no prompt"):
        to_format(pairs_of(prompts=["One?", None]), "trl-preference")
    with pytest.raises(DataError, match=r"1 pairs have a blank rejected.*'r1'"):
        to_format(pairs_of(rejected=["no", " "]), "axolotl-preference")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_json_lines_fit_the_documented_schema_and_lose_no_text(tmp_path, name):
    path, *_ = write_rows(rows_of(TRICKY, TRICKY), tmp_path / "train.jsonl", format=name)
    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(TRICKY)
    for line, text in zip(lines, TRICKY, strict=True):
        row = json.loads(line)
        DOCUMENTED[name].model_validate(row)
        texts = [value for value in _texts(row) if value]
        assert [value.removeprefix(" ") for value in texts if value not in ("user", "assistant", "human", "gpt")] == [
            text
        ] * 2


def _texts(value):
    if isinstance(value, str):
        return [value]
    return [text for each in (value.values() if isinstance(value, dict) else value) for text in _texts(each)]


@pytest.mark.parametrize("name", sorted(set(DOCUMENTED) - {"openai"}))
def test_parquet_holds_the_same_rows(tmp_path, name):
    one, *_ = write_rows(rows_of(), tmp_path / "a.jsonl", format=name)
    two, *_ = write_rows(rows_of(), tmp_path / "b.parquet", format=name)
    assert pq.read_table(two).to_pylist() == [json.loads(line) for line in one.read_text().splitlines()]


def test_a_row_of_each_format_by_hand():
    def first(name):
        return to_format(rows_of(), name).to_pylist()[0]

    chat = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "yes"}]
    assert first("trl") == {"prompt": "One?", "completion": " yes"}
    assert first("trl-chat") == {"prompt": chat[:1], "completion": chat[1:]}
    assert first("trl-messages") == first("axolotl") == first("openai") == {"messages": chat}
    assert first("llamafactory-alpaca") == {"instruction": "One?", "input": "", "output": "yes"}
    assert first("llamafactory-sharegpt") == {
        "conversations": [{"from": "human", "value": "One?"}, {"from": "gpt", "value": "yes"}]
    }


def test_the_rows_in_the_guide_are_those_that_are_written():
    guide = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")
    shown = dict(re.findall(r"^\| `([\w-]+)` \| [^|]+ \| `({.*})` \|$", guide, re.M))
    assert set(shown) == {*DOCUMENTED, *PREFERENCES}
    rows, pairs = rows_of(["Is it red?"], ["yes"]), pairs_of(["Is it red?"], ["yes"], ["no"])
    for name, row in shown.items():
        assert to_format(rows if name in DOCUMENTED else pairs, name).to_pylist() == [json.loads(row)]


@pytest.mark.parametrize(
    ("prompt", "target", "expected"),
    [
        ("Answer:", "yes", ("Answer:", " yes")),
        ("Answer: ", "yes", ("Answer:", " yes")),  # the space goes over to the completion
        ("Answer:\n", "yes", ("Answer:\n", "yes")),
        ("Answer:\t", "yes", ("Answer:\t", "yes")),
        ("Answer:\n  ", "yes", ("Answer:\n", "yes")),
        ("Answer:", " yes", ("Answer:", " yes")),
        ("Answer:", "\nyes", ("Answer:", "\nyes")),
    ],
)
def test_the_space_between_belongs_to_the_completion(prompt, target, expected):
    assert prompt_completion(prompt, target) == dict(zip(("prompt", "completion"), expected, strict=True))


def test_the_boundary_is_that_of_our_own_training():
    from types import SimpleNamespace

    from outgrow.models.text import Coder

    coder = SimpleNamespace(chat=False, _template=None)
    for prompt in ("Answer:", "Answer: ", "Answer:\n", "Answer:\n ", " a ", "?"):
        row = prompt_completion(prompt, "x")
        assert row["prompt"] == Coder._worded(coder, [prompt])[0]
        assert row["completion"] == " " * Coder._joins(coder, prompt) + "x"


def test_weights_that_differ_are_refused_where_they_would_be_lost():
    rows = rows_of(weight=[0.5, 1.5])
    for name in DOCUMENTED:
        with pytest.raises(ConfigError, match=r"--weights resample .*--weights threshold.*--format rows"):
            to_format(rows, name)
    assert to_format(rows, "rows") is rows
    assert to_format(rows, "trl", keep_weights=True).column("weight").to_pylist() == [0.5, 1.5]
    with pytest.raises(ConfigError, match="takes no further columns"):
        to_format(rows, "openai", keep_weights=True)


def test_equal_weights_are_no_hindrance_and_are_not_written():
    assert to_format(rows_of(weight=[1.0, 1.0]), "axolotl").column_names == ["messages"]


def test_soft_targets_are_refused_with_what_to_do():
    rows = rows_of(probabilities=pa.array([[("yes", 0.7), ("no", 0.3)], None], PROBABILITIES))
    with pytest.raises(ConfigError, match=r"one answer per row; choose --format rows, or another method"):
        to_format(rows, "llamafactory-alpaca")


def test_missing_prompts_are_counted_and_the_ways_to_get_them_named():
    with pytest.raises(DataError, match=r"1 of 2 rows have no prompt.*column 'prompt', or add --questions FILE"):
        to_format(rows_of(prompts=["One?", None]), "trl")


@pytest.mark.parametrize("name", ["prompt", "target"])
def test_blank_words_are_refused_with_the_row(name):
    columns = {"prompts": ["One?", "Two?"], "targets": ["yes", "no"]}
    columns[f"{name}s"] = ["fine", " \n"]
    with pytest.raises(DataError, match=f"1 rows have a blank {name}.*'r1'"):
        to_format(rows_of(**columns), "openai")


def test_an_unknown_format_is_answered_with_the_nearest_and_the_list():
    with pytest.raises(ConfigError, match=r"unknown format 'llamafactory'.*did you mean.*Known: rows, trl"):
        find_format("llamafactory")


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("openai", "t.parquet", r"suffix '\.parquet' from us; use \.jsonl"),
        ("trl", "t.csv", r"suffix '\.csv' from us; use \.jsonl, \.json, \.parquet"),
        ("axolotl", "t", "no suffix"),
        ("llamafactory-alpaca", "dataset_info.json", "the list of data sets"),
        ("llamafactory-sharegpt", "a,b.jsonl", "comma in 'a,b'"),
    ],
)
def test_a_file_its_reader_could_not_read_is_refused(tmp_path, name, file, message):
    with pytest.raises(ConfigError, match=message):
        write_rows(rows_of(), tmp_path / file, format=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*DOCUMENTED, *PREFERENCES])
def test_every_hint_names_the_file_or_its_folder(tmp_path, name):
    hint = find_format(name, pairs=name in PREFERENCES).hint_for(tmp_path / "train.jsonl")
    assert str(tmp_path) in hint
    assert not {"FILE", "FOLDER", "NAME", "KIND"} & set(hint.replace('"', " ").replace(",", " ").split())
