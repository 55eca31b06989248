"""What the report's tables and sentences say about known numbers."""

from __future__ import annotations

from outgrow.reporting import summary_table
from outgrow.reporting.checks import check_run
from outgrow.reporting.floor_tables import differences_table, recovered_table, supervisors_table
from outgrow.reporting.result_tables import (
    arms_table,
    comparisons_table,
    metrics_table,
    quality_table,
    slot_types_table,
    strata_table,
)
from outgrow.reporting.run import as_provenance, as_results
from outgrow.reporting.run_tables import budget_table, facts, splits_table, usage_table
from outgrow.reporting.summary import best_arm, formula, in_words, tiles
from outgrow.reporting.time_tables import jobs_table, time_table


def cells(table, name):
    """The texts of the row whose first cell is `name`."""
    return [cell.text for cell in next(r for r in table.rows if r.cells[0].text == name).cells]


def test_the_arms_table_has_references_first_and_marks_controls_and_oracles(results):
    table = arms_table(as_results(results))
    assert [row.tone for row in table.rows[:4]] == ["reference", "reference", "reference", "method"]
    badges = {row.cells[0].text: row.cells[0].badge for row in table.rows}
    assert badges["random_filtering"] == "control"
    assert badges["oracle_filtering"] == "oracle"
    assert badges["naive"] == ""


def test_metrics_have_their_pgr_and_slots_their_types(results):
    assert slot_types_table(as_results(results)) is None
    arms = [arm["name"] for arm in results["arms"]]
    value = {"value": 0.5, "low": 0.4, "high": 0.6}
    results["metrics"] = [{"name": "slu_f1", "arms": {name: dict(value) for name in arms}}]
    results["metrics"][0]["arms"]["naive"]["pgr"] = {**value, "defined": True}
    results["slot_types"] = [{"type": "time", "gold": 12, "f1": {"floor": 0.25, "arm:naive": None}}]
    table = metrics_table(as_results(results))
    assert cells(table, "naive")[1:] == ["50.0", "reference", ".50"]
    assert cells(table, "soft_labels")[3] == "undefined"
    shown = slot_types_table(as_results(results))
    naive = [column.title for column in shown.columns].index("naive")
    time = cells(shown, "time")
    assert (time[1], time[2], time[naive]) == ("12", "25.0", "—")


def test_an_arm_shows_accuracy_difference_and_pgr_with_intervals(results, arm):
    arm("soft_labels")["accuracy"] = {"value": 0.7, "low": 0.65, "high": 0.75, "per_seed": []}
    arm("soft_labels")["pgr"] = {"value": 0.4, "low": 0.3, "high": 0.5, "defined": True}
    mine = next(each for each in results["comparisons"] if each["a"] == "soft_labels")
    mine.update(value=0.03, low=0.01, high=0.05, p_holm=0.02)
    row = next(row for row in arms_table(as_results(results)).rows if row.cells[0].text == "soft_labels")
    assert [(cell.text, cell.note) for cell in row.cells[1:5]] == [
        ("70.0", "[65.0, 75.0]"),
        ("+3.0", "[+1.0, +5.0]"),
        (".020", ""),
        (".40", "[.30, .50]"),
    ]


def test_undefined_pgr_is_said(results, arm):
    arm("naive")["pgr"] = {"value": None, "low": None, "high": None, "defined": False, "reason": "no gap"}
    assert cells(arms_table(as_results(results)), "naive")[4] == "undefined"


def test_what_could_have_been_found_stands_beside_a_difference(results):
    results["comparisons"][0]["detectable"] = 0.0312
    table = comparisons_table(as_results(results))
    assert [column.title for column in table.columns][4] == "Detectable"
    assert "3.1" in {row.cells[4].text for row in table.rows}


def test_the_primary_comparison_stands_first_and_is_marked(results):
    table = comparisons_table(as_results(results))
    assert [cell.text for cell in table.rows[0].cells[:2]] == ["uncertainty_filtering", "random_filtering"]
    assert table.rows[0].cells[0].badge == "primary"
    assert [row.cells[0].badge for row in table.rows[1:]] == [""] * (len(table.rows) - 1)


