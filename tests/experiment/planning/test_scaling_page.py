"""The numbers of docs/scaling.md are those that the commands on the page give."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "scaling.md"
SEEDS = ",".join(map(str, range(84)))
SMALL, LARGE = "meta-llama/Meta-Llama-3-8B", "meta-llama/Llama-3.1-70B"
CHOICES = {
    ("8B", "everything"): (SMALL, "train.lora=null"),
    ("8B", "LoRA"): (SMALL, "train.lora={r: 16}"),
    ("70B", "everything"): (LARGE, "train.lora=null"),
    ("70B", "LoRA"): (LARGE, "train.lora={r: 16}"),
    ("70B", "LoRA, 4 bits"): (LARGE, "student.quantise=4bit"),
}
DEVICES = (1, 8, 64)
HEAD = ["student", "trained", "setting", *(f"{n} x H100" for n in DEVICES), "hours on 8", "dollars"]


def said(command):
    """What a command of the page prints, in this process."""
    from outgrow.cli.app import app

    words = shlex.split(command.replace("SEEDS", SEEDS))
    assert words.pop(0) == "outgrow"
    words = [str(ROOT / word) if word.startswith(("examples/",)) else word for word in words]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    return done.stdout


def rows():
    """The table of large students, as the page has it."""
    pattern = re.search(r"```\n\$ (outgrow plan paper01.*?)\n```", PAGE.read_text(encoding="utf-8"), re.S).group(1)
    found = []
    for name, (model, choice) in CHOICES.items():
        command = pattern.replace("\\\n", " ").replace("CHOICE", shlex.quote(choice)).replace("MODEL", model)
        plans = {n: json.loads(said(command.replace("--devices N", f"--devices {n} --json"))) for n in DEVICES}
        arms = {n: [job for job in plan["jobs"] if job["stage"] == "arm"] for n, plan in plans.items()}
        memory = [f"{max(j['memory']['total'] for j in arms[n]) / 2**30:,.0f}" for n in DEVICES]
        hours = sum(job["seconds"] for job in arms[8]) / 3600
        found.append([*name, f"`{shlex.quote(choice)}`", *memory, f"{hours:.2f}", f"{hours * 8 * 2.5:.0f}"])
    return found


def table(body):
    """As Markdown."""
    lines = [HEAD, ["---", "---", "---", *["--:"] * (len(HEAD) - 3)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


@pytest.fixture(autouse=True)
def _no_machine_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.slow
def test_commands_print_what_the_page_shows():
    blocks = re.findall(r"```console\n\$ (outgrow plan .*)\n([^`]+)```", PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 2
    for command, shown in blocks:
        printed = [line.rstrip() for line in said(command).splitlines()]
        missing = [line for line in shown.strip().splitlines() if line.rstrip() not in printed]
        assert not missing, (command, missing)


@pytest.mark.slow
def test_the_table_of_a_large_student_is_what_the_command_gives():
    assert table(rows()) in PAGE.read_text(encoding="utf-8")
