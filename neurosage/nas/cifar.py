"""CIFAR-100 as torchvision keeps it: pickles, read without running what they name."""

from __future__ import annotations

import operator
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

FOLDER = "cifar-100-python"


def cifar_folder(path: Path) -> Path | None:
    """Find torchvision's files in a folder, or in ``cifar-100-python`` below it.

    Examples
    --------
    >>> cifar_folder(Path("no-such-folder")) is None
    True
    """
    for folder in (path, path / FOLDER):
        if (folder / "train").is_file() and (folder / "meta").is_file():
            return folder
    return None


class _ArraysOnly(pickle.Unpickler):
    """Reads torchvision's pickles: numpy arrays and plain values, no other code."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy.core.numeric", "_frombuffer"),
            ("_codecs", "encode"),
        }
        if (module, name) not in allowed:
            raise InputError(
                f"this is not torchvision's CIFAR-100: it wants to run {module}.{name}, "
                "and data is never executed."
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_cifar(path: Path) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Read the train set.

    Parameters
    ----------
    path : Path
        What `cifar_folder` returned.

    Returns
    -------
    images : numpy.ndarray of uint8, shape (n, 32, 32, 3)
        RGB.
    names : list of str, length n
        The class of each.

    Raises
    ------
    InputError
        If the files hold anything else, or code.
    """
    train, meta = (_unpickle(path / name) for name in ("train", "meta"))
    try:
        images, names = _contents(train, meta)
    except Exception as error:  # anything may have been pickled under these names
        raise InputError(
            f"{str(path)!r} does not hold torchvision's CIFAR-100 (keys data, fine_labels and "
            f"fine_label_names): {_said(error)}."
        ) from error
    if len(names) != len(images):
        raise InputError(f"{str(path)!r} has {len(images)} images, but {len(names)} labels.")
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), names


def _contents(train: Any, meta: Any) -> tuple[npt.NDArray[np.uint8], list[str]]:
    data = train["data"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise ValueError("data is no array of uint8, image × 3072")
    known = [str(name) for name in meta["fine_label_names"]]
    labels = [operator.index(label) for label in train["fine_labels"]]
    if strange := [label for label in labels if not 0 <= label < len(known)]:
        raise ValueError(f"label {strange[0]} is none of {len(known)} classes")
    return data.reshape(-1, 3, 32, 32), [known[label] for label in labels]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .")


def _unpickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="latin1").load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        raise InputError(
            f"{str(path)!r} is no file of torchvision's CIFAR-100: {_said(error)}."
        ) from error
