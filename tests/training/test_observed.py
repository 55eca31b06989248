"""An objective over K options whose statistics go from step to step, and what it gets to see."""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, load
from outgrow.objectives import imitation
from outgrow.objectives.base import Losses
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.observed import Shown, in_step_order
from outgrow.training.schedule import rows_of_step

_spec = importlib.util.spec_from_file_location("rank_cases", Path(__file__).parent / "rank_cases.py")
assert _spec is not None
assert _spec.loader is not None
rank_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rank_cases)

CONFIG = TrainConfig(batch_size=8, learning_rate=1e-3)
CLASSES = [
    TrainRow(f"c{i}", "w3 w4 w5", ("yes", "no", "red")[i % 3], weight=1.0 + i % 2, fields={"number": float(i)})
    for i in range(11)
]


def train(folder, work, head, steps=4, **changes):
    """Weights, history, last state and micro-batches of a training with `Levelling`."""
    ref, classes = ModelRef(model=str(folder), head=head), ("yes", "no", "red") if head == "classifier" else None
    loaded, sizes = load(ref, classes, seed=3), []

    @dataclass(frozen=True)
    class Watched(rank_cases.Levelling):
        def __call__(self, outputs, batch, progress, state):
            sizes.append(len(batch.weight))
            return super().__call__(outputs, batch, progress, state)

    objective, rows = Watched(), rank_cases.CHOICES if classes is None else CLASSES
    result = fit(loaded, rows, objective, CONFIG.model_copy(update=changes), seed=7, total_steps=steps, work=work)
    weights = torch.cat([p.detach().flatten() for p in loaded.head.parameters()])
    return weights, result.history, objective.states, sizes


@pytest.mark.parametrize("head", ["lm", "classifier"])
def test_statistics_are_the_same_for_one_micro_batch_of_eight_and_eight_of_one(tiny_lm, tmp_path, head):
    """Tolerance 1e-6 on statistics, 2e-5 on weights after four steps of Adam at 1e-3."""
    one, whole, states, sizes = train(tiny_lm, tmp_path / "a", head)
    cut, parts, cut_states, cut_sizes = train(tiny_lm, tmp_path / "b", head, micro_batch_tokens=1)
    assert sizes == [8] * 4
    assert cut_sizes == [1] * 32
    order = [float(row) for step in range(4) for row in rows_of_step(step, 11, 8, seed=7)]
    assert len(states) == len(cut_states) == 4  # once a step
    for state, other in zip(states, cut_states, strict=True):
        assert state["numbers"] == other["numbers"] == order[: len(state["numbers"])]
        torch.testing.assert_close(state["places"], other["places"], rtol=0, atol=1e-6)
    assert not torch.equal(states[0]["places"], states[-1]["places"])
    torch.testing.assert_close(cut, one, rtol=0, atol=2e-5)
    for key in ("loss", "surest"):
        np.testing.assert_allclose([e[key] for e in parts], [e[key] for e in whole], rtol=1e-5)


def test_metrics_are_shown_as_means_over_the_rows_of_a_step(tiny_lm, tmp_path):
    _, history, _, _ = train(tiny_lm, tmp_path, "classifier", steps=1, micro_batch_tokens=1)
    assert history[0]["step"] == 1
    assert 1 / 3 < history[0]["surest"] < 1  # the largest of three probabilities


def test_the_first_state_is_made_from_the_whole_training_set(tiny_lm, tmp_path):
    seen = []

    @dataclass(frozen=True)
    class Looks(rank_cases.Levelling):
        def prepare(self, targets):
            seen.append(targets)
            return super().prepare(targets)

    rows = [
        TrainRow("a", "w1", "no", ("yes", "no"), weight=2.0, fields={"number": 0.0}),
        TrainRow("b", "w2", None, ("red", "w3", "w4"), (0.25, 0.25, 0.5), fields={"number": 1.0}),
        TrainRow("gone", "w2", "red", ("red", "w3"), weight=0.0, fields={"number": 2.0}),
    ]
    fit(load(ModelRef(model=str(tiny_lm))), rows, Looks(), CONFIG, seed=0, total_steps=1, work=tmp_path)
    (targets,) = seen
    assert targets.row_ids == ("a", "b")
    assert targets.options == (("yes", "no"), ("red", "w3", "w4"))
    assert targets.share.tolist() == [[0, 1, 0], [0.25, 0.25, 0.5]]
    assert targets.weight.tolist() == [2.0, 1.0]


