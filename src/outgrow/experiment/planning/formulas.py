"""Operations of a transformer, counted. A product of an a x b and a b x c matrix is 2abc floating-point operations.

Sources: 2N per position and forward pass for a body of N matrix entries, twice as much again for the backward pass
(arXiv 2001.08361 §2.1; arXiv 2203.15556 appendix F counts the parts one by one); attention's scores and sums as in
arXiv 2204.02311 appendix B (12 L H Q T per token and training step, a third of it forward). The head is counted where
it is applied: at the places that predict an answer's tokens, not at every position.
"""

from __future__ import annotations

from outgrow.experiment.work import Passes
from outgrow.models.config import Lora
from outgrow.models.shapes import Shape


def body_flops(shape: Shape, positions: int | float) -> float:
    """Of the layers' matrices in one forward pass: 2 x entries x positions."""
    return 2.0 * shape.layers * shape.matrices * positions


def attention_flops(shape: Shape, pairs: int | float) -> float:
    """Of scores and weighted sums in one forward pass: 2 x 2 x layers x heads x width of a head x pairs."""
    return 4.0 * shape.layers * shape.heads * shape.head_dim * pairs


def head_flops(shape: Shape, places: int | float) -> float:
    """Of the head: 2 x hidden x vocabulary x places; a classifier's layer is as good as nothing."""
    return 2.0 * shape.hidden * shape.vocabulary * places


def spared_flops(shape: Shape, work: Passes) -> float:
    """Of the last layer's feed-forward part where it is not needed (`outgrow.models.trimming`)."""
    return 0.0 if shape.family == "bert" else 2.0 * shape.feed_forward * max(0.0, work.positions - work.places)


def forward_flops(shape: Shape, work: Passes) -> float:
    """Of forward passes."""
    body = body_flops(shape, work.positions) - spared_flops(shape, work)
    return body + attention_flops(shape, work.pairs) + head_flops(shape, work.places)


def training_flops(shape: Shape, work: Passes, lora: Lora | None = None, *, checkpointing: bool = False) -> float:
    """Of forward and backward passes.

    The backward pass costs one product for the gradient of the input and one for that of the matrix. With an adapter
    the matrices keep still, so the second falls away, and the adapter's own three products come on top. Attention has
    no matrices: its backward pass is always twice the forward one. Checkpointing of activations computes layers again,
    and all of them whole.

    Args:
        shape: of the model.
        work: what goes through it, forward.
        lora: the adapter, or None where all weights are trained.
        checkpointing: layers are computed once more during the backward pass.
    """
    body, attention = body_flops(shape, work.positions), attention_flops(shape, work.pairs)
    body -= 0.0 if checkpointing else spared_flops(shape, work)
    head = head_flops(shape, work.places)
    own = 0.0 if lora is None else 2.0 * shape.trained(lora) * work.positions
    forward = body + attention + own
    factor = 3.0 if lora is None else 2.0
    return factor * (body + head) + 3.0 * (attention + own) + (forward if checkpointing else 0.0)


def update_flops(parameters: int) -> float:
    """Of one AdamW step (arXiv 1711.05101) with clipping: about 18 operations for every trained parameter."""
    return 18.0 * parameters
