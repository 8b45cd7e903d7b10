"""rsatoolbox's RDMs, in memory and in HDF5, both ways."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
import xarray as xr

from neurosage.data.formats.rsatoolbox_files import read_dict, write_dict
from neurosage.data.formats.rsatoolbox_rdm_dict import as_dict, from_dict


def from_rdms(
    rdms: Any,
    *,
    coordinates: Mapping[str, str] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
) -> xr.DataArray:
    """Make RDMs as a teacher stores them of rsatoolbox's RDMs.

    Parameters
    ----------
    rdms : rsatoolbox.rdm.RDMs
        One RDM a region, or a region and subject.
    coordinates : mapping of str to str, optional
        Our name → its descriptor: ``{"stimulus_id": "conds", "region": "roi"}``.
    stimulus_id : sequence of str, optional
        The stimuli in order, where no pattern descriptor names them; else what they must be.
    region : str, optional
        Of every RDM, where no descriptor says it.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``, the first where the RDMs have
        a descriptor ``subject``. A pattern descriptor ``x`` is the coordinates ``x_i`` and
        ``x_j``; the measure is ``attrs["distance"]``, in our words (theirs, squared
        euclidean, is our euclidean).

    Raises
    ------
    InputError
        If stimuli or regions are not described, or an RDM is there twice or missing.
    """
    return from_dict(rdms.to_dict(), "the RDMs", coordinates or {}, stimulus_id, region)


def read_rdms(
    path: Path | str,
    *,
    coordinates: Mapping[str, str] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
) -> xr.DataArray:
    """Read RDMs that rsatoolbox saved as HDF5.

    A card says it so::

        rdms = { file = "it.h5", format = "rsatoolbox",
            coordinates = { stimulus_id = "conds", region = "roi", subject = "monkey" } }

    Parameters
    ----------
    path : Path or str
        Saved with ``file_type="hdf5"``; pickles are refused. rsatoolbox is not needed.
    coordinates, stimulus_id, region
        As in `from_rdms`.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.

    Raises
    ------
    InputError
        If the file is damaged, a pickle, or holds no RDMs, or as in `from_rdms`.
    """
    held = read_dict(Path(path), "dissimilarities")
    return from_dict(held, str(path), coordinates or {}, stimulus_id, region)


def to_rdms(rdms: xr.DataArray, *, drop: Collection[str] = ()) -> Any:
    """Make rsatoolbox's RDMs.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.
    drop : collection of str
        What may be left out where rsatoolbox cannot hold it; ``"all"`` allows everything.

    Returns
    -------
    rsatoolbox.rdm.RDMs
        One RDM a region (and subject), with all coordinates and ``attrs`` as descriptors.

    Raises
    ------
    InputError
        That lists every field that it cannot hold, such as a diagonal that is not 0.
    """
    from rsatoolbox.rdm.rdms import rdms_from_dict

    return cast(Any, rdms_from_dict)(as_dict(rdms, drop, stored=False))


def write_rdms(rdms: xr.DataArray, path: Path | str, *, drop: Collection[str] = ()) -> None:
    """Write RDMs as rsatoolbox's HDF5.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.
    path : Path or str
        With the suffix ``.h5`` or ``.hdf5``, by which rsatoolbox knows it; written beside,
        then renamed.
    drop : collection of str
        As in `to_rdms`; besides, text beyond ASCII cannot be stored.

    Raises
    ------
    InputError
        That lists every field that the file cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from neurosage.data.teacher import RDM_DIMS
    >>> ids = np.array(["cat", "dog"], object)
    >>> a = xr.DataArray([[[0.0, 1.0], [1.0, 0.0]]], dims=RDM_DIMS, attrs={"distance": "cosine"},
    ...     coords={"region": ("region", np.array(["IT"], object)),
    ...             "stimulus_id_i": ("stimulus_i", ids), "stimulus_id_j": ("stimulus_j", ids)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rdms(a, f"{folder}/a.h5")
    ...     read_rdms(f"{folder}/a.h5").identical(a)
    True
    """
    write_dict(Path(path), as_dict(rdms, drop, stored=True))
