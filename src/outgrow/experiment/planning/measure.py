"""A machine and a model on it, measured within seconds by real products and real passes."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from outgrow.experiment.planning.machine import Pace
from outgrow.experiment.planning.memory import Held
from outgrow.experiment.planning.recording import Texts
from outgrow.experiment.work import Pass, Passes
from outgrow.models.adapters import add_adapter
from outgrow.models.batching import Group, Sequences, alone, collate
from outgrow.models.config import Lora, ModelRef
from outgrow.models.generation import Pick
from outgrow.models.growing import grow
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.probing import probe
from outgrow.models.quiet import quiet
from outgrow.store.environment import cpu_name

WIDTHS = (64, 128, 256, 512, 1024, 2048)
ROWS = 1024
LARGEST = 150_000_000
"""Parameters of a model that is measured whole; a larger one is cut to fewer layers, which are alike."""


def name() -> str:
    """What the machine is called."""
    return f"{cpu_name()}, {torch.get_num_threads()} thread(s)"


def times(run: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of several runs, after one that warms up.

    One thread is timed by its processor time, so that others on the machine disturb it less.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    run()
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < seconds and len(taken) < 50):
        start = clock()
        run()
        taken.append(clock() - start)
    return taken


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
        probe(self.head, f"a {config.model_type} model")
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

    def passes(self, groups: Sequence[Group]) -> Passes:
        """What one pass over the groups is."""
        sequences = self._sequences(groups)
        rows, width = sequences.ids.shape
        return Pass(rows, width, len(sequences.places), 0).passes

    def ask(self, groups: Sequence[Group]) -> float:
        """Seconds of scoring the answers."""

        @torch.inference_mode()
        def run() -> None:
            torch.logsumexp(self._logits(groups), dim=1)

        return usual(run)

    def write(self, rows: int, slots: int, width: int, tokens: int) -> tuple[float, Passes]:
        """Seconds of drawing texts, and the passes of that.

        Args:
            rows: prompts.
            slots: texts of each.
            width: tokens of a prompt.
            tokens: of a text.
        """
        prompts = [group.prompt for group in self.groups(rows, width, 1, 1)]
        if not self.head.abilities.grow:  # as `generation` does where texts cannot share a sequence
            prompts, slots = [prompt for prompt in prompts for _ in range(slots)], 1
        texts = Texts(len(prompts), width, slots, len(prompts) * slots, 0)
        pick = Pick(1.0, range(texts.texts))
        model: Any = self.head.model
        options = {"do_sample": False, "min_new_tokens": tokens, "max_new_tokens": tokens, "pad_token_id": 0}

        @torch.inference_mode()
        def run() -> None:
            if self.head.abilities.grow:
                grow(self.head, prompts, [slots] * len(prompts), tokens, (), pick)
            else:
                ids = torch.tensor(prompts)
                model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)

        return usual(run), texts.passes(tokens - 1)

    def train(self, groups: Sequence[Group]) -> float:
        """Seconds of a forward and a backward pass."""
        self.head.train()
        seconds = usual(lambda: self._loss(groups).backward(), 0.5)
        self._forget()
        self.head.eval()
        return seconds

    def held(self, groups: Sequence[Group]) -> float:
        """Bytes that a forward pass keeps for the backward pass."""
        weights = {p.untyped_storage().data_ptr() for p in self.head.parameters()}
        kept: dict[int, Tensor] = {}

        def pack(tensor: Tensor) -> Tensor:
            if (storage := tensor.untyped_storage().data_ptr()) not in weights:
                kept[storage] = tensor
            return tensor

        self.head.train()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = self._loss(groups)
        total = float(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
        del loss
        self.head.eval()
        return total

    def update(self) -> float:
        """Seconds of clipping and an AdamW step."""
        optimiser = torch.optim.AdamW(self.trained, lr=1e-6, fused=True)

        def run() -> None:
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            optimiser.step()

        for parameter in self.trained:
            parameter.grad = torch.zeros_like(parameter)
        seconds = usual(run)
        self._forget()
        return seconds

    def _forget(self) -> None:
        for parameter in self.trained:
            parameter.grad = None

    def _sequences(self, groups: Sequence[Group]) -> Sequences:
        share, unmasked = self.head.shares(groups), self.head.abilities.unmasked
        return collate([alone(group) for group in groups], 0, share=share, unmasked=unmasked, device=self.device)[0]

    def _logits(self, groups: Sequence[Group]) -> Tensor:
        logits: Tensor = self.head(self._sequences(groups))
        return logits.float()

    def _loss(self, groups: Sequence[Group]) -> Any:
        logits = self._logits(groups)
        return nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))


def fit(points: Sequence[tuple[float, list[int | float]]]) -> list[float]:
    """What each size costs, none less than nothing: least squares of relative errors."""
    from scipy.optimize import nnls

    costs = np.array([cost for cost, _ in points])
    sizes = np.array([size for _, size in points]) / costs[:, None]
    scale = np.abs(sizes).max(axis=0)
    rates, _ = nnls(sizes / scale, np.ones(len(points)))
    return [float(rate) for rate in rates / scale]


def fit_passes(points: Sequence[tuple[float, Passes]]) -> list[float]:
    """What a pass, a position, a pair and a place cost."""
    return fit([(cost, [work.passes, work.positions, work.pairs, work.places]) for cost, work in points])


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
    sizes = [probe.passes(group) for group in groups]
    if use == "write":  # a token's pass has work around it that a scoring pass has not
        few, many = max(1, narrow // 16), max(1, wide // 2)
        timed = [probe.write(*point) for point in ((1, 1, short, 12), (few, 1, short, 12), (few, 8, short, 12),
                                                   (many, 1, long - 8, 2), (many, 8, long - 8, 6))]  # fmt: skip
    else:
        timed = list(zip(map(probe.ask if use == "ask" else probe.train, groups), sizes, strict=True))
    factor = probe.factor
    passes, position, pair, place = fit_passes(timed)
    update, held = 0.0, None
    if use not in ("ask", "write"):
        update = probe.update()
        _, *bytes_ = fit_passes(list(zip(map(probe.held, groups), sizes, strict=True)))
        held = Held(bytes_[0] * factor, bytes_[1] * factor, bytes_[2] + 12.0 * probe.size)
    del probe
    gc.collect()
    return Pace(passes * factor, position * factor, pair * factor, place, update * factor, held)
