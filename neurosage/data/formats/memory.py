"""What does not fit into memory is refused before it is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.errors import InputError


def check_free(needed: float, what: str) -> None:
    """Refuse what does not fit into the memory that is free.

    Parameters
    ----------
    needed : float
        Bytes.
    what : str
        That takes them, for the message.

    Raises
    ------
    InputError
        With both numbers.

    Examples
    --------
    >>> check_free(1.0, "one byte")
    """
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{what} takes {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB of memory are free; "
            "select a region or a window where the format can, or read it on a larger machine."
        )


def check_held(stored: Any, what: str) -> None:
    """Refuse an array of a file that does not fit into memory, before it is read.

    Parameters
    ----------
    stored : object
        With ``shape`` and ``dtype``, as HDF5 and numpy describe arrays: small files may
        promise large ones. Anything else is let pass.
    what : str
        That it is, for the message.

    Raises
    ------
    InputError
        With both numbers.

    Examples
    --------
    >>> check_held(np.zeros(3), "three numbers")
    """
    shape, dtype = getattr(stored, "shape", None), getattr(stored, "dtype", None)
    if shape is not None and dtype is not None:
        check_free(float(np.prod(shape, dtype=float)) * np.dtype(dtype).itemsize, what)
