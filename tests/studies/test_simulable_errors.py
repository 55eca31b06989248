"""Errors that a student can simulate stay, and random ones go (arXiv 2312.09390, appendix E.1)."""

import csv

import pytest
from typer.testing import CliRunner

import outgrow
from outgrow.cli.app import app
from outgrow.core.errors import ConfigError
from outgrow.studies import STUDIES


@pytest.fixture(scope="module")
def study():
    return outgrow.study("simulable_errors")


def test_simulable_errors_recover_less_than_a_tenth_and_random_ones_more_than_eight(study):
    rows = study.table.to_pylist()
    assert len(rows) == 6
    for row in rows:
        assert row["labels"] < row["ceiling"] - 0.1
        if row["errors"] == "simulable":
            assert row["pgr"] < 0.1
        else:
            assert row["pgr"] > 0.8
            assert row["low"] > 0.6


def test_both_kinds_of_labels_are_wrong_equally_often(study):
    by = {(row["pixels"], row["errors"]): row["labels"] for row in study.table.to_pylist()}
    for pixels in {row["pixels"] for row in study.table.to_pylist()}:
        assert by[pixels, "simulable"] == pytest.approx(by[pixels, "random"])


def test_table_and_figure_are_written(study, tmp_path):
    folder = study.write(tmp_path / "out")
    with (folder / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    assert (folder / "figure.svg").read_text().startswith("<?xml")
    assert len(study.words) == 6


def test_the_verb_lists_studies_and_carries_one_out(tmp_path):
    listed = CliRunner().invoke(app, ["study"])
    assert listed.exit_code == 0
    assert "simulable_errors" in listed.output
    done = CliRunner().invoke(app, ["study", "simulable_errors", "--seeds", "2", "--out", str(tmp_path / "s")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "s" / "table.csv").exists()
    said = CliRunner().invoke(app, ["study", "delta_theory", "--seeds", "2", "--out", str(tmp_path / "d")])
    assert "best step 0.06081, cosine 0.80217 expected" in said.output  # its table has hundreds of rows
    assert len(said.output.splitlines()) == 10
    assert set(STUDIES) == {"simulable_errors", "delta_theory", "crowds"}


def test_a_study_that_there_is_not_is_named_with_the_list():
    with pytest.raises(ConfigError, match="simulable_errors"):
        outgrow.study("simulable_error")
