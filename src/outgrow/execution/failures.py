"""What becomes of failures: one error that lists them, and a file with where each came from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from outgrow.core.errors import Failure, RunFailedError
from outgrow.core.files import write_json
from outgrow.execution.job_graph import Graph

FILE = "failures.json"
SHOWN = 5
"""Jobs that are named where many failed alike."""


def write(folder: Path, graph: Graph) -> RunFailedError:
    """The error of a run in which jobs failed; `failures.json` in its folder has the tracebacks.

    Results of an earlier run in the same folder are set aside as `results.json.before`: their being there would mean
    that the folder is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "results.json").exists():
        (folder / "results.json").replace(folder / "results.json.before")
    jobs = {
        "failures": [asdict(failure) for failure in graph.failures],
        "not_begun": [job.label for job in graph.of("waiting", "ready", "running", "dropped")],
        "done": [job.label for job in graph.of("done")],
    }
    write_json(jobs, folder / FILE)
    return RunFailedError(_in_words(graph, folder / FILE), graph.failures)


def forget(folder: Path) -> None:
    """Remove the failures of an earlier attempt."""
    (folder / FILE).unlink(missing_ok=True)


def _in_words(graph: Graph, file: Path) -> str:
    """All failures in words, those that say the same once."""
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in graph.failures:
        alike.setdefault((failure.error, failure.message), []).append(failure)
    lines = [f"{len(graph.failures)} of {len(graph.jobs)} jobs failed"]
    for (error, message), failures in alike.items():
        names = ", ".join(failure.job for failure in failures[:SHOWN])
        more = f" and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
        lines.append(f"  {names}{more}: {error}: {message}")
    dropped, open_ = len(graph.of("dropped")), len(graph.of("waiting", "ready", "running"))
    if dropped:
        lines.append(f"not begun, because they need a job that failed: {dropped}")
    if open_:
        lines.append(f"stopped or not begun, because the first failure was to end the run: {open_}")
    lines.append(f"where each came from: {file}")
    lines.append("what was made is in the store: the same command does the rest")
    return "\n".join(lines)
