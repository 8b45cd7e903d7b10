"""Tuning: from images and labels to the true rates of simulated populations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.errors import InputError

Floats = npt.NDArray[np.float64]


def oriented_energy(
    images: npt.NDArray[Any],
    wavelengths: tuple[float, ...] = (3.0, 6.0),
    orientations: int = 4,
    step: int = 2,
) -> Floats:
    """Return the local contrast energy of images in bands of orientation and scale.

    Each channel is the root of the summed squares of a quadrature pair of Gabor
    filters whose Gaussian window has an SD of 0.4 wavelengths.

    Parameters
    ----------
    images : ndarray of uint8, shape (stimulus, height, width, 3)
        RGB; the mean of the three, scaled to [0, 1], is filtered.
    wavelengths : tuple of float
        In pixels.
    orientations : int
        Evenly spaced over 180°.
    step : int
        Pixels between neighbouring positions.

    Returns
    -------
    ndarray, shape (stimulus, row, column, channel)
        Not negative; 0 on a uniform image; channels by wavelength, then orientation.

    References
    ----------
    Adelson & Bergen (1985), Spatiotemporal energy models, J. Opt. Soc. Am. A 2, 284.

    Examples
    --------
    >>> oriented_energy(np.full((1, 16, 16, 3), 128, np.uint8)).max() < 1e-12
    np.True_
    """
    grey = np.asarray(images, dtype=np.float64).mean(axis=-1) / 255
    angles = np.arange(orientations) * np.pi / orientations
    bands = [_band(grey, wavelength, angles, step) for wavelength in wavelengths]
    return np.concatenate(bands, axis=-1)


def _band(grey: Floats, wavelength: float, angles: Floats, step: int) -> Floats:
    radius = int(np.ceil(wavelength))
    filters = np.stack([_gabor(wavelength, angle, radius) for angle in angles])
    padded = np.pad(grey, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2, axis=(1, 2))
    pairs = np.tensordot(windows[:, ::step, ::step], filters, axes=((3, 4), (2, 3)))
    return np.asarray(np.sqrt((pairs**2).sum(axis=-1)))


def _gabor(wavelength: float, angle: float, radius: int) -> Floats:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    window = np.exp(-(x**2 + y**2) / (2 * (0.4 * wavelength) ** 2))
    phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength
    even, odd = window * np.cos(phase), window * np.sin(phase)
    even -= window * (even.sum() / window.sum())  # blind to uniform light
    pair = np.stack([even, odd])
    return np.asarray(pair / np.sqrt((pair**2).sum(axis=(1, 2), keepdims=True)))


def local_drive(energy: Floats, neuroids: int, width: float, seed: int) -> Floats:
    """Return how strongly units with random receptive fields are driven.

    Each unit has a Gaussian receptive field at a random place and random, sparse,
    non-negative weights over channels.

    Parameters
    ----------
    energy : ndarray, shape (stimulus, row, column, channel)
        As `oriented_energy` returns it.
    neuroids : int
        How many units.
    width : float
        SD of the receptive fields, in steps of the grid.
    seed : int
        Of places and weights.

    Returns
    -------
    ndarray, shape (stimulus, neuroid)
        Not negative.

    Examples
    --------
    >>> local_drive(np.ones((5, 4, 4, 8)), 3, width=1.0, seed=0).shape
    (5, 3)
    """
    rng = np.random.default_rng(seed)
    _, rows, columns, channels = energy.shape
    y = rng.uniform(0, rows - 1, neuroids)[:, None] - np.arange(rows)
    x = rng.uniform(0, columns - 1, neuroids)[:, None] - np.arange(columns)
    field = np.exp(-(y[:, :, None] ** 2 + x[:, None, :] ** 2) / (2 * width**2))
    field /= field.sum(axis=(1, 2), keepdims=True)
    weights = rng.dirichlet(np.full(channels, 0.3), neuroids)
    pooled = np.tensordot(energy, field, axes=((1, 2), (1, 2)))  # stimulus, channel, neuroid
    return np.asarray((pooled * weights.T).sum(axis=1))


def category_drive(labels: npt.ArrayLike, neuroids: int, seed: int) -> Floats:
    """Return how strongly units with random preferences for categories are driven.

    Parameters
    ----------
    labels : array_like, shape (stimulus,)
        The category of each stimulus.
    neuroids : int
        How many units.
    seed : int
        Of the preferences, standard normal, independent over categories.

    Returns
    -------
    ndarray, shape (stimulus, neuroid)
        The same for all stimuli of a category.

    Examples
    --------
    >>> drive = category_drive(["cat", "dog", "cat"], 2, seed=0)
    >>> bool((drive[0] == drive[2]).all())
    True
    """
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    preference = np.random.default_rng(seed).normal(size=(len(names), neuroids))
    return np.asarray(preference[codes])


def tuned_rates(
    drive: npt.ArrayLike,
    *,
    stimulus_id: npt.ArrayLike,
    region: str,
    mean_rate: npt.ArrayLike = 20.0,
    depth: float = 0.5,
    ceiling: float = 200.0,
    reference: npt.ArrayLike | None = None,
) -> xr.DataArray:
    """Turn drives into true rates: ``mean_rate · exp(depth · z - depth²/2)``.

    Parameters
    ----------
    drive : array_like, shape (stimulus, neuroid)
        In any unit; z-scored to z.
    stimulus_id : array_like of str, shape (stimulus,)
        Ids.
    region : str
        The area of all of them.
    mean_rate : float or array_like, shape (neuroid,)
        Spikes/s, above 0.
    depth : float
        SD of the log rate over stimuli.
    ceiling : float
        No rate is above this, spikes/s.
    reference : array_like, shape (other stimulus, neuroid), optional
        The same units' drives whose mean and SD z-score `drive`, so that a unit answers to a
        stimulus alike whatever else is shown; `drive` itself if omitted.

    Returns
    -------
    xarray.DataArray
        Assembly of true rates, spikes/s, one presentation a stimulus; its RDMs are
        the true ones.

    Raises
    ------
    InputError
        If a drive does not vary, or a mean rate is not above 0.

    Examples
    --------
    >>> rates = tuned_rates([[0.0], [1.0]], stimulus_id=["a", "b"], region="V4", depth=0.0)
    >>> rates.values.ravel()
    array([20., 20.])
    """
    values = np.asarray(drive, dtype=np.float64)
    against = values if reference is None else np.asarray(reference, dtype=np.float64)
    spread = against.std(axis=0)
    if flat := list(np.flatnonzero(~(spread > 0))[:5]):
        raise InputError(f"the drive of {region} units {flat} is the same for all stimuli.")
    if (np.asarray(mean_rate) <= 0).any():
        raise InputError(
            f"mean rates must be above 0 spikes/s, but the least is {np.min(mean_rate)}."
        )
    z = (values - against.mean(axis=0)) / spread
    rates = np.minimum(np.asarray(mean_rate) * np.exp(depth * z - depth**2 / 2), ceiling)
    # Rounded, so that the last bit of a machine's exp() cannot change a spike.
    made = assembly(np.round(rates, 6), stimulus_id=stimulus_id, region=region, name="true rates")
    return made.assign_attrs(unit="spikes / s", simulated=1)
