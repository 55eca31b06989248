"""A machine and a model on it, measured within seconds by real products and real passes."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from outgrow.experiment.planning.machine import Pace
from outgrow.experiment.planning.memory import Held
from outgrow.models.adapters import add_adapter
from outgrow.models.batching import Group, alone, collate
from outgrow.models.config import Lora, ModelRef
from outgrow.models.generation import Pick
from outgrow.models.growing import grow
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.probing import probe
from outgrow.models.quiet import quiet

WIDTHS = (64, 128, 256, 512, 1024, 2048)
ROWS = 1024
LARGEST = 150_000_000
"""Parameters of a model that is measured whole; a larger one is cut to fewer layers, which are alike."""


def name() -> str:
    """What the machine is called."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    found = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{found}, {torch.get_num_threads()} thread(s)"


def times(run: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of several runs, after one that warms up.

    One thread is timed by its processor time, so that others on the machine disturb it less.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    run()
    found: list[float] = []
    while len(found) < 3 or (sum(found) < seconds and len(found) < 50):
        start = clock()
        run()
        found.append(clock() - start)
    return found


def best(run: Callable[[], Any], seconds: float = 0.3) -> float:
    """The shortest of several runs, in seconds: what the machine can do."""
    return min(times(run, seconds))


def usual(run: Callable[[], Any], seconds: float = 0.3) -> float:
    """The median of several runs, in seconds: what work on it takes."""
    return float(np.median(times(run, seconds)))


def product_rate(width: int, dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations per second of a product of `ROWS` rows with a square matrix."""
    left, right = torch.randn(ROWS, width).to(dtype), torch.randn(width, width).to(dtype)
    return 2.0 * ROWS * width * width / best(lambda: left @ right, seconds=0.15)


def bandwidth() -> float:
    """Bytes per second of a copy that fits in no cache; each byte is read and written."""
    source = torch.ones(1 << 25)
    target = torch.empty_like(source)
    return 2.0 * source.nbytes / best(lambda: target.copy_(source))


class Probe:
    """A model of random weights on which passes are timed.

    Args:
        config: of the model (`transformers`).
        lora: an adapter on it, or None.
    """

    def __init__(self, config: Any, lora: Lora | None = None) -> None:
        from transformers import AutoModelForCausalLM

        kind: Any = AutoModelForCausalLM
        text = config.get_text_config()
        self.layers = int(text.num_hidden_layers)
        with torch.device("meta"), quiet():
            whole = sum(p.numel() for p in kind.from_config(config).parameters())
        if whole > LARGEST and self.layers > 2:
            text.num_hidden_layers = 2
            if getattr(text, "layer_types", None):
                text.layer_types = list(text.layer_types)[:2]
        self.factor = self.layers / int(text.num_hidden_layers)
        self.size = int(text.vocab_size)
        self.limit = int(getattr(text, "max_position_embeddings", 0) or 1 << 20)
        with quiet(), torch.random.fork_rng():
            model = kind.from_config(config).float()
        self.head = LanguageHead(model, 0)
        self.head.eval()
        probe(self.head)
        self.device = torch.device("cpu")
        if lora is not None:
            loaded = Loaded(
                self.head, None, None, 0, ModelRef(model=f"this {config.model_type} model"), None, self.device
            )
            add_adapter(loaded, lora, 0)
        self.trained = [p for p in self.head.parameters() if p.requires_grad]

    def groups(self, count: int, prompt: int, answers: int, answer: int) -> list[Group]:
        """Prompts with answers of random tokens."""
        rng = np.random.default_rng(0)

        def tokens(n: int) -> list[int]:
            return [int(t) for t in rng.integers(0, self.size, n)]

        return [Group(tokens(prompt), [tokens(answer) for _ in range(answers)]) for _ in range(count)]

    def ask(self, groups: Sequence[Group]) -> tuple[float, list[float]]:
        """Seconds of scoring the answers, and passes, positions, pairs and places."""
        share = self.head.shares(groups)

        @torch.inference_mode()
        def run() -> None:
            logits = self._logits(groups, share).float()
            torch.logsumexp(logits, dim=1)

        return usual(run), self._sizes(groups, share)

    def write(self, rows: int, slots: int, width: int, tokens: int) -> tuple[float, list[float]]:
        """Seconds of drawing texts, and passes, positions, pairs and places.

        Args:
            rows: prompts.
            slots: texts of each.
            width: tokens of a prompt.
            tokens: of a text.
        """
        prompts = [group.prompt for group in self.groups(rows, width, 1, 1)]
        later = tokens - 1
        if not self.head.abilities.grow:  # as `generation` does where texts cannot share a sequence
            prompts, slots = [own for own in prompts for _ in range(slots)], 1
        rows, pick = len(prompts), Pick(1.0, range(rows * slots))
        model: Any = self.head.model
        options = {"do_sample": False, "min_new_tokens": tokens, "max_new_tokens": tokens, "pad_token_id": 0}

        @torch.inference_mode()
        def run() -> None:
            if self.head.abilities.grow:
                grow(self.head, prompts, [slots] * rows, tokens, (), pick)
            else:
                ids = torch.tensor(prompts)
                model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)

        pairs = rows * (width**2 + slots * (later * width + slots * later * (later + 1) / 2))
        return usual(run), [float(tokens), rows * (width + slots * later), pairs, float(rows * (1 + slots * later))]

    def train(self, groups: Sequence[Group]) -> tuple[float, list[float]]:
        """Seconds of a forward and a backward pass, and the same sizes."""
        share = self.head.shares(groups)
        self.head.train()

        def run() -> None:
            loss: Any = self._loss(groups, share)
            loss.backward()

        seconds = usual(run, 0.5)
        for parameter in self.trained:
            parameter.grad = None
        self.head.eval()
        return seconds, self._sizes(groups, share)

    def held(self, groups: Sequence[Group]) -> tuple[float, list[float]]:
        """Bytes that a forward pass keeps for the backward pass, and the same sizes."""
        own = {p.untyped_storage().data_ptr() for p in self.head.parameters()}
        kept: dict[int, Tensor] = {}

        def pack(tensor: Tensor) -> Tensor:
            if (place := tensor.untyped_storage().data_ptr()) not in own:
                kept[place] = tensor
            return tensor

        share = self.head.shares(groups)
        self.head.train()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = self._loss(groups, share)
        total = float(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
        del loss
        self.head.eval()
        return total, self._sizes(groups, share)

    def update(self) -> float:
        """Seconds of clipping and an AdamW step."""
        optimiser = torch.optim.AdamW(self.trained, lr=1e-6, fused=True)

        def run() -> None:
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            optimiser.step()

        for parameter in self.trained:
            parameter.grad = torch.zeros_like(parameter)
        seconds = usual(run)
        for parameter in self.trained:
            parameter.grad = None
        return seconds

    def _logits(self, groups: Sequence[Group], share: bool) -> Tensor:
        packs = [alone(group) for group in groups]
        sequences, _ = collate(packs, 0, share=share, unmasked=self.head.abilities.unmasked, device=self.device)
        found: Tensor = self.head(sequences)
        return found

    def _loss(self, groups: Sequence[Group], share: bool) -> Tensor:
        logits = self._logits(groups, share).float()
        return nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))

    def _sizes(self, groups: Sequence[Group], share: bool) -> list[float]:
        packs = [alone(group) for group in groups]
        sequences, _ = collate(packs, 0, share=share, unmasked=True, device=self.device)
        rows, width = sequences.ids.shape
        return [1.0, float(rows * width), float(rows * width * width), float(len(sequences.places))]


def fit(points: Sequence[tuple[float, list[float]]]) -> list[float]:
    """What each size costs, none less than nothing: least squares of relative errors."""
    from scipy.optimize import nnls

    seen = np.array([seconds for seconds, _ in points])
    sizes = np.array([own for _, own in points]) / seen[:, None]
    scale = np.abs(sizes).max(axis=0)
    found, _ = nnls(sizes / scale, np.ones(len(points)))
    return [float(x) for x in found / scale]


def model_pace(config: Any, use: str, lora: Lora | None, longest: int) -> Pace:
    """Seconds and bytes of a model of random weights.

    Args:
        config: of the model; it may be changed.
        use: `ask` scores answers, `write` generates them, or a training's `use_of`.
        lora: the adapter of a training.
        longest: positions of the longest sequence that the plan has.
    """
    probe = Probe(config, lora)
    long = max(24, min(longest, probe.limit) - 12)
    short = max(8, long // 4)
    answers = 4 if use in ("ask", "write") else 1
    room = 2048
    wide, narrow = max(1, room // (long + answers)), max(1, room // (short + answers))
    points = [(1, short, answers, 2), (narrow, short, answers, 2), (wide, long, answers, 2),
              (max(1, narrow // 4), short, answers, 2), (max(1, wide // 4), long, answers, 2),
              (max(1, narrow // 2), short, answers, 8)]  # fmt: skip
    groups = [probe.groups(*point) for point in points]
    if use == "write":  # a token's pass has work around it that a scoring pass has not
        few, many = max(1, narrow // 16), max(1, wide // 2)
        timed = [probe.write(*point) for point in ((1, 1, short, 12), (few, 1, short, 12), (few, 8, short, 12),
                                                   (many, 1, long - 8, 2), (many, 8, long - 8, 6))]  # fmt: skip
    else:
        timed = [(probe.ask if use == "ask" else probe.train)(own) for own in groups]
    passes, position, pair, place = fit(timed)
    update, held = 0.0, None
    if use not in ("ask", "write"):
        update = probe.update()
        counted = [probe.held(own) for own in groups]
        _, own_position, own_pair, own_place = fit(counted)
        held = Held(own_position * probe.factor, own_pair * probe.factor, own_place + 12.0 * probe.size)
    factor = probe.factor
    del probe
    gc.collect()
    return Pace(passes * factor, position * factor, pair * factor, place, update * factor, held)
