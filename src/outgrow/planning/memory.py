"""Bytes a model and its training hold, per device.

Sources: weights, gradients and optimiser states and how they are divided among devices: arXiv 1910.02054 (ZeRO) §3.1
and §5; activations of a layer: arXiv 2205.05198 §4; 4-bit NormalFloat with a 32-bit scale per block of 64:
arXiv 2305.14314 §3; 8 bits with a 16-bit scale per row: arXiv 2208.07339.
"""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.planning.shapes import Shape
from outgrow.training.config import Lora

GIB = float(1 << 30)
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def weights_bytes(shape: Shape, dtype: str, quantise: str | None = None) -> float:
    """Weights at rest; with `quantise` the layers' matrices are held in 8 or 4 bits, everything else in `dtype`."""
    whole = BYTES[dtype]
    if quantise is None:
        return float(shape.parameters * whole)
    matrices = shape.layers * shape.matrices
    small = 0.5 + 4 / 64 if quantise == "4bit" else 1 + 4 * sum(x.outputs for x in shape.linears) / shape.matrices
    return matrices * small + (shape.parameters - matrices) * whole


def zero_bytes(
    parameters: int | float, devices: int, stage: int, *, held: int = 2, gradient: int = 2, k: int = 12
) -> float:
    """Model states of one device under ZeRO: `held` + `gradient` + `k` bytes for each parameter, divided by stage.

    Args:
        parameters: that are trained.
        devices: among which they are divided.
        stage: 0 nothing is divided, 1 optimiser states, 2 gradients too, 3 (FSDP's full sharding) weights too.
        held: bytes of a weight in the forward pass.
        gradient: bytes of a gradient.
        k: bytes of the optimiser: for AdamW a 32-bit weight and two 32-bit moments.
    """
    parts = [(k, 1), (gradient, 2), (held, 3)]
    return sum(parameters * size / (devices if stage >= first else 1) for size, first in parts)


@dataclass(frozen=True)
class Held:
    """What training keeps for the backward pass, in bytes.

    Attributes:
        position: for each position.
        pair: for each pair of positions of a sequence.
        place: for each place that predicts, the loss's work included.
    """

    position: int | float
    pair: int | float
    place: int | float

    def of(self, positions: int | float, pairs: int | float, places: int | float) -> float:
        """Bytes of one micro-batch."""
        return float(self.position * positions + self.pair * pairs + self.place * places)


def activations(
    shape: Shape, *, narrow: int = 4, lora: Lora | None = None, checkpointing: bool = False, keeps_scores: bool = True
) -> Held:
    """What a forward pass leaves for the backward pass.

    In the manner of arXiv 2205.05198 §4.1, for the operations as `transformers` carries them out: norms keep their
    input and result (and what they scaled, where the norm is RMS), attention its queries, keys, values and result, the
    feed-forward part what goes into and comes out of each step. Dropout adds a mask.

    Args:
        shape: of the model.
        narrow: bytes of a number inside the layers: 4, or 2 under bfloat16 (norms and the residual stream stay at 4).
        lora: adapters keep a second copy of their inputs where those are narrow.
        checkpointing: keep each layer's input alone, and the rest of one layer at a time.
        keeps_scores: where attention weights are dropped the device keeps them all, as a CPU does; a fused kernel
            draws them again.
    """
    h, q, m = shape.hidden, shape.heads * shape.head_dim, shape.intermediate
    kv = shape.kv_heads * shape.head_dim
    if shape.gated:
        wide, inside = 4 * h, 2 * h + 3 * q + 2 * kv + 4 * m
    else:
        wide, inside = 2 * h, 2 * h + 5 * q + (5 if shape.family == "gpt2" else 2) * m
    masks = 2 * h * (1 if narrow == 2 else 4) if shape.dropout else 0
    layer = 4 * wide + narrow * inside + masks
    if lora is not None and narrow < 4:
        layer += 4 * sum(linear.inputs for linear in shape.adapted(lora.target_modules))
    scores = 12.0 * shape.heads if shape.attention_dropout and keeps_scores else 0.0
    layers: int | float = shape.layers * layer
    pair = shape.layers * scores
    if checkpointing:
        layers, pair = shape.layers * 4 * h + layer, scores
    return Held(position=layers + 12 * h, pair=pair, place=shape.vocabulary * (2 * narrow + 8) + 4 * h)


@dataclass(frozen=True)
class Memory:
    """Bytes of one device at the highest point of a step, by what they are for.

    Attributes:
        weights: as held for the forward pass, or divided with the rest.
        states: gradients and optimiser states, and 32-bit copies of trained weights where the weights are narrower.
        activations: of the largest micro-batch, the head's scores included.
        gathered: weights of one layer put together from all devices, twice, since the next one is fetched ahead.
        base: the program itself.
    """

    weights: int | float = 0.0
    states: int | float = 0.0
    activations: int | float = 0.0
    gathered: int | float = 0.0
    base: int | float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return float(self.weights + self.states + self.activations + self.gathered + self.base)


def training_memory(
    shape: Shape, *, largest: int | float, base: int | float, dtype: str, quantise: str | None = None,
    lora: Lora | None = None, bf16: bool = False, devices: int = 1,
) -> Memory:  # fmt: skip
    """Of one device in training, as `outgrow` does it: trained weights, gradients and both moments in 32 bits.

    Under bfloat16 the forward pass also holds a 16-bit copy of the trained matrices.

    Args:
        shape: of the model.
        largest: bytes of activations of the largest micro-batch; every device has one of its own.
        base: bytes of the program.
        dtype: of weights that are not trained.
        quantise: of the same.
        lora: the adapter; None trains everything.
        bf16: precision of the passes.
        devices: among which everything is divided (FSDP's full sharding, ZeRO stage 3).
    """
    copy = 2 if bf16 else 0
    layer = shape.matrices * (2.0 if bf16 else 4.0)
    if quantise is not None:
        layer = weights_bytes(shape, dtype, quantise) - weights_bytes(shape.cut(shape.layers - 1), dtype, quantise)
    if lora is None:
        trained = shape.parameters
        weights, states = trained * (4.0 + copy), trained * 12.0
    else:
        trained = shape.adapter(lora.r, lora.target_modules)
        weights, states = weights_bytes(shape, dtype, quantise) + trained * 4.0, trained * (12.0 + copy)
    gathered = 2.0 * layer if devices > 1 else 0.0
    return Memory(weights / devices, states / devices, largest, gathered, base)
