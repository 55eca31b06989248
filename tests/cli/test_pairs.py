"""`outgrow pairs`: answers, scores or judgements in, pairs out, in the words of `curate`."""

import json

import pytest

SAID = {"big": {"q1": "aab", "q2": "aaa", "q3": "bba"}, "small": {"q1": "bbb", "q2": "aaa", "q3": "cbb"}}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def put(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(*sources):
    return [
        {"example_id": q, "source": source, "value": v, "prompt": f"What of {q}?", "score": i}
        for source in sources
        for q, values in SAID[source].items()
        for i, v in enumerate(values)
    ]


@pytest.fixture
def answers(tmp_path):
    return put(tmp_path / "answers.jsonl", rows_of("big"))


@pytest.fixture
def both(tmp_path):
    return put(tmp_path / "both.jsonl", rows_of("big", "small"))


@pytest.fixture
def judged(tmp_path):
    """Three judgements of one pair, of which one disagrees, and one of another."""
    yes, no = (
        {"prompt": "Red?", "chosen": "Yes.", "rejected": "No."},
        {"prompt": "Red?", "chosen": "No.", "rejected": "Yes."},
    )
    return put(tmp_path / "judged.jsonl", [yes, no, yes, {**yes, "prompt": "Blue?", "rejected": "Not so."}])


def test_votes_of_one_source_and_why_others_gave_none(cli, answers, tmp_path):
    out = tmp_path / "p.jsonl"
    found = cli("pairs", answers, "--out", out)
    assert found.code == 0, found.err
    assert found.out == (
        "note: columns not used: score\n"
        "9 answers to 3 questions gave 2 pairs\n"
        "no pair from 1 questions: all valid answers are the same\n"
        "mean weight 1; 100.0% of the pairs have a p_better\n"
        f"wrote 2 pairs to {out}\n"
    )
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in lines(out)] == [
        ("What of q1?", "a", "b"),
        ("What of q3?", "b", "a"),
    ]


def test_two_sources_for_a_trainer(cli, both, tmp_path):
    out = tmp_path / "p.jsonl"
    found = cli(
        "pairs", both, "--out", out, "--chosen", "big", "--rejected", "small", "--format", "llamafactory-preference"
    )
    assert found.code == 0, found.err
    assert "added the entry 'p' to " in found.out
    assert f"LLaMA-Factory: stage: dpo, dataset_dir: {tmp_path}, dataset: p" in found.out
    assert lines(out) == [
        {"instruction": "What of q1?", "input": "", "chosen": "a", "rejected": "b"},
        {"instruction": "What of q3?", "input": "", "chosen": "b", "rejected": "c"},
    ]
    assert json.loads((tmp_path / "dataset_info.json").read_text())["p"]["ranking"] is True
    reverse = cli("pairs", both, "--out", out, "--chosen", "big", "--rejected", "small", "--reverse")
    assert (reverse.code, lines(out)[0]["chosen"], lines(out)[0]["chosen_source"]) == (0, "b", "small")


def test_scores_are_a_column_or_a_file_joined_by_key(cli, both, tmp_path):
    out = tmp_path / "p.jsonl"
    found = cli("pairs", both, "--out", out, "--judge", "rm", "--log-odds", "--flips", "p_better")
    assert found.code == 0, found.err
    assert "not used" not in found.out
    first, third = lines(out)
    # the first of the highest over the first of the lowest: b (2) over a (0), a (2) over b (0)
    assert [(row["chosen"], row["rejected"], row["margin"]) for row in (first, third)] == [("b", "a", 2), ("a", "b", 2)]
    assert first["flip_probability"] == pytest.approx(1 - first["p_better"])
    scores = [{**row, "score": -row["score"]} for row in rows_of("big", "small") if row["example_id"] == "q1"]
    file = put(tmp_path / "scores.jsonl", scores)
    assert cli("pairs", both, "--out", out, "--scores", file).code == 0
    assert [(row["chosen"], row["rejected"], row["judge"]) for row in lines(out)] == [("a", "b", "scores")]
    found = cli("pairs", both, "--out", out, "--scores", put(file, [{"example_id": "x", "score": 1}]))
    assert (found.code, "no score belongs to an answer" in found.err) == (2, True)
    found = cli("pairs", both, "--out", out, "--scores", put(file, [{"example_id": "q1"}]))
    assert (found.code, "missing columns ['score']" in found.err) == (2, True)


