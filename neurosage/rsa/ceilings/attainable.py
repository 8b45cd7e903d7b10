"""What a noise-free RDM could reach at best against a recording: known only for simulations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage import __version__
from neurosage.data.assembly import region_names
from neurosage.data.simulate import simulate
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats, get_backend
from neurosage.rsa.between_rdms import compare_rdms
from neurosage.rsa.rdm import rdms
from neurosage.rsa.resampling import check_sampling, check_whole


def attainable_similarity(
    rates: xr.DataArray,
    repetitions: int | npt.ArrayLike = 8,
    *,
    distance: str = "correlation",
    comparison: str = "pearson",
    normalise: str = "none",
    sites: int | None = None,
    window_ms: float = 100.0,
    recordings: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """Simulate the similarity that the true RDM itself has with a recording's RDM.

    No network that resembles the true rates perfectly does better on average: it is the
    truth that a noise ceiling estimates. RDMs of simulated recordings' means are compared
    with the RDM of the rates, and the similarities averaged over recordings.

    Parameters
    ----------
    rates : xarray.DataArray
        True rates, spikes/s, one presentation a stimulus.
    repetitions : int or array_like, shape (stimulus,)
        How often each stimulus is shown.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}
        Of the recordings' RDMs. ``crossnobis`` estimates squared euclidean distance, so the
        RDM of the rates is then ``euclidean``.
    comparison : {"pearson", "spearman", "cosine"}
        Between RDMs.
    normalise : {"none", "centre", "zscore"}
        Of the neuroids, in the recordings as in the rates.
    sites : int, optional
        Each recording is of so many neuroids of each region, drawn at random without
        replacement, and compared with the RDM of all of them: what a ceiling over sites
        estimates. If omitted, all are recorded: what a ceiling over trials estimates.
    window_ms : float
        In which spikes are counted.
    recordings : int
        How many are simulated.
    seed : int
        Of sites and spikes.

    Returns
    -------
    xarray.Dataset
        Dim ``region``: ``similarity``, the mean over recordings, in [-1, 1], and ``sd``,
        that over recordings (ddof 1; NaN for one). Attributes say how it was made.

    Raises
    ------
    InputError
        If `recordings` or `sites` do not fit, or the rates or a recording have no such RDM.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> values = np.random.default_rng(0).gamma(2.0, 10.0, (30, 20))
    >>> rates = assembly(values, stimulus_id=[f"s{k}" for k in range(30)], region="V4")
    >>> few, many = (attainable_similarity(rates, r).similarity.item() for r in (2, 200))
    >>> 0 < few < many < 1
    True
    """
    check_sampling(seed=seed)
    _check(rates, recordings, sites)
    engine = get_backend("torch")
    plain = "euclidean" if distance == "crossnobis" else distance
    truth = rdms(rates, plain, normalise=normalise)
    found = []
    for k in range(recordings):
        rng = np.random.default_rng([seed, k])
        recorded = simulate(
            _some(rates, sites, rng), repetitions, window_ms, int(rng.integers(2**31))
        )
        made = rdms(recorded, distance, normalise=normalise)
        found.append(np.diag(compare_rdms(made, truth, engine, comparison)[0]))
    return _label(truth, np.array(found)).assign_attrs(
        distance=distance,
        comparison=comparison,
        normalise=normalise,
        repetitions=float(np.asarray(repetitions).mean()),
        window_ms=window_ms,
        sites="all" if sites is None else sites,
        recordings=recordings,
        seed=seed,
        n_stimuli=truth.sizes["stimulus_i"],
        neurosage=__version__,
    )


def _check(rates: xr.DataArray, recordings: int, sites: int | None) -> None:
    check_whole("recordings", recordings, 1)
    if sites is not None:
        check_whole("sites", sites, 1)
    labels = rates["region"].values.astype(str)
    least = min((int((labels == name).sum()), name) for name in region_names(rates))
    if sites is not None and sites > least[0]:
        raise InputError(
            f"sites must be 1 to {least[0]}, the neuroids of {least[1]!r}, but is {sites}."
        )


def _some(rates: xr.DataArray, sites: int | None, rng: np.random.Generator) -> xr.DataArray:
    if sites is None:
        return rates
    labels = rates["region"].values.astype(str)
    chosen = [
        np.sort(rng.choice(np.flatnonzero(labels == name), sites, replace=False))
        for name in region_names(rates)
    ]
    return rates.isel(neuroid=np.concatenate(chosen))


def _label(truth: xr.DataArray, found: Floats) -> xr.Dataset:
    sd = found.std(0, ddof=1) if len(found) > 1 else np.full(found.shape[1], np.nan)
    return xr.Dataset(
        {"similarity": ("region", found.mean(0)), "sd": ("region", sd)},
        coords={"region": truth["region"].values},
    )
