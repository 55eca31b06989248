"""Figures: drawn when there is data, equal bytes for equal results, text that stays text, data beside them."""

from __future__ import annotations

import copy
import re
from collections import Counter
from xml.etree import ElementTree

import pytest

from outgrow.reporting.figures.arms import draw_accuracy
from outgrow.reporting.figures.draw import draw_all, draw_ladders
from outgrow.reporting.figures.drawn import to_inline
from outgrow.reporting.figures.labels import draw_label_mix
from outgrow.reporting.figures.reliability import draw_by_entropy, draw_heat, draw_risk_coverage
from outgrow.reporting.figures.strata import draw_strata
from outgrow.reporting.figures.style import house_style, label
from outgrow.reporting.figures.training import draw_loss, draw_validation, thin
from outgrow.reporting.run import as_results, read_folder
from outgrow.reporting.weak import taught_by

ALL = {"arms", "pgr", "strata", "by_entropy", "risk_coverage", "heat", "label_mix", "loss", "validation", "agreement"}


@pytest.fixture(scope="module")
def drawn(folder):
    return draw_all(read_folder(folder).results)


@pytest.fixture
def style():
    with house_style():
        yield


def texts(svg):
    """All text elements of an SVG."""
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


def test_a_full_run_has_every_figure_with_caption_and_data(drawn):
    assert set(drawn) == ALL
    for each in drawn.values():
        assert len(each.caption) > 100
        assert each.alt.endswith(".")
        assert each.data.num_rows > 0


def test_a_run_without_reliability_strata_curves_and_gap_has_accuracy_alone(results):
    results.update(reliability=None, strata=[])
    for each in results["arms"]:
        each.update(curves=[], label_mix=None, agreement={})
        each["pgr"] = {"value": None, "low": None, "high": None, "defined": False}
    assert set(draw_all(as_results(results))) == {"arms"}


def test_arms_that_answer_one_question_stand_together(results):
    """Stopping, probes and errors, each in the order of its methods, where an arm of theirs is there."""
    methods = {"majority_vote": "early_stopping_gold", "soft_labels": "linear_probe", "all_answers": "error_structure"}
    for each in results["arms"]:
        each["method"] = methods.get(each["name"], each["method"])
    drawn = draw_all(as_results(results))
    assert drawn["stopping"].data["arm"].to_pylist() == ["naive", "majority_vote"]
    assert drawn["probes"].data["arm"].to_pylist() == ["soft_labels", "naive", "strong_ceiling"]
    assert drawn["error_structure"].data["arm"].to_pylist() == ["naive", "all_answers"]
    of = {each["name"]: each for each in results["arms"]}
    assert drawn["stopping"].data["value"].to_pylist() == [of[a]["pgr"]["value"] for a in ("naive", "majority_vote")]
    assert drawn["probes"].data["value"].to_pylist()[0] == of["soft_labels"]["accuracy"]["value"]


def test_agreement_is_drawn_for_every_arm_that_has_some(results):
    results["arms"][1]["agreement"] = {"overall": 0.5, "when_right": 0.75, "when_wrong": 0.125}
    results["arms"][2]["agreement"] = {}
    data = draw_all(as_results(results))["agreement"].data.to_pylist()
    assert data[1] == {"arm": "majority_vote", "overall": 0.5, "when_right": 0.75, "when_wrong": 0.125}
    assert [row["arm"] for row in data] == [each["name"] for each in results["arms"] if each["name"] != "all_answers"]


def ladder(results):
    """Cells of two supervisors and two students; the chain is an arm beside naive."""
    cells = []
    for weak, floor in (("tiny", 0.4), ("mini", 0.5)):
        for strong in ("small", "base"):
            cell = copy.deepcopy(results)
            cell["supervisor"]["name"], cell["student"] = weak, {"name": strong, "model": strong}
            cell["supervisor"]["floor"]["value"] = floor
            cell["arms"] = cell["arms"][:2] + cell["arms"][-1:]
            cell["arms"][1].update(name="chain", method="bootstrapping")
            for arm, share in zip(cell["arms"], (0.25, 0.5, 1.0), strict=True):
                arm["pgr"] = {"value": share + floor, "low": share, "high": 1.0, "defined": True}
                arm["elicited"] = {**arm["pgr"], "value": share}
                arm["agreement"] = {"overall": floor, "when_right": share, "when_wrong": 0.1}
            cells.append(as_results(cell))
    return cells


