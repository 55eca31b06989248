"""The verb `explore`: labels as a page to look at."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.experiment.curate import with_prompts
from outgrow.io import read_answers
from outgrow.io.labels import read_labels
from outgrow.io.questions import read_questions
from outgrow.reliability import agreement
from outgrow.reporting.explore import write_explorer


def explore(path: Path, *, out: Path, answers: Path | None, seed: int, questions: Path | None = None) -> None:
    """Write the page of a labels file, or of the labels made of an answers file."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out}: the page is HTML; end its name in .html")
    if not out.parent.is_dir():
        raise DataError(f"{out}: the folder '{out.parent}' does not exist; create it first")
    for each in (path, answers, questions):
        if each is not None and out.exists() and each.exists() and out.samefile(each):
            raise ConfigError(f"--out {out} is the input itself; choose another file")
    labels = read_labels(path)
    said = None if answers is None else read_answers(answers)
    if labels is None:
        if said is not None:
            raise PrerequisiteError(
                f"{path} holds no labels (no votes, entropy or reliability) but answers, and --answers gives others; "
                f"leave --answers out, or make the labels first: outgrow reliability {answers} --out labels.jsonl"
            )
        said = read_answers(path)
        if len(said["source"].unique()) > 1:
            raise PrerequisiteError(
                f"{path}: answers of several sources; make labels of them first, with --together or "
                f"--one-label-per-source: outgrow reliability {path} --together --out labels.jsonl"
            )
        labels = agreement(said, seed=seed)
    if questions is not None:
        if said is None:
            raise PrerequisiteError(f"--questions {questions} belongs to the answers; add them: --answers FILE")
        said = with_prompts(said, read_questions(questions))
    write_explorer(labels, out, answers=said, name=path.stem)
    size = out.stat().st_size / 1e6
    Console(highlight=False, soft_wrap=True).print(
        f"wrote a page of {labels.num_rows:,} questions to {out} ({max(size, 0.1):.1f} MB)", markup=False
    )
