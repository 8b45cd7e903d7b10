"""Recordings whose true rates, true reliability and true RDM are known.

True rates are an assembly without noise, such as `neurosage.data.tuning` makes; its
RDMs are the true RDMs. `simulate` draws Poisson spike counts from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import assembly, check_assembly
from neurosage.errors import InputError

Floats = npt.NDArray[np.float64]


def true_reliability(
    rates: xr.DataArray, repetitions: int | npt.ArrayLike, window_ms: float = 100.0
) -> Floats:
    """Return the reliability of each neuroid's mean over repetitions, without sampling.

    ``ρ = σ² / (σ² + mean_i(μ_i / R_i))`` with μ_i the expected count of stimulus i,
    which is a Poisson count's variance, R_i its repetitions, and σ² the variance of
    μ over stimuli (ddof 1).

    Parameters
    ----------
    rates : xarray.DataArray
        True rates, spikes/s, one presentation a stimulus.
    repetitions : int or array_like, shape (stimulus,)
        R.
    window_ms : float
        In which spikes are counted.

    Returns
    -------
    ndarray, shape (neuroid,)
        From 0 (the rate does not vary) to below 1.

    Examples
    --------
    >>> rates = assembly([[10.0], [30.0]], stimulus_id=["a", "b"], region="V4")
    >>> true_reliability(rates, repetitions=2).round(3)
    array([0.667])
    """
    expected = _check_rates(rates) * window_ms / 1000
    counts = _check_repetitions(repetitions, len(expected))
    signal = expected.var(axis=0, ddof=1) if len(expected) > 1 else np.zeros(expected.shape[1])
    noise = (expected / counts[:, None]).mean(axis=0)
    total = signal + noise
    return np.asarray(np.divide(signal, total, out=np.zeros_like(total), where=total > 0))


def population_reliability(
    rates: xr.DataArray, repetitions: int | npt.ArrayLike, window_ms: float = 100.0
) -> Floats:
    """Return the reliability of each neuroid over the population that stimuli are drawn from.

    ``ρ = σ² / (σ² + mean(μ) · mean(1/R))``, with μ the expected counts over the population,
    σ² their variance (ddof 0), and R the repetitions, which do not depend on the stimulus.
    It is what an estimate from stimuli drawn by `draw_stimuli` is about, and what its
    interval should cover.

    Parameters
    ----------
    rates : xarray.DataArray
        True rates of the whole population of stimuli, spikes/s.
    repetitions : int or array_like, shape (any,)
        R, of any number of presented stimuli.
    window_ms : float
        In which spikes are counted.

    Returns
    -------
    ndarray, shape (neuroid,)
        From 0 to below 1.

    Examples
    --------
    >>> rates = assembly([[10.0], [30.0]], stimulus_id=["a", "b"], region="V4")
    >>> population_reliability(rates, repetitions=[1, 2, 2]).round(3)
    array([0.429])
    """
    expected = _check_rates(rates) * window_ms / 1000
    counts = _check_repetitions(repetitions, np.size(repetitions))
    signal = expected.var(axis=0)
    total = signal + expected.mean(axis=0) * (1 / counts).mean()
    return np.asarray(np.divide(signal, total, out=np.zeros_like(total), where=total > 0))


def draw_stimuli(rates: xr.DataArray, stimuli: int, seed: int = 0) -> xr.DataArray:
    """Draw stimuli at random, with replacement, from the population that rates are known of.

    Each draw is a stimulus of its own, so any number can be had, and draws are independent.

    Parameters
    ----------
    rates : xarray.DataArray
        True rates, one presentation a stimulus.
    stimuli : int
        How many.
    seed : int
        Of the draws.

    Returns
    -------
    xarray.DataArray
        Assembly of true rates; ids are numbered (``cat#0``, ``dog#1``, ``cat#2``).

    Raises
    ------
    InputError
        If fewer than one is asked for, or stimuli repeat in the rates.

    Examples
    --------
    >>> rates = assembly([[10.0], [30.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> list(draw_stimuli(rates, 3, seed=1).stimulus_id.values)
    ['cat#0', 'dog#1', 'dog#2']
    """
    if stimuli < 1:
        raise InputError(f"at least 1 stimulus must be drawn, not {stimuli}.")
    chosen = np.random.default_rng(seed).integers(0, len(_check_rates(rates)), stimuli)
    drawn = rates.isel(presentation=chosen)
    names = [f"{name}#{k}" for k, name in enumerate(drawn["stimulus_id"].values)]
    return drawn.assign_coords(stimulus_id=("presentation", np.array(names, object)))


def simulate(
    rates: xr.DataArray,
    repetitions: int | npt.ArrayLike = 8,
    window_ms: float = 100.0,
    seed: int = 0,
) -> xr.DataArray:
    """Draw a recording from true rates: Poisson spike counts, independent over trials.

    Parameters
    ----------
    rates : xarray.DataArray
        True rates, spikes/s, one presentation a stimulus.
    repetitions : int or array_like, shape (stimulus,)
        How often each stimulus is shown; ragged where it differs.
    window_ms : float
        In which spikes are counted.
    seed : int
        Of the spikes.

    Returns
    -------
    xarray.DataArray
        Assembly of counts, the repetitions of a stimulus one after the other; the
        neuroids' coordinates are those of `rates`, and ``true_reliability``, that of
        the mean over repetitions, is added. ``attrs`` say that it is simulated.

    Raises
    ------
    InputError
        If rates are negative or not finite, stimuli repeat in them, or a number of
        repetitions is below 1.

    Examples
    --------
    >>> rates = assembly([[10.0], [30.0]], stimulus_id=["a", "b"], region="V4")
    >>> recording = simulate(rates, repetitions=3)
    >>> recording.shape, recording.repetition.values
    ((6, 1), array([0, 1, 2, 0, 1, 2]))
    """
    if not window_ms > 0:
        raise InputError(f"window_ms must be above 0, but is {window_ms}.")
    expected = _check_rates(rates) * window_ms / 1000
    counts = _check_repetitions(repetitions, len(expected))
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(np.repeat(expected, counts, axis=0)).astype(np.float64)
    own = ("region", "neuroid_id", "true_reliability")
    on_neuroid: dict[str, Any] = {
        str(key): ("neuroid", value.values)
        for key, value in rates.coords.items()
        if value.dims == ("neuroid",) and key not in own
    }
    on_neuroid["true_reliability"] = ("neuroid", true_reliability(rates, repetitions, window_ms))
    recorded = assembly(
        spikes,
        stimulus_id=np.repeat(rates["stimulus_id"].values, counts),
        region=rates["region"].values,
        neuroid_id=rates["neuroid_id"].values,
        **on_neuroid,
    )
    return recorded.assign_attrs(
        unit=f"spikes / {window_ms:g} ms", simulated=1, window_ms=window_ms, seed=seed
    )


def _check_rates(rates: xr.DataArray) -> Floats:
    values = np.asarray(check_assembly(rates).values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"true rates have dims presentation × neuroid, not {rates.dims}.")
    if not (np.isfinite(values) & (values >= 0)).all():
        wrong = rates["neuroid_id"].values[(~(values >= 0) | np.isinf(values)).any(axis=0)]
        raise InputError(f"rates must be finite and not negative; see neuroids {list(wrong[:5])}.")
    if len(set(rates["stimulus_id"].values)) != len(values):
        raise InputError("true rates have one presentation a stimulus, but stimuli repeat in them.")
    return values


def _check_repetitions(repetitions: int | npt.ArrayLike, stimuli: int) -> npt.NDArray[np.int64]:
    given = np.asarray(repetitions)
    if given.dtype.kind not in "iu" or given.shape not in ((), (stimuli,)) or (given < 1).any():
        raise InputError(
            f"repetitions must be a whole number of 1 or more, or one for each of the {stimuli} "
            f"stimuli, but are {repetitions!r}."
        )
    return np.broadcast_to(given, (stimuli,)).astype(np.int64)
