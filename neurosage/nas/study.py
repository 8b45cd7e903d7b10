"""What a search shows: how well early signals foretell the final accuracy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from neurosage.errors import InputError

LEAST = 4


def predictivity(
    signals: Mapping[str, npt.ArrayLike],
    outcome: npt.ArrayLike,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank correlation of early signals with an outcome, over candidates.

    Parameters
    ----------
    signals : mapping of str to array_like, each of shape (candidates,)
        Such as P, TG and P+TG after a little training. Candidates where any
        signal or the outcome is NaN are left out of all.
    outcome : array_like, shape (candidates,)
        Such as the accuracy after full training.
    resamples : int
        Bootstrap samples of candidates, the same for all signals.
    level : float
        Coverage of the percentile interval.
    seed : int
        Of the resampling.

    Returns
    -------
    pandas.DataFrame
        A row per signal: ``spearman`` in [-1, 1] (NaN where a signal does not
        vary), ``low`` and ``high`` ends of its interval; ``gain``, how much more than
        that of the first signal, ``gain_low`` and ``gain_high`` on the same resamples
        (paired); ``candidates`` used. The intervals take candidates as independent;
        those that an explorer chose in view of others are not quite, so they are then
        a little too narrow.

    Raises
    ------
    InputError
        If lengths differ or fewer than four candidates are complete.

    References
    ----------
    Percentile bootstrap: Efron, B. (1979), The Annals of Statistics 7, 1-26. The
    use of the correlation: Bashivan et al. (2019), section 4.1.

    Examples
    --------
    >>> table = predictivity({"P": [1, 2, 3, 4, 5]}, [1, 2, 3, 5, 4], resamples=100)
    >>> float(table.loc["P", "spearman"].round(2))
    0.9
    """
    columns = np.stack([np.asarray(s, float) for s in (*signals.values(), outcome)])
    complete = columns[:, np.isfinite(columns).all(0)]
    count = complete.shape[1]
    if count < LEAST:
        raise InputError(
            f"a rank correlation over {count} complete candidates means nothing; "
            f"give at least {LEAST} with every signal and the outcome."
        )
    draws = np.random.default_rng(seed).integers(0, count, (resamples, count))
    ranks = rankdata(complete[:, draws], axis=-1)
    estimates = _against_last(rankdata(complete, axis=-1)[:, None])[:, 0]
    resampled = np.nan_to_num(_against_last(ranks), nan=0.0)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(resampled, ends, axis=1)
    gain_low, gain_high = np.quantile(resampled - resampled[0], ends, axis=1)
    table = pd.DataFrame(
        {
            **{"spearman": estimates, "low": low, "high": high},
            **{"gain": estimates - estimates[0], "gain_low": gain_low, "gain_high": gain_high},
        },
        index=pd.Index(list(signals), name="signal"),
    )
    table.loc[~np.isfinite(estimates)] = np.nan
    return table.assign(candidates=count)


def _against_last(ranks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pearson of each signal's ranks (signals, samples, candidates) with the last row's."""
    centred = ranks - ranks.mean(-1, keepdims=True)
    products = (centred[:-1] * centred[-1]).sum(-1)
    norms = np.sqrt((centred[:-1] ** 2).sum(-1) * (centred[-1] ** 2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norms > 0, products / norms, np.nan))
