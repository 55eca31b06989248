"""Files as tools and people write them: separators, Excel, arrays, and columns by other names."""

import json

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.io import read_answers, read_gold, read_table, write_table
from outgrow.io.columns import ANSWER_COLUMNS, parse_columns, recognise
from outgrow.io.dialect import Dialect, dialect
from outgrow.io.questions import read_given, read_questions

ROWS = [("q1", "ann", "x, y"), ("q1", "bob", 'say "x"'), ("q2", "ann", "two\nlines")]
WANTED = ("example_id", "value", "source", "prompt")


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def quoted(cell, separator):
    if not any(mark in cell for mark in (separator, '"', "\n")):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def as_text(separator, header=("example_id", "source", "value"), told=False):
    lines = [separator.join(quoted(cell, separator) for cell in row) for row in (header, *ROWS)]
    return (f"sep={separator}\r\n" if told else "") + "\r\n".join(lines) + "\r\n"


def tuples(answers):
    return [(row["example_id"], row["source"], row["value"]) for row in answers.to_pylist()]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_found(tmp_path, separator, told, mark):
    path = write(tmp_path / "a.csv", mark + as_text(separator, told=told))
    assert dialect(path) == Dialect(separator, told)
    assert tuples(read_answers(path)) == ROWS


def test_a_tsv_file_is_written_and_read_with_tabs(tmp_path):
    table = pa.table({"example_id": ["a\tb", "c"], "value": ["1", "2"]})
    write_table(table, tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text().splitlines()[0] == "example_id\tvalue"
    assert read_table(tmp_path / "t.tsv", table.schema, required=(), name="t").equals(table)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("text\none, two; three\n", ","),  # one column
        ("a,b\n1;2,3\n4;5,6\n", ","),
        ("a;b,c\n1;2,3\n", ";"),  # a tie goes to ... see below
        ("id;note\n1;a, b, c\n2;d\n", ";"),
        ("id,note\n1,a;b;c\n2,d\n", ","),
        ("", ","),
    ],
)
def test_the_separator_that_fits_every_row_wins(tmp_path, text, separator):
    found = dialect(write(tmp_path / "a.csv", text)).separator
    assert found == ("," if text.startswith("a;b,c") else separator)  # commas are the rule


def test_lines_are_counted_from_the_files_first_even_if_it_names_the_separator(tmp_path):
    path = write(tmp_path / "a.csv", "sep=;\nexample_id;value\nq1;x\nq2;x;y\n")
    with pytest.raises(DataError, match="line 4: 3 cells where the header has 2; cells that hold semicolons"):
        read_answers(path)


def test_an_excel_sheet_is_read_like_a_csv_file(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ("Task ID", "Worker", "Label", "Score"),
        (1, "ann", 1.0, 0.5),
        (),
        (2, "bob", True, None),
        (3, "c", None, 1),
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    answers = read_answers(tmp_path / "a.xlsx")
    assert tuples(answers) == [("1", "ann", "1"), ("2", "bob", "true"), ("3", "c", None)]
    assert json.loads(answers.schema.metadata[b"ignored_columns"]) == ["Score"]
    sheet.append((None, "d", "x"))
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"a\.xlsx, row 6, column 'example_id': empty"):
        read_answers(tmp_path / "a.xlsx")


def test_what_is_no_excel_workbook_is_refused(tmp_path):
    pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match="not an Excel workbook that can be read"):
        read_answers(write(tmp_path / "a.xlsx", "task,label\n"))


