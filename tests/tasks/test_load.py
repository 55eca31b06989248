"""Tasks by name."""

import pytest

from outgrow import tasks
from outgrow.cli import lists as cli_lists
from outgrow.core.config import attribute_docs
from outgrow.core.errors import ConfigError
from outgrow.core.registry import Entry, Origin
from outgrow.tasks.base import Task


def test_a_task_is_loaded_by_its_kind_and_options():
    task = tasks.load("microworld", family="claim", questions={"pool": 8, "validation": 4, "test": 8})
    assert isinstance(task, Task)
    assert task.examples("pool").num_rows == 8


def test_an_unknown_kind_gives_the_nearest_one_and_the_list():
    with pytest.raises(
        ConfigError, match="unknown task 'tabel'; did you mean 'table'\\? Known: microworld, microworld2, table"
    ):
        tasks.load("tabel")


def test_unknown_options_give_the_nearest_one():
    with pytest.raises(ConfigError, match="famly: unknown key; did you mean 'family'\\?"):
        tasks.load("microworld", famly="claim")


@pytest.mark.parametrize("kind", list(tasks.TASKS))
def test_every_kind_has_a_config_that_names_it(kind):
    assert tasks.spec(kind).config_model().model_fields["kind"].default == kind


def test_every_kind_is_listed_with_one_line(capsys):
    cli_lists.tasks(None)
    said = capsys.readouterr().out
    assert len(tasks.TASKS) == 18
    for kind, entry in tasks.TASKS.items():
        assert kind in said.split()
        assert 20 < len(entry.doc) <= 90
        assert "\n" not in entry.doc
    assert list(tasks.TASKS)[3:] == sorted(list(tasks.TASKS)[3:])


@pytest.mark.parametrize("kind", [kind for kind in tasks.TASKS if kind != "microworld"])
def test_every_option_of_a_kind_is_explained(kind):
    model = tasks.spec(kind).config_model()
    docs = attribute_docs(model)
    assert [key for key in model.model_fields if key != "kind" and key not in docs] == []


def test_a_task_from_elsewhere_has_its_origin_in_its_fingerprint_and_is_otherwise_the_same(monkeypatch):
    options = {"family": "claim", "questions": {"pool": 8, "validation": 4, "test": 8}}
    ours = tasks.load("microworld", **options)
    entry = tasks.TASKS.entry("microworld")
    prints = {ours.fingerprint()}
    for version in ("1.0", "1.1"):
        theirs = Entry("microworld", Origin("acme", version), entry.load)
        monkeypatch.setitem(tasks.TASKS._entries, "microworld", theirs)
        task = tasks.load("microworld", **options)
        assert isinstance(task, Task)
        assert task.examples("pool").equals(ours.examples("pool"))
        assert task.n_variants == ours.n_variants
        prints.add(task.fingerprint())
    assert len(prints) == 3
