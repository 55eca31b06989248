"""Inference that ranks share: followers are not sent what only rank 0 can use, so they must be able to do without."""

import inspect

import pytest

from outgrow.models import classifying, generation, hidden_states, scoring
from outgrow.models.ranks import LOCAL

SPLIT = (classifying.read_classes, generation.generate, hidden_states.hidden_states, scoring._score_pairs)


@pytest.mark.parametrize("function", SPLIT, ids=lambda function: function.__name__)
def test_options_of_rank_0_alone_have_defaults(function):
    assert inspect.unwrap(function) is not function  # it is one of those that are split
    own = [p for p in inspect.signature(function).parameters.values() if p.name in LOCAL]
    assert own
    assert all(parameter.default is None for parameter in own)
