"""Files of other tools, each made here in exactly the form that the tool writes, read by the one reader."""

import io
import json
import struct
import zipfile

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.io import read_answers


def said(answers):
    return [(row["example_id"], row["source"], row["value"]) for row in answers.to_pylist()]


def lines(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def whole(path, value, indent=None):
    path.write_text(json.dumps(value, indent=indent), encoding="utf-8")
    return path


# lm-evaluation-harness ----------------------------------------------------------------------------------------------


def scored(doc, options, logs):
    return {
        "doc_id": doc, "doc": {"q": "?"}, "target": "0",
        "arguments": {f"gen_args_{i}": {"arg_0": f"Question {doc}", "arg_1": f" {o}"} for i, o in enumerate(options)},
        "resps": [[[str(log), "False"]] for log in logs], "filtered_resps": [[str(log), "False"] for log in logs],
        "filter": "none", "metrics": ["acc"], "doc_hash": "a", "prompt_hash": "b", "target_hash": "c", "acc": 1.0,
    }  # fmt: skip


def generated(doc, text, filtered, name):
    return {
        "doc_id": doc, "doc": {"q": "?"}, "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"Question {doc}", "arg_1": {"until": ["\n"]}}},
        "resps": [[text]], "filtered_resps": [filtered], "filter": name, "metrics": ["exact_match"], "exact_match": 0.0,
    }  # fmt: skip


def test_scored_options_of_lm_evaluation_harness(tmp_path):
    path = tmp_path / "my-model" / "samples_mc_2026-12-01.jsonl"
    lines(path, scored(0, ["east", "west"], [-1.0, -3.0]), scored(1, ["one", "two"], [-2.0, -0.5]))
    answers = read_answers(path)
    assert said(answers) == [("0", "my-model", "east"), ("1", "my-model", "two")]
    probabilities = dict(answers["probabilities"][0].as_py())
    assert probabilities["east"] == pytest.approx(1 / (1 + 2.718281828**-2))
    assert answers["prompt"].to_pylist() == ["Question 0", "Question 1"]
    assert answers.schema.metadata[b"form"] == b"lm-evaluation-harness samples"


def test_generated_answers_of_lm_evaluation_harness_by_filter(tmp_path):
    rows = [generated(0, "so 4", "4", "strict"), generated(1, "dunno", "[invalid]", "strict")]
    rows += [generated(0, "so 4", "4", "flexible"), generated(1, "dunno 7", "7", "flexible")]
    path = lines(tmp_path / "samples.jsonl", *rows)
    answers = read_answers(path)
    assert said(answers) == [("0", "samples", "4"), ("1", "samples", None)]
    assert answers["text"].to_pylist() == ["so 4", "dunno"]
    assert said(read_answers(path, columns={"value": "flexible"}))[1] == ("1", "samples", "7")
    with pytest.raises(ConfigError, match="no filter 'loose'; the samples have 'strict', 'flexible'"):
        read_answers(path, columns={"value": "loose"})


def test_several_samples_of_one_question_are_samples(tmp_path):
    row = generated(0, "a", "a", "none") | {"resps": [["so a", "so b"]], "filtered_resps": [["a", "b"]]}
    answers = read_answers(lines(tmp_path / "s.jsonl", row))
    assert [(row["value"], row["text"], row["sample"]) for row in answers.to_pylist()] == [
        ("a", "so a", 0),
        ("b", "so b", 1),
    ]


def test_a_folder_stands_for_the_logs_below_it(tmp_path):
    for name, logs in (("one", [-1.0, -2.0]), ("two", [-2.0, -1.0])):
        lines(tmp_path / "results" / name / "samples_mc.jsonl", scored(0, ["x", "y"], logs))
        whole(tmp_path / "results" / name / "results_2026.json", {"results": {}})
    answers = read_answers(tmp_path / "results")
    assert said(answers) == [("0", "one", "x"), ("0", "two", "y")]
    assert answers.schema.metadata[b"form"] == b"2 files of lm-evaluation-harness samples"
    # another task of the same names, and another log of one: ids are told apart, answers numbered
    lines(
        tmp_path / "results" / "one" / "samples_other_2026-12-01T13-37-55.266047.jsonl",
        scored(0, ["x", "y"], [-2.0, -1.0]),
    )
    lines(
        tmp_path / "results" / "one" / "samples_mc_2026-12-02T13-37-55.266047.jsonl",
        scored(0, ["x", "y"], [-2.0, -1.0]),
    )
    answers = read_answers(tmp_path / "results")
    assert set(said(answers)) == {
        ("mc/0", "one", "x"),
        ("mc/0", "one", "y"),
        ("mc/0", "two", "y"),
        ("other/0", "one", "y"),
    }
    assert sorted(answers["sample"].to_pylist()) == [0, 0, 0, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no file below this folder is a log of lm-evaluation-harness"):
        read_answers(tmp_path / "empty")


def test_a_sample_that_is_none_is_named_with_its_line(tmp_path):
    broken = scored(1, ["x", "y"], [-1.0, -2.0]) | {"filtered_resps": [["high", "False"], ["low", "False"]]}
    path = lines(tmp_path / "s.jsonl", scored(0, ["x", "y"], [-1.0, -2.0]), broken)
    with pytest.raises(DataError, match=r"s\.jsonl, line 2: not a sample that can be read"):
        read_answers(path)


# inspect ------------------------------------------------------------------------------------------------------------


def sample(name, epoch, answer, content=None):
    text = f"ANSWER: {answer}"
    return {
        "id": name, "epoch": epoch, "input": content or "Where?", "choices": ["east", "west"], "target": "A",
        "messages": [], "metadata": {}, "store": {}, "events": [],
        "output": {
            "model": "mock/model", "completion": text,
            "choices": [{"message": {"role": "assistant", "content": text}, "stop_reason": "stop"}],
        },
        "scores": {"choice": {"value": "C", "answer": answer, "explanation": text}},
    }  # fmt: skip


HEADER = {"version": 2, "status": "success", "eval": {"task": "mc", "model": "mock/model"}, "plan": {}, "stats": {}}
SAMPLES = [
    sample("q1", 1, "A"),
    sample("q1", 2, "B"),
    sample(
        2,
        1,
        None,
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "How?"}]}],
    ),
]
EXPECTED = [("q1", "mock/model", "A"), ("q1", "mock/model", "B"), ("2", "mock/model", None)]


