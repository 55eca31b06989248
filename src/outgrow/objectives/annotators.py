"""Student and annotators learnt together: the student says what is true, parameters say what each makes of it.

Each training row is one answer of one annotator. With p the student's probabilities of the K classes, every objective
here predicts the label that this annotator gives, and learns by its negative log-likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from outgrow.core.errors import ConfigError
from outgrow.objectives.of_choices import OfChoices, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
ANNOTATOR, ITEM = "annotator", "item"
"""Fields of the rows: whose answer it is (0, 1, ...), and what is known of the question (numbers)."""
DECAYS, SMALL = (0.9, 0.999), 1e-8
"""Of Adam."""


@dataclass(frozen=True)
class OfAnnotators(OfChoices):
    """What each annotator says, predicted from what the student says.

    The annotators' parameters are state: after each optimiser step they take a step of Adam (arXiv 1412.6980) on the
    same loss, at the student's probabilities before the step. So both go down one gradient, on any number of devices.

    Attributes:
        annotators: how many there are; each row names one in the field `annotator`.
        rate: learning rate of the annotators' parameters.
    """

    name: str = ""
    annotators: Count = 2
    rate: Rate = 0.003

    def begin(self, classes: int) -> dict[str, Tensor]:
        """The annotators' parameters before the first step."""
        raise NotImplementedError

    def predicted(self, at: Mapping[str, Tensor], p: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        """Natural-log probabilities (rows, K) of the label that each row's annotator gives.

        Args:
            at: the annotators' parameters.
            p: the student's probabilities (rows, K).
            seen: `annotator` (rows,), whole numbers, and further fields of the rows.
        """
        raise NotImplementedError

    def importance(self, at: Mapping[str, Tensor]) -> Tensor | None:
        """Weight (annotators,) of each annotator's rows, mean 1; None for 1 each."""
        return None

    def penalty(self, at: Mapping[str, Tensor]) -> Tensor | float:
        """What is added to the mean loss of a step, in nats."""
        return 0.0

    def prepare(self, targets: Any) -> State:
        """The parameters, and moments of their gradients.

        Raises:
            ConfigError: rows do not share their classes.
        """
        from outgrow.objectives.hardening import class_prior

        if class_prior(targets) is None:
            raise ConfigError(
                f"{self.name} learns who takes which class for which, and these questions have options of their own"
            )
        begin = self.begin(targets.share.shape[1])
        zeros = {f"{kind}/{name}": value * 0 for name, value in begin.items() for kind in ("mean", "square")}
        return {**{f"at/{name}": value for name, value in begin.items()}, **zeros, "steps": 0}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`.

        Raises:
            ConfigError: the rows do not say whose answers they are.
        """
        return self._losses(_part(state, "at"), view.logs.exp(), view.target, self._seen(batch))

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """What the annotators' parameters learn from."""
        rows = {"p": view.logs.detach().exp(), "target": view.target, "weight": batch.weight}
        return {**rows, **self._seen(batch)}

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """The parameters after a step of Adam."""
        import torch

        seen = {**observed, ANNOTATOR: observed[ANNOTATOR].long()}
        at = {name: value.detach().requires_grad_() for name, value in _part(state, "at").items()}
        with torch.enable_grad():
            losses = self._losses(at, observed["p"], observed["target"], seen)
            total = (losses * observed["weight"]).mean() + self.penalty(at)
            slopes = torch.autograd.grad(total, list(at.values()))
        steps, after = int(state["steps"]) + 1, {}
        for (name, value), slope in zip(at.items(), slopes, strict=True):
            kept = {"mean": slope, "square": slope**2}
            moments = {
                kind: decay * state[f"{kind}/{name}"] + (1 - decay) * kept[kind]
                for kind, decay in zip(kept, DECAYS, strict=True)
            }
            mean, square = (moment / (1 - decay**steps) for moment, decay in zip(moments.values(), DECAYS, strict=True))
            after[f"at/{name}"] = value.detach() - self.rate * mean / (square.sqrt() + SMALL)
            after |= {f"{kind}/{name}": moment for kind, moment in moments.items()}
        return {**after, "steps": steps}

    def _losses(self, at: Mapping[str, Tensor], p: Tensor, target: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        losses = cross_entropy(target, self.predicted({name: each.to(p.dtype) for name, each in at.items()}, p, seen))
        weights = self.importance(at)
        return losses if weights is None else losses * weights.detach().to(p.dtype)[seen[ANNOTATOR]]

    def _seen(self, batch: Batch) -> dict[str, Tensor]:
        if ANNOTATOR not in batch.fields:
            raise ConfigError(f"{self.name} needs to know who answered: a field '{ANNOTATOR}' of the rows")
        seen = {name: value for name, value in batch.fields.items() if name in (ANNOTATOR, ITEM)}
        return {**seen, ANNOTATOR: seen[ANNOTATOR].long()}


@dataclass(frozen=True)
class CrowdLayer(OfAnnotators):
    """A matrix for each annotator behind the student's probabilities: softmax of `p W_m` (arXiv 1709.01779).

    W_m starts as the identity. Since W_m sees probabilities and not logits, no label is likelier than e / (e + K - 1)
    at the start.
    """

    name: str = "crowd_layer"

    def begin(self, classes: int) -> dict[str, Tensor]:
        """W_m."""
        import torch

        return {"tables": torch.eye(classes).repeat(self.annotators, 1, 1)}

    def predicted(self, at: Mapping[str, Tensor], p: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        """As `OfAnnotators.predicted`."""
        return _times(p, at["tables"][seen[ANNOTATOR]]).log_softmax(1)


@dataclass(frozen=True)
class CoNal(OfAnnotators):
    """Confusions that all annotators share, and those of each: softmax of `u p W_0 + (1 - u) p W_m`.

    arXiv 2012.13052; `u = sigmoid(v . a_m)` of the unit vectors v, linear in the question's `item`, and a_m of the
    annotator. The penalty keeps the annotators' matrices apart from the shared one: `-apart sum_m |W_m - W_0|`.

    Attributes:
        items: numbers in the field `item`.
        width: of the vectors v and a_m.
        apart: weight of the penalty.
    """

    name: str = "conal"
    items: Count = 1
    width: Count = 20
    apart: Annotated[float, Field(ge=0)] = 1e-5

    def begin(self, classes: int) -> dict[str, Tensor]:
        """W_0 and W_m are twice the identity; the vectors are drawn."""
        import torch

        draw = torch.Generator().manual_seed(0)
        return {
            "shared": 2 * torch.eye(classes),
            "tables": 2 * torch.eye(classes).repeat(self.annotators, 1, 1),
            "who": torch.randn(self.annotators, self.width, generator=draw),
            "item": torch.randn(self.items, self.width, generator=draw) / math.sqrt(self.items),
        }

    def predicted(self, at: Mapping[str, Tensor], p: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        """As `OfAnnotators.predicted`."""
        who, item = (_unit(each) for each in (at["who"][seen[ANNOTATOR]], seen[ITEM].to(p.dtype) @ at["item"]))
        shared = (who * item).sum(1, keepdim=True).sigmoid()
        scores = shared * (p @ at["shared"]) + (1 - shared) * _times(p, at["tables"][seen[ANNOTATOR]])
        return scores.log_softmax(1)

    def penalty(self, at: Mapping[str, Tensor]) -> Tensor | float:
        """As `OfAnnotators.penalty`."""
        away: Tensor = ((at["tables"] - at["shared"]) ** 2).sum((1, 2)).clamp_min(SMALL).sqrt()
        return -self.apart * away.sum()


@dataclass(frozen=True)
class Madl(OfAnnotators):
    """A table of confusions for each annotator and question: `P(label = c) = sum_k p_k T_m(x)[k, c]`.

    arXiv 2304.02539. Rows of T are softmax of scores that start with `accuracy` on the diagonal, and are linear in the
    annotator's vector a_m, the question's `item` x, and the products of their numbers. Annotators that are alike share
    their weight: rows count 1 / sum_j exp(-gamma |a_m - a_j|^2), scaled to mean 1 over annotators.

    Attributes:
        items: numbers in the field `item`.
        width: of the vectors a_m.
        accuracy: of every annotator at the start.
        gamma: how near vectors have to be to count as alike; 0 weighs all answers the same.
    """

    name: str = "madl"
    items: Count = 1
    width: Count = 8
    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.8
    gamma: Annotated[float, Field(ge=0)] = 1.0

    def begin(self, classes: int) -> dict[str, Tensor]:
        """Vectors are drawn, scores start at 0 beside the diagonal."""
        import torch

        inputs = self.width + self.items + self.width * self.items
        who = torch.randn(self.annotators, self.width, generator=torch.Generator().manual_seed(0))
        return {"who": 0.1 * who, "scores": torch.zeros(inputs, classes, classes)}

    def predicted(self, at: Mapping[str, Tensor], p: Tensor, seen: Mapping[str, Tensor]) -> Tensor:
        """As `OfAnnotators.predicted`."""
        import torch

        who, item = at["who"][seen[ANNOTATOR]], seen[ITEM].to(p.dtype)
        inputs = torch.cat([who, item, (who[:, :, None] * item[:, None, :]).flatten(1)], 1)
        classes = p.shape[1]
        diagonal = math.log(self.accuracy * (classes - 1) / (1 - self.accuracy))
        scores = torch.einsum("rf,fkc->rkc", inputs, at["scores"]) + diagonal * torch.eye(classes).to(p)
        return _times(p, scores.softmax(2)).clamp_min(1e-12).log()

    def importance(self, at: Mapping[str, Tensor]) -> Tensor | None:
        """As `OfAnnotators.importance`."""
        who = at["who"].detach()
        apart = ((who[:, None] - who[None]) ** 2).sum(2)
        weights: Tensor = 1 / (-self.gamma * apart).exp().sum(1)
        return weights / weights.mean()


def _part(state: State, kind: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{kind}/"): value for name, value in state.items() if name.startswith(f"{kind}/")}


def _times(p: Tensor, tables: Tensor) -> Tensor:
    """Rows of probabilities (rows, K) times a table for each (rows, K, K)."""
    return (p[:, :, None] * tables).sum(1)


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(SMALL)
    return unit
