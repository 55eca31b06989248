"""One training under way: its steps, its state, and how it goes on after a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from outgrow.core.errors import PrerequisiteError, TrainingError
from outgrow.core.hashing import seed_of
from outgrow.models.batching import cut_step
from outgrow.models.chance import seed_dropout
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.ranks import ranks
from outgrow.objectives.base import Batch, Objective, Outputs
from outgrow.training.checkpoints import Checkpoints, State, split_state
from outgrow.training.config import TrainConfig
from outgrow.training.encode import Encoded, fingerprint, micro_batch
from outgrow.training.memory import keep_activations, recompute_activations, whole_layers
from outgrow.training.observed import Shown, in_step_order, shown_of
from outgrow.training.optimisers import make_optimiser, state_of
from outgrow.training.schedule import checkpoint_steps, learning_rate, numbered, rows_of_step
from outgrow.training.sharding import (
    Plain,
    float32,
    part,
    shard,
    sharded,
    whole,
)
from outgrow.training.trackers import Tracker
from outgrow.training.weights import open_weights


def in_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Whether passes are computed in bfloat16."""
    if config.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return config.precision == "bf16"


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager[Any]:
    """The precision of a training's passes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=in_bf16(config, device))


class Visits(NamedTuple):
    """What is done at checkpoints, as all ranks know it."""

    evaluate: bool
    at_checkpoint: bool


class Training:
    """One training under way.

    Args:
        loaded: the model, trained in place.
        encoded: the rows.
        objective: the loss.
        config: settings.
        seed: of row order, dropout and a new adapter.
        total: optimiser steps.
        work: folder for checkpoints.
        only: `all` weights, or those of a classifier's `head`.

    Raises:
        PrerequisiteError: a distributed mode other than DDP and FSDP.
        ConfigError: `work` belongs to another training, or a setting does not go with the model or the launch.
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
        only: str = "all",
    ) -> None:
        from accelerate import Accelerator
        from accelerate.utils import DistributedType

        self.loaded, self.encoded, self.objective, self.config = loaded, encoded, objective, config
        self.seed, self.total = seed, total
        self.ranks = ranks()
        self.accelerator = Accelerator(mixed_precision="no")
        kind, usual = self.accelerator.distributed_type, ("NO", "MULTI_CPU", "MULTI_GPU", "FSDP")
        if kind not in [getattr(DistributedType, name) for name in usual]:
            raise PrerequisiteError(f"training under {kind} is not supported; use one process, DDP or FSDP")
        open_weights(loaded, config, seed, only)
        self.frozen: nn.Module | None = getattr(loaded.model, "base_model", None) if only == "head" else None
        if config.activation_checkpointing:
            recompute_activations(loaded)
        self.types = {name: p.dtype for name, p in loaded.head.named_parameters() if p.requires_grad}
        self.plain = Plain(loaded) if self.ranks.size > 1 and sharded() else None
        bf16 = in_bf16(config, loaded.device)
        if self.plain is not None:
            shard(loaded, config, bf16=bf16)
            self.module: nn.Module = loaded.head
        else:
            float32(loaded.head)
            self.module = self.accelerator.prepare_model(loaded.head)
        self.names = {name: p for name, p in loaded.head.named_parameters() if p.requires_grad}
        if config.compile:
            whole_layers(loaded, True)
            self.module.compile(dynamic=True)
        self.autocast = partial(autocast, config, loaded.device)
        self.optimiser = make_optimiser(self.names.values(), config)
        head = loaded.head
        with self.autocast():
            random = not isinstance(head, LanguageHead) or head.random()
        self.share = not isinstance(head, LanguageHead) or head.shares(encoded.groups)
        self.join = self.share and not random
        self.devices = 1 if random else self.ranks.size  # dropout is drawn by micro-batch, whatever the layout
        self.together = numbered([row.question or row.row_id for row in encoded.rows]) if config.together else None
        self.overhead = (
            64 if loaded.device.type == "cpu" else 2048
        )  # positions, measured with models of 1 to 20 million
        self.history: list[dict[str, int | float]] = []
        self.state = self._checked(objective.prepare(encoded.targets))
        settings = (repr(objective), config.model_dump(mode="json"), seed, total, sorted(self.names))
        self.checkpoints = self.ranks.only_first(lambda: Checkpoints(work, fingerprint(encoded, *settings)))
        self.saved, self.save_seconds, self.due = time.monotonic(), math.inf, False

    def train(
        self,
        progress: Callable[[int, int, float], None] | None,
        save_seconds: float,
        *,
        choose: bool,
        tracker: Tracker | None = None,
    ) -> None:
        """All steps from where the work folder stands to the last."""
        done = self._resume()
        candidates = checkpoint_steps(self.total, self.config.checkpoints) if choose else ()
        self.saved, self.save_seconds = time.monotonic(), save_seconds
        self.module.train()
        if self.frozen is not None:
            self.frozen.eval()  # what it says of a prompt does not change
        for step in range(done, self.total):
            self.history.append(self._step(step))
            if step + 1 in candidates:
                weights = {name: whole(parameter) for name, parameter in self.names.items()}
                self.ranks.only_first(partial(self.checkpoints.save_weights, step + 1, weights))
            if self.due:
                self._save(step + 1)
                self.saved = time.monotonic()
            if tracker is not None:
                tracker.log(self.history[-1])
            if progress is not None:
                progress(step + 1, self.total, self.history[-1]["loss"])
        self.module.eval()

    def choose(
        self,
        evaluate: Callable[[Loaded], float] | None,
        at_checkpoint: Callable[[int, Loaded], None] | None,
        visits: Visits,
    ) -> list[tuple[int, float]]:
        """The score of every checkpoint, in ascending order of steps; rank 0 evaluates, the others help it.

        Args:
            evaluate: on rank 0.
            at_checkpoint: on rank 0.
            visits: which of the two there are, known on all ranks.
        """

        def visit(step: int, judge: bool) -> float | None:
            self.loaded.head.eval()
            if at_checkpoint is not None:
                at_checkpoint(step, self.loaded)
            return float(evaluate(self.loaded)) if judge and evaluate is not None else None

        self._own_type()
        scores = self.ranks.only_first(self.checkpoints.scores)
        steps = checkpoint_steps(self.total, self.config.checkpoints)
        for step in steps:
            judge = visits.evaluate and step not in scores
            if judge or visits.at_checkpoint:
                self._put(step)
                score = self.ranks.lead(partial(visit, step, judge), held=self.loaded)
                if score is not None:
                    scores[step] = score
                    self.ranks.only_first(lambda: self.checkpoints.save_scores(scores))
        return [(step, scores[step]) for step in steps] if visits.evaluate else []

    def finish(self, chosen: int, *, evaluated: bool) -> None:
        """Leave the model with the chosen weights, in its own type."""
        self._own_type()
        if evaluated:
            self._put(chosen)
        for parameter in self.names.values():
            parameter.grad = None
        self.module._compiled_call_impl = None
        whole_layers(self.loaded, False)
        if self.config.activation_checkpointing:
            keep_activations(self.loaded)
        self.loaded.head.eval()

    def _own_type(self) -> None:
        """Training is in float32; what is evaluated and kept has the type the model was loaded in, and is whole."""
        if self.plain is not None:
            self.optimiser.state.clear()  # room for the whole model
            self.plain.fill(self.loaded, self.types)
            self.names = {name: p for name, p in self.loaded.head.named_parameters() if p.requires_grad}
            self.module, self.plain = self.loaded.head, None
        for name, parameter in self.names.items():
            parameter.data = parameter.data.to(self.types[name])

    def _step(self, step: int) -> dict[str, int | float]:
        """One optimiser step; its number counts from 0."""
        rate = learning_rate(step, self.total, self.config)
        rows = rows_of_step(step, len(self.encoded.rows), self.config.batch_size, self.seed, self.together)
        cut = cut_step(
            [self.encoded.groups[row] for row in rows],
            share=self.share, join=self.join, budget=self.config.micro_batch_tokens, overhead=self.overhead,
            devices=self.devices,
        )  # fmt: skip
        micros = [[[int(rows[i]) for i in pack] for pack in part] for part in cut]
        total = torch.zeros((), device=self.loaded.device)
        units = torch.zeros((), device=self.loaded.device)
        seen: list[tuple[Batch, Tensor]] = []
        shown: list[Shown] = []
        ranks, rank = self.ranks.size, self.ranks.rank
        rounds = math.ceil(len(micros) / ranks)
        for turn in range(rounds):
            number = turn * ranks + rank
            real = number < len(micros)  # a rank without work repeats a micro-batch at weight 0
            with self._sync(turn == rounds - 1):
                # the same draws for a micro-batch on every layout of devices
                seed_dropout(seed_of("dropout", self.seed, step, number), self.loaded.device)
                sequences, batch = micro_batch(
                    self.loaded, self.encoded, micros[number % len(micros)], self.config.normalise
                )
                with self.autocast():
                    logits = self.module(sequences)
                found = self.objective(Outputs(logits), batch, step / self.total, self.state)
                loss = (found.losses * batch.weight).sum() * float(real)
                self.accelerator.backward(loss * (ranks / len(rows)))
            seen.append((batch, found.losses.detach()))
            if real:
                shown.append(shown_of([i for pack in cut[number] for i in pack], found))
            total += loss.detach()
            units += found.units.sum() * float(real)
        due = float(self.ranks.first and time.monotonic() - self.saved >= self.save_seconds)
        sums = self.accelerator.reduce(torch.stack([total, units, total.new_tensor(due)]), reduction="sum")
        loss_sum, unit_sum = float(sums[0]), float(sums[1])
        self.due = bool(sums[2] > 0)  # rank 0's clock decides for all when the state is saved
        self._check_finite(step, loss_sum, seen)
        parameters = list(self.names.values())
        if unit_sum != len(rows):
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(len(rows) / unit_sum)
        norm = float(whole(nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm)))
        if not math.isfinite(norm):
            ids = self._from_all([row_id for batch, _ in seen for row_id in batch.row_ids])
            raise TrainingError(
                f"step {step + 1}: the gradient is not finite; rows {_some(ids)}; lower the learning rate"
            )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        tokens = sum(self.encoded.tokens(int(row)) for row in rows)
        metrics = self._advance(shown, bool(found.metrics or found.observed))
        return {
            **metrics,
            "step": step + 1,
            "loss": loss_sum / unit_sum,
            "lr": rate,
            "grad_norm": norm,
            "tokens": tokens,
        }

    def _advance(self, shown: Sequence[Shown], anything: bool) -> dict[str, float]:
        """Hand the objective what was observed in a step, and give the means of its metrics."""
        metrics, observed = in_step_order(self.ranks.gather(shown)) if anything else ({}, {})
        here = {name: value.to(self.loaded.device) for name, value in observed.items()}
        self.state = self._checked(self.objective.advance(self.state, here))
        return {name: float(values.double().mean()) for name, values in metrics.items()}

    def _checked(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """An objective's state, tensors where the model is."""
        tensors, plain = split_state(state, self.objective.name)
        return plain | {name: value.detach().to(self.loaded.device) for name, value in tensors.items()}

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
            f"step {step + 1}: the loss is not finite ({loss}); rows {_some(self._from_all(bad))}; "
            "lower the learning rate"
        )

    def _from_all(self, ids: Sequence[str]) -> list[str]:
        """What all ranks have found, once each."""
        return list(dict.fromkeys(row_id for own in self.ranks.gather(list(ids)) for row_id in own))

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

    def _sync(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel between ranks once per step; in parts, after every micro-batch, since nobody has room."""
        if last or self.ranks.size == 1 or self.plain is not None:
            return nullcontext()
        context: AbstractContextManager[Any] = self.accelerator.no_sync(self.module)
        return context

    def _save(self, step: int) -> None:
        tensors: dict[str, Tensor] = {}
        slots: dict[str, Any] = {}
        for name, parameter in self.names.items():
            tensors[f"weight/{name}"] = whole(parameter)
            own, slots[name] = state_of(self.optimiser, parameter)
            tensors |= {f"{key}/{name}": whole(value) for key, value in own.items()}
        kept, plain = split_state(self.state, self.objective.name)
        tensors |= {f"objective/{key}": value for key, value in kept.items()}
        facts = {"history": self.history, "objective": plain, "slots": slots}
        self.ranks.only_first(lambda: self.checkpoints.save(State(step, tensors, facts)))

    def _resume(self) -> int:
        """Take up the last state in the work folder; returns the steps done."""
        found: list[State] = []  # on rank 0

        def look() -> dict[str, Any] | None:
            found.extend(state for state in [self.checkpoints.latest()] if state is not None)
            return {"step": found[0].step, **found[0].facts} if found else None

        facts = self.ranks.only_first(look)
        if facts is None:
            return 0
        objective = dict(facts["objective"])
        for kind, name, tensor in self._told(found[0].tensors if found else {}):
            if kind == "objective":
                objective[name] = tensor
                continue
            parameter = self.names[name]
            if kind == "weight":
                with torch.no_grad():
                    parameter.copy_(part(tensor, parameter))
                self.optimiser.state[parameter].update(facts.get("slots", {}).get(name, {}))
            else:
                step = kind == "step" and tensor.ndim == 0  # fused AdamW wants it beside the parameter
                self.optimiser.state[parameter][kind] = tensor if step else part(tensor, parameter)
        self.state, self.history = objective, list(facts["history"])
        return int(facts["step"])

    def _told(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str, Tensor]]:
        """Rank 0's tensors one by one on every rank, on its device, by kind and name."""
        from torch.distributed import broadcast

        shapes = [(key, tuple(value.shape), value.dtype) for key, value in tensors.items()]
        for key, shape, dtype in self.ranks.tell(shapes):
            device = self.loaded.device
            tensor = tensors[key].to(device) if key in tensors else torch.empty(shape, dtype=dtype, device=device)
            if self.ranks.size > 1:
                broadcast(tensor, 0)
            kind, _, name = key.partition("/")
            yield kind, name, tensor

    def _put(self, step: int) -> None:
        """Take the weights of a checkpoint."""
        found: dict[str, Tensor] = {}  # on rank 0
        self.ranks.only_first(lambda: found.update(self.checkpoints.weights(step)))
        with torch.no_grad():
            for _, name, tensor in self._told({f"weight/{name}": tensor for name, tensor in found.items()}):
                self.names[name].copy_(tensor)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
