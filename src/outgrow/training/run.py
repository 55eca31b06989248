"""One training under way: its steps, its state, and how it goes on after a stop."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from outgrow.errors import ConfigError, PrerequisiteError, TrainingError
from outgrow.objectives.base import Batch, Objective, Outputs
from outgrow.training.adapters import add_adapter, merge_adapter
from outgrow.training.batching import cut_step
from outgrow.training.checkpoints import Checkpoints, State
from outgrow.training.config import TrainConfig
from outgrow.training.encode import Encoded, micro_batch
from outgrow.training.heads import LanguageHead
from outgrow.training.loading import Loaded
from outgrow.training.schedule import checkpoint_steps, learning_rate, rows_of_step, seed_of


class Run:
    """One training under way.

    Args:
        loaded: the model, trained in place.
        encoded: the rows.
        objective: the loss.
        config: settings.
        seed: of row order, dropout and a new adapter.
        total: optimiser steps.
        work: folder for checkpoints.

    Raises:
        PrerequisiteError: a distributed mode other than data parallelism.
        ConfigError: `work` belongs to another training.
    """

    def __init__(
        self,
        loaded: Loaded,
        encoded: Encoded,
        objective: Objective,
        config: TrainConfig,
        seed: int,
        total: int,
        work: Path,
    ) -> None:
        from accelerate import Accelerator
        from accelerate.utils import DistributedType

        self.loaded, self.encoded, self.objective, self.config = loaded, encoded, objective, config
        self.seed, self.total = seed, total
        self.accelerator = Accelerator(mixed_precision="no")
        if self.accelerator.distributed_type not in (
            DistributedType.NO,
            DistributedType.MULTI_CPU,
            DistributedType.MULTI_GPU,
        ):
            kind = self.accelerator.distributed_type
            raise PrerequisiteError(f"training under {kind} is not supported; use one process or data parallelism")
        _trainable(loaded, config, seed)
        self.names = {name: p for name, p in loaded.head.named_parameters() if p.requires_grad}
        self.types = {name: parameter.dtype for name, parameter in self.names.items()}
        for parameter in self.names.values():
            parameter.data = parameter.data.float()
        self.module: nn.Module = self.accelerator.prepare_model(loaded.head)
        self.autocast = self._precision()
        decay = [p for p in self.names.values() if p.ndim > 1]
        flat = [p for p in self.names.values() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
        head = loaded.head
        self.share = not isinstance(head, LanguageHead) or head.shares(encoded.groups)
        self.join = self.share and isinstance(head, LanguageHead) and not head.random()
        self.together = _numbered([row.question or row.row_id for row in encoded.rows]) if config.together else None
        self.overhead = (
            64 if loaded.device.type == "cpu" else 2048
        )  # positions, measured with models of 1 to 20 million
        self.history: list[dict[str, int | float]] = []
        self.state: Mapping[str, Any] = objective.prepare(encoded.rows)
        self.checkpoints = Checkpoints(work, _fingerprint(encoded, objective, config, seed, total, sorted(self.names)))

    def train(self, progress: Callable[[int, int, float], None] | None, save_seconds: float, *, choose: bool) -> None:
        """All steps from where the work folder stands to the last."""
        done = self._resume()
        candidates = checkpoint_steps(self.total, self.config.checkpoints) if choose else ()
        saved = time.monotonic()
        self.module.train()
        for step in range(done, self.total):
            self.history.append(self._step(step))
            if step + 1 in candidates and self.accelerator.is_main_process:
                self.checkpoints.save_weights(step + 1, self.names)
            if time.monotonic() - saved >= save_seconds and self.accelerator.is_main_process:
                self._save(step + 1)
                saved = time.monotonic()
            if progress is not None:
                progress(step + 1, self.total, self.history[-1]["loss"])
        self.module.eval()

    def choose(self, evaluate: Callable[[Loaded], float]) -> list[tuple[int, float]]:
        """The score of every checkpoint, in ascending order of steps."""
        from accelerate.utils import broadcast_object_list

        self._own_type()
        scores, steps = [self.checkpoints.scores()], checkpoint_steps(self.total, self.config.checkpoints)
        if self.accelerator.is_main_process:  # the others are told
            for step in steps:
                if step not in scores[0]:
                    self._put(self.checkpoints.weights(step))
                    scores[0][step] = float(evaluate(self.loaded))
                    self.checkpoints.save_scores(scores[0])
        broadcast_object_list(scores)
        return [(step, scores[0][step]) for step in steps]

    def finish(self, chosen: int, *, evaluated: bool) -> None:
        """Leave the model with the chosen weights, in its own type."""
        self._own_type()
        if evaluated:
            self._put(self.checkpoints.weights(chosen))
        for parameter in self.names.values():
            parameter.grad = None
        self.loaded.head.eval()

    def _own_type(self) -> None:
        """Training is in float32; what is evaluated and kept has the type the model was loaded in."""
        for name, parameter in self.names.items():
            parameter.data = parameter.data.to(self.types[name])

    def _step(self, step: int) -> dict[str, int | float]:
        """One optimiser step; its number counts from 0."""
        rate = learning_rate(step, self.total, self.config)
        rows = rows_of_step(step, len(self.encoded.rows), self.config.batch_size, self.seed, self.together)
        cut = cut_step(
            [self.encoded.groups[row] for row in rows],
            share=self.share, join=self.join, budget=self.config.micro_batch_tokens, overhead=self.overhead,
        )  # fmt: skip
        micros = [[[int(rows[i]) for i in pack] for pack in part] for part in cut]
        total = torch.zeros((), device=self.loaded.device)
        units = torch.zeros((), device=self.loaded.device)
        seen: list[tuple[Batch, Tensor]] = []
        ranks, rank = self.accelerator.num_processes, self.accelerator.process_index
        rounds = math.ceil(len(micros) / ranks)
        for turn in range(rounds):
            number = turn * ranks + rank
            real = number < len(micros)  # a rank without work repeats a micro-batch at weight 0
            with self._sync(turn == rounds - 1), self._dropout(step, number):
                sequences, batch = micro_batch(
                    self.loaded, self.encoded, micros[number % len(micros)], self.config.normalise
                )
                with self.autocast():
                    logits = self.module(sequences)
                found = self.objective(Outputs(logits), batch, step / self.total, self.state)
                loss = (found.losses * batch.weight).sum() * float(real)
                self.accelerator.backward(loss * (ranks / len(rows)))
            self.state = found.state
            seen.append((batch, found.losses.detach()))
            total += loss.detach()
            units += found.units.sum() * float(real)
        both = self.accelerator.reduce(torch.stack([total, units]), reduction="sum")
        loss_sum, unit_sum = (float(x) for x in both)
        self._check_finite(step, loss_sum, seen)
        parameters = list(self.names.values())
        if unit_sum != len(rows):
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(len(rows) / unit_sum)
        norm = float(nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm))
        if not math.isfinite(norm):
            ids = [row_id for batch, _ in seen for row_id in batch.row_ids]
            raise TrainingError(
                f"step {step + 1}: the gradient is not finite; rows {_some(ids)}; lower the learning rate"
            )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        tokens = sum(self.encoded.tokens(int(row)) for row in rows)
        return {"step": step + 1, "loss": loss_sum / unit_sum, "lr": rate, "grad_norm": norm, "tokens": tokens}

    def _check_finite(self, step: int, loss: float, seen: Sequence[tuple[Batch, Tensor]]) -> None:
        if math.isfinite(loss):
            return
        bad = [
            row_id
            for batch, losses in seen
            for row_id, fine in zip(batch.row_ids, torch.isfinite(losses).tolist(), strict=True)
            if not fine
        ]
        if self.join and self.accelerator.num_processes == 1:  # rows that share positions pass on what is wrong
            bad = self._bad_alone(step, set(bad)) or bad
        raise TrainingError(
            f"step {step + 1}: the loss is not finite ({loss}); rows {_some(bad)}; lower the learning rate"
        )

    @torch.no_grad()
    def _bad_alone(self, step: int, suspects: set[str]) -> list[str]:
        """Those of the suspected rows whose loss is not finite when they share nothing."""
        found: list[str] = []
        for number in (i for i, row in enumerate(self.encoded.rows) if row.row_id in suspects):
            sequences, batch = micro_batch(self.loaded, self.encoded, [[number]], self.config.normalise)
            losses = self.objective(Outputs(self.loaded.head(sequences)), batch, step / self.total, self.state).losses
            if not torch.isfinite(losses).all():
                found += batch.row_ids
        return found

    @contextmanager
    def _dropout(self, step: int, micro: int) -> Iterator[None]:
        """Dropout from (seed, step, micro-batch): the same on every device layout."""
        torch.manual_seed(seed_of("dropout", self.seed, step, micro))
        yield

    def _sync(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel between ranks once per step."""
        if last or self.accelerator.num_processes == 1:
            return nullcontext()
        context: AbstractContextManager[Any] = self.accelerator.no_sync(self.module)
        return context

    def _precision(self) -> Callable[[], AbstractContextManager[Any]]:
        device = self.loaded.device.type
        bf16 = self.config.precision == "bf16"
        if self.config.precision == "auto":
            bf16 = device == "cuda" and torch.cuda.is_bf16_supported()
        return (lambda: torch.autocast(device, torch.bfloat16)) if bf16 else nullcontext

    def _save(self, step: int) -> None:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.names.items():
            tensors[f"weight/{name}"] = parameter
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"{key}/{name}"] = value
        plain = {}
        for key, value in self.state.items():
            if isinstance(value, Tensor):
                tensors[f"objective/{key}"] = value
            else:
                plain[key] = value
        self.checkpoints.save(State(step, tensors, {"history": self.history, "objective": plain}))

    def _resume(self) -> int:
        """Take up the last state in the work folder; returns the steps done."""
        state = self.checkpoints.latest()
        if state is None:
            return 0
        self._put({name: state.tensors[f"weight/{name}"] for name in self.names})
        for name, parameter in self.names.items():
            slots = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if f"{key}/{name}" in state.tensors:
                    slots[key] = state.tensors[f"{key}/{name}"].to(parameter.device)
            if slots:
                self.optimiser.state[parameter] = slots
        tensors = {
            key.removeprefix("objective/"): value.to(self.loaded.device)
            for key, value in state.tensors.items()
            if key.startswith("objective/")
        }
        self.state = {**state.facts["objective"], **tensors}
        self.history = list(state.facts["history"])
        return state.step

    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.names.items():
                parameter.copy_(tensors[name])


