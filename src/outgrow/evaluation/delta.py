"""When a difference between two teachers helps a student better than both (arXiv 2507.06187; our own derivation).

Questions are x ~ N(0, I), the truth is the side of a unit vector u on which x lies, and a model is a vector whose
cosine with u says how good it is: its accuracy is `1 - arccos(cosine) / pi`. Training on the better teacher's labels
over the worse one's moves the student along the difference of the teachers' unit vectors, whatever it knows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

Numbers = float | Float[np.ndarray, "..."]


class BestStep(NamedTuple):
    """The best step along the difference of two teachers (equation 5), and what an endless one comes to (equation 7).

    Attributes:
        step: its length h, for a student of unit length.
        rho: how much the teachers' difference stands out from their errors, 0 and above.
        cosine: of the student with the truth after that step.
        limit: after endless training.
    """

    step: float
    rho: float
    cosine: float
    limit: float


def accuracy_of(cosine: Numbers) -> Numbers:
    """Share of right answers of a model with this cosine, 0 to 1."""
    accuracy: Numbers = 1 - np.arccos(np.clip(cosine, -1, 1)) / math.pi
    return accuracy


def cosine_of(accuracy: Numbers) -> Numbers:
    """Cosine, -1 to 1, of a model with this share of right answers; also of two models that agree this often."""
    return np.cos(math.pi * (1 - np.asarray(accuracy, dtype=np.float64)))


def after_step(step: Numbers, student: float, chosen: float, rejected: float) -> Numbers:
    """Cosine after a step along the teachers' difference, where no errors are correlated (equation 5).

    Args:
        step: its length h.
        student: cosine of the student with the truth.
        chosen: of the better teacher.
        rejected: of the worse one.
    """
    along = student + step * (chosen - rejected)
    aside = (1 - student**2) + step**2 * ((1 - chosen**2) + (1 - rejected**2))
    return along / np.sqrt(along**2 + aside)


def best_step(student: float, chosen: float, rejected: float) -> BestStep:
    """The step after which the student is best, where no errors are correlated (equations 5 and 7).

    Args:
        student: cosine of the student with the truth, above 0.
        chosen: of the better teacher.
        rejected: of the worse one.
    """
    gap, noise = chosen - rejected, (1 - chosen**2) + (1 - rejected**2)
    rho = gap**2 * (1 - student**2) / noise
    return BestStep(
        step=gap * (1 - student**2) / (student * noise),
        rho=rho,
        cosine=math.sqrt((student**2 + rho) / (1 + rho)),
        limit=gap / math.hypot(gap, math.sqrt(noise)),
    )


def slope(student: float, chosen: float, rejected: float, *, with_chosen: float, with_rejected: float) -> float:
    """How fast the student's cosine with the truth grows at the first step, errors correlated or not (equation 6).

    `(chosen - rejected) - student (with_chosen - with_rejected)`: a difference of the teachers helps as far as it is
    more than what the student has in common with the one rather than the other. Above 0: the first step helps.

    Args:
        student: cosine of the student with the truth.
        chosen: of the better teacher with the truth.
        rejected: of the worse one.
        with_chosen: cosine of the student with the better teacher.
        with_rejected: with the worse one.
    """
    return (chosen - rejected) - student * (with_chosen - with_rejected)


class Condition(NamedTuple):
    """Equation 6 for three models that answered the same questions.

    Attributes:
        delta: accuracy of the chosen source minus that of the rejected one.
        common: share of questions on which the student is right or wrong together with the chosen source, minus that
            with the rejected one.
        slope: as `slope`, with cosines from these shares; above 0 the theory expects a gain.
    """

    delta: float
    common: float
    slope: float


def condition(
    student: Bool[np.ndarray, "questions"],
    chosen: Bool[np.ndarray, "questions"],
    rejected: Bool[np.ndarray, "questions"],
) -> Condition:
    """Whether the theory expects a gain, from who is right on which of the same questions.

    Two models agree where both are right or both wrong, as they do where there are two answers; accuracies and
    agreement give the cosines.
    """
    right = [float(each.mean()) for each in (student, chosen, rejected)]
    same = [float((student == each).mean()) for each in (chosen, rejected)]
    own, better, worse = (float(cosine_of(share)) for share in right)
    both = [float(cosine_of(share)) for share in same]
    return Condition(
        right[1] - right[2], same[0] - same[1], slope(own, better, worse, with_chosen=both[0], with_rejected=both[1])
    )