def test_what_ranks_saw_is_put_back_into_the_order_of_the_step():
    first = Shown([4, 0], {"m": torch.tensor([4.0, 0.0])}, {"o": torch.tensor([[4, 4], [0, 0]])})
    second = Shown([1, 3], {"m": torch.tensor([1.0, 3.0])}, {"o": torch.tensor([[1, 1], [3, 3]])})
    third = Shown([2], {"m": torch.tensor([2.0])}, {"o": torch.tensor([[2, 2]])})
    metrics, observed = in_step_order([[first, third], [second], []])
    assert metrics["m"].tolist() == [0, 1, 2, 3, 4]
    assert observed["o"].tolist() == [[i, i] for i in range(5)]


def test_rows_without_options_are_refused_with_the_remedies(tiny_lm, tmp_path):
    rows = [*rank_cases.CHOICES[:2], replace(rank_cases.CHOICES[2], options=None)]
    with pytest.raises(DataError, match=r"'o2' has no options, but the objective 'levelling'.*head: classifier"):
        fit(
            load(ModelRef(model=str(tiny_lm))),
            rows,
            rank_cases.Levelling(),
            CONFIG,
            seed=0,
            total_steps=1,
            work=tmp_path,
        )


@pytest.mark.parametrize("value", [{1: 2}, (1, 2), np.zeros(2), [torch.zeros(1)]])
def test_state_that_no_checkpoint_could_give_back_is_refused(tiny_lm, tmp_path, value):
    class Keeps(type(imitation)):
        def prepare(self, targets):
            return {"thing": value}

    loaded = load(ModelRef(model=str(tiny_lm)))
    with pytest.raises(ConfigError, match=f"'imitation' keeps 'thing' as {type(value).__name__}; .*JSON"):
        fit(loaded, [TrainRow("r", "w1", "yes")], Keeps(), CONFIG, seed=0, total_steps=1, work=tmp_path)


def test_reading_of_the_objective_is_the_models_from_then_on(tiny_lm, tmp_path, monkeypatch):
    from outgrow.models import readings

    class Evidence(type(imitation)):
        reading = "evidence"

    rows, loaded = [TrainRow("r", "w1", "yes"), TrainRow("s", "w2", "no")], load(ModelRef(model=str(tiny_lm)))
    with pytest.raises(ConfigError, match="unknown reading 'evidence'"):
        fit(loaded, rows, Evidence(), CONFIG, seed=0, total_steps=1, work=tmp_path / "a")
    monkeypatch.setitem(readings.READINGS, "evidence", readings.softmax)
    with pytest.raises(DataError, match="row 'r' has no options, but the objective 'imitation' weighs options"):
        fit(loaded, rows, Evidence(), CONFIG, seed=0, total_steps=1, work=tmp_path / "a")
    reward = load(ModelRef(model=str(tiny_lm), head="reward"))
    with pytest.raises(ConfigError, match="read by 'evidence', and of rewards only differences count"):
        fit(reward, rows, Evidence(), CONFIG, seed=0, total_steps=1, work=tmp_path / "a")
    classifier = load(ModelRef(model=str(tiny_lm), head="classifier"), ("yes", "no"))
    fit(classifier, rows, Evidence(), CONFIG, seed=0, total_steps=1, work=tmp_path / "a")
    assert classifier.reading == "evidence"
    fit(classifier, rows, imitation, CONFIG, seed=0, total_steps=1, work=tmp_path / "b")
    assert classifier.reading == "softmax"


def test_fields_of_rows_reach_the_objective_one_number_or_several(tiny_lm, tmp_path):
    seen = {}

    class Looks(type(imitation)):
        def __call__(self, outputs, batch, progress, state):
            assert isinstance(super().__call__(outputs, batch, progress, state), Losses)
            pairs = zip(batch.fields["reference"].tolist(), batch.fields["both"].tolist(), strict=True)
            seen.update(zip(batch.row_ids, pairs, strict=True))
            return super().__call__(outputs, batch, progress, state)

    rows = [TrainRow(f"r{i}", f"w{i}", "yes", fields={"reference": i / 2, "both": (i, 1.0)}) for i in range(4)]
    fit(load(ModelRef(model=str(tiny_lm))), rows, Looks(), CONFIG, seed=0, total_steps=1, work=tmp_path)
    assert seen == {f"r{i}": (i / 2, [i, 1.0]) for i in range(4)}
