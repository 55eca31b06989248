"""Where a training that was stopped goes on: tensors and JSON, each file complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from outgrow.core.errors import ConfigError, StoreError


@dataclass(frozen=True)
class State:
    """A training after `step` optimiser steps."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training in one folder.

    Args:
        folder: kept across crashes; made when missing.
        fingerprint: of everything that decides the training; a folder of another training is refused.

    Raises:
        ConfigError: the folder holds checkpoints of another training.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        marker = folder / "training.json"
        if marker.is_file():
            found = json.loads(marker.read_text(encoding="utf-8"))["fingerprint"]
            if found != fingerprint:
                raise ConfigError(f"{folder} holds checkpoints of another training; give an empty folder")
        else:
            self._write(marker, {"fingerprint": fingerprint})

    def save(self, state: State) -> None:
        """Keep the whole state of a training, and drop older ones."""
        final = self.folder / f"state-{state.step:08d}"
        fresh = self.folder / f"new-{state.step:08d}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        _save_tensors(state.tensors, fresh / "tensors.safetensors")
        self._write(fresh / "facts.json", {"step": state.step, **state.facts})
        if not final.exists():
            fresh.replace(final)
        for old in self._states()[:-1]:
            shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> State | None:
        """The last complete state, or None."""
        from safetensors.torch import load_file

        states = self._states()
        if not states:
            return None
        facts = json.loads((states[-1] / "facts.json").read_text(encoding="utf-8"))
        return State(facts.pop("step"), load_file(states[-1] / "tensors.safetensors"), facts)

    def save_weights(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep the weights of a step among which the best is chosen."""
        fresh = self.folder / f"new-{step:08d}.safetensors"
        _save_tensors(tensors, fresh)
        fresh.replace(self._weights(step))

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights kept by `save_weights`."""
        from safetensors.torch import load_file

        found: dict[str, Tensor] = load_file(self._weights(step))
        return found

    def scores(self) -> dict[int, float]:
        """Scores of checkpoints that were evaluated before a stop."""
        file = self.folder / "scores.json"
        return {int(k): float(v) for k, v in json.loads(file.read_text()).items()} if file.is_file() else {}

    def save_scores(self, scores: Mapping[int, float]) -> None:
        """Keep the scores so far."""
        self._write(self.folder / "scores.json", {str(k): v for k, v in scores.items()})

    def _weights(self, step: int) -> Path:
        return self.folder / f"weights-{step:08d}.safetensors"

    def _states(self) -> list[Path]:
        return sorted(self.folder.glob("state-*"))

    def _write(self, file: Path, content: Mapping[str, Any]) -> None:
        fresh = file.with_name(f"new-{os.getpid()}-{file.name}")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)


def split_state(state: Mapping[str, Any], whose: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the plain values of an objective's state.

    Raises:
        ConfigError: a value that a checkpoint cannot give back as it was.
    """
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in state.items() if name not in tensors}
    for name, value in plain.items():
        try:
            same = json.loads(json.dumps(value)) == value
        except (TypeError, ValueError):
            same = False
        if not same:
            raise ConfigError(
                f"the objective '{whose}' keeps {name!r} as {type(value).__name__}; its state holds tensors and plain "
                "JSON values only, so that a training can go on from a checkpoint"
            )
    return tensors, plain


def _save_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        own: dict[int, str] = {}
        plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        for name, tensor in plain.items():  # no two may share memory
            if own.setdefault(tensor.data_ptr(), name) != name:
                plain[name] = tensor.clone()
        save_file(plain, file)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    except (OSError, SafetensorError) as error:
        file.unlink(missing_ok=True)
        raise StoreError(f"the checkpoint {file} cannot be written: {error}; free space and run again") from error
