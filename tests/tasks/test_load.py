"""Tasks by name."""

import pytest

from outgrow import tasks
from outgrow.errors import ConfigError
from outgrow.tasks.base import Task


def test_a_task_is_loaded_by_its_kind_and_options():
    task = tasks.load("microworld", family="claim", questions={"pool": 8, "validation": 4, "test": 8})
    assert isinstance(task, Task)
    assert task.examples("pool").num_rows == 8


def test_an_unknown_kind_gives_the_nearest_one_and_the_list():
    with pytest.raises(ConfigError, match="unknown task 'tabel'; did you mean 'table'\\? Known: microworld, table"):
        tasks.load("tabel")


def test_unknown_options_give_the_nearest_one():
    with pytest.raises(ConfigError, match="famly: unknown key; did you mean 'family'\\?"):
        tasks.load("microworld", famly="claim")


@pytest.mark.parametrize("kind", list(tasks.TASKS))
def test_every_kind_has_a_config_that_names_it(kind):
    assert tasks.spec(kind).config_model().model_fields["kind"].default == kind
