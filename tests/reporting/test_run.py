"""Reading a run's folder: what is missing or broken is named."""

from __future__ import annotations

import json
import math

import pytest

from outgrow.core.errors import DataError
from outgrow.reporting.run import as_cells, as_results, read_folder


def test_a_folder_without_results_says_what_to_give(tmp_path):
    with pytest.raises(DataError, match=r"no results\.json here; give the folder that 'outgrow run' wrote"):
        read_folder(tmp_path)


def test_broken_json_is_named_with_its_file(tmp_path):
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.json is not valid JSON"):
        read_folder(tmp_path)


def test_every_fault_of_the_results_is_shown_at_once(results):
    results["arms"][0]["accuracy"]["value"] = "high"
    del results["task"]["name"]
    with pytest.raises(DataError) as error:
        as_results(results, "results.json")
    assert "arms: the 1st (naive): accuracy.value" in str(error.value)
    assert "'high'" in str(error.value)
    assert "task.name" in str(error.value)


def test_another_format_is_refused(results):
    results["format"] = 3
    with pytest.raises(DataError, match="format 3, but this version reads formats 1 and 2"):
        as_results(results)


def test_a_cell_of_format_2_reads_as_format_1_does(results):
    shared = ("name", "recipe", "seeds", "task", "primary")
    cell = {key: value for key, value in results.items() if key not in (*shared, "format")} | {"name": "a to b"}
    new = {"format": 2, **{key: results[key] for key in shared}, "cells": [cell, cell]}
    first, second = as_cells(new)
    assert first.cell == second.cell == "a to b"
    old = as_results(results)
    assert (first.name, first.arms, first.comparisons, first.strata) == (
        old.name,
        old.arms,
        old.comparisons,
        old.strata,
    )


@pytest.mark.parametrize("cells", [None, [], {}, [1]])
def test_format_2_without_cells_is_refused(results, cells):
    with pytest.raises(DataError, match="expected a list with an object for each cell"):
        as_cells({**results, "format": 2, "cells": cells})


def test_null_is_no_data_and_not_zero(results):
    results["arms"][0]["accuracy"]["value"] = None
    assert math.isnan(as_results(results).arms[0].accuracy.value)


def test_keys_of_a_later_version_are_ignored(results):
    results["later"] = results["arms"][0]["later"] = 1
    assert as_results(results).arms[0].name == "naive"


def test_answers_and_provenance_may_be_missing(tmp_path, results):
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    run = read_folder(tmp_path)
    assert run.answers is None
    assert run.provenance is None


def test_answers_that_lack_a_column_are_refused(tmp_path, results):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    pq.write_table(pa.table({"example_id": ["a"], "question": ["?"]}), tmp_path / "answers.parquet")
    with pytest.raises(DataError, match=r"missing columns \['gold', 'seed'\]"):
        read_folder(tmp_path)


def test_arms_are_methods_controls_or_oracles_and_gold_outweighs_control(results):
    kinds = {each.name: each.kind for each in as_results(results).arms}
    assert kinds["naive"] == "method"
    assert kinds["random_filtering"] == "control"
    assert kinds["oracle_filtering"] == kinds["strong_ceiling"] == "oracle"
    results["arms"][0].update(uses_gold=True, control=True)
    assert as_results(results).arms[0].kind == "oracle"


def test_label_shift_is_half_the_sum_of_differences(results):
    results["arms"][0]["label_mix"] = {"before": {"a": 0.5, "b": 0.5}, "after": {"a": 0.8, "c": 0.2}}
    # (|.5 - .8| + |.5 - 0| + |0 - .2|) / 2 = .5
    assert as_results(results).arms[0].label_shift == pytest.approx(0.5)


def test_splits_stand_in_the_order_they_are_used(results):
    splits = results["task"]["splits"]
    results["task"]["splits"] = {name: splits[name] for name in sorted(splits)}
    assert list(as_results(results).task.splits) == ["supervisor_train", "pool", "validation", "test"]
