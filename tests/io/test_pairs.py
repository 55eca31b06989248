"""Preference files of other programs: every form by hand, and every fault with file, line, column and what to do."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import outgrow
from outgrow.core.errors import DataError
from outgrow.core.tables import PAIRS, make_example_id
from outgrow.io import write_table

HH = Path(__file__).parents[2] / ".." / "shared" / "data" / "hh_harmless_test.jsonl"


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"role": "assistant", "content": text}


def human(text):
    return {"from": "human", "value": text}


def gpt(text):
    return {"from": "gpt", "value": text}


@pytest.fixture
def read(tmp_path):
    """Reads rows from a file of that suffix."""

    def run(*rows, suffix="jsonl"):
        path = tmp_path / f"pairs.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(list(rows)), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return outgrow.read_pairs(path)

    return run


TURNS = "\n\nHuman: Red?\n\nAssistant:"
LONGER = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Red?\n\nAssistant:"
FORMS = {
    "standard": ({"prompt": "Red?", "chosen": "Yes.", "rejected": "No."}, "Red?"),
    "dialogues": ({"chosen": f"{TURNS} Yes.", "rejected": f"{TURNS} No."}, TURNS.strip()),
    "longer dialogues": ({"chosen": f"{LONGER} Yes.", "rejected": f"{LONGER} No."}, LONGER.strip()),
    "conversational": ({"prompt": [user("Red?")], "chosen": [said("Yes.")], "rejected": [said("No.")]}, "Red?"),
    "implicit": ({"chosen": [user("Red?"), said("Yes.")], "rejected": [user("Red?"), said("No.")]}, "Red?"),
    "alpaca": ({"instruction": "Red?", "input": "", "chosen": "Yes.", "rejected": "No."}, "Red?"),
    "alpaca with input": ({"instruction": "Red?", "input": "Sky", "chosen": "Yes.", "rejected": "No."}, "Red?\nSky"),
    "sharegpt": ({"conversations": [human("Red?")], "chosen": gpt("Yes."), "rejected": gpt("No.")}, "Red?"),
    "axolotl": ({"messages": [user("Red?")], "chosen": said("Yes."), "rejected": said("No.")}, "Red?"),
    "one message": ({"prompt": user("Red?"), "chosen": said("Yes."), "rejected": said("No.")}, "Red?"),
    "question twice": (  # as ultrafeedback_binarized has it
        {"prompt": "Red?", "chosen": [user("Red?"), said("Yes.")], "rejected": [user("Red?"), said("No.")],
         "messages": [user("Red?"), said("Yes.")]},
        "Red?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_by_its_keys(read, form, suffix):
    row, prompt = FORMS[form]
    found = read(row, suffix=suffix)
    assert found.schema.equals(PAIRS)
    example = make_example_id("pairs", prompt, None)
    assert found.to_pylist() == [
        {
            "row_id": f"{example}/0", "example_id": example, "variant": 0, "prompt": prompt, "chosen": "Yes.",
            "rejected": "No.", "weight": 1.0, "flip_probability": 0.0, "p_better": None, "margin": None,
            "chosen_source": None, "rejected_source": None, "judge": None,
        }
    ]  # fmt: skip


def test_messages_of_parquet_are_read_by_name_and_may_have_more(read):
    row = {
        "chosen": [
            {"content": "Red?", "name": "x", "role": "user"},
            {"content": "Yes.", "name": None, "role": "assistant"},
        ],
        "rejected": [
            {"content": "Red?", "name": "x", "role": "user"},
            {"content": "No.", "name": "", "role": "assistant"},
        ],
    }
    assert read(row, suffix="parquet").select(["prompt", "chosen", "rejected"]).to_pylist() == [
        {"prompt": "Red?", "chosen": "Yes.", "rejected": "No."}
    ]


def test_csv_is_read_and_numbers_stand_where_the_file_has_them(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(
        "prompt,chosen,rejected,weight,flip_probability,p_better,margin,judge,chosen_source,rejected_source,more\n"
        'Red?,Yes.,"No,\nnot.",2,.25,.75,-1.5,ann,big,small,x\n'
    )
    found = outgrow.read_pairs(path)
    (row,) = found.to_pylist()
    assert {name: row[name] for name in PAIRS.names[3:]} == {
        "prompt": "Red?", "chosen": "Yes.", "rejected": "No,\nnot.", "weight": 2.0, "flip_probability": 0.25,
        "p_better": 0.75, "margin": -1.5, "chosen_source": "big", "rejected_source": "small", "judge": "ann",
    }  # fmt: skip
    assert json.loads(found.schema.metadata[b"ignored_columns"]) == ["more"]


def test_the_margin_is_the_difference_of_scores_unless_it_is_given(read):
    plain = FORMS["standard"][0]
    rows = read(
        {**plain, "score_chosen": 8.5, "score_rejected": 6, "margin": None},
        {**plain, "score_chosen": 8.5, "score_rejected": 6, "margin": 1},
        {**plain, "score_chosen": 8.5, "score_rejected": None, "margin": None},
    )
    assert rows["margin"].to_pylist() == [2.5, 1.0, None]


def test_ids_are_the_files_or_made_and_number_the_rows_of_a_question(read):
    plain = FORMS["standard"][0]
    rows = [{**plain, "example_id": name} for name in ("q1", "q2", "q1", None)]
    made = make_example_id("pairs", "Red?", None)
    assert read(*rows)["row_id"].to_pylist() == ["q1/0", "q2/0", "q1/1", f"{made}/0"]
    rows = [{**row, "row_id": str(i)} for i, row in enumerate(rows)]
    assert read(*rows)["row_id"].to_pylist() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_our_own_pairs_come_back_as_they_were_even_without_prompts(read, tmp_path, suffix):
    columns = {
        "row_id": ["q/a", "q/b"], "example_id": ["q", "q"], "variant": [0, 3], "prompt": [None, "Red? "],
        "chosen": [" Yes.", "Yes."], "rejected": ["No.", "=No."], "weight": [0.0, 1.25], "flip_probability": [0.0, 0.5],
        "p_better": [None, 0.5], "margin": [0.25, None], "chosen_source": ["a", None], "rejected_source": [None, "b"],
        "judge": ["votes", None],
    }  # fmt: skip
    own = pa.table(columns, schema=PAIRS)
    assert outgrow.read_pairs(write_table(own, tmp_path / f"own.{suffix}")).equals(own)


PLAIN = FORMS["standard"][0]
SYSTEM = [{"role": "system", "content": "Be brief."}, user("Red?")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chosen": " "}, r"line 2, column 'chosen': ' ' is a blank chosen; fill it in, or leave the row out"),
        ({"prompt": "\n"}, r"line 2, column 'prompt': .* is a blank prompt"),
        ({"prompt": None}, r"line 2, column 'prompt': '' is a blank prompt"),
        ({"rejected": None}, r"line 2, column 'rejected': empty; every row needs a value"),
        ({"rejected": " Yes."}, r"line 2, column 'rejected': ' Yes.' is the chosen answer too; leave the row out"),
        ({"rejected": ["No."]}, r"line 2, column 'rejected': .* is not text"),
        ({"flip_probability": 1.5}, r"line 2, column 'flip_probability': 1.5 is not allowed; it must be a prob"),
        ({"p_better": -0.1}, r"line 2, column 'p_better': -0.1 is not allowed"),
        ({"weight": -1}, r"line 2, column 'weight': -1.0 is not allowed; it must be a finite number of at least 0"),
        ({"weight": float("inf")}, r"column 'weight': inf is not allowed"),
        ({"weight": float("nan")}, r"column 'weight': nan is not allowed"),
        ({"weight": None}, r"line 2: 'weight' is empty, but other rows have one"),
        ({"margin": float("inf")}, r"column 'margin': inf is not allowed; it must be a finite number"),
        ({"score_chosen": "good"}, r"line 2, column 'score_chosen': 'good' is not a number"),
        ({"variant": -1}, r"column 'variant': -1.0 is not allowed"),
        ({"row_id": "a"}, r"line 2, column 'row_id': 'a' stands there twice"),
        ({"system": "Be brief."}, r"line 2, column 'system': found 'Be brief.'; a prompt is one text here: write the"),
        ({"history": [["Hi", "Hello."]]}, r"line 2, column 'history': .*write the conversation into a column 'prompt'"),
        ({"tools": []}, r"pairs.jsonl: column 'tools' belongs to the prompt"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_line_column_value_and_what_to_do(read, changes, message):
    first = {**PLAIN, "weight": 1.0, "row_id": "a", "variant": 0, "system": "", "history": []}
    with pytest.raises(DataError, match=message) as error:
        read(first, {**first, "row_id": "b", **changes})
    assert "pairs.jsonl" in str(error.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "Red?", "chosen": "Yes."}, r"missing columns \['rejected'\]"),
        ({"chosen": "Yes.", "rejected": "No."}, r"column 'chosen': without a column 'prompt' both texts must begin"),
        ({"chosen": f"{LONGER} a", "rejected": "\n\nHuman: Hi\n\nAssistant: Ho.\n\nHuman: Red?\n\nAssistant: b"},
         r"column 'rejected': differs from 'chosen' before its last turn"),
        ({"prompt": SYSTEM, "chosen": [said("a")], "rejected": [said("b")]},
         r"column 'prompt': expected one message of the user, found system, user; a prompt is one text here: write"),
        ({"messages": [user("a"), said("b"), user("c")], "chosen": said("d"), "rejected": said("e")},
         r"column 'messages': expected one message of the user, found user, assistant, user; .*or leave the row out"),
        ({"conversations": [human("a"), gpt("b")], "chosen": gpt("d"), "rejected": gpt("e")}, r"found user, assistant"),
        ({"chosen": [*SYSTEM, said("a")], "rejected": [*SYSTEM, said("b")]}, r"column 'chosen': .*found system, user"),
        ({"chosen": [user("p"), said("a")], "rejected": [user("q"), said("b")]},
         r"column 'rejected': differs from 'chosen' before its last message"),
        ({"prompt": "p", "chosen": [user("q"), said("a")], "rejected": [user("p"), said("b")]},
         r"column 'chosen': expected one message of the assistant, found user, assistant"),
        ({"prompt": [user("p")], "chosen": [], "rejected": [said("b")]}, r"found none"),
        ({"prompt": [user("p")], "chosen": [said(None)], "rejected": [said("b")]}, r"'' is a blank chosen"),
        ({"prompt": [user("p")], "chosen": [said([{"type": "text"}])], "rejected": [said("b")]}, r"write it as text"),
        ({"prompt": [None], "chosen": [said("a")], "rejected": [said("b")]}, r"expected one message of the user"),
        ({"messages": "p", "chosen": said("a"), "rejected": said("b")}, r"column 'messages': 'p' is not a list"),
        ({"prompt": "p", "chosen": json.dumps([said("a")]), "rejected": str([said("b")])},
         r"column 'chosen': .*messages written as text; give lists in JSON Lines"),
        ({"chosen": said("a"), "rejected": said("b")}, r"belongs in 'prompt', 'messages' or 'conversations'"),
    ],
)  # fmt: skip
def test_what_is_no_single_question_is_refused_and_never_guessed(read, row, message):
    with pytest.raises(DataError, match=message):
        read(row)


def test_a_fault_in_several_rows_is_counted_and_an_empty_or_missing_file_named(read, tmp_path):
    with pytest.raises(DataError, match=r"line 1.*blank chosen.*\(2 rows are like that\)"):
        read({**PLAIN, "chosen": ""}, PLAIN, {**PLAIN, "chosen": ""})
    with pytest.raises(DataError, match="the pairs table is empty"):
        read()
    with pytest.raises(DataError, match=r"no such file; did you mean 'pairs.jsonl'\?"):
        outgrow.read_pairs(tmp_path / "pair.jsonl")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a Parquet file"):
        outgrow.read_pairs(tmp_path / "broken.parquet")


@pytest.mark.skipif(not HH.exists(), reason="hh_harmless_test.jsonl is not in ../shared/data")
def test_published_dialogues_are_read_as_the_task_reads_them(tmp_path):
    with pytest.raises(DataError, match=r"line 52, column 'chosen': '' is a blank chosen.*\(4 rows are like that\)"):
        outgrow.read_pairs(HH)
    lines = HH.read_text("utf-8").splitlines(keepends=True)
    ends = ("Assistant:", "Assistant: ", "Assistant:  ")
    full = [line for line in lines if not any(json.loads(line)[side].endswith(ends) for side in ("chosen", "rejected"))]
    (tmp_path / "full.jsonl").write_text("".join(full), "utf-8")
    found = outgrow.read_pairs(tmp_path / "full.jsonl").to_pylist()
    assert len(found) == 1495
    for row, line in zip(found, full, strict=True):
        given = json.loads(line)
        assert row["prompt"].endswith("\n\nAssistant:")
        for side in ("chosen", "rejected"):
            assert given[side].removeprefix(f"\n\n{row['prompt']}").strip() == row[side]