def test_judgements_are_merged_weighed_and_written_for_trl(cli, judged, tmp_path):
    out = tmp_path / "p.jsonl"
    weighed = ("pairs", judged, "--out", out, "--weigh", "confidence")
    found = cli(*weighed)
    assert found.code == 0, found.err
    assert "4 judgements to 2 questions gave 2 pairs\n" in found.out
    # 2 * 2/3 - 1 = 1/3, and the one that was judged once has no p_better
    assert "mean weight 0.6667, which the file has as 1; 50.0% of the pairs have a p_better\n" in found.out
    assert [row["weight"] for row in lines(out)] == pytest.approx([0.5, 1.5])
    found = cli(*weighed, "--format", "trl-preference")
    assert (found.code, "--weights resample (pairs drawn" in found.err) == (2, True)
    found = cli(*weighed, "--format", "trl-preference", "--weights", "threshold", "--min-weight", "1")
    assert "1 lighter pairs were left out" in found.out
    assert lines(out) == [{"prompt": "Blue?", "chosen": " Yes.", "rejected": " Not so."}]
    found = cli("pairs", judged, "--out", out, "--flips", "p_better", "--format", "trl-preference")
    assert (found.code, "label_smoothing" in found.err) == (2, True)
    flips = ("--flips", "p_better", "--format", "trl-preference", "--weights", "keep-unused")
    assert "will not use them" in cli("pairs", judged, "--out", out, *flips).out
    assert [row["flip_probability"] for row in lines(out)] == pytest.approx([1 / 3, 0])
    found = cli("pairs", judged, "--out", out, "--match", "length")
    assert "1 pairs were left out: their answers are not alike in length" in found.out


def test_a_crowd_is_one_source_when_taken_together(cli, both, tmp_path):
    out = tmp_path / "p.jsonl"
    found = cli("pairs", both, "--out", out)
    assert (found.code, "2 sources (big, small)" in found.err) == (2, True)
    assert cli("pairs", both, "--out", out, "--together").code == 0
    assert lines(out)[0]["p_better"] == pytest.approx(4 / 6)


def test_pairs_without_prompts_say_so_and_take_them_from_questions(cli, tmp_path):
    bare, out = tmp_path / "bare.csv", tmp_path / "p.jsonl"
    bare.write_text("example_id,value\nq1,a\nq1,a\nq1,b\n")
    found = cli("pairs", bare, "--out", out)
    assert "note: 1 pairs have no prompt; the answers gave none" in found.out
    own = out.rename(tmp_path / "own.jsonl")  # our own pairs are a preference file too
    questions = put(tmp_path / "q.jsonl", [{"example_id": "q1", "question": "Which?"}])
    for path in (bare, own):
        found = cli("pairs", path, "--out", out, "--questions", questions, "--format", "trl-preference")
        assert found.code == 0, found.err
        assert lines(out) == [{"prompt": "Which?", "chosen": " a", "rejected": " b"}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "trl"], "format 'trl' holds rows, and these are pairs"),
        (["--format", "pair"], "unknown format 'pair'; did you mean 'pairs'"),
        (["--format", "trl-preference", "--out", "p.csv"], "does not read the suffix '.csv'"),
        (["--judge", "ann"], "--scores, --judge and --together are for answers"),
        (["--scores", "judged.jsonl"], "--scores, --judge and --together are for answers"),
        (["--together"], "--scores, --judge and --together are for answers"),
        (["--chosen", "big"], "a preference file says which is better"),
        (["--out", "judged.jsonl"], "is the input itself"),
        (["--weights", "keep-unused"], "our own pairs keep their weights"),
        (["--questions", "nowhere.csv"], "no such file"),
        (["--weigh", "lots"], "unknown way to weigh 'lots'"),
    ],
)
def test_wrong_settings_end_in_one_line_and_nothing_is_written(cli, judged, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    options = options if "--out" in options else [*options, "--out", "p.jsonl"]
    found = cli("pairs", judged, *options)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["judged.jsonl"]