def test_few_kinds_of_questions_are_columns_and_many_are_rows(results):
    few = strata_table(as_results(results))
    assert [column.title for column in few.columns] == ["", "known", "ignorance", "misconception"]
    results["strata"] = [dict(results["strata"][0], stratum=str(n)) for n in range(9)]
    many = strata_table(as_results(results))
    assert [row.cells[0].text for row in many.rows] == [str(n) for n in range(9)]
    results["strata"] = []
    assert strata_table(as_results(results)) is None


def test_budget_shows_a_range_where_seeds_differ_and_every_chosen_step(results):
    row = cells(budget_table(as_results(results)), "naive")
    assert row == ["naive", "2,990 – 2,992", "2,990", "0", "282", "94, 188, 282", "15,000"]


def test_splits_show_sizes_mix_and_what_they_share(results):
    results["task"]["overlap"]["pool&test"] = 2
    table = splits_table(as_results(results))
    assert cells(table, "pool") == ["pool", "3,000", "1,500", "750", "1,500", "750"]
    assert "shared between splits: pool and test (2)" in table.caption
    assert "2 questions have contradictory gold" in table.caption


def test_reliability_numbers_have_their_meaning_beside_them(results):
    error = {"value": 0.08, "expected": 0.03, "low": 0.05, "high": 0.1}
    errors = [{"seed": s, **error, "debiased": d} for s, d in ((0, 0.06), (1, 0.08))]
    results["reliability"]["calibration"] = {"kind": "platt", "known": 200, "seeds": errors}
    found = [
        {"seed": s, "estimate": e, "low": e - 0.04, "high": e + 0.04, "truth": 0.7} for s, e in ((0, 0.72), (1, 0.8))
    ]
    results["reliability"]["label_free"] = {"seeds": found, "assumptions": "Guesses are independent of the truth."}
    table = quality_table(as_results(results))
    assert cells(table, "AUROC, by question")[1] == ".742"
    assert cells(table, "Calibration error of P(correct)")[1] == ".070"
    notes = [cell.note for row in table.rows for cell in row.cells]
    assert "ECE .080, if calibrated .030" in notes
    assert "P(correct) from 200 known gold labels (platt)" in cells(table, "Calibration error of P(correct)")[2]
    assert cells(table, "Accuracy without gold")[1] == "76.0 %"
    # .72 +- .04 holds .70, .80 +- .04 does not
    assert "the truth is 70.0 %, inside the interval of 1 of 2 seeds" in cells(table, "Accuracy without gold")[2]
    assert "Guesses are independent of the truth." in table.caption
    assert "softmax, temperature 0.2" in table.caption


def test_an_estimate_that_could_not_be_made_says_why(results):
    results["reliability"]["label_free"] = {"seeds": [], "reason": "free text has no number of options"}
    results["reliability"]["calibration"] = {"kind": "platt", "known": 3, "seeds": [], "reason": "all 3 are right"}
    table = quality_table(as_results(results))
    assert cells(table, "Accuracy without gold")[1:] == ["—", "free text has no number of options"]
    assert cells(table, "ECE of P(correct)")[1:] == ["—", "all 3 are right"]


def test_time_is_summed_per_kind_of_step_and_cached_steps_are_told_apart(provenance):
    provenance["steps"] = [
        {"name": "train", "key": "a", "seconds": 2.0, "cached": False},
        {"name": "train", "key": "b", "seconds": 3.0, "cached": True},
        {"name": "ask", "key": "c", "seconds": 9.0, "cached": False},
    ]
    table = time_table(as_provenance(provenance))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["ask", "1", "0", "9.0 s", "81.8 %", "9.0 s"],
        ["train", "1", "1", "2.0 s", "18.2 %", "5.0 s"],
        ["all", "2", "1", "11.0 s", "100.0 %", "14.0 s"],
    ]


