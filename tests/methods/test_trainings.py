"""Methods that train with an objective of their own, in stages, or not at all: what each asks for and trains on."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from outgrow.core.errors import PrerequisiteError, SealedError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Probe, Source
from outgrow.methods import METHODS
from outgrow.methods.bootstrapping import disjoint
from outgrow.objectives.confidence import Confidence
from outgrow.objectives.self_training import Product

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

SAID = {"q1": ["a", "b"], "q2": ["b", "b"], "q3": ["a", "a"], "q4": [None, "a"], "v1": ["a", "a"], "v2": ["b", "a"]}
SHARES = {(q, 0): {"a": 0.75, "b": 0.25} if values[0] == "a" else {"a": 0.4, "b": 0.6} for q, values in SAID.items()}
TRUTH = {q: "a" for q in SAID}
WEAK = {"q1/sup/0/0": "a", "q2/sup/0/0": "b", "q3/sup/0/0": "a"}


def run(name, *, lab=None, soft=True, **settings):
    """The lab after a method has run on it, and what it returned."""
    answers = fake.answers_table(SAID, probabilities=SHARES if soft else None)
    lab = lab or fake.FakeLab(answers, held_out=("v1", "v2"))
    spec = METHODS[name]
    return lab, spec.function(lab, spec.config(**settings))


def lab_with(**facts):
    return fake.FakeLab(fake.answers_table(SAID, probabilities=SHARES), held_out=("v1", "v2"), **facts)


def test_confidence_loss_learns_soft_labels_where_there_are_any_by_its_own_objective():
    lab, _ = run("confidence_loss", alpha=0.75, warmup=0.1, balance=False)
    (trained,) = lab.trained
    assert trained.objective == Confidence(alpha=0.75, warmup=0.1, balance=False)
    assert [dict(shares) for shares in trained.column("probabilities")] == [
        {"a": 0.75, "b": 0.25}, {"a": 0.4, "b": 0.6}, {"a": 0.75, "b": 0.25},
    ]  # fmt: skip
    assert trained.column("target") == [None] * 3
    assert lab.asked == [("sup", 1)]


@pytest.mark.parametrize(("soft", "settings"), [(False, {}), (True, {"labels": "hard"})])
def test_confidence_loss_learns_what_was_said_otherwise(soft, settings):
    lab, _ = run("confidence_loss", soft=soft, **settings)
    assert lab.trained[0].targets == WEAK


def test_soft_labels_that_are_asked_for_have_to_be_there():
    with pytest.raises(PrerequisiteError, match=r"every answer; 3 of 3 have none. Texts .* use labels: hard"):
        run("confidence_loss", soft=False, labels="soft")
    with pytest.raises(PrerequisiteError, match="labels: hard"):
        run("product_loss", soft=False)


@pytest.mark.parametrize("name", ["confidence_loss", "product_loss"])
def test_a_supervisor_without_an_answer_leaves_no_row(name):
    lab = fake.FakeLab(fake.answers_table({"q1": [None], "q2": [None]}))
    run(name, lab=lab)
    assert lab.trained[0].rows.num_rows == 0


def test_product_loss_has_its_objective():
    lab, _ = run("product_loss", alpha=0.5)
    assert lab.trained[0].objective == Product(alpha=0.5)


def test_probes_read_the_untrained_student():
    lab, student = run("nearest_centroid", layer=2)
    (fitted,) = lab.trained
    assert (fitted.start, fitted.probe) == (fake.STUDENT, Probe("nearest_centroid", 2))
    assert fitted.targets == WEAK
    assert student.name == "probe"
    lab, _ = run("linear_probe", c=0.1, pool="mean")
    assert lab.trained[0].probe == Probe("logistic", -1, "mean", 0.1)
    assert lab.trained[0].column("target") == [None] * 3  # soft


def test_contrast_consistent_search_asks_no_supervisor():
    lab = lab_with(said={"student": {q: "b" for q in TRUTH}})
    run("contrast_consistent_search", lab=lab, c=0.1, layer=2)
    (fitted,) = lab.trained
    assert lab.asked == [("student", 1)]
    assert (fitted.start, fitted.probe) == (fake.STUDENT, Probe("contrast_consistent", 2, "auto", 0.1))
    assert fitted.probe.of_options
    assert set(fitted.targets.values()) == {"b"}


def test_probes_on_gold_are_declared():
    lab, _ = run("linear_probe_gold", lab=lab_with(truth=TRUTH))
    assert set(lab.trained[0].targets.values()) == {"a"}
    assert len(lab.trained[0].targets) == 4
    lab, student = run("finetuned_probe_gold", lab=lab_with(truth=TRUTH))
    first, second = lab.trained
    assert (first.targets, first.select, first.start) == (WEAK, "weak", fake.STUDENT)
    assert (second.start.name, second.probe.kind) == ("weak labels", "logistic")
    assert student.name == "probe"
    assert all(METHODS[name].uses_gold for name in ("linear_probe_gold", "finetuned_probe_gold", "early_stopping_gold"))
    with pytest.raises(SealedError):
        run("linear_probe_gold")


def test_few_shot_shows_some_weak_labels_that_follow_the_seed():
    said = {f"q{i}": ["ab"[i % 2]] for i in range(30)}
    shown = []
    for seed in (0, 0, 1):
        lab, student = run("few_shot", lab=fake.FakeLab(fake.answers_table(said), seed=seed), shots=4)
        assert (student.name, lab.trained[0].start) == ("prompted", fake.STUDENT)
        shown.append(lab.trained[0].targets)
    assert len(shown[0]) == 4
    assert shown[0] == shown[1] != shown[2]
    with pytest.raises(PrerequisiteError, match="few_shot shows 9 labels, and the supervisor gave 3"):
        run("few_shot", shots=9)


# Chains and rounds ---------------------------------------------------------------------------------------------------


def chain():
    small, middle = Source("small", "key-small"), Source("middle", "key-middle")
    said = {"small": dict.fromkeys(SAID, "b"), "middle": dict.fromkeys(SAID, "c")}
    return lab_with(models=(small, middle), said=said)


def test_bootstrapping_goes_up_the_models_each_from_its_own_weights_on_questions_of_its_own():
    lab, student = run("bootstrapping", lab=chain(), fresh=1)
    assert [each.start.name for each in lab.trained] == ["small", "middle", "student"]
    parts = [set(each.column("example_id")) for each in lab.trained]
    assert sum(map(len, parts)) == len(set().union(*parts))  # disjoint
    assert set(lab.trained[1].column("target")) == {"b"}  # what small says
    assert set(lab.trained[2].column("target")) == {"c"}  # what middle says
    assert lab.trained[0].select == "weak"
    told = lab.trained[2].select
    assert dict(zip(*(told[name].to_pylist() for name in ("example_id", "value")), strict=True)) == {
        "v1": "c",
        "v2": "c",
    }
    assert student.name == "student"
    assert not lab.notes


def test_bootstrapping_with_few_questions_uses_them_all_and_says_so():
    lab, _ = run("bootstrapping", lab=chain(), fresh=2)
    assert len(lab.trained[1].column("example_id")) == 4
    assert lab.notes == ["The pool has fewer than 2 questions for each link, so every link learns all of them."]


def test_bootstrapping_without_models_between_is_naive_training_and_says_so():
    lab, _ = run("bootstrapping")
    (trained,) = lab.trained
    assert (trained.targets, trained.select, trained.start) == (WEAK, "weak", fake.STUDENT)
    assert lab.notes == [
        "The recipe has no model between the supervisor and this student (models): this is naive training."
    ]


def test_parts_are_disjoint_keep_groups_together_and_follow_the_seed():
    questions = fake.examples_table(f"q{i}" for i in range(100))
    groups = pc.utf8_slice_codeunits(questions["example_id"], 0, 2)  # ten of ten, about
    questions = questions.set_column(1, questions.schema.field("group_id"), groups)
    parts = disjoint(questions, 3, seed=0)
    of = [set(part["group_id"].to_pylist()) for part in parts]
    assert sum(map(len, of)) == len(set().union(*of)) == 10
    assert sum(part.num_rows for part in parts) == 100
    assert [len(each) for each in of] in ([3, 4, 3], [3, 3, 4], [4, 3, 3])
    assert any(not part.equals(other) for part, other in zip(parts, disjoint(questions, 3, seed=1), strict=True))


def test_self_training_learns_its_own_labels_in_rounds_of_fresh_students():
    said = {"weak labels": dict.fromkeys(SAID, "b"), "round 1": dict.fromkeys(SAID, "c")}
    lab, student = run("self_training", lab=lab_with(said=said), rounds=2)
    assert [(each.stage, each.start.name, each.select) for each in lab.trained] == [
        ("weak labels", "student", None), ("round 1", "student", "last"), ("round 2", "student", "last"),
    ]  # fmt: skip
    assert [set(each.column("target")) for each in lab.trained] == [{"a", "b"}, {"b"}, {"c"}]
    assert student.name == "round 2"


def test_its_control_never_asks_the_supervisor():
    lab, student = run("zero_shot_self_training", lab=lab_with(said={"student": dict.fromkeys(SAID, "b")}))
    assert lab.asked == [("student", 1)]
    assert METHODS["zero_shot_self_training"].control
    assert len(lab.trained[0].column("target")) == 2  # half of four
    assert student.name == "own labels"


def test_generative_finetuning_reads_the_pool_before_it_is_taught_and_so_does_its_ceiling():
    lab, student = run("generative_finetuning", epochs=2.0)
    assert lab.pretrained == [(fake.STUDENT, ["q1", "q2", "q3", "q4"], {"epochs": 2.0})]
    (trained,) = lab.trained
    assert (trained.start.name, trained.stage, trained.targets) == ("texts", "weak labels", WEAK)
    assert student.name == "weak labels"
    lab, _ = run("generative_ceiling", lab=lab_with(truth=TRUTH))
    assert lab.pretrained[0][0] == fake.STUDENT
    assert (lab.trained[0].start.name, set(lab.trained[0].targets.values())) == ("texts", {"a"})
    assert METHODS["generative_finetuning"].ceiling == METHODS["generative_ceiling"].ceiling == "generative_ceiling"


# What is chosen without gold ----------------------------------------------------------------------------------------


def test_strong_regularised_keeps_the_training_that_agrees_most_with_held_out_weak_labels():
    stages = {(rate, decay): f"learning rate x {rate}, weight decay {decay}" for rate in (1, 0.3) for decay in (0, 0.1)}
    said = {stage: {"v1": "b", "v2": "a"} for stage in stages.values()}
    said[stages[0.3, 0.1]] = {"v1": "a", "v2": "b"}  # as the supervisor
    lab, student = run("strong_regularised", lab=lab_with(said=said), rates=(1.0, 0.3), weight_decays=(0.0, 0.1))
    assert student.name == stages[0.3, 0.1]
    assert [each.settings["learning_rate"] for each in lab.trained] == pytest.approx([0.01, 0.01, 0.003, 0.003])
    assert lab.notes == [f"Chosen: {student.name}, which says what the supervisor says in 100.0% of the validation "
                         "questions."]  # fmt: skip


@pytest.mark.parametrize("by", ["weak", "last"])
def test_early_stopping_by_the_supervisor_or_not_at_all(by):
    lab, _ = run("early_stopping", by=by)
    (trained,) = lab.trained
    assert (trained.select, trained.targets) == (by, WEAK)


def test_early_stopping_by_the_nearest_class_mean_needs_no_gold():
    lab, _ = run("early_stopping", lab=lab_with(said={"class means": {"v1": "b", "v2": None}}))
    fitted, trained = lab.trained
    assert fitted.probe == Probe("nearest_centroid")
    assert trained.select["example_id"].to_pylist() == ["v1"]
    assert trained.select["value"].to_pylist() == ["b"]
    assert trained.start == fake.STUDENT


def test_early_stopping_by_gold_is_an_oracle():
    lab, _ = run("early_stopping_gold", lab=lab_with(truth=TRUTH))
    assert (lab.trained[0].select, lab.trained[0].targets) == ("gold", WEAK)


@pytest.mark.parametrize(
    ("errors", "wrong"), [("longest", {"q1", "q3"}), ("shortest", {"q2", "q4"}), ("hardest", {"q2", "q3"})]
)
def test_errors_are_as_many_as_the_supervisors_on_questions_of_the_kind(errors, wrong):
    """The supervisor is wrong about two of four. Questions are 8, 3, 5 and 2 characters long; states of q2 and q3 lie
    with the other class."""
    said = {"q1": ["b"], "q2": ["b"], "q3": ["b"], "q4": ["b"]}
    truth = {"q1": "a", "q2": "b", "q3": "a", "q4": "b"}
    lab = fake.FakeLab(
        fake.answers_table(said, probabilities={(q, 0): {"a": 0.5, "b": 0.5} for q in said}), truth,
        states={"q1": [1.0, 0.0], "q2": [0.9, 0.1], "q3": [0.1, 0.9], "q4": [0.0, 1.0]},
        texts={"q1": "12345678", "q2": "123", "q3": "12345", "q4": "12"},
    )  # fmt: skip
    run("error_structure", lab=lab, errors=errors)
    assert {row.split("/")[0] for row, target in lab.trained[0].targets.items() if target != truth[row[:2]]} == wrong
    assert (lab.trained[0].select, lab.notes) == ("last", ["2 of 4 labels are wrong, as many as the supervisor's."])


def test_simulable_errors_are_what_a_rule_of_letters_would_say():
    """Of 40 questions the supervisor says what the first syllable suggests, also of the 10 whose truth is the other."""
    said, truth, texts, states = {}, {}, {}, {}
    for i in range(40):
        name, cue = f"q{i:02}", "ab"[i % 2]
        said[name], truth[name] = [cue], cue if i % 4 < 3 else "ba"[i % 2]
        texts[name], states[name] = f"{'sun' if cue == 'a' else 'moo'} of {i}", [1.0]
    said["q00"], truth["q00"] = ["b"], "a"  # one more error, which no rule makes
    shares = {(q, 0): {"a": 0.5, "b": 0.5} for q in said}
    lab = fake.FakeLab(fake.answers_table(said, probabilities=shares), truth, texts=texts, states=states)
    run("error_structure", lab=lab, errors="simulable")
    wrong = {row.split("/")[0] for row, target in lab.trained[0].targets.items() if target != truth[row.split("/")[0]]}
    misled = {q for q in said if q != "q00" and said[q] != [truth[q]]}
    assert len(misled) == 10
    assert len(wrong) == 11
    assert misled < wrong


def test_random_errors_follow_the_seed():
    said, truth = {f"q{i}": ["ab"[i % 2]] for i in range(40)}, {f"q{i}": "a" for i in range(40)}
    found = []
    for seed in (0, 1):
        lab = fake.FakeLab(fake.answers_table(said), truth | {"q0": "b"}, seed=seed)
        run("error_structure", lab=lab)
        found.append({row for row, target in lab.trained[0].targets.items() if target != lab.truth[row.split("/")[0]]})
    assert [len(each) for each in found] == [21, 21]
    assert found[0] != found[1]


# Hidden states -------------------------------------------------------------------------------------------------------


def clusters(wrong):
    """Twenty questions in two directions, labelled a and b; those of `wrong` the other way."""
    said, states = {}, {}
    for i in range(20):
        name, first = f"q{i:02}", i % 2 == 0
        states[name] = [3.0 + 0.01 * i, 0.0] if first else [0.0, 3.0 + 0.01 * i]
        said[name] = ["a" if first != (name in wrong) else "b"]
    shares = {(q, 0): {"a": 0.5, "b": 0.5} for q in said}
    return fake.FakeLab(fake.answers_table(said, probabilities=shares), states=states)


@pytest.mark.parametrize("probe", ["neighbours", "logistic", "centroid"])
def test_relabelling_repairs_labels_that_their_surroundings_contradict(probe):
    lab = clusters({"q04", "q07"})
    run("probe_relabelling", lab=lab, probe=probe, k=5)
    found = {row.split("/")[0]: target for row, target in lab.trained[0].targets.items()}
    assert found == {f"q{i:02}": "a" if i % 2 == 0 else "b" for i in range(20)}
    assert lab.notes == ["The probe replaced 10.0% of the labels."]


@pytest.mark.parametrize("probe", ["neighbours", "logistic", "centroid"])
def test_forward_correction_counts_how_classes_are_labelled(probe):
    """Of ten questions that lie with a, two are labelled b; of those with b, one is labelled a."""
    lab = clusters({"q04", "q08", "q07"})
    run("forward_correction", lab=lab, probe=probe, k=5)
    (trained,) = lab.trained
    assert trained.objective.classes == ("a", "b")
    np.testing.assert_allclose(trained.objective.transition, [[0.8, 0.2], [0.1, 0.9]])
    assert trained.targets["q04/sup/0/0"] == "b"
    assert lab.notes == ["By the probe 85.0% of the labels are right."]


@pytest.mark.parametrize("probe", ["neighbours", "logistic", "centroid", "topological"])
def test_filtering_leaves_them_out(probe):
    lab = clusters({"q04", "q07"})
    run("probe_filtering", lab=lab, probe=probe, k=5, drop=0.1)
    kept = set(lab.trained[0].column("example_id"))
    assert kept == {f"q{i:02}" for i in range(20)} - {"q04", "q07"}
    assert lab.notes == ["2 of 20 labels were left out."]


def test_relabelling_stays_within_the_options_of_a_question():
    """q04 is said to be b among b and c: a, which its surroundings say, is none of its options."""
    lab = clusters({"q04", "q07"})
    shares = {(q, 0): {"a": 0.5, "b": 0.5} for q in lab.states} | {("q04", 0): {"b": 0.5, "c": 0.5}}
    said = {row["example_id"]: [row["value"]] for row in lab.answers.to_pylist()}
    lab = fake.FakeLab(fake.answers_table(said, probabilities=shares), states=lab.states)
    run("probe_relabelling", lab=lab, probe="centroid")
    assert lab.trained[0].targets["q04/sup/0/0"] == "b"


# Of all of them ------------------------------------------------------------------------------------------------------

SETTINGS = {"few_shot": {"shots": 2}, "delta_learning": {"chosen": "student"}}
JOINT = {name for name, spec in METHODS.items() if spec.needs == "annotators"}
SECOND = (Source("second", "key-second"),)
ELSEWHERE = {"oracle_filtering", "own_gold", "explicit_conflict", "implicit_conflict"}  # need more than this lab has
RANKED = {"ensemble_preference"}  # ranks what a student writes or chooses (tests/methods/test_texts.py)
OTHERS = sorted({name for name, spec in METHODS.items() if not spec.choose} - ELSEWHERE - RANKED)


class Everybody(dict):
    """Sources of any name, each of which says something of its own of every question."""

    def __missing__(self, name):
        return {q: "ab"[int(sha256_text(name, q), 16) % 2] for q in SAID}


@pytest.mark.parametrize("name", OTHERS)
def test_a_method_depends_on_answers_and_seed_alone_and_not_on_the_order_of_rows(name):
    def facts(answers):
        states = {q: [float(int(sha256_text(q, k), 16) % 97) for k in range(3)] for q in SAID}
        models = (Source("small", "key-small"),)
        truth = TRUTH if METHODS[name].uses_gold else {}
        lab = fake.FakeLab(
            answers, truth, held_out=("v1", "v2"), said=Everybody(), states=states, models=models, seed=3,
            further=SECOND if name in JOINT else (),
        )  # fmt: skip
        METHODS[name].function(lab, METHODS[name].config(**SETTINGS.get(name, {})))
        return [
            (each.start, each.stage, sorted(repr(sorted(row.items())) for row in each.rows.to_pylist()))
            for each in lab.trained
        ]

    answers = fake.answers_table(SAID, probabilities=SHARES)
    assert facts(answers.take(list(range(answers.num_rows))[::-1])) == facts(answers)


def test_what_trains_by_an_objective_leaves_room_for_none_of_the_recipe():
    """`lab.train` takes the arm's objective where a method gives none; these are made of theirs."""
    for name in OTHERS:
        lab = lab_with(
            truth=TRUTH, said=Everybody(), states={q: [1.0, 2.0] for q in SAID}, models=chain().models,
            further=SECOND if name in JOINT else (),
        )  # fmt: skip
        METHODS[name].function(lab, METHODS[name].config(**SETTINGS.get(name, {})))
        given = {each.objective for each in lab.trained}
        assert bool(given - {None}) == (
            name
            in (
                "confidence_loss",
                "product_loss",
                "forward_correction",
                "no_conflict",
                *(JOINT - {"naive_multi_weak", "joint_decoding", "annotator_posterior"}),
            )
        ), name
