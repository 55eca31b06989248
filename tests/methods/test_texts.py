"""Several supervisors who write: rows of texts, what they carry, and the student's texts as they rank them."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.lab import How, Source
from outgrow.core.tables import WEAK_TOKENS, with_column
from outgrow.methods import METHODS
from outgrow.objectives.preference import Dpo
from outgrow.objectives.raven import RavenTokens
from outgrow.objectives.soft_tokens import EvidentialTokens, SoftTokens

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

SAID = {"ann": {"q1": "moss", "q2": "reef", "v1": "reef"}, "bob": {"q1": "moss", "q2": "cave", "v1": "reef"}}
FIRST = {"q1": "nuts", "q2": "reef", "v1": "cave"}


class Writing(fake.FakeLab):
    """Everybody writes, and says a value in words of their own; the student's search ends with several texts."""

    candidates = {"q1": ["moss", "nuts", None], "q2": ["reef"]}  # noqa: RUF012

    def ask(self, source, questions, how=None, *, variants=None):
        ids = questions["example_id"].to_pylist()
        if how is not None and how.beams and source not in self.supervisors:
            several = [(q, i, value) for q in ids for i, value in enumerate(self.candidates[q])]
            table = fake.answers_table({f"{q}/{i}": [value] for q, i, value in several}, finish="stop")
            texts = pa.array([f"it is {value}" for *_, value in several])
            for name, column in (
                ("example_id", [q for q, *_ in several]),
                ("sample", [i for _, i, _ in several]),
                ("text", texts),
            ):
                table = with_column(table, name, pa.array(column, table.schema.field(name).type))
            return table
        own = FIRST if source == fake.SUPERVISOR else self.said[source.name]
        table = fake.answers_table({q: [own[q]] for q in ids}, finish="stop")
        table = with_column(table, "text", pa.array([f"{own[q]}, says {source.name}" for q in ids]))
        self.asked.append((source.name, how))
        return with_column(table, "source", pa.array([source.name] * len(ids)))

    def score(self, source, prompts, targets):
        """Longer texts are less probable; ann alone likes moss."""
        logs = [-float(len(text)) + 20.0 * (source.name == "ann" and "moss" in text) for text in targets]
        return pa.table({"logprob": pa.array(logs), "n_tokens": pa.array([2] * len(logs))})


def lab_of(**facts):
    further = (Source("ann", "key-ann"), Source("bob", "key-bob"))
    return Writing(fake.answers_table({q: [v] for q, v in FIRST.items()}), held_out=("v1",), said=SAID,
                   further=further, **facts)  # fmt: skip


def run(name, lab=None, **settings):
    lab = lab or lab_of()
    METHODS[name].function(lab, METHODS[name].config(**settings))
    return lab.trained


def by_source(trained, column):
    keys = zip(trained.column("example_id"), trained.column("source"), strict=True)
    return dict(zip(keys, trained.column(column), strict=True))


@pytest.mark.parametrize(
    ("name", "settings", "objective"),
    [
        ("naive_multi_weak", {}, SoftTokens()),
        ("naive_multi_weak", {"labels": "hard"}, None),
        ("bayesian_multi_weak", {}, EvidentialTokens()),
        ("bayesian_multi_weak", {"kl": 0.5, "evidence": "softplus"}, EvidentialTokens(kl=0.5, evidence="softplus")),
        ("raven", {"rate": 0.2}, RavenTokens(annotators=3, rate=0.2)),
    ],
)
def test_everybodys_texts_are_rows_with_what_they_make_of_each_token(name, settings, objective):
    (trained,) = run(name, **settings)
    assert by_source(trained, "target") == {
        (q, source): f"{value}, says {source}"
        for source, values in {"sup": FIRST, **SAID}.items()
        for q, value in values.items()
        if q != "v1"
    }
    assert trained.objective == objective
    assert trained.select["value"].to_pylist() == ["reef"]
    if settings.get("labels") == "hard":
        assert WEAK_TOKENS.name not in trained.rows.column_names
        return
    tokens = by_source(trained, WEAK_TOKENS.name)["q1", "ann"]
    length = len("moss, says ann")
    assert tokens == [
        {"start": 0, "end": length, "logprob": -1.0}, {"start": length, "end": length, "logprob": 0.0}
    ]  # fmt: skip
    if name == "raven":
        assert by_source(trained, "easy") == {(q, s): 0.0 for q in ("q1", "q2") for s in ("sup", "ann", "bob")}


def test_rows_count_by_the_weights_of_their_supervisors():
    (trained,) = run("naive_multi_weak", weights=(2.0, 1.0, 0.0), beams=4)
    assert by_source(trained, "weight") == {
        (q, s): w for q in ("q1", "q2") for s, w in {"sup": 2.0, "ann": 1.0, "bob": 0.0}.items()
    }
    lab = lab_of()
    run("naive_multi_weak", lab, beams=4)
    assert ("ann", How(variants=1, samples=1, temperature=0.0, beams=4)) in lab.asked


