"""From features of a label to P(correct), fitted on a few labels known to be right or wrong: Platt, beta, isotonic.

With one or two hundred known labels the fit's own error outweighs its bias, so all three are held back: the logistic
regressions by an L2 penalty, isotonic regression as `_isotonic` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from outgrow.core.arrays import Bool, Float
from outgrow.core.errors import ConfigError, DataError

Kind = Literal["platt", "beta", "isotonic"]
Predict = Callable[[Float[np.ndarray, "labels features"]], Float[np.ndarray, "labels"]]
_Score = Callable[[Float[np.ndarray, "labels"]], Float[np.ndarray, "labels"]]

INVERSE_PENALTY = 0.3  # scikit-learn's C, features standardised; chosen on a development world among .1 to 10


def fit_calibrator(
    features: Float[np.ndarray, "known features"], right: Bool[np.ndarray, "known"], kind: Kind | str = "platt"
) -> Predict:
    """A function from features to P(correct), 0 to 1.

    Args:
        features: of the known labels, finite; a column that is constant is of no use and does no harm.
        right: whether each known label is right.
        kind: `platt`: logistic regression on the standardised features (Platt 1999, with several features).
            `beta`: its score s passed on to a logistic regression on ln s and -ln(1 - s) whose slopes are not negative
            (Kull, Silva Filho and Flach 2017, equation 3). `isotonic`: its score passed on to isotonic regression,
            which bends where the logistic curve cannot and needs more known labels.

    Raises:
        ConfigError: unknown kind.
        DataError: all known labels are right, or all are wrong.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"unknown calibration {kind!r}; choose one of {', '.join(get_args(Kind))}")
    if right.all() or not right.any():
        what = "right" if len(right) and right.all() else "wrong"
        raise DataError(
            f"all {len(right)} known labels are {what}; P(correct) can be learnt only from labels of which some are "
            "right and some are wrong: buy more gold labels"
        )
    score = _platt(features, right)
    if kind == "platt":
        return score
    second = (_beta if kind == "beta" else _isotonic)(score(features), right)
    return lambda x: second(score(x))


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)


def _platt(features: Float[np.ndarray, "known features"], right: Bool[np.ndarray, "known"]) -> Predict:
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-12 * (1 + np.abs(mean)), spread, np.inf)  # a constant column becomes 0
    model = _logistic().fit((features - mean) / spread, right)
    return lambda x: np.asarray(model.predict_proba((x - mean) / spread)[:, 1])


def _logs(score: Float[np.ndarray, "labels"]) -> Float[np.ndarray, "labels 2"]:
    inside = np.clip(score, 1e-9, 1 - 1e-9)
    return np.stack([np.log(inside), -np.log1p(-inside)], axis=1)


def _beta(score: Float[np.ndarray, "known"], right: Bool[np.ndarray, "known"]) -> _Score:
    use = [0, 1]
    while use:
        model = _logistic().fit(_logs(score)[:, use], right)
        if (model.coef_[0] >= 0).all():
            return lambda s: np.asarray(model.predict_proba(_logs(s)[:, use])[:, 1])
        use.pop(int(model.coef_[0].argmin()))  # a falling curve would call better labels worse
    rate = float(right.mean())
    return lambda s: np.full(len(s), rate)


def _isotonic(score: Float[np.ndarray, "known"], right: Bool[np.ndarray, "known"]) -> _Score:
    """Isotonic regression without plateaus of 0 and 1.

    Two made-up labels, a right one at the lowest score and a wrong one at the highest, turn an end plateau of n right
    labels from 1 to n / (n + 1). Between the centres of plateaus (in log odds of the score) the curve is straight, as
    in centred isotonic regression (Oron and Flournoy 2017), which has smaller errors in small samples.
    """
    from sklearn.isotonic import isotonic_regression

    place, code, count = np.unique(_log_odds(score), return_inverse=True, return_counts=True)
    hits = np.bincount(code, weights=right)
    count = count.astype(np.float64)
    hits[0] += 1
    count[[0, -1]] += 1 if len(place) > 1 else 2
    level = isotonic_regression(hits / count, sample_weight=count)
    height, plateau = np.unique(level, return_inverse=True)
    centre = np.bincount(plateau, weights=place * count) / np.bincount(plateau, weights=count)
    return lambda s: np.asarray(np.interp(_log_odds(s), centre, height))


def _log_odds(score: Float[np.ndarray, "labels"]) -> Float[np.ndarray, "labels"]:
    inside = np.clip(score, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside))
