"""Many jobs: their order, who carries them out (this process, others, a Ray cluster), and what becomes of failures."""

from outgrow.running.graph import Graph
from outgrow.running.outcome import Busy, Died, Failed, Finished, Outcome, Told, Workers
from outgrow.running.schedule import run_jobs

__all__ = ["Busy", "Died", "Failed", "Finished", "Graph", "Outcome", "Told", "Workers", "run_jobs"]
