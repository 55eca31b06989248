"""Answers looked over: what is told, and what is put right only when asked for."""

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.io import as_answers, leave_out, read_answers, tidy, write_table
from outgrow.io.tidy import in_writing_of


def crowd(rows, **columns):
    ids, who, values = zip(*rows, strict=True)
    table = {"task": list(ids), "worker": list(who), "label": pa.array(values, pa.string())}
    return as_answers(pa.table({**table, **columns}))


def said(answers):
    return [(row["example_id"], row["source"], row["value"]) for row in answers.to_pylist()]


ONE = "\ufb01x"  # the ligature of f and i: "fix" in another Unicode form
WAYS = ["fix", "fix", "Fix", "fix ", ONE, "f\u200bix", "f\u00a0ix"]


def test_ways_of_writing_one_label_are_told_and_left_alone():
    answers = crowd([(f"q{i}", "ann", way) for i, way in enumerate(WAYS)])
    tidied = tidy(answers)
    assert said(tidied.answers) == said(answers)
    # a blank inside makes another word
    expected = {"fix": 2, "Fix": 1, "f\u200bix": 1, "fix ": 1, ONE: 1}
    assert tidied.audit.variants == {"value": [expected]}
    assert not tidied.audit.merged
    assert next(iter(tidied.audit.variants["value"][0])) == "fix"  # the commonest first


def test_normalise_writes_them_in_the_commonest_way():
    answers = crowd([(f"q{i}", "ann", way) for i, way in enumerate(WAYS)])
    tidied = tidy(answers, normalise=True)
    assert tidied.answers["value"].to_pylist() == ["fix"] * 6 + ["f ix"]
    assert tidied.audit.merged
    assert tidy(tidied.answers).audit.variants == {}


def test_the_commonest_way_loses_its_stray_white_space():
    answers = crowd([("q1", "ann", " x "), ("q2", "ann", " x "), ("q3", "ann", "x")])
    assert tidy(answers, normalise=True).answers["value"].to_pylist() == ["x"] * 3


def test_ids_and_annotators_are_looked_over_too():
    answers = crowd([("1", "ann", "x"), ("1.0", "Ann ", "y"), ("2", "bob", "x")])
    tidied = tidy(answers)
    assert tidied.audit.variants == {"example_id": [{"1": 1, "1.0": 1}], "source": [{"Ann ": 1, "ann": 1}]}
    assert said(tidy(answers, normalise=True).answers)[:2] == [("1", "Ann", "x"), ("1", "Ann", "y")]


def test_empty_like_labels_are_invalid_once_asked_for_unless_they_are_classes():
    answers = crowd([("q1", "ann", "N/A"), ("q2", "ann", "none"), ("q3", "ann", "x"), ("q4", "ann", "none")])
    assert tidy(answers).audit.empty_like == {"N/A": 1, "none": 2}
    assert tidy(answers).answers["value"].null_count == 0
    assert tidy(answers, normalise=True).answers["value"].to_pylist() == [None, None, "x", None]
    fixed = tidy(answers, normalise=True, classes=["x", "none"])
    assert fixed.answers["value"].to_pylist() == [None, "none", "x", "none"]
    assert fixed.audit.empty_like == {"N/A": 1}


def test_classes_take_their_ways_of_writing_and_make_all_else_invalid():
    answers = crowd([("q1", "ann", "YES "), ("q2", "ann", "no"), ("q3", "ann", "perhaps"), ("q4", "ann", None)])
    tidied = tidy(answers, classes=["Yes", "No"])
    assert tidied.answers["value"].to_pylist() == ["Yes", "No", None, None]
    assert tidied.audit.outside == 1


@pytest.mark.parametrize(
    ("classes", "message"), [(["x"], "at least two"), (["x", "X ", "y"], "'x' and 'X' differ in writing")]
)
def test_classes_that_are_none_are_refused(classes, message):
    with pytest.raises(ConfigError, match=message):
        tidy(crowd([("q", "ann", "x")]), classes=classes)


def test_three_times_the_same_worker_is_one_voice():
    rows = [("q", "ann", "x"), ("q", "bob", "y"), ("q", "ann", "x"), ("q", "cid", "y"), ("q", "ann", "x")]
    tidied = tidy(crowd(rows))
    assert said(tidied.answers) == [("q", "ann", "x"), ("q", "bob", "y"), ("q", "cid", "y")]
    assert (tidied.audit.repeats, tidied.audit.conflicts, tidied.audit.dropped) == (2, 0, 2)
    kept = tidy(crowd(rows), repeats="keep")
    assert said(kept.answers) == rows
    assert (kept.audit.repeats, kept.audit.dropped, kept.audit.kept_repeats) == (2, 0, True)


