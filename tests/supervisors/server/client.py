"""A client in a process of its own, to be killed: asks a server through the store, as a run does, and prints nothing.

    python client.py STORE SETTINGS N

The answers of N questions are committed under the step `answers`: microworld questions, or colours for the fake.
"""

import json
import sys

from asking import Colours

from outgrow.store import Step, Store
from outgrow.supervisors.queries import pose
from outgrow.supervisors.server import ServerConfig, answer


def questions(config, n):
    """The task and its n questions; those about colours are there at once."""
    if config.model == "weak-1":
        task = Colours()
        return task, pose(task, task.examples(n), 1)
    from outgrow.tasks.microworld.task import Counts, MicroworldConfig, MicroworldTask

    task = MicroworldTask(
        MicroworldConfig(questions=Counts(supervisor_train=1, pool=n, validation=1, test=1), mix="natural")
    )
    return task, pose(task, task.examples("pool"), 1)


def step_of(config, n):
    return Step("answers", 1, {**config.identity(), "questions": n})


def make(folder, config, n):
    """The table, from the store or from the server."""
    task, queries = questions(config, n)

    def maker(work):
        work.save_table(answer(config, task, queries, source="weak", seed=0, journal=work.journal("answers")))

    return Store(folder).make(step_of(config, n), maker).table()


if __name__ == "__main__":
    make(sys.argv[1], ServerConfig.model_validate_json(sys.argv[2]), json.loads(sys.argv[3]))
