"""What stands for an objective in keys."""

from dataclasses import dataclass

import pytest

from outgrow.core.errors import ConfigError
from outgrow.objectives import Imitation, identity


@dataclass(frozen=True)
class Second(Imitation):
    share: float = 0.5
    version = 2


def test_first_version_is_not_written_down_so_that_earlier_results_stay():
    assert identity(Imitation()) == {"name": "Imitation", "settings": "Imitation(name='imitation')"}


def test_settings_and_later_versions_make_another_objective():
    assert identity(Second())["version"] == 2
    assert identity(Second()) == identity(Second(share=0.5)) != identity(Second(share=0.6))


def test_objective_that_does_not_say_its_settings_is_refused():
    class Silent:
        version = 1

    with pytest.raises(ConfigError, match=r"objective Silent does not say its settings.*frozen dataclass"):
        identity(Silent())