def test_time_tells_supervisors_and_students_apart(provenance):
    details = ["weak, seed 0", "weak, seed 1", "naive, seed 0", "vote, seed 0", "naive 2, seed 0"]
    provenance["steps"] = [
        {"name": "train", "key": str(i), "seconds": 2.0 + i, "cached": False, "detail": detail}
        for i, detail in enumerate(details)
    ]
    asked = [("weak answers pool", 30.0), ("naive answers test", 0.5), ("vote answers test", 0.25)]
    provenance["steps"] += [
        {"name": "answer", "key": detail, "seconds": seconds, "cached": True, "detail": detail}
        for detail, seconds in asked
    ]
    provenance["times"] = [{"job": arm, "arm": arm, "seed": 0} for arm in ("naive", "vote", "naive 2")]
    rows = [[cell.text for cell in row.cells] for row in time_table(as_provenance(provenance)).rows]
    assert rows == [
        ["train: students", "3", "0", "15.0 s", "75.0 %", "15.0 s"],  # 4 + 5 + 6
        ["train: weak", "2", "0", "5.0 s", "25.0 %", "5.0 s"],
        ["answer: students, test", "0", "2", "0 ms", "0.0 %", "750 ms"],
        ["answer: weak, pool", "0", "1", "0 ms", "0.0 %", "30.0 s"],
        ["all", "5", "3", "20.0 s", "100.0 %", "50.8 s"],
    ]


def test_time_per_arm_tells_what_was_made_what_was_shared_and_the_rest(provenance):
    def job(arm, seed, seconds, made, reused):
        return {"job": "j", "arm": arm, "seed": seed, "seconds": seconds, "made": made, "reused": reused}

    provenance["times"] = [
        job(None, None, 2.0, 1.5, 0.0),
        job(None, 0, 11.0, 10.0, 0.0),
        job(None, 1, 9.0, 8.0, 0.0),
        *(job("naive", seed, 4.0, 3.0, 10.0 - 2 * seed) for seed in (0, 1)),
        *(job("vote", seed, 6.0, 5.0, 10.0 - 2 * seed) for seed in (0, 1)),
    ]
    table = jobs_table(as_provenance(provenance))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["supervisors", "2", "20.0 s", "47.6 %", "18.0 s", "2.0 s", "0 ms"],
        ["vote", "2", "12.0 s", "28.6 %", "10.0 s", "2.0 s", "18.0 s"],
        ["naive", "2", "8.0 s", "19.0 %", "6.0 s", "2.0 s", "18.0 s"],
        ["student before training", "1", "2.0 s", "4.8 %", "1.5 s", "500 ms", "0 ms"],
        ["all", "7", "42.0 s", "100.0 %", "35.5 s", "6.5 s", "36.0 s"],
    ]
    # alone, each arm with its own supervisor: naive 6 + 18, vote 10 + 18; together they and the supervisors took 34
    assert "would have been 52.0 s of work; shared they were 34.0 s." in table.caption


def test_a_run_of_an_older_version_has_no_time_per_arm(provenance):
    assert jobs_table(as_provenance(provenance)) is None


def test_provenance_names_seeds_revision_versions_and_hardware(results, provenance):
    told = dict(facts(as_results(results), as_provenance(provenance)))
    assert told["Seeds"] == "0, 1, 2"
    assert told["Git revision"] == "dc962f9"
    assert "torch 2.13.0" in told["Versions"]
    assert told["Hardware"] == "cores: 2; cpu: x86-64"
    assert told["Took"] == "7 min 12 s"


def test_the_highest_method_is_neither_control_nor_oracle(results, arm):
    arm("random_filtering")["accuracy"]["value"] = 0.99
    arm("soft_labels")["accuracy"]["value"] = 0.9
    assert best_arm(as_results(results)).name == "soft_labels"


