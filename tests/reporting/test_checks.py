"""Each coded check: that it fires, that it does not, and that it says when it does not apply."""

from __future__ import annotations

import pytest

from outgrow.reporting import run_checks


def outcome(code, results, provenance=None):
    return next(check for check in run_checks(results, provenance) if check.code == code)


def test_a_sound_run_passes_every_check(results, provenance):
    assert [(check.code, check.severity) for check in run_checks(results, provenance)] == [
        *((f"W2S00{n}", "ok") for n in range(1, 10)),
        ("W2S010", "not applicable"),
        ("W2S011", "ok"),
    ]


def test_every_check_explains_itself_and_shows_numbers(results, provenance):
    for check in run_checks(results, provenance):
        assert len(check.explanation) > 80
        if check.severity == "not applicable":
            continue
        assert any(character.isdigit() for character in check.finding)


def test_w2s001_is_an_error_when_the_ceiling_is_below_the_floor(results, arm):
    results["supervisor"]["floor"]["value"] = 0.8
    arm("strong_ceiling")["accuracy"]["value"] = 0.79
    check = outcome("W2S001", results)
    assert check.severity == "error"
    assert "ceiling 79.0 %, floor 80.0 %, gap −1.0 points" in check.finding


def test_w2s001_warns_when_the_gap_is_not_sure_enough_for_pgr(results, arm):
    arm("naive")["pgr"] = {"value": None, "low": None, "high": None, "defined": False,
                           "reason": "lower bound .01"}  # fmt: skip
    check = outcome("W2S001", results)
    assert check.severity == "warning"
    assert "PGR is undefined for 1 arm (lower bound .01)" in check.finding


def test_w2s001_does_not_apply_without_a_ceiling(results):
    results["arms"] = [each for each in results["arms"] if each["method"] != "strong_ceiling"]
    assert outcome("W2S001", results).severity == "not applicable"


def primary(results):
    return next(each for each in results["comparisons"] if each["b"] == "random_filtering")


def test_w2s002_fires_when_the_interval_contains_zero(results):
    primary(results).update(value=0.01, low=-0.01, high=0.03)
    check = outcome("W2S002", results)
    assert check.severity == "warning"
    assert "+1.0 points [−1.0, +3.0] contains zero" in check.finding


def test_w2s002_holds_when_the_interval_lies_on_one_side(results):
    primary(results).update(value=-0.02, low=-0.03, high=-0.01)
    assert outcome("W2S002", results).severity == "ok"


@pytest.mark.parametrize("missing", ["interval", "comparison", "primary"])
def test_w2s002_does_not_apply_without_an_interval(results, missing):
    if missing == "interval":
        primary(results).update(low=None, high=None)
    elif missing == "comparison":
        results["comparisons"] = []
    else:
        results["primary"] = None
    assert outcome("W2S002", results).severity == "not applicable"


def test_w2s003_is_an_error_when_splits_share_questions(results):
    results["task"]["overlap"] = {"pool&test": 3, "supervisor_train&test": 0}
    check = outcome("W2S003", results)
    assert check.severity == "error"
    assert "pool and test (3)" in check.finding
    assert "supervisor" not in check.finding


def test_w2s003_does_not_apply_when_overlap_was_not_recorded(results):
    results["task"]["overlap"] = {}
    assert outcome("W2S003", results).severity == "not applicable"


def test_w2s004_fires_above_five_percent_for_the_supervisor_or_an_arm(results, arm):
    results["reliability"]["unparsed_share"] = 0.051
    arm("naive")["unparsed_share"] = 0.5
    check = outcome("W2S004", results)
    assert check.severity == "warning"
    assert "the supervisor on the pool (5.1 %) and naive (50.0 %)" in check.finding


def test_w2s004_holds_at_exactly_five_percent(results):
    results["reliability"]["unparsed_share"] = 0.05
    assert outcome("W2S004", results).severity == "ok"


def test_w2s004_does_not_apply_when_nothing_was_counted(results):
    results["reliability"] = None
    for each in results["arms"]:
        each["unparsed_share"] = None
    assert outcome("W2S004", results).severity == "not applicable"


@pytest.mark.parametrize(
    ("value", "low", "severity"),
    [(0.6, 0.5, "warning"), (0.54, 0.51, "warning"), (0.55, 0.51, "ok"), (None, None, "not applicable")],
)
def test_w2s005_needs_an_auroc_of_at_least_055_with_an_interval_above_chance(results, value, low, severity):
    results["reliability"]["auroc"] = {"value": value, "low": low, "high": value, "per_seed": []}
    assert outcome("W2S005", results).severity == severity


def test_w2s006_fires_for_one_seed(results):
    results["seeds"] = [4]
    check = outcome("W2S006", results)
    assert check.severity == "warning"
    assert check.finding == "Only seed 4 was run."


