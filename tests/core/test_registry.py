"""Names of methods and the like: ours, those of packages, those of plugin files, and who is told of what goes wrong."""

import hashlib
import pickle
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from outgrow.core import registry as room
from outgrow.core.errors import ConfigError
from outgrow.core.plugins import load_plugin, loaded_plugins, restore_plugins
from outgrow.core.registry import OURS, Origin, Registry, code_identity, register


@dataclass(frozen=True)
class Fruit:
    """What the registry of these tests holds."""

    name: str
    doc: str = ""


APPLE, PEAR, PLUM = Fruit("apple"), Fruit("pear"), Fruit("plum")
ACME, BOLT = Origin("acme", "1.2"), Origin("bolt", "0.1")


@pytest.fixture
def fruits(monkeypatch):
    """A registry with an apple of ours, a pear of acme, a plum that cannot be imported, and a fig of two packages."""
    group = "outgrow.fruits"
    points = (
        (EntryPoint("pear", f"{__name__}:PEAR", group), ACME),
        (EntryPoint("plum", "no_such_module_here:PLUM", group), ACME),
        (EntryPoint("lime", f"{__name__}:PEAR", group), ACME),
        (EntryPoint("salt", f"{__name__}:ACME", group), ACME),
        (EntryPoint("fig", f"{__name__}:PEAR", group), ACME),
        (EntryPoint("fig", f"{__name__}:PEAR", group), BOLT),
        (EntryPoint("apple", f"{__name__}:PEAR", group), BOLT),
    )
    looked = []
    monkeypatch.setattr(room, "installed", lambda wanted: looked.append(wanted) or (points if wanted == group else ()))
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    monkeypatch.setattr(room, "_REGISTRIES", [])
    made = Registry("fruit", Fruit, {"apple": APPLE})
    made.looked = looked
    return made


def _this_module():
    from types import ModuleType

    module = ModuleType(__name__)
    module.__dict__.update(PEAR=PEAR, ACME=ACME)
    return module


def test_packages_are_looked_through_once_and_only_for_a_name_that_is_not_ours(fruits):
    assert fruits["apple"] is APPLE
    assert fruits.looked == []
    assert fruits["pear"] is PEAR
    assert "nothing" not in fruits
    assert fruits.looked == ["outgrow.fruits"]


def test_an_entry_says_where_it_is_from_and_only_others_count_in_keys(fruits):
    assert str(fruits.entry("apple").origin) == "outgrow"
    assert fruits.entry("apple").identity() == {}
    assert str(fruits.entry("pear").origin) == "acme 1.2"
    assert fruits.entry("pear").identity() == {"package": "acme", "version": "1.2"}


def test_what_cannot_be_imported_disturbs_only_who_uses_it(fruits):
    with pytest.raises(ConfigError, match=r"fruit 'plum' of acme 1.2 cannot be imported from no_such_module_here:PLUM"):
        fruits["plum"]
    with pytest.raises(ConfigError, match=r"fruit 'lime' of acme 1.2 calls itself 'pear'"):
        fruits["lime"]
    with pytest.raises(ConfigError, match=r"fruit 'salt' of acme 1.2: .*:ACME is a Origin, not a Fruit"):
        fruits["salt"]
    good, bad = fruits.loaded()
    assert good == {"apple": APPLE, "pear": PEAR}
    assert set(bad) == {"plum", "lime", "salt", "fig", "apple"}


def test_a_name_of_two_packages_is_an_error_that_names_both_and_ours_stays_ours(fruits):
    with pytest.raises(ConfigError, match=r"fruit 'fig' is registered twice, by acme 1.2 and by bolt 0.1"):
        fruits["fig"]
    assert fruits.require("apple") is APPLE
    assert fruits.clashes["apple"].startswith("fruit 'apple' is registered twice, by outgrow and by bolt 0.1")


def test_an_unknown_name_is_told_with_the_nearest_one(fruits):
    with pytest.raises(ConfigError, match=r"unknown fruit 'peer'; did you mean 'pear'"):
        fruits.require("peer")


