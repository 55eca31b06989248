"""Losses made for labels that are wrong at random: bounded, reversed, corrected, or held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from outgrow.core.errors import ConfigError
from outgrow.objectives.of_choices import OfChoices, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

Share = Annotated[float, Field(ge=0, le=1)]
Floor = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class GeneralisedCrossEntropy(OfChoices):
    """Between cross-entropy (q to 0) and mean absolute error (q = 1): `sum_k t_k (1 - p_k^q) / q` (arXiv 1805.07836).

    Attributes:
        q: how much the loss is bounded.
        truncate: rows whose label has at most this probability teach nothing; null keeps all.
    """

    name: str = "generalised_cross_entropy"
    q: Annotated[float, Field(gt=0, le=1)] = 0.7
    truncate: Annotated[float, Field(gt=0, lt=1)] | None = None

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        losses: Tensor = (view.target * (1 - (self.q * view.logs).exp())).sum(1) / self.q
        if self.truncate is None:
            return losses
        believed: Tensor = (view.target * view.logs.detach().exp()).sum(1) > self.truncate
        least: float = (1 - self.truncate**self.q) / self.q
        return (losses - least) * believed


@dataclass(frozen=True)
class Reverse(OfChoices):
    """The label judged by the student: `sum_k p_k ln (p_k / t_k)`, or without the entropy `-sum_k p_k ln t_k`.

    arXiv 2502.11107. Where labels are soft it sharpens; its minimum without the entropy is one option, so stopping
    early is part of it.

    Attributes:
        divergence: `kl` or `ce`.
        floor: the least probability a label gives an option.
    """

    name: str = "reverse"
    divergence: Literal["kl", "ce"] = "kl"
    floor: Floor = 1e-4

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        shares = view.logs.exp()
        reverse = cross_entropy(shares, view.target.clamp_min(self.floor).log())
        return reverse if self.divergence == "ce" else reverse - cross_entropy(shares, view.logs)


@dataclass(frozen=True)
class SymmetricCrossEntropy(OfChoices):
    """`a CE + b RCE`, RCE the reversed cross-entropy with ln 0 cut off (arXiv 1908.06112).

    Attributes:
        a: weight of cross-entropy.
        b: weight of its reverse.
        floor: probability that stands for 0 in the logarithm.
    """

    name: str = "symmetric_cross_entropy"
    a: Weight = 0.1
    b: Weight = 1.0
    floor: Floor = 1e-4

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        reverse = cross_entropy(view.logs.exp(), view.target.clamp_min(self.floor).log())
        return self.a * cross_entropy(view.target, view.logs) + self.b * reverse


@dataclass(frozen=True)
class ForwardCorrection(OfChoices):
    """Predict the label that a known kind of error makes of the truth: `-sum_c t_c ln sum_k p_k T[k, c]`.

    arXiv 1609.03683. T[k, c] is how often class k is labelled c. Without a matrix T is estimated from soft labels,
    taken for probabilities of the truth: with a share r_c of labels whose most probable class is c, and a_c(k) the mean
    probability of k among them, `T[k, c] = r_c a_c(k) / sum_d r_d a_d(k)`.

    Attributes:
        transition: T, rows of shares in the order of the classes; null estimates it.
        classes: names of the classes in the order of `transition`; null is the order of the rows' own options.
    """

    name: str = "forward_correction"
    transition: tuple[tuple[Share, ...], ...] | None = None
    classes: tuple[str, ...] | None = None

    def prepare(self, targets: Any) -> State:
        """T.

        Raises:
            ConfigError: classes differ from row to row, labels are hard and no T is given, T is no such matrix, or
                `classes` are not those of the rows.
        """
        import numpy as np
        import torch

        from outgrow.objectives.hardening import class_prior

        if class_prior(targets) is None:
            raise ConfigError("forward_correction needs classes that all rows share; these have options of their own")
        count = targets.share.shape[1]
        if self.transition is None:
            if (targets.share.max(axis=1) == 1).all():
                raise ConfigError(
                    "forward_correction estimates how classes are confused from soft labels, and these are hard; give "
                    "transition, or train on soft labels"
                )
            said = np.eye(count)[targets.share.argmax(axis=1)]
            joint = (targets.share * targets.weight[:, None]).T @ said
            matrix = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
            matrix[joint.sum(axis=1) <= 0] = np.eye(count)[joint.sum(axis=1) <= 0]
        else:
            matrix = np.array(self.transition)
            if matrix.shape != (count, count) or not np.allclose(matrix.sum(axis=1), 1, atol=1e-6):
                raise ConfigError(
                    f"transition has to be {count} rows of {count} shares that sum to 1, for the classes "
                    f"{list(targets.options[0])}"
                )
            if self.classes is not None:
                if sorted(self.classes) != sorted(targets.options[0]):
                    raise ConfigError(f"classes are {list(self.classes)}, and the rows have {list(targets.options[0])}")
                order = [self.classes.index(name) for name in targets.options[0]]
                matrix = matrix[np.ix_(order, order)]
        return {"transition": torch.from_numpy(matrix).float()}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        said = view.logs.exp() @ state["transition"].to(view.logs.dtype)
        return cross_entropy(view.target, said.clamp_min(1e-12).log())


@dataclass(frozen=True)
class EarlyLearning(OfChoices):
    """Hold on to what the student said early (early-learning regularisation, arXiv 2007.00151).

    `L = CE + weight ln (1 - e . p)`, e a running mean of the row's own probabilities, `e <- decay e + (1 - decay) p`,
    from 0 and without gradient.

    Attributes:
        weight: of the regularisation.
        decay: of the running mean.
    """

    name: str = "early_learning"
    weight: Weight = 3.0
    decay: Share = 0.7

    def prepare(self, targets: Any) -> State:
        """Means of 0."""
        import torch

        return {"means": torch.zeros(targets.share.shape)}

    def _mean(self, view: Choices, batch: Batch, state: State) -> Tensor:
        own = view.logs.detach().exp()
        before: Tensor = state["means"][batch.index]
        return self.decay * before.to(own.dtype) + (1 - self.decay) * own

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        kept = (self._mean(view, batch, state) * view.logs.exp()).sum(1)
        away: Tensor = (1 - kept).clamp_min(1e-4)
        return cross_entropy(view.target, view.logs) + self.weight * away.log()

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """The rows' means, and whose they are."""
        assert batch.index is not None
        return {"means": self._mean(view, batch, state), "index": batch.index}

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """The means after a step."""
        means = state["means"].clone()
        means[observed["index"]] = observed["means"].to(means.dtype)
        return {"means": means}