def _trainable(loaded: Loaded, config: TrainConfig, seed: int) -> None:
    """Put the adapter in place, or open all weights.

    Raises:
        ConfigError: all weights of a quantised model.
    """
    if config.lora is None and loaded.ref.quantise is not None:
        raise ConfigError(
            f"a model with quantise: {loaded.ref.quantise} has no weights that could be trained; "
            "train an adapter (train.lora: {}), or leave quantise out"
        )
    if config.lora is not None:
        if loaded.adapter is not None:
            merge_adapter(loaded)
        add_adapter(loaded, config.lora, seed_of("adapter", seed))
        return
    if loaded.adapter is not None:
        merge_adapter(loaded)
    loaded.head.requires_grad_(True)


def _numbered(names: Sequence[str]) -> Int[np.ndarray, "names"]:
    """Equal names, equal numbers, counted from 0 in order of first appearance."""
    first = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([first[name] for name in names], dtype=np.int64)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")


def _fingerprint(
    encoded: Encoded, objective: Objective, config: TrainConfig, seed: int, total: int, names: Sequence[str]
) -> str:
    """Stands for everything that decides a training's course."""
    parts = [repr(objective), config.model_dump(mode="json"), seed, total, list(names)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for row, group in zip(encoded.rows, encoded.groups, strict=True):
        facts = [row.row_id, row.weight, row.target, row.probabilities, group.prompt, group.answers]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()