def test_an_annotator_who_contradicts_himself_keeps_both():
    rows = [("q", "ann", "x"), ("q", "ann", "y"), ("q", "ann", "x"), ("q", "bob", "y")]
    tidied = tidy(crowd(rows))
    assert said(tidied.answers) == [rows[0], rows[1], rows[3]]
    assert (tidied.audit.repeats, tidied.audit.conflicts) == (1, 1)
    assert tidied.answers["sample"].to_pylist() == [0, 1, 0]


def test_repeats_are_seen_after_writing_is_made_one():
    rows = [("q", "ann", "x"), ("q", "ann", "X"), ("q", "bob", "y")]
    assert tidy(crowd(rows)).audit.repeats == 0
    assert tidy(crowd(rows), normalise=True).audit.repeats == 1


def test_samples_that_the_file_numbers_or_that_are_of_one_source_are_no_repeats():
    rows = [("q", "ann", "x"), ("q", "ann", "x"), ("q", "bob", "y")]
    assert tidy(crowd(rows, sample=[0, 1, 0])).audit.repeats == 0
    assert tidy(crowd(rows[:2])).audit.repeats == 0


def test_labels_that_occur_once_are_told_where_others_occur_often():
    rows = [(f"q{i}", "ann", "xy"[i % 2]) for i in range(40)] + [("r", "ann", "yx")]
    assert tidy(crowd(rows)).audit.once == ["yx"]
    assert tidy(crowd([(f"q{i}", "ann", f"free {i}") for i in range(40)])).audit.once == ()


def test_an_unknown_way_with_repeats_is_refused():
    with pytest.raises(ConfigError, match="'drop' is unknown; choose merge or keep"):
        tidy(crowd([("q", "ann", "x")]), repeats="drop")


def test_a_clean_file_gives_an_empty_audit(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("task,worker,label\nq1,ann,x\nq1,bob,y\n")
    audit = tidy(read_answers(path)).audit
    assert (audit.variants, audit.empty_like, audit.repeats, audit.conflicts, audit.dropped) == ({}, {}, 0, 0, 0)


def test_flagged_annotators_are_left_out_and_those_without_a_verdict_stay(tmp_path):
    answers = crowd([("q", who, "x") for who in ("ann", "bob", "cid", "dan")])
    flags = pa.array([[], ["spammer"], ["too few answers"], ["adversarial", "near-copy"]], pa.list_(pa.string()))
    write_table(pa.table({"annotator": ["ann", "bob", "cid", "dan"], "flags": flags}), tmp_path / "a.csv")
    kept = leave_out(answers, tmp_path / "a.csv")
    assert kept["source"].to_pylist() == ["ann", "cid"]
    assert kept.schema.metadata[b"left_out"] == b'["bob", "dan"]'


def test_a_plain_list_leaves_out_all_it_names(tmp_path):
    (tmp_path / "bad.csv").write_text("worker\nbob\nzoe\n")
    answers = crowd([("q", who, "x") for who in ("ann", "bob")])
    assert leave_out(answers, tmp_path / "bad.csv")["source"].to_pylist() == ["ann"]


@pytest.mark.parametrize(("names", "message"), [("zoe", "nobody in it is among"), ("ann\nbob", "leaves out all 2")])
def test_a_list_that_fits_nobody_or_everybody_is_refused(tmp_path, names, message):
    (tmp_path / "bad.csv").write_text(f"worker\n{names}\n")
    with pytest.raises(DataError, match=message):
        leave_out(crowd([("q", who, "x") for who in ("ann", "bob")]), tmp_path / "bad.csv")


def test_labels_of_others_are_written_as_the_answers_are():
    answers = crowd([("q1", "ann", "x"), ("q2", "ann", "y"), ("q3", "ann", "Y")])["value"]
    labels, n = in_writing_of(pa.chunked_array([["X ", "y", "Y", None, "z", "1.0"]]), answers)
    assert labels.to_pylist() == ["x", "y", "Y", None, "z", "1.0"]
    assert n == 1
