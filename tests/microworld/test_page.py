"""docs/microworld.md shows what the commands on it print."""

import re
import shlex
from pathlib import Path

import pytest

from outgrow.tasks.microworld2.families import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "microworld.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"```console\n\$ (outgrow .*)\n([^`]+)```", PAGE))


@pytest.mark.parametrize("command", SHOWN)
def test_a_family_is_shown_as_a_model_sees_it(command, cli):
    words = shlex.split(command)
    assert words[0] == "outgrow"
    assert cli(*words[1:]).out == SHOWN[command]


def test_every_family_is_shown():
    assert [re.search(r"family=(\w+)", command)[1] for command in SHOWN] == list(FAMILIES)