def zstandard_zip(path, files):
    """A zip archive whose entries are packed by Zstandard, which zipfile cannot write."""
    out, directory = io.BytesIO(), []
    for name, content in files.items():
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content)
        packed, plain = sink.getvalue().to_pybytes(), name.encode()
        fields = (93, 0, 0, zipfile.crc32(content), len(packed), len(content), len(plain), 0)
        directory.append((out.tell(), plain, fields))
        out.write(b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 63, 0, *fields) + plain + packed)
    start = out.tell()
    for at, plain, fields in directory:
        out.write(b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 63, 63, 0, *fields, 0, 0, 0, 0, at) + plain)
    size = out.tell() - start
    out.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(files), len(files), size, start, 0))
    path.write_bytes(out.getvalue())
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_a_log_of_inspect_as_json(tmp_path, indent):
    answers = read_answers(whole(tmp_path / "log.json", HEADER | {"samples": SAMPLES}, indent))
    assert said(answers) == EXPECTED
    assert answers["sample"].to_pylist() == [0, 1, 0]
    assert answers["prompt"].to_pylist() == ["Where?", "Where?", "How?"]
    assert answers["text"][0].as_py() == "ANSWER: A"


@pytest.mark.parametrize("packed", [True, False])
def test_a_log_of_inspect_as_eval(tmp_path, packed):
    files = {f"samples/{each['id']}_epoch_{each['epoch']}.json": json.dumps(each).encode() for each in SAMPLES}
    files["header.json"] = json.dumps(HEADER).encode()
    path = tmp_path / "log.eval"
    if packed:
        zstandard_zip(path, files)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content)
    assert sorted(said(read_answers(path)), key=str) == sorted(EXPECTED, key=str)