def test_register_takes_what_a_registry_holds_and_no_name_that_is_taken(fruits):
    register(Fruit("kiwi"))
    assert fruits["kiwi"] == Fruit("kiwi")
    assert set(fruits.entry("kiwi").identity()) == {"file", "sha256"}  # the file that called, by its content
    for taken in ("apple", "pear"):
        with pytest.raises(ConfigError, match=rf"fruit '{taken}' is registered twice, by "):
            register(Fruit(taken))
    with pytest.raises(ConfigError, match=r"register takes one of Fruit, not a Origin"):
        register(ACME)


def test_only_what_a_program_registers_itself_needs_it_in_workers(fruits, plugin):
    load_plugin(plugin())
    assert fruits["pear"] is PEAR
    assert not room.registered_here()
    register(Fruit("kiwi"))
    assert room.registered_here()


PLUGIN = """
from {module} import register, Fruit
from dataclasses import dataclass

@dataclass(frozen=True)
class Banana(Fruit):
    bent: bool = True

register(Banana("banana"))
"""


@pytest.fixture
def plugin(fruits, tmp_path, monkeypatch):
    """Writes a plugin file; what it leaves in the process is taken away afterwards."""
    from outgrow.core import plugins

    monkeypatch.setattr(plugins, "_FILES", {})
    monkeypatch.setattr(plugins, "PLUGIN_MODULES", {})
    monkeypatch.setattr(room, "PLUGIN_MODULES", plugins.PLUGIN_MODULES)
    helper = type(sys)("fruit_stand")
    helper.register, helper.Fruit = register, Fruit
    monkeypatch.setitem(sys.modules, "fruit_stand", helper)

    def write(text=PLUGIN, name="mine.py"):
        path = tmp_path / name
        path.write_text(text.format(module="fruit_stand"))
        return path

    return write


def test_a_plugin_file_registers_and_its_content_counts_in_keys(fruits, plugin):
    path = plugin()
    load_plugin(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = fruits.entry("banana")
    assert str(entry.origin) == str(path)
    assert entry.identity() == {"file": "mine.py", "sha256": digest}
    assert code_identity(entry.load()) == entry.identity()
    assert code_identity(OURS) == {}


def test_a_plugin_is_run_once_per_content_and_a_new_content_replaces_the_old(fruits, plugin):
    load_plugin(plugin())
    first = fruits["banana"]
    load_plugin(plugin())
    assert fruits["banana"] is first
    load_plugin(plugin(PLUGIN.replace("banana", "papaya")))
    assert "banana" not in fruits
    assert fruits["papaya"].bent


def test_two_files_that_bring_one_name_are_told_with_both_paths(fruits, plugin):
    one, other = plugin(), plugin(name="other.py")
    load_plugin(one)
    with pytest.raises(ConfigError) as caught:
        load_plugin(other)
    assert f"fruit 'banana' is registered twice, by {one} and by {other}" in str(caught.value)
    assert fruits["banana"].bent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n1 / 0\n", "ZeroDivisionError: division by zero (line 2)"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here' (line 1)"),
        ("x = 1\n", "it registers nothing; call outgrow.register"),
    ],
)
def test_a_plugin_that_fails_is_one_line(fruits, plugin, text, why):
    path = plugin(text)
    with pytest.raises(ConfigError) as caught:
        load_plugin(path)
    assert str(caught.value).startswith(f"plugin '{path}' cannot be loaded: {why}")
    assert "\n" not in str(caught.value)
    assert loaded_plugins() == ()


def test_a_plugin_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"plugin '.*none.py' cannot be read: No such file or directory"):
        load_plugin(tmp_path / "none.py")


def test_a_value_of_a_plugins_class_travels_with_the_files_content_alone(fruits, plugin):
    path = plugin()
    load_plugin(path)
    packed, files = pickle.dumps(fruits["banana"]), loaded_plugins()
    path.unlink()
    room.PLUGIN_MODULES.clear()
    load_plugin(plugin("from fruit_stand import *\nregister(Fruit('date'))\n", "date.py"))
    fruits.forget(str(path))
    loaded = dict(loaded_plugins())
    assert str(path) in loaded
    restore_plugins(files)
    assert pickle.loads(packed).bent