def test_a_ladder_has_the_elicited_share_agreement_and_the_chain_beside_one_hop(results):
    drawn = draw_ladders(ladder(results))
    assert set(drawn) == {"ladder", "ladder_pgr", "ladder_elicited", "ladder_agreement", "ladder_chain"}
    elicited = drawn["ladder_elicited"].data.to_pylist()
    assert {row["value"] for row in elicited if row["arm"] == "chain"} == {0.5}
    agreement = drawn["ladder_agreement"].data.to_pylist()
    assert {row["overall"] for row in agreement} == {0.4}  # of the weakest supervisor's students
    assert [row["student"] for row in agreement] == ["small", "base"] * 3
    chain = drawn["ladder_chain"].data.to_pylist()
    assert [(row["arm"], row["supervisor"], round(row["value"], 2)) for row in chain] == [
        ("naive", "tiny", 0.65), ("chain", "tiny", 0.9), ("naive", "mini", 0.75), ("chain", "mini", 1.0),
    ]  # fmt: skip
    assert all(each.caption.endswith(".") for each in drawn.values())


def test_crowds_of_one_student_are_lines_of_their_own(results):
    """Both begin with the same supervisor, so its name does not tell them apart."""
    cells = []
    for crowd, names in (("two", "ab"), ("three", "abc")):
        cell = copy.deepcopy(results)
        cell["cell"], cell["student"] = crowd, {"name": "student", "model": "base"}
        cell["supervisor"]["members"] = [{"name": name, "accuracy": {"value": 0.5}} for name in names]
        cells.append(as_results(cell))
    rows = draw_ladders(cells)["ladder"].data.to_pylist()
    assert [row["supervisor"] for row in rows if row["arm"] == "naive"] == ["two", "three"]
    results["supervisor"]["members"] = cells[0].model_dump()["supervisor"]["members"]
    assert taught_by(as_results(results)) == "a + b"  # a cell without a name
    with_student = {**results, "cell": "a + b to base", "student": {"name": "base", "model": "base"}}
    assert taught_by(as_results(with_student)) == "a + b"


def test_a_ladder_without_a_chain_has_no_figure_of_it(results):
    cells = [cell.model_copy(update={"arms": cell.arms[:1] + cell.arms[2:]}) for cell in ladder(results)]
    assert "ladder_chain" not in draw_ladders(cells)


@pytest.mark.usefixtures("style")
@pytest.mark.parametrize("draw", [draw_accuracy, draw_heat])
def test_equal_results_give_equal_bytes_without_date_or_version(draw, results, drawn):
    again = draw(as_results(results))
    assert again.svg == drawn[again.key].svg
    assert not re.search(r"<dc:date>|<metadata>|[Mm]atplotlib v", again.svg)


def test_inside_the_page_ids_are_unique_and_colours_follow_the_theme(drawn):
    inline = {key: to_inline(each) for key, each in drawn.items()}
    ids = Counter(name for svg in inline.values() for name in re.findall(r'\bid="([^"]+)"', svg))
    assert max(ids.values()) == 1
    for key, svg in inline.items():
        assert svg.startswith("<svg")
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= set(ids)
        assert "var(--ink)" in svg
        assert not re.search(r": #(?!000000)[0-9a-f]{6}", svg), key


def test_figures_say_their_arms_and_numbers_as_text(drawn, results):
    said = texts(drawn["arms"].svg)
    value = results["arms"][0]["accuracy"]
    assert "naive" in said
    assert any(f"{100 * value['value']:.1f}" in each for each in said)