def test_the_words_name_floor_ceiling_best_method_and_primary_comparison(results, arm):
    results["supervisor"]["floor"].update(value=0.6, low=0.55, high=0.65)
    arm("strong_ceiling")["accuracy"].update(value=0.9, low=0.88, high=0.92)
    arm("soft_labels")["accuracy"].update(value=0.8, low=0.7, high=0.85)
    mine = next(each for each in results["comparisons"] if each["b"] == "random_filtering")
    mine.update(value=-0.01, low=-0.03, high=0.01, p=0.4)
    run = as_results(results)
    text = " ".join(in_words(run, check_run(run, None)))
    assert "is 60.0 % [55.0, 65.0]" in text
    assert "is 90.0 % [88.0, 92.0]. The gap to recover is 30.0 points" in text
    assert "Of the 7 methods, soft_labels reaches the highest accuracy, 80.0 % [70.0, 85.0]" in text
    assert "−1.0 points [−3.0, +1.0] (p = .400): the interval contains zero" in text
    assert "1 of 11 checks fired: W2S002 (primary comparison: warning); 2 checks did not apply" in text
    assert [tile.value for tile in tiles(run)] == ["60.0 %", "80.0 %", "90.0 %", "−1.0 pts"]


def several(results, accuracies, **floors):
    """Supervisors of these accuracies, and floors besides their mean."""
    mean = {"value": sum(accuracies.values()) / len(accuracies), "low": None, "high": None, "per_seed": []}
    told = results["supervisor"]
    told["members"] = [
        {"name": name, "tuned_on": 100 * (n + 1), "accuracy": {**mean, "value": value}}
        for n, (name, value) in enumerate(accuracies.items())
    ]
    told["floors"] = [{"name": "mean", "accuracy": mean}]
    told["floors"] += [{"name": name, "accuracy": {**mean, "value": value}} for name, value in floors.items()]
    told["floor"] = mean
    for each in results["arms"]:
        beside = {"pgr": {"value": 0.25, "low": 0.2, "high": 0.3, "defined": True}, "difference": {"value": 0.1}}
        each["by_floor"] = dict.fromkeys(["mean", *floors], beside)


def test_of_several_supervisors_the_floor_is_their_mean_and_the_others_stand_beside_it(results):
    several(results, {"left": 0.5, "right": 0.7}, joint=0.65)
    results["supervisor"]["floors"][1:1] = [{"name": "best", "supervisor": "right", "accuracy": {"value": 0.7}}]
    results["supervisor"]["floors"].append({"name": "majority", "reason": "nobody was asked"})
    run = as_results(results)
    text = " ".join(in_words(run, check_run(run, None)))
    assert "left and right, tuned on 100 – 200 gold questions, answered" in text
    assert "The floor, the mean accuracy of the 2 supervisors, is 60.0 %" in text
    assert "best supervisor, right: 70.0 %; supervisors, joint: 65.0 %)" in text
    assert tiles(run)[0].label == "Floor: mean of 2 supervisors"
    assert arms_table(run).rows[0].cells[0].text == "Supervisors, mean, one answer"
    rows = {row.cells[0].text: row for row in supervisors_table(run).rows}
    assert list(rows) == [
        "left", "right", "Supervisors, mean", "Best supervisor, right", "Supervisors, joint", "Supervisors, majority"
    ]  # fmt: skip
    assert rows["Supervisors, majority"].cells[0].note == "nobody was asked"
    recovered, above = recovered_table(run), differences_table(run)
    titles = ["Arm", "Supervisors, mean", "Best supervisor, right", "Supervisors, joint"]
    assert [column.title for column in recovered.columns] == [column.title for column in above.columns] == titles
    # the best was put in behind the arms' backs, so nothing is known of it
    assert [cell.text for cell in recovered.rows[0].cells[1:]] == [".25", "—", ".25"]
    assert [cell.text for cell in above.rows[0].cells[1:]] == ["+10.0", "—", "+10.0"]


def test_one_supervisor_has_no_tables_of_floors_and_says_what_part_it_was_tuned_on(results):
    run = as_results(results)
    assert [table(run) for table in (supervisors_table, recovered_table, differences_table)] == [None] * 3
    results["supervisor"]["tuned_on"] = 123
    assert "tuned on 123 gold questions" in " ".join(in_words(as_results(results), []))


def test_the_formula_shows_pgr_with_its_numbers(results, arm):
    results["supervisor"]["floor"]["value"] = 0.6
    arm("strong_ceiling")["accuracy"]["value"] = 0.9
    arm("soft_labels")["accuracy"]["value"] = 0.8
    arm("soft_labels")["pgr"]["value"] = 2 / 3
    assert formula(as_results(results)).endswith("(80.0 − 60.0) / (90.0 − 60.0) = .67")


