"""Sums over pairs of resampled stimuli, drawn one by one or by groups.

With w the multiplicities, a pair of stimuli is there ``w_i w_j`` times. A group that is drawn
w times is w groups, each with its own pairs: a pair within it is there w times, not w².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats


def form(square: Any, weights: Floats, member: Any = None) -> Floats:
    """Return the sum over ordered pairs of different stimuli, in every resample.

    Parameters
    ----------
    square : array of float64, shape (n, n)
        Symmetric, zero diagonal.
    weights : array of float64, shape (B, n)
        Multiplicities.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn; they share their weights.

    Returns
    -------
    array of float64, shape (B,)
        Of the entries, each as often as it is there.

    Examples
    --------
    >>> square, weights = np.ones((3, 3)) - np.eye(3), np.array([[2.0, 2.0, 1.0]])
    >>> form(square, weights), form(square, weights, np.array([0, 0, 1]))
    (array([16.]), array([12.]))
    """
    total: Floats = np.einsum("bi,bi->b", weights @ square, weights)
    if member is not None:
        total += once(weights) @ within(square, member)
    return total


def pairs_drawn(weights: Floats, member: Any = None) -> Floats:
    """Count the ordered pairs of different stimuli in every resample, as `form` of ones.

    Examples
    --------
    >>> pairs_drawn(np.array([[2.0, 2.0, 1.0]]), np.array([0, 0, 1]))
    array([12.])
    """
    pairs: Floats = weights.sum(1) ** 2 - np.square(weights).sum(1)
    if member is not None:
        pairs += once(weights) @ (np.bincount(member)[member] - 1.0)
    return pairs


def once(weights: Any) -> Any:
    """Return by what pairs within a group weigh more than if they were of two groups.

    Examples
    --------
    >>> once(np.array([0.0, 1.0, 3.0]))
    array([ 0.,  0., -6.])
    """
    return weights - weights * weights


def within(square: Any, member: Any) -> Floats:
    """Return the sums of rows over stimuli of the same group, shape (n,).

    Examples
    --------
    >>> within(np.array([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]]), np.array([0, 1, 0]))
    array([2., 0., 2.])
    """
    sums: Floats = (square * (member[:, None] == member)).sum(1)
    return sums