@pytest.mark.usefixtures("style")
def test_hostile_names_are_text_in_the_drawing(results, hostile):
    for each, name in zip(results["arms"], hostile.HOSTILE, strict=False):
        each["name"] = name
    said = texts(draw_accuracy(as_results(results)).svg)
    for name in hostile.HOSTILE:
        assert label(name, 36) in said


def test_a_label_is_one_short_line_without_control_characters():
    assert label("a\n\tb\x00c\u2028d") == "a b c d"
    assert label("x" * 40, 10) == "xxxxxx…xxx"
    assert label("\n") == "(empty)"


@pytest.mark.usefixtures("style")
def test_entropy_levels_keep_their_counts_and_show_accuracy(results):
    results["reliability"]["by_entropy"] = [
        {"entropy": -0.0, "wrong": 10, "right": 90, "accuracy": 0.9, "low": 0.83, "high": 0.94},
        {"entropy": 0.5004, "wrong": 30, "right": 20, "accuracy": 0.4, "low": 0.28, "high": 0.54},
    ]
    figure = draw_by_entropy(as_results(results))
    assert figure.data.to_pydict()["right"] == [90, 20]
    said = texts(figure.svg)
    for number in (".90", ".40", "0.00", "0.50"):
        assert number in said
    assert not figure.wide


@pytest.mark.usefixtures("style")
def test_the_heat_map_keeps_truth_in_rows_and_leaves_empty_cells_blank(results):
    results["reliability"]["heat"] = {
        "truth": ["yes", "no"], "label": ["yes", "no"], "mean": [[0.9, 0.4], [None, 0.8]], "count": [[5, 1], [0, 4]],
    }  # fmt: skip
    figure = draw_heat(as_results(results))
    cells = {(row["truth"], row["label"]): row["labels"] for row in figure.data.to_pylist()}
    assert cells == {("yes", "yes"): 5, ("yes", "no"): 1, ("no", "yes"): 0, ("no", "no"): 4}
    assert [each for each in texts(figure.svg) if each.startswith(".")] == [".90", ".40", ".80"]


@pytest.mark.usefixtures("style")
def test_risk_and_coverage_data_hold_all_three_orders(results):
    results["reliability"]["risk_coverage"] = {
        "coverage": [0.5, 1.0], "risk": [0.1, 0.3], "oracle": [0.0, 0.3], "random": 0.3,
    }  # fmt: skip
    data = draw_risk_coverage(as_results(results)).data.to_pydict()
    assert data == {"coverage": [0.5, 1.0], "risk": [0.1, 0.3], "oracle": [0.0, 0.3], "random": [0.3, 0.3]}


def test_long_curves_are_thinned_to_means_of_equal_stretches():
    series = tuple((step, float(step)) for step in range(8))
    assert thin(series, 4) == ((0, 0.5), (2, 2.5), (4, 4.5), (6, 6.5))
    assert thin(series, 8) == series


@pytest.mark.usefixtures("style")
def test_curves_keep_arm_and_seed(results):
    results["arms"] = results["arms"][:1]
    results["arms"][0]["curves"] = [{"seed": 3, "loss": [[1, 2.0], [2, None]], "validation": [[2, 0.7]]}]
    run = as_results(results)
    assert draw_loss(run).data.slice(0, 1).to_pylist() == [{"arm": "naive", "seed": 3, "step": 1, "loss": 2.0}]
    assert draw_validation(run).data.to_pylist() == [{"arm": "naive", "seed": 3, "step": 2, "agreement": 0.7}]


@pytest.mark.usefixtures("style")
@pytest.mark.parametrize("kinds", [0, 1, 7])
def test_kinds_of_questions_are_drawn_only_while_panels_can_be_read(results, kinds):
    results["strata"] = [dict(results["strata"][0], stratum=str(n)) for n in range(kinds)]
    assert draw_strata(as_results(results)) is None


@pytest.mark.usefixtures("style")
def test_an_unchanged_label_mix_is_not_drawn(results):
    for each in results["arms"]:
        each["label_mix"] = {"before": {"a": 1.0}, "after": {"a": 1.0}}
    assert draw_label_mix(as_results(results)) is None
