"""Many jobs: their order, who carries them out (this process, others, a Ray cluster), and what becomes of failures."""

from outgrow.execution.job_graph import Graph
from outgrow.execution.outcome import (
    Busy,
    Died,
    Failed,
    Finished,
    Outcome,
    Told,
    Workers,
)
from outgrow.execution.schedule import run_jobs

__all__ = ["Busy", "Died", "Failed", "Finished", "Graph", "Outcome", "Told", "Workers", "run_jobs"]
