"""Curves of trainings for TensorBoard, MLflow, Weights & Biases and trackio, through accelerate's trackers.

What a tracker shows decides nothing: it is no part of a key, and one that fails does not end the training.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import PrerequisiteError

PACKAGES = {
    "tensorboard": "tensorboard",
    "mlflow": "outgrow[mlflow]",
    "wandb": "wandb",
    "trackio": "trackio",
}
"""What is installed for each tracker; it is imported under the tracker's name."""


class TrackingWarning(UserWarning):
    """A tracker has failed; the training goes on without it."""


class Tracker:
    """The curves of one training, shown by several trackers.

    Args:
        trackers: accelerate's, started, by name.
    """

    def __init__(self, trackers: Mapping[str, Any]) -> None:
        self._trackers = dict(trackers)

    def log(self, entry: Mapping[str, int | float]) -> None:
        """Show the numbers of one step (`Fit.history`)."""
        self._each("log", {key: value for key, value in entry.items() if key != "step"}, step=int(entry["step"]))

    def end(self, scores: Sequence[tuple[int, float]], chosen: int) -> None:
        """Show what the checkpoints scored, and which of them was chosen."""
        for step, score in scores:
            self._each("log", {"validation": score}, step=step)
        self._each("log", {"chosen_step": chosen}, step=chosen)

    def close(self) -> None:
        """Nothing more will be shown."""
        self._each("finish")

    def _each(self, what: str, *values: Any, **options: Any) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                getattr(tracker, what)(*values, **options)
            except Exception as error:
                del self._trackers[name]
                with suppress(Exception):
                    tracker.finish()  # a run that stays open would be in the way of the next
                _warn(name, error)


@dataclass(frozen=True)
class Tracking:
    """Which trackers are shown what.

    Attributes:
        kinds: names of `PACKAGES`.
        folder: where those that write files put them.
        experiment: what all runs belong to.

    Raises:
        PrerequisiteError: a tracker's package is not installed.
    """

    kinds: tuple[str, ...]
    folder: Path
    experiment: str

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if importlib.util.find_spec(kind) is None:
                raise PrerequisiteError(
                    f'tracking: {kind} needs a package that is not installed; pip install "{PACKAGES[kind]}"'
                )

    @contextmanager
    def run(self, name: str, settings: Mapping[str, Any]) -> Iterator[Tracker | None]:
        """The tracker of one training, called experiment/`name`; None where nothing is tracked.

        Args:
            name: for instance the arm and the seed.
            settings: shown beside the curves.
        """
        if not self.kinds:
            yield None
            return
        started = {}
        for kind in self.kinds:
            try:
                started[kind] = self._start(kind, f"{self.experiment}/{name}", settings)
            except Exception as error:
                _warn(kind, error)
        tracker = Tracker(started)
        try:
            yield tracker
        finally:
            tracker.close()

    def _start(self, kind: str, run: str, settings: Mapping[str, Any]) -> Any:
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS
        from accelerate.utils import parse_flag_from_env

        PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))  # accelerate's trackers ask it who they are
        if kind == "mlflow":
            _prepare_mlflow(self.folder)
        folder = str(self.folder)
        made = {
            "tensorboard": lambda make: make(run, logging_dir=folder),
            "mlflow": lambda make: make(self.experiment, run_name=run),
            "wandb": lambda make: make(self.experiment, name=run, dir=folder),
            "trackio": lambda make: make(self.experiment, name=run),
        }[kind](LOGGER_TYPE_TO_CLASS[kind])
        self.folder.mkdir(parents=True, exist_ok=True)
        made.start()
        if kind != "tensorboard":  # it would make a second run for them
            made.store_init_configuration(dict(settings))
        return made


def _prepare_mlflow(folder: Path) -> None:
    """Runs go to the server that the environment names, or to files below `folder`."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri((folder / "mlflow").absolute().as_uri())


def _warn(kind: str, error: Exception) -> None:
    warnings.warn(
        f"{kind} has failed and shows no more of this training, which goes on: {type(error).__name__}: {error}",
        TrackingWarning,
        stacklevel=4,
    )
