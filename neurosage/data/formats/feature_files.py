"""One file of a network's features, in any format that thingsvision writes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError


@dataclass(frozen=True)
class Rows:
    """Features, a row a stimulus.

    Parameters
    ----------
    values : numpy.ndarray, shape (stimulus, …)
        As they were extracted.
    names : list of str or None
        Of the stimuli, where the file has them.
    """

    values: npt.NDArray[Any]
    names: list[str] | None = None


def read_features(path: Path, listed: Sequence[str] | None = None) -> Rows:
    """Read a file of features.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.hdf5``, ``.h5``, ``.mat``, ``.pt``, ``.txt`` or ``.csv``. Nothing in it
        is executed.
    listed : sequence of str, optional
        The stimuli in order: by it the variables of a ``.mat`` file are ordered, in which
        thingsvision stores each stimulus under its name.

    Returns
    -------
    Rows
        At least two-dimensional.

    Raises
    ------
    InputError
        If it is damaged, holds anything but numbers, or would need a pickle.
    """
    reader = FORMATS[path.suffix.lower()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file, which is refused below
            rows = reader(path, listed)
    except InputError:
        raise
    except Exception as error:  # each format's library raises its own
        said = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        if "allow_pickle" in said or "weights_only" in said.lower():
            said = "it holds Python objects, which are never opened"
        raise InputError(f"{path} cannot be read as features: {said}; extract it again.") from error
    if rows.values.dtype.kind not in "fiub" or rows.values.ndim < 2 or not rows.values.size:
        raise InputError(
            f"{path} holds {rows.values.dtype} values of shape {rows.values.shape}; features are "
            "numbers, a row a stimulus."
        )
    return rows


def _npy(path: Path, _: Any) -> Rows:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive, not one array of features.")
    return Rows(array)


def _text(path: Path, _: Any) -> Rows:
    return Rows(np.loadtxt(path, ndmin=2, delimiter="," if path.suffix == ".csv" else None))


def _pt(path: Path, _: Any) -> Rows:
    import torch

    held = torch.load(path, weights_only=True, map_location="cpu")
    if not isinstance(held, torch.Tensor):
        raise InputError(f"{path} holds a {type(held).__name__}, not one tensor of features.")
    wide = held.float() if held.dtype == torch.bfloat16 else held
    return Rows(wide.numpy())


def _hdf5(path: Path, _: Any) -> Rows:
    import h5py

    with h5py.File(path, "r") as file:
        names = [n for n in sorted(file) if isinstance(file.get(n, getlink=True), h5py.HardLink)]
        held = [np.asarray(file[name][()]) for name in names if name.startswith("features")]
    if not held or ("features" in names and len(held) > 1):
        raise InputError(f"{path} holds {names or 'nothing'}, not one data set of features.")
    return Rows(np.concatenate(held))


def _mat(path: Path, listed: Sequence[str] | None) -> Rows:
    """Read one matrix ``features``, or a variable a stimulus, named as its image."""
    from scipy.io import loadmat

    from neurosage.data.formats.matlab_check import check_elements

    check_elements(path)
    held = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    if list(held) == ["features"]:
        return Rows(held["features"])
    full = {_stored(name): name for name in listed or held}
    if strange := [name for name in held if name not in full]:
        raise InputError(
            f"{path} holds features of {strange[:3]}, which file_names.txt does not name."
        )
    ordered = [name for name in full if name in held]
    rows = [v.reshape(v.shape[1:] if len(v) == 1 else v.shape) for v in (held[n] for n in ordered)]
    return Rows(np.stack(rows), [full[name] for name in ordered])


def _stored(name: str) -> str:
    head, _, suffix = name.rpartition(".")
    images = ("eps", "jpg", "jpeg", "png", "tif", "tiff")
    return head if head and suffix.lower() in images else name


FORMATS: dict[str, Callable[[Path, Any], Rows]] = {
    ".npy": _npy,
    ".hdf5": _hdf5,
    ".h5": _hdf5,
    ".mat": _mat,
    ".pt": _pt,
    ".txt": _text,
    ".csv": _text,
}
