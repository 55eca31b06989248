"""Students with a conflicting goal, remedies, and differences of models: what each asks for and trains on."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError, SealedError
from outgrow.core.lab import Source
from outgrow.core.tables import with_column
from outgrow.methods import METHODS
from outgrow.objectives.conflict import ExplicitConflict

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

SAID = {"q1": ["a"], "q2": ["b"], "q3": ["a"], "q4": [None], "k1": ["b"]}
P_OF_A = {"q1": 0.9, "q2": 0.3, "q3": 0.6, "k1": 0.2}
SHARES = {(q, 0): {"a": p, "b": 1 - p} for q, p in P_OF_A.items()}
TRUTH = {"q1": "a", "q2": "a", "q3": "b", "q4": "b"}
OTHER, MODEL = Source("other", "key-other"), Source("middle", "key-middle")


@dataclass
class Pairs(fake.FakeLab):
    """Questions that have the two answers a and b."""

    def _questions(self, wanted):
        table = super()._questions(wanted)
        return with_column(table, "choices", pa.array([["a", "b"]] * table.num_rows, pa.list_(pa.string())))


def lab_with(**facts):
    return Pairs(fake.answers_table(SAID, probabilities=SHARES), known_truth={"k1": "b"}, **facts)


def run(name, lab=None, **settings):
    lab = lab or lab_with(truth=TRUTH)
    spec = METHODS[name]
    return lab, spec.function(lab, spec.config(**settings))


def shares(trained):
    return {i: dict(s) for i, s in zip(trained.column("example_id"), trained.column("probabilities"), strict=True)}


WEAK = {q: pytest.approx({"a": p, "b": 1 - p}) for q, p in P_OF_A.items() if q != "k1"}


def test_a_reward_model_learns_soft_preferences_once():
    lab, _ = run("no_conflict", lab_with(head="reward"), draw=2)
    (trained,) = lab.trained
    assert shares(trained) == WEAK
    assert trained.objective == ExplicitConflict(loss="bradley_terry", weight=0.0)
    assert (trained.select, trained.draw, trained.start) == ("last", 2, fake.STUDENT)
    assert lab.asked == [("sup", 1)]
    assert "harmless" not in trained.rows.column_names


@pytest.mark.parametrize("loss", ["dpo", "simpo", None])
def test_a_language_model_learns_preferred_answers_and_then_pairs(loss):
    lab, student = run("no_conflict", lab_with(), loss=loss)
    said, pairs = lab.trained
    assert said.targets == pairs.targets == {"q1/sup/0/0": "a", "q2/sup/0/0": "b", "q3/sup/0/0": "a"}
    assert (said.objective, said.start.name) == (None, "student")
    assert pairs.objective == ExplicitConflict(loss=loss or "dpo", weight=0.0)
    assert pairs.start.name == "preferred answers"
    if loss == "simpo":
        assert (lab.contrasts, student.name) == ([], "preferences")
    else:  # read by its implicit reward
        ((plus, minus, base, alpha),) = lab.contrasts
        assert (plus.name, minus.name, base, alpha) == ("preferences", "preferred answers", None, 1.0)
        assert student.name == "implicit reward"


def test_explicit_conflict_is_told_which_answer_is_harmless():
    lab, _ = run("explicit_conflict", lab_with(truth=TRUTH, head="reward"), weight=0.7)
    (trained,) = lab.trained
    assert shares(trained) == WEAK
    assert dict(zip(trained.column("example_id"), trained.column("harmless"), strict=True)) == {
        "q1": 0.0, "q2": 0.0, "q3": 1.0,
    }  # fmt: skip
    assert trained.objective == ExplicitConflict(loss="bradley_terry", weight=0.7)
    lab, _ = run("explicit_conflict", lab_with(truth=TRUTH, head="reward"), labels="gold", weight=0.0)
    assert shares(lab.trained[0]) == {q: {value: 1.0} for q, value in TRUTH.items()}
    assert lab.asked == []
    lab, _ = run("explicit_conflict", lab_with(truth=TRUTH))
    assert "harmless" not in lab.trained[0].rows.column_names  # of the first stage
    assert lab.trained[1].column("harmless") == [0.0, 0.0, 1.0]
    with pytest.raises(SealedError):
        run("explicit_conflict", lab_with())


def test_implicit_conflict_buys_preferences_of_another_goal():
    lab, _ = run("implicit_conflict", lab_with(head="reward"), goal="helpful")
    (trained,) = lab.trained
    assert shares(trained) == {**WEAK, "k1": {"b": 1.0}}
    assert set(trained.column("source")) == {"sup", "known"}
    assert lab.objectives == ["helpful"]
    with pytest.raises(PrerequisiteError, match="from the split 'known', which has no questions"):
        run("implicit_conflict", Pairs(fake.answers_table(SAID, probabilities=SHARES)))


def test_the_loss_fits_how_the_student_is_read():
    losses = {}
    for head, normalised in (("reward", None), ("lm", None), ("lm", "tokens")):
        lab, student = run("no_conflict", lab_with(head=head, length_normalise=normalised))
        losses[head, normalised] = lab.trained[-1].objective.loss, student.name
    assert losses == {
        ("reward", None): ("bradley_terry", "arm"),
        ("lm", None): ("dpo", "implicit reward"),
        ("lm", "tokens"): ("simpo", "preferences"),
    }


def test_remedies_need_no_gold():
    lab, _ = run("no_conflict", lab_with(head="reward"), remedy="confidence")
    assert set(shares(lab.trained[0])) == {"q1"}
    lab, _ = run("no_conflict", lab_with(head="reward"), remedy="confidence", threshold=0.7)
    assert set(shares(lab.trained[0])) == {"q1", "q2"}  # it is sure of a wrong label, too
    lab, _ = run("no_conflict", lab_with(head="reward"), remedy="reliability")
    assert lab.trained[0].column("weight") == pytest.approx([0.8, 0.4, 0.2])


@dataclass
class Probable(Pairs):
    """Other sources answer with probabilities, too."""

    def ask(self, source, questions, how=None, *, variants=None):
        if source == fake.SUPERVISOR:
            return super().ask(source, questions, how, variants=variants)
        ids = questions["example_id"].to_pylist()
        self.asked.append((source.name, 1))
        p = {"other": 0.5, "middle": 0.1}[source.name]
        return fake.answers_table({q: ["b"] for q in ids}, probabilities={(q, 0): {"a": p, "b": 1 - p} for q in ids})


def test_several_supervisors_are_averaged_and_models_hand_labels_on():
    answers = fake.answers_table(SAID, probabilities=SHARES)
    lab, _ = run("no_conflict", Probable(answers, head="reward", further=(OTHER,)))
    found = shares(lab.trained[0])
    assert set(found) == {"q1", "q2", "q3", "k1"}  # what all of them answered
    assert found["q1"] == pytest.approx({"a": 0.7, "b": 0.3})
    assert found["q2"] == pytest.approx({"a": 0.4, "b": 0.6})
    assert set(lab.trained[0].column("source")) == {"sup + other"}
    lab, _ = run("no_conflict", Probable(answers, head="reward", models=(MODEL,)), remedy="bootstrapping")
    first, second = lab.trained
    assert (first.start, first.stage) == (MODEL, "middle")
    assert set(shares(first)) == {"q1", "q2", "q3", "k1"}
    assert shares(second)["q1"] == pytest.approx({"a": 0.1, "b": 0.9})
    lab, _ = run("no_conflict", lab_with(head="reward"), remedy="bootstrapping")
    assert shares(lab.trained[0]) == WEAK
    assert lab.notes == [
        "The recipe has no model between the supervisor and this student (models): nothing is handed on."
    ]


def test_a_difference_of_models_is_added_to_the_student_or_distilled():
    lab, student = run("logit_contrast", Probable(fake.answers_table(SAID), further=(OTHER,)), alpha=2.0)
    assert lab.contrasts == [(OTHER, fake.SUPERVISOR, fake.STUDENT, 2.0)]
    assert (student.name, lab.trained) == ("contrast", [])
    said = {"contrast": dict.fromkeys([*SAID, "v1"], "b")}
    held = fake.FakeLab(fake.answers_table({**SAID, "v1": ["a"]}), further=(OTHER,), said=said, held_out=("v1",))
    lab, _ = run("logit_contrast", held, distil=True)
    (trained,) = lab.trained
    assert set(trained.targets.values()) == {"b"}
    assert (trained.start, trained.stage) == (fake.STUDENT, "distilled")
    assert trained.select["example_id"].to_pylist() == ["v1"]
    with pytest.raises(ConfigError, match="unknown source of answers 'nobody'"):
        run("logit_contrast", Probable(fake.answers_table(SAID)), plus="nobody")