def test_a_run_without_ceiling_primary_and_reliability_is_still_told(results):
    results["arms"] = [each for each in results["arms"] if each["method"] != "strong_ceiling"]
    results.update(primary=None, reliability=None, comparisons=[], zero_shot=None)
    run = as_results(results)
    text = " ".join(in_words(run, []))
    assert "has no ceiling, so no performance gap is defined" in text
    assert "primary comparison" not in text
    assert quality_table(run) is None
    assert comparisons_table(run) is None


def printed(results, width):
    from rich.console import Console

    console = Console(width=width)
    with console.capture() as captured:
        console.print(summary_table(results, width))
    return captured.get()


def test_the_terminal_table_has_one_line_per_arm(results, arm):
    arm("random_filtering")["accuracy"] = {"value": 0.7, "low": 0.65, "high": 0.75, "per_seed": []}
    lines = printed(results, 160).splitlines()
    for name in ("supervisor (floor)", "student, zero-shot", "oracle_filtering †", "naive"):
        assert sum(line.strip().startswith(name) for line in lines) == 1
    mine = next(line for line in lines if "random_filtering *" in line)
    assert "70.0 [65.0, 75.0]" in mine
    assert "1,490 – 1,492" in mine


def test_a_narrow_terminal_keeps_one_line_per_arm_and_the_intervals_of_differences(results, arm):
    arm("random_filtering")["accuracy"] = {"value": 0.7, "low": 0.65, "high": 0.75, "per_seed": []}
    text = printed(results, 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    mine = next(line for line in text.splitlines() if "random_filtering *" in line)
    assert "70.0" in mine
    assert "65.0" not in mine


def test_a_very_narrow_terminal_folds_and_never_cuts(results):
    text = printed(results, 50)
    assert max(len(line) for line in text.splitlines()) <= 50
    assert "…" not in text


def test_markup_in_an_arm_name_is_text_in_the_terminal(results):
    results["arms"][0]["name"] = "[bold red]naive[/]"
    assert "[bold red]naive[/]" in printed(results, 200)


def test_what_servers_charged_is_shown_and_an_unknown_cost_is_not_nothing(provenance):
    assert usage_table(as_provenance(provenance)) is None
    counts = {"answers": 800, "requests": 812, "retries": 12, "prompt_tokens": 40_000, "completion_tokens": 3_200}
    used = {"about": "weak answers pool", **counts, "cost": None, "latency_p50": 0.25, "latency_p95": 1.5}
    provenance["usage"] = [used, {**used, "cost": 0.0432}]
    first, second = usage_table(as_provenance(provenance)).rows
    assert [cell.text for cell in first.cells] == [
        "weak answers pool", "800", "812", "12", "40,000", "3,200", "—", "250 ms"
    ]  # fmt: skip
    assert (second.cells[6].text, second.cells[7].note) == ("0.0432", "1.5 s")


def test_gold_that_methods_bought_is_charged_in_the_budget(results):
    plain = budget_table(as_results(results))
    assert "Gold bought" not in [column.title for column in plain.columns]
    results["arms"][0]["known"] = [200] * len(results["seeds"])
    table = budget_table(as_results(results))
    assert table.columns[-1].title == "Gold bought"
    assert table.rows[0].cells[-1].text == "200"


def test_many_arms_of_few_cells_have_a_row_each(results):
    """As columns they would be cut into pieces of three letters."""
    from rich.console import Console

    cells = [as_results({**results, "cell": f"{weak} to base"}) for weak in ("tiny", "mini")]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(summary_table(cells, 80))
    lines = captured.get().splitlines()
    assert any("tiny to base" in line and "mini to base" in line for line in lines)
    for name in ("supervisor (floor)", "student, zero-shot", *(each["name"] for each in results["arms"])):
        (line,) = [line for line in lines if line.split("  ")[0].strip(" *†") == name]
        assert len([part for part in line[30:].split("  ") if part.strip()]) == 2