def test_scorers_of_inspect_can_be_chosen(tmp_path):
    two = SAMPLES[0] | {"scores": {"choice": {"value": "C", "answer": "A"}, "judge": {"value": 1, "answer": "yes"}}}
    path = whole(tmp_path / "log.json", HEADER | {"samples": [two]})
    assert said(read_answers(path, columns={"value": "judge"})) == [("q1", "mock/model", "yes")]
    with pytest.raises(ConfigError, match="no scorer 'jury'"):
        read_answers(path, columns={"value": "jury"})
    unscored = SAMPLES[0] | {"scores": {}}
    assert said(read_answers(whole(path, HEADER | {"samples": [unscored]}))) == [("q1", "mock/model", "ANSWER: A")]


def test_what_is_no_log_of_inspect_is_refused(tmp_path):
    (tmp_path / "log.eval").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not an inspect log that can be read"):
        read_answers(tmp_path / "log.eval")
    with pytest.raises(DataError, match="a file of inspect log without an answer"):
        read_answers(whole(tmp_path / "log.json", HEADER | {"samples": []}))


# AlpacaEval ---------------------------------------------------------------------------------------------------------


def test_outputs_in_alpaca_evals_form(tmp_path):
    rows = [{"instruction": "Name a sea.", "output": "The North Sea", "generator": "m1", "dataset": "own"}]
    rows.append({"instruction": "Name a sea.", "output": "The Baltic", "generator": "m2", "dataset": "own"})
    answers = read_answers(whole(tmp_path / "outputs.json", rows, 2))
    assert said(answers) == [("Name a sea.", "m1", "The North Sea"), ("Name a sea.", "m2", "The Baltic")]
    assert answers["prompt"][0].as_py() == "Name a sea."


def test_annotations_in_alpaca_evals_form(tmp_path):
    pair = {
        "instruction": "Name a sea.",
        "output_1": "North",
        "generator_1": "m1",
        "output_2": "Baltic",
        "generator_2": "m2",
    }
    rows = [pair | {"annotator": f"judge {i}", "preference": p} for i, p in enumerate([1, 2.0, 1.25, 1.5, 0, None])]
    answers = read_answers(whole(tmp_path / "annotations.json", rows))
    assert [row["value"] for row in answers.to_pylist()] == ["1", "2", "1", "tie", None, None]
    assert answers["source"].to_pylist() == [f"judge {i}" for i in range(6)]
    assert set(answers["example_id"].to_pylist()) == {"Name a sea. | m1 | m2"}
    assert dict(answers["probabilities"][2].as_py()) == {"1": 0.75, "2": 0.25}


# Argilla ------------------------------------------------------------------------------------------------------------

NESTED = [
    {
        "id": "r1", "fields": {"text": "Charged twice"}, "metadata": {"lang": "en"}, "vectors": {}, "status": "pending",
        "suggestions": {"team": {"value": "sales", "score": 0.8, "agent": "model"}}, "_server_id": None,
        "responses": {"team": [{"value": "billing", "user_id": "u1"}, {"value": "sales", "user_id": "u2"}]},
    },
    {
        "id": "r2", "fields": {"text": "No log-in"}, "metadata": {}, "vectors": {}, "status": "pending",
        "suggestions": {}, "_server_id": None, "responses": {},
    },
]  # fmt: skip
FLAT = [
    {
        "id": "r1", "status": "completed", "_server_id": None, "text": "Charged twice", "lang": "en",
        "team.responses": ["billing", "sales", "other"], "team.responses.users": ["u1", "u2", "u3"],
        "team.responses.status": ["submitted", "submitted", "draft"], "team.suggestion": "sales",
    },
    {"id": "r2", "status": "pending", "_server_id": None, "text": "No log-in", "lang": None, "team.responses": None},
]  # fmt: skip


@pytest.mark.parametrize("rows", [NESTED, FLAT])
@pytest.mark.parametrize("kind", ["array", "lines"])
def test_records_of_argilla(tmp_path, rows, kind):
    path = whole(tmp_path / "r.json", rows) if kind == "array" else lines(tmp_path / "r.jsonl", *rows)
    answers = read_answers(path)
    assert said(answers) == [("r1", "u1", "billing"), ("r1", "u2", "sales")]
    assert answers["prompt"][0].as_py() == "Charged twice"


