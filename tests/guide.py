"""Carries out what the guides say: `python tests/guide.py` does README's first path with this Python's `outgrow`.

Nothing but the standard library and outgrow is needed, so that the core install alone can be tried.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALL = "pip install ."


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


def first_path() -> list[list[str]]:
    """The commands of README's "Two minutes", without the installation."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Two minutes") : text.index("## Ask somebody")]
    lines = re.findall(r"^\$ (.*)$", section, re.M)
    assert lines[0] == INSTALL, lines[0]
    return [line.split() for line in lines[1:]]


def walk(folder: Path) -> str:
    """Run the path in `folder`; what the commands printed."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    outgrow = Path(sysconfig.get_path("scripts")) / "outgrow"
    said = []
    for command in first_path():
        assert command[0] == "outgrow", command
        start = [str(outgrow)] if outgrow.exists() else [sys.executable, "-m", "outgrow"]
        done = subprocess.run([*start, *command[1:]], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    return "".join(said)


def check(folder: Path) -> None:
    """What the path should have left behind."""
    import json

    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 12, rows
    assert all(set(row) == {"prompt", "completion"} for row in rows)
    assert "<html" in (folder / "labels.html").read_text(encoding="utf-8")
    rated = [json.loads(line) for line in (folder / "rated.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(0 <= row["reliability"] <= 1 for row in rated)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(walk(Path(place)))
        check(Path(place))
        print("README's first path holds")