def test_w2s006_fires_when_only_larger_differences_than_those_seen_could_be_found(results):
    for each in results["comparisons"]:
        each.update(value=0.01, detectable=0.03)
    check = outcome("W2S006", results)
    assert check.severity == "warning"
    assert "find a difference of 3.0 points four times in five; the largest between two methods is 1.0" in check.finding
    results["comparisons"][0].update(value=-0.04)
    assert outcome("W2S006", results).severity == "ok"


def test_w2s011_fires_when_a_small_set_is_seen_dozens_of_times(results, arm):
    results["recipe"]["train"] = {"batch_size": 32}
    assert outcome("W2S011", results).severity == "ok"  # 282 steps of 32 over 1,490 rows: 6 times
    arm("soft_labels").update(rows=[2000, 300, 2000], steps=[282, 282, 282])  # 9,024 / 300 = 30
    check = outcome("W2S011", results)
    assert (check.severity, check.finding) == (
        "warning", "Every row was trained on again and again: soft_labels (30 times)."
    )  # fmt: skip
    results["recipe"] = {}
    assert outcome("W2S011", results).severity == "not applicable"


def test_w2s006_does_not_apply_without_seeds(results):
    results["seeds"] = []
    assert outcome("W2S006", results).severity == "not applicable"


def test_w2s007_names_the_arms_that_took_other_steps(results, arm):
    arm("soft_labels")["steps"] = [282, 282, 300]
    check = outcome("W2S007", results)
    assert check.severity == "warning"
    assert check.finding == "Most arms took 282 steps, but not soft_labels (282, 282, 300)."


def test_w2s007_does_not_apply_to_a_single_arm(results):
    results["arms"] = results["arms"][:1]
    assert outcome("W2S007", results).severity == "not applicable"


def test_w2s007_counts_all_trainings_of_an_arm(results, arm):
    arm("soft_labels")["stages"] = [{"name": "first", "steps": [282] * 3}, {"name": "probe", "steps": [0] * 3}]
    assert outcome("W2S007", results).severity == "ok"
    arm("soft_labels")["stages"] = [{"name": "first", "steps": [282] * 3}, {"name": "second", "steps": [282] * 3}]
    assert outcome("W2S007", results).finding == "Most arms took 282 steps, but not soft_labels (564)."


def test_w2s008_fires_when_steps_ran_in_two_environments(results, provenance):
    provenance["steps"][0]["environment"] = "ffff"
    check = outcome("W2S008", results, provenance)
    assert check.severity == "warning"
    assert check.finding == "Steps ran in 2 environments: a1b2c3d4 (11 steps) and ffff (1 step)."


def test_w2s008_does_not_apply_without_provenance(results):
    assert outcome("W2S008", results).severity == "not applicable"


def test_w2s009_notes_a_student_that_starts_above_the_floor(results):
    results["supervisor"]["floor"]["value"] = 0.5
    results["zero_shot"] = {"value": 0.55, "low": 0.5, "high": 0.6, "per_seed": []}
    for each in results["arms"]:
        each["accuracy"]["value"] = 0.7
    check = outcome("W2S009", results)
    assert check.severity == "note"
    assert "55.0 % before training, +5.0 points from the floor" in check.finding


def test_w2s009_warns_of_methods_that_end_below_their_start(results, arm):
    results["zero_shot"] = {"value": 0.75, "low": 0.7, "high": 0.8, "per_seed": []}
    for each in results["arms"]:
        each["accuracy"]["value"] = 0.9
    arm("naive")["accuracy"]["value"] = 0.75  # as before: its labels taught it nothing
    arm("random_filtering")["accuracy"]["value"] = 0.1  # a control proves nothing here
    check = outcome("W2S009", results)
    assert check.severity == "warning"
    assert check.finding.endswith("no stronger after training: naive.")


def test_w2s009_does_not_apply_to_a_student_that_was_not_tested_before(results):
    results["zero_shot"] = None
    assert outcome("W2S009", results).severity == "not applicable"


@pytest.mark.parametrize(
    ("writer", "lacking", "severity", "finding"),
    [
        ("supervisor", 0.0, "ok", "The supervisor wrote the paraphrases itself."),
        ("supervisor", 0.2, "note", "20.0 % of the wordings could not be asked for want of a usable paraphrase"),
        (
            {"kind": "server", "model": "giant"},
            0.0,
            "note",
            "Paraphrases were written by giant, not by the supervisor.",
        ),
        ({"kind": "server", "model": "microworld/mini"}, 0.0, "ok", "The supervisor wrote the paraphrases itself."),
    ],
)
def test_paraphrases_of_another_model_lend_strength(results, writer, lacking, severity, finding):
    results["recipe"]["ask"] = {"kinds": ["task", "paraphrase"], "paraphraser": writer}
    results["supervisor"] |= {"model": "microworld/mini", "missing_share": lacking}
    check = outcome("W2S010", results)
    assert check.severity == severity
    assert finding in check.finding
