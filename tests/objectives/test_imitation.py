"""Row losses by hand."""

import math

import pytest
import torch

from outgrow.objectives import Imitation, imitation
from outgrow.objectives.base import Batch, Objective, Outputs, Tokens


def logits_with(nll: float, vocabulary: int = 3) -> list[float]:
    """Scores over `vocabulary` tokens under which token 0 has probability exp(-nll) and the others share the rest."""
    p = math.exp(-nll)
    return [math.log(p)] + [math.log((1 - p) / (vocabulary - 1))] * (vocabulary - 1)


def token_batch(lengths, rows, soft, shares=None, weight=None, normalise="mean"):
    """Tokens of several answers, each predicted at its own place, every target being token 0."""
    n = sum(lengths)
    answer = [i for i, length in enumerate(lengths) for _ in range(length)]
    return Batch(
        tuple(f"r{i}" for i in range(len(soft))),
        torch.tensor(weight or [1.0] * len(soft)),
        normalise,
        tokens=Tokens(
            place=torch.arange(n),
            token=torch.zeros(n, dtype=torch.int64),
            answer=torch.tensor(answer),
            row=torch.tensor(rows),
            length=torch.tensor(lengths),
            share=torch.tensor(shares or [1.0] * len(lengths)),
            soft=torch.tensor(soft),
        ),
    )


def test_paper_01_weighted_loss_of_two_rows_is_8_over_3_after_dividing_by_the_mean_weight():
    # Row 1: token losses 1, 2, 3 (mean 2), weight 1. Row 2: token loss 4, weight .5. Mean weight .75.
    # Weights become 4/3 and 2/3, and the step's loss (4/3 x 2 + 2/3 x 4) / 2 rows = 8/3 = (1x2 + .5x4) / 1.5.
    weights = [1 / 0.75, 0.5 / 0.75]
    batch = token_batch([3, 1], [0, 1], [False, False], weight=weights)
    outputs = Outputs(torch.tensor([logits_with(x) for x in (1.0, 2.0, 3.0, 4.0)]))
    found = imitation(outputs, batch, 0.0, {})
    assert found.losses.tolist() == pytest.approx([2.0, 4.0], abs=1e-6)
    step = (found.losses * batch.weight).sum() / found.units.sum()
    assert float(step) == pytest.approx(8 / 3, abs=1e-6)


def test_token_normalisation_sums_over_tokens_and_counts_them_as_units():
    batch = token_batch([3, 1], [0, 1], [False, False], normalise="token")
    outputs = Outputs(torch.tensor([logits_with(x) for x in (1.0, 2.0, 3.0, 4.0)]))
    found = imitation(outputs, batch, 0.0, {})
    assert found.losses.tolist() == pytest.approx([6.0, 4.0], abs=1e-6)
    assert found.units.tolist() == [3.0, 1.0]  # so the step's loss is 10 / 4, the mean over all four tokens


def test_soft_row_is_cross_entropy_against_options_normalised_among_themselves():
    # Two options of 1 and 2 tokens, -log P = 1 and .5 + .5 = 1: equal, so each has share 1/2 and the loss is ln 2
    # whatever the target shares are.
    batch = token_batch([1, 2], [0, 0], [True], shares=[0.9, 0.1])
    outputs = Outputs(torch.tensor([logits_with(x) for x in (1.0, 0.5, 0.5)]))
    assert imitation(outputs, batch, 0.0, {}).losses.tolist() == pytest.approx([math.log(2)], abs=1e-6)


def test_soft_and_hard_rows_stand_side_by_side():
    # Row 0 soft: -log P = 1 and 2, so log shares are -ln(1 + e^-1) = -.3133 and -1.3133.
    # Row 1 hard: mean of 2 and 4 = 3.
    batch = token_batch([1, 1, 2], [0, 0, 1], [True, False], shares=[0.25, 0.75, 1.0])
    outputs = Outputs(torch.tensor([logits_with(x) for x in (1.0, 2.0, 2.0, 4.0)]))
    first = math.log(1 + math.exp(-1))
    expected = [0.25 * first + 0.75 * (first + 1), 3.0]
    assert imitation(outputs, batch, 0.0, {}).losses.tolist() == pytest.approx(expected, abs=1e-6)


def test_tokens_of_several_answers_can_be_predicted_at_one_place():
    # One place, two one-token answers: tokens 0 (p = .5) and 1 (p = .25) of three; shares 2/3 and 1/3.
    tokens = Tokens(
        place=torch.tensor([0, 0]),
        token=torch.tensor([0, 1]),
        answer=torch.tensor([0, 1]),
        row=torch.tensor([0, 0]),
        length=torch.tensor([1, 1]),
        share=torch.tensor([0.0, 1.0]),
        soft=torch.tensor([True]),
    )
    batch = Batch(("r",), torch.ones(1), "mean", tokens=tokens)
    outputs = Outputs(torch.log(torch.tensor([[0.5, 0.25, 0.25]])))
    assert imitation(outputs, batch, 0.0, {}).losses.tolist() == pytest.approx([math.log(3)], abs=1e-6)


def test_classifier_row_is_cross_entropy_against_class_probabilities():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
    classes = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    batch = Batch(("a", "b"), torch.ones(2), "mean", classes=classes)
    found = imitation(Outputs(logits), batch, 0.0, {})
    assert found.losses.tolist() == pytest.approx([-math.log(0.3), -0.5 * math.log(0.5 * 0.2)], abs=1e-6)
    assert found.units.tolist() == [1.0, 1.0]


def test_loss_of_a_row_does_not_contain_its_weight():
    outputs = Outputs(torch.tensor([logits_with(1.0)]))
    light, heavy = (token_batch([1], [0], [False], weight=[w]) for w in (0.1, 10.0))
    assert imitation(outputs, light, 0.0, {}).losses == imitation(outputs, heavy, 0.0, {}).losses


def test_imitation_is_a_frozen_objective_without_state():
    assert isinstance(imitation, Objective)
    assert imitation == Imitation()
    assert imitation.prepare(None) == {}
    assert imitation.advance({}, {}) == {}
    with pytest.raises(AttributeError):
        imitation.name = "other"
