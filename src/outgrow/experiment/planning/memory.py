"""Bytes a model and its training hold, per device.

Sources: weights, gradients and optimiser states and how they are divided among devices: arXiv 1910.02054 (ZeRO) §3.1
and §5; activations of a layer: arXiv 2205.05198 §4; 4-bit NormalFloat with a 32-bit scale per block of 64:
arXiv 2305.14314 §3; 8 bits with a 16-bit scale per row: arXiv 2208.07339.
"""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.models.config import Lora
from outgrow.models.shapes import Shape
from outgrow.training.config import TrainConfig

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
    own = 4 if shape.gated else 5 if shape.family == "gpt2" else 2
    if shape.gated:
        wide, inside = 4 * h, 2 * h + 3 * q + 2 * kv + own * m
    else:
        wide, inside = 2 * h, 2 * h + 5 * q + own * m
    masks = 2 * h * (1 if narrow == 2 else 4) if shape.dropout else 0
    layer: int | float = 4 * wide + narrow * inside + masks
    if lora is not None and narrow < 4:
        layer += 4 * sum(linear.inputs for linear in shape.adapted(lora.target_modules)) / shape.layers
    scores = 12.0 * shape.heads if shape.attention_dropout and keeps_scores else 0.0
    layers: int | float = shape.layers * layer
    last = 0 if shape.family == "bert" else narrow * own * m  # the feed-forward part that places alone need
    pair = shape.layers * scores
    if checkpointing:
        layers, pair, last = shape.layers * 4 * h + layer, scores, 0
    place = shape.vocabulary * (2 * narrow + 8) + 4 * h + last
    return Held(position=layers - last + 12 * h, pair=pair, place=place)


@dataclass(frozen=True)
class Memory:
    """Bytes of one device at the highest point of a step, by what they are for.

    Attributes:
        weights: as held for the forward pass, or divided with the rest.
        states: gradients and optimiser states, and 32-bit copies of trained weights where the weights are narrower.
        activations: of the largest micro-batch, the head's scores included.
        gathered: what is put together from all devices for a while, and gradients before they are divided.
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


MOMENTS = {"adamw": 8, "adamw_8bit": 2}
"""Bytes of a trained parameter's two moments; of 8 bits there is a 32-bit scale per 256 besides, left out here."""


def is_sharded(devices: int, quantise: str | None, train: TrainConfig) -> bool:
    """Whether several devices share a training's weights and states (FSDP); where that is refused each has them all."""
    return devices > 1 and quantise is None and train.optimiser == "adamw" and not train.compile


def training_memory(
    shape: Shape, train: TrainConfig, *, largest: int | float, base: int | float, dtype: str,
    quantise: str | None = None, bf16: bool = False, devices: int = 1,
) -> Memory:  # fmt: skip
    """Of one device in training, as `outgrow` does it: trained weights, gradients and both moments in 32 bits.

    Weights and states are divided by the devices where the launch shards them (`training/sharding.py`). Not divided
    are: two layers, and embeddings and head throughout, as they are put together, and gradients of one layer, of
    embeddings and head until they are divided. Layers are put together in 16 bits under bfloat16, embeddings and head
    in 32, with a 16-bit copy. Where nothing is divided, bfloat16 keeps 16-bit copies of all trained weights from the
    forward to the backward pass.

    Args:
        shape: of the model.
        train: settings of the training.
        largest: bytes of activations of the largest micro-batch; every device has one of its own.
        base: bytes of the program.
        dtype: of weights that are not trained.
        quantise: of the same.
        bf16: precision of the passes.
        devices: that take part.
    """
    parts = devices if is_sharded(devices, quantise, train) else 1
    lora = train.lora
    trained = shape.trained(lora)
    frozen = 0.0 if lora is None else weights_bytes(shape, dtype, quantise)
    weights = (frozen + 4.0 * trained) / parts + (2.0 * trained if bf16 and parts == 1 else 0.0)
    states = (4.0 + MOMENTS[train.optimiser]) * trained / parts
    gathered = 0.0
    if parts > 1:
        whole = 4.0 if lora is None else float(BYTES[dtype])
        layer = 2.0 if bf16 else whole
        gathered = 2 * layer * shape.matrices + (whole + (2.0 if bf16 and whole > 2 else 0.0)) * shape.embeddings
        if lora is None:  # gradients, those of a layer also as they were computed
            gathered += (4.0 + (2.0 if bf16 else 0.0)) * shape.matrices + 4.0 * shape.embeddings
    return Memory(weights, states, largest, gathered, base)


def asking_memory(
    shape: Shape, train: TrainConfig | None, *, asked: int | float, base: int | float, dtype: str,
    quantise: str | None = None, devices: int = 1,
) -> Memory:  # fmt: skip
    """Of one device that answers: the model is whole on each.

    Args:
        shape: of the model.
        train: of a training whose checkpoints are asked: its states stay, or the divided 32-bit weights until the
            model is whole; None for a step that answers alone.
        asked: bytes of the largest answering pass.
        base: bytes of the program.
        dtype: of the weights.
        quantise: of the same.
        devices: that take part.
    """
    states = 0.0
    if train is not None:
        trained = shape.trained(train.lora)
        shared = is_sharded(devices, quantise, train)
        states = trained * (4.0 / devices if shared else MOMENTS[train.optimiser])
    return Memory(weights_bytes(shape, dtype, quantise), states, asked, 0.0, base)
