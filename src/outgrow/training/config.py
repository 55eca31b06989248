"""How a model is trained. Nothing here needs torch, so a recipe can be read without it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from outgrow.core.config import Settled
from outgrow.models.config import Lora


class TrainConfig(Settled):
    """One fine-tuning.

    Attributes:
        epochs: passes over the pool; every arm takes the steps that the whole pool would need.
        batch_size: rows per optimiser step, whatever the micro-batches are.
        learning_rate: the peak, after warm-up.
        schedule: how the rate goes from the peak to the last step.
        warmup: share of all steps in which the rate rises linearly from 0.
        weight_decay: decoupled, on matrices only.
        betas: AdamW's two decay rates.
        max_grad_norm: gradients are scaled down to this norm.
        lora: train a low-rank adapter instead of all weights.
        together: rows of one question follow each other, so that most go through one step and the beginning of their
            prompts is computed once; otherwise rows are shuffled one by one.
        checkpoints: number of evenly spaced steps, the last included, among which the best is chosen.
        max_length: tokens of prompt and target together.
        normalise: `mean` divides a row's loss by its target tokens, `token` sums over them.
        micro_batch_tokens: most tokens, padding included, in one forward pass.
        precision: of the forward and backward pass; `auto` takes bf16 where the device has it.
        optimiser: AdamW (arXiv 1711.05101); `adamw_8bit` keeps its moments in 8 bits (arXiv 2110.02861, extra
            `quantise`).
        activation_checkpointing: compute activations again on the way back instead of keeping them; the same numbers
            with less memory and a third more arithmetic.
        compile: let `torch.compile` write the model's kernels.
    """

    LATER: ClassVar[tuple[str, ...]] = ("activation_checkpointing", "compile")

    epochs: Annotated[float, Field(gt=0)] = 3.0
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    lora: Lora | None = None
    together: bool = False
    checkpoints: Annotated[int, Field(ge=1)] = 3
    max_length: Annotated[int, Field(ge=2)] = 512
    normalise: Literal["mean", "token"] = "mean"
    micro_batch_tokens: Annotated[int, Field(ge=1)] = 8192
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    optimiser: Literal["adamw", "adamw_8bit"] = "adamw"
    activation_checkpointing: bool = False
    compile: bool = False