def test_a_posterior_weighs_every_text_that_was_written():
    (trained,) = run("annotator_posterior", model="majority")
    rows = {
        (q, target): w for q, target, w in zip(*map(trained.column, ("example_id", "target", "weight")), strict=True)
    }
    assert rows == {
        ("q1", "nuts, says sup"): pytest.approx(1 / 3), ("q1", "moss, says ann"): pytest.approx(2 / 3),
        ("q2", "reef, says ann"): pytest.approx(2 / 3), ("q2", "cave, says bob"): pytest.approx(1 / 3),
    }  # fmt: skip
    assert trained.objective is None
    with pytest.raises(ValueError, match="did you mean 'majority'"):
        METHODS["annotator_posterior"].config(model="majorty")


def test_joint_texts_carry_the_tokens_of_their_author():
    lab = lab_of()
    lab.said = {**SAID, "joint decoding": {"q1": "moss", "q2": "reef", "v1": "cave"}}
    (trained,) = run("joint_decoding", lab, labels="soft", beams=5)
    assert lab.joints == [(lab.supervisors, None)]
    assert trained.objective == SoftTokens()
    assert trained.column(WEAK_TOKENS.name)[0][0]["logprob"] == -1.0


def test_the_students_texts_are_ranked_by_all_supervisors():
    """q1: "it is moss" is 10 characters and 20 better to ann, "it is nuts" 10; q2 has one text that can be read."""
    imitation, preference = run("ensemble_preference", beta=2.0, learning_rate=1e-4)
    assert imitation.objective == EvidentialTokens()
    assert (imitation.stage, preference.stage) == ("imitation", "preference")
    assert preference.start.name == "imitation"
    assert preference.objective == Dpo(beta=2.0, smoothing=0.1)
    assert preference.settings == {"learning_rate": 1e-4}
    assert preference.column("chosen") == ["it is moss"]
    assert preference.column("rejected") == ["it is nuts"]
    np.testing.assert_allclose(preference.column("margin"), [20 / 2 / 3])
    _, turned = run("ensemble_preference", ranking=(0.0, 1.0, 0.0), pairs="shuffled", candidates=3)
    assert sorted([*turned.column("chosen"), *turned.column("rejected")]) == ["it is moss", "it is nuts"]
    assert turned.column("margin")[0] in (10.0, -10.0)


def test_a_ranking_that_does_not_fit_and_candidates_that_are_one():
    with pytest.raises(
        ConfigError, match=r"ranking: one weight for each of the 3 supervisors, not all 0; found \(1.0,\)"
    ):
        run("ensemble_preference", ranking=(1.0,))
    lab = lab_of()
    lab.candidates = {"q1": ["moss"], "q2": ["reef"]}
    with pytest.raises(PrerequisiteError, match="no two different answers to any question"):
        run("ensemble_preference", lab)


def test_of_options_those_that_the_student_finds_most_probable_are_ranked():
    """q1: the student likes nuts and moss, the supervisors moss (.6 and .9 against .3 and .05), nobody roots."""
    shares = {
        "student": {"nuts": 0.5, "moss": 0.4, "roots": 0.1}, "sup": {"nuts": 0.3, "moss": 0.6, "roots": 0.1},
        "ann": {"nuts": 0.05, "moss": 0.9, "roots": 0.05},
    }  # fmt: skip

    class Choosing(fake.FakeLab):
        def ask(self, source, questions, how=None, *, variants=None):
            own = shares.get(source.name, shares["student"])
            best = max(own, key=own.get)
            ids = questions["example_id"].to_pylist()
            table = fake.answers_table({q: [best] for q in ids}, probabilities={(q, 0): own for q in ids})
            return with_column(table, "source", pa.array([source.name] * len(ids)))

    def lab(**facts):
        return Choosing(fake.answers_table({"q1": ["moss"], "v1": ["moss"]}), held_out=("v1",),
                        further=(Source("ann", "key-ann"),), **facts)  # fmt: skip

    _, preference = run("ensemble_preference", lab(), candidates=2)
    assert (preference.column("chosen"), preference.column("rejected")) == (["moss"], ["nuts"])
    margin = (np.log(0.6) + np.log(0.9) - np.log(0.3) - np.log(0.05)) / 2
    np.testing.assert_allclose(preference.column("margin"), [margin])
    _, wide = run("ensemble_preference", lab(), candidates=3)
    assert (wide.column("chosen"), wide.column("rejected")) == (["moss"], ["roots"])
    with pytest.raises(ConfigError, match="head 'classifier' says nothing, take lm"):
        run("ensemble_preference", lab(head="classifier"))
