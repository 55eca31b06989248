"""Completion in bash, zsh and fish: the scripts that are installed, and what they ask for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = {"bash": "complete -o default -F", "zsh": "compdef", "fish": "complete --command outgrow"}


@pytest.fixture
def outgrow(tmp_path):
    """The command `outgrow` in a folder of its own, and an environment that finds it there and has an empty home."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "outgrow"
    command.write_text(f"#!{sys.executable}\nfrom outgrow.__main__ import main\nmain()\n")
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "home").mkdir()
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path / "home")}

    def run(*arguments, **more):
        done = subprocess.run(
            arguments, env={**environment, **more}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_help_says_how_to_install_it(cli):
    assert "--install-completion" in cli("--help").out


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_every_shell_is_shown_and_installed(outgrow, tmp_path, shell):
    forced = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = outgrow("outgrow", "--show-completion", shell, **forced)
    assert SHELLS[shell] in script
    assert "_OUTGROW_COMPLETE" in script
    assert f"{shell} completion installed in" in outgrow("outgrow", "--install-completion", shell, **forced)
    installed = [path.read_text() for path in Path(tmp_path / "home").rglob("*") if path.is_file()]
    assert any(script.strip() in text for text in installed)
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        outgrow(shell, "-n", str(tmp_path / "script"))


def test_every_shell_is_given_verbs_and_options(outgrow):
    bash = {"_OUTGROW_COMPLETE": "complete_bash", "COMP_WORDS": "outgrow re", "COMP_CWORD": "1"}
    assert outgrow("outgrow", **bash).split() == ["reliability", "report", "recipes"]
    zsh = {"_OUTGROW_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "outgrow run --fail"}
    assert '"--fail-fast":"Stop everything at the first failure."' in outgrow("outgrow", **zsh)
    fish = {"_OUTGROW_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert outgrow("outgrow", **fish, _TYPER_COMPLETE_ARGS="outgrow microworld ").split("\t")[0] == "facts"


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_completes_a_verb(outgrow):
    script = outgrow("outgrow", "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    asked = "COMP_WORDS=(outgrow do); COMP_CWORD=1; _outgrow_completion outgrow; echo ${COMPREPLY[@]}"
    assert outgrow("bash", "-c", f"{script}\n{asked}") == "doctor\n"