def test_one_question_of_argillas_has_to_be_chosen(tmp_path):
    two = NESTED[0] | {"responses": NESTED[0]["responses"] | {"urgent": [{"value": 3, "user_id": "u1"}]}}
    path = whole(tmp_path / "r.json", [two])
    with pytest.raises(ConfigError, match="the records answer 'team', 'urgent'; choose one: --columns value=team"):
        read_answers(path)
    assert said(read_answers(path, columns={"value": "urgent"})) == [("r1", "u1", "3")]
    with pytest.raises(ConfigError, match="no question 'mood'"):
        read_answers(path, columns={"value": "mood"})


# Label Studio -------------------------------------------------------------------------------------------------------


def annotation(who, *labels, kind="choices", name="team", cancelled=False):
    value = {kind: list(labels) if kind == "choices" else labels[0]}
    result = {"id": "x", "from_name": name, "to_name": "text", "type": kind, "origin": "manual", "value": value}
    return {
        "id": 1,
        "completed_by": who,
        "result": [result],
        "was_cancelled": cancelled,
        "ground_truth": False,
        "task": 1,
    }


def task(number, *annotations):
    return {"id": number, "data": {"text": f"Ticket {number}"}, "annotations": list(annotations), "predictions": []}


def test_tasks_of_label_studio(tmp_path):
    tasks = [
        task(
            1,
            annotation(7, "billing"),
            annotation({"id": 8, "email": "b@c.d"}, "sales"),
            annotation(9, "x", cancelled=True),
        ),
        task(2, annotation(7, "billing", "sales"), annotation(8, "billing")),
    ]
    answers = read_answers(whole(tmp_path / "tasks.json", tasks))
    assert said(answers) == [("1", "7", "billing"), ("1", "b@c.d", "sales"), ("2", "7", None), ("2", "8", "billing")]
    assert answers["prompt"].to_pylist() == ["Ticket 1", "Ticket 1", "Ticket 2", "Ticket 2"]


def test_controls_of_label_studio_can_be_chosen(tmp_path):
    both = annotation(7, "billing")
    both["result"] += annotation(7, 4, kind="rating", name="stars")["result"]
    path = whole(tmp_path / "tasks.json", [task(1, both)])
    with pytest.raises(ConfigError, match="labelled by 'team', 'stars'; choose: --columns value=team"):
        read_answers(path)
    assert said(read_answers(path, columns={"value": "stars"})) == [("1", "7", "4")]
    with pytest.raises(DataError, match="no annotation labels a whole task"):
        read_answers(whole(path, [task(1)]))


def test_label_studios_csv_and_small_json_are_tables(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("annotation_id,annotator,created_at,id,lead_time,team,text\n5,7,2026,1,3.2,billing,Ticket 1\n")
    with pytest.raises(DataError, match=r"missing columns \['value'\].*--columns OURS=THEIRS"):
        read_answers(path)
    assert said(read_answers(path, columns={"value": "team"})) == [("1", "7", "billing")]
    row = {"id": 1, "text": "Ticket 1", "team": "billing", "annotator": 7, "annotation_id": 5, "lead_time": 3.2}
    assert said(read_answers(whole(tmp_path / "small.json", [row]), columns={"value": "team"})) == [
        ("1", "7", "billing")
    ]


# the same command ---------------------------------------------------------------------------------------------------

FILES = {
    "samples_x.jsonl": lambda path: lines(path, scored(0, ["x", "y"], [-1.0, -2.0])),
    "log.json": lambda path: whole(path, HEADER | {"samples": SAMPLES}),
    "outputs.json": lambda path: whole(path, [{"instruction": "?", "output": "x", "generator": "m"}]),
    "records.json": lambda path: whole(path, NESTED),
    "tasks.json": lambda path: whole(path, [task(1, annotation(7, "x"), annotation(8, "x"))]),
    "semicolons.csv": lambda path: path.write_text("sep=;\nItem;Worker;Label\n1;a;x\n1;b;x\n"),
    "tabs.tsv": lambda path: path.write_text("question_id\tmodel\tanswer\n1\ta\tx\n1\tb\tx\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_one_command_reads_them_all(cli, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    FILES[name](tmp_path / name)
    done = cli("reliability", name, "--out", "labels.csv")
    assert done.code == 0, done.err
    assert "wrote" in done.out
    assert ("read as" in done.out) != ("columns:" in done.out)