def test_a_json_array_is_read_like_lines(tmp_path):
    rows = [{"example_id": "q1", "value": "x"}, {"value": "y", "example_id": "q2", "mood": 1}]
    for text in (json.dumps(rows), json.dumps(rows, indent=2), "\ufeff \n" + json.dumps(rows)):
        answers = read_answers(write(tmp_path / "a.json", text))
        assert answers["value"].to_pylist() == ["x", "y"]
        assert json.loads(answers.schema.metadata[b"ignored_columns"]) == ["mood"]


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (("task", "worker", "label"), {"example_id": "task", "source": "worker", "value": "label"}),
        (("Item ID", "Annotator-ID", "ANSWER"), {"example_id": "Item ID", "source": "Annotator-ID", "value": "ANSWER"}),
        (("Example_ID", "Source", "Value"), {"example_id": "Example_ID", "source": "Source", "value": "Value"}),
        (("example_id", "model", "value"), {"source": "model"}),
    ],
)
def test_columns_are_found_by_other_names_and_told(tmp_path, header, taken):
    answers = read_answers(write(tmp_path / "a.csv", as_text(",", header)))
    assert tuples(answers) == ROWS
    assert json.loads(answers.schema.metadata[b"taken_columns"]) == taken


def test_a_question_that_is_the_id_is_the_prompt_too(tmp_path):
    path = write(tmp_path / "a.csv", "Question,worker,answer\nWhere?,ann,x\nWhy?,bob,y\n")
    answers = read_answers(path)
    assert answers["example_id"].to_pylist() == answers["prompt"].to_pylist() == ["Where?", "Why?"]
    path = write(tmp_path / "a.csv", "id,question,answer\n1,Where?,x\n")
    row = read_answers(path).to_pylist()[0]
    assert (row["example_id"], row["prompt"]) == ("1", "Where?")


def test_columns_may_be_named_by_the_user(tmp_path):
    path = write(tmp_path / "a.csv", "ticket,team,label\nq1,x,wrong\n")
    answers = read_answers(path, columns={"example_id": "ticket", "value": "team"})
    assert (answers["example_id"][0].as_py(), answers["value"][0].as_py()) == ("q1", "x")
    with pytest.raises(
        DataError, match=r"--columns names \['tickets'\], and the file has \['ticket', 'team', 'label'\]"
    ):
        read_answers(path, columns={"example_id": "tickets"})


def test_an_exact_name_goes_before_another_case_and_that_before_a_synonym():
    present = ["label", "Value", "value", "task", "ID"]
    assert recognise(present, WANTED, ANSWER_COLUMNS) == {"value": "value", "example_id": "task"}
    assert recognise(["label", "Value", "ID"], WANTED, ANSWER_COLUMNS) == {"value": "Value", "example_id": "ID"}


def test_a_column_is_taken_once():
    assert recognise(["question", "answer"], WANTED, ANSWER_COLUMNS) == {"example_id": "question", "value": "answer"}
    assert recognise(["a", "b"], WANTED, ANSWER_COLUMNS, {"value": "a"}) == {"value": "a"}


@pytest.mark.parametrize(
    "given", [["value=team,example_id=ticket"], ["value=team", "example_id = ticket".replace(" ", "")]]
)
def test_columns_on_the_command_line(given):
    assert parse_columns(given, WANTED) == {"value": "team", "example_id": "ticket"}
    assert parse_columns(["team=value"], WANTED) == {"value": "team"}


@pytest.mark.parametrize("given", ["team", "=x", "valu=team"])
def test_a_wrong_form_on_the_command_line_is_named(given):
    with pytest.raises(ConfigError, match="--columns"):
        parse_columns([given], WANTED)


def test_questions_labels_and_gold_are_as_tolerant(tmp_path):
    path = write(tmp_path / "q.csv", "Task;Prompt;Answer\nq1;Where?;x\n")
    assert read_questions(path).to_pylist()[0] == {
        "example_id": "q1",
        "question": "Where?",
        "choices": None,
        "label": "x",
    }
    assert read_given(path).to_pylist() == [{"example_id": "q1", "label": "x"}]
    assert read_gold(path).to_pylist() == [{"example_id": "q1", "value": "x"}]
    assert read_gold(write(tmp_path / "g.csv", "id,gold,answer\nq1,x,y\n"))["value"].to_pylist() == ["x"]
