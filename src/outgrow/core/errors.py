"""The errors a user can meet. Each message says what is wrong, the value seen, and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass


class OutgrowError(Exception):
    """Base of every error that outgrow raises on purpose.

    Attributes:
        exit_code: of the command line.
        echo: another process of the same launch tells the user.
    """

    exit_code = 1
    echo = False


class ConfigError(OutgrowError):
    """A recipe, an option or an argument is wrong."""

    exit_code = 2


class DataError(OutgrowError):
    """A file or table is wrong; the message names the file, the line or the column."""

    exit_code = 2


class PrerequisiteError(OutgrowError):
    """Something that must be there first is missing: an extra, a file, a number of answers."""

    exit_code = 2


class SealedError(OutgrowError):
    """Gold labels were asked for by a method that did not declare `uses_gold=True`."""


class TrainingError(OutgrowError):
    """Training cannot go on, for instance because the loss is not finite."""


class StoreError(OutgrowError):
    """The store cannot be read or written."""


@dataclass(frozen=True)
class Failure:
    """A job of an experiment that failed.

    Attributes:
        job: what progress calls it, such as "seed 0: naive".
        error: class of the error.
        message: what it says.
        traceback: where it came from; empty where there is none, as for a process that was killed.
        exit_code: 2 if the user's input is at fault, else 1.
    """

    job: str
    error: str
    message: str
    traceback: str = ""
    exit_code: int = 1

    @classmethod
    def of(cls, job: str, error: BaseException) -> Failure:
        """The failure of a job that raised `error`."""
        code = error.exit_code if isinstance(error, OutgrowError) else 1
        text = "".join(traceback.format_exception(error))
        return cls(job, type(error).__name__, str(error) or repr(error), text, code)


class RunFailedError(OutgrowError):
    """Jobs of an experiment failed; the others were finished, and what they made is in the store.

    Attributes:
        failures: one per job that failed.
        exit_code: 2 if the user's input is at fault in every one of them, else 1.
    """

    def __init__(self, text: str, failures: Sequence[Failure]) -> None:
        super().__init__(text, tuple(failures))
        self.text, self.failures = text, tuple(failures)
        self.exit_code = 2 if all(failure.exit_code == 2 for failure in failures) else 1

    def __str__(self) -> str:
        return self.text
