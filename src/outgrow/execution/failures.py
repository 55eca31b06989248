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
    states = {state: [job.label for job in graph.of(state)] for state in ("done", "dropped")}
    not_begun = [job.label for job in graph.of("waiting", "ready", "running", "dropped")]
    found = [asdict(failure) for failure in graph.failures]
    write_json({"failures": found, "not_begun": not_begun, "done": states["done"]}, folder / FILE)
    return RunFailedError(told(graph, folder / FILE), graph.failures)


def forget(folder: Path) -> None:
    """Remove the failures of an earlier attempt."""
    (folder / FILE).unlink(missing_ok=True)


def told(graph: Graph, file: Path) -> str:
    """All failures in words, those that say the same once."""
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in graph.failures:
        alike.setdefault((failure.error, failure.message), []).append(failure)
    lines = [f"{len(graph.failures)} of {len(graph.jobs)} jobs failed"]
    for (error, message), of in alike.items():
        names = ", ".join(failure.job for failure in of[:SHOWN])
        more = f" and {len(of) - SHOWN} more" if len(of) > SHOWN else ""
        lines.append(f"  {names}{more}: {error}: {message}")
    dropped, open_ = len(graph.of("dropped")), len(graph.of("waiting", "ready", "running"))
    if dropped:
        lines.append(f"not begun, because they need a job that failed: {dropped}")
    if open_:
        lines.append(f"stopped or not begun, because the first failure was to end the run: {open_}")
    lines.append(f"where each came from: {file}")
    lines.append("what was made is in the store: the same command does the rest")
    return "\n".join(lines)
