"""Content hashes of files and arrays: what caches and provenance are keyed by."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

_known: dict[tuple[str, int, int, str], str] = {}


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file, remembered while its size and time stay as they are.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : str
        ``"sha256"`` or ``"sha1"``.

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "empty")
    ...     _ = path.write_bytes(b"")
    ...     hash_file(path)[:8]
    'e3b0c442'
    """
    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns, algorithm)
    if key not in _known:
        with path.open("rb") as stream:
            _known[key] = hashlib.file_digest(stream, algorithm).hexdigest()
    return _known[key]


def hash_array(values: Any) -> str:
    """Return the sha256 of an array: its dtype, shape and values.

    Parameters
    ----------
    values : array_like
        Numbers, or objects that are hashed as text.

    Returns
    -------
    str
        Hexadecimal digits; equal arrays have equal hashes on every machine.

    Examples
    --------
    >>> hash_array([1, 2]) == hash_array(np.array([1, 2]))
    True
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiubc":
        text = "\0".join(str(value) for value in array.ravel())
        head, body = f"text {array.shape}", text.encode()
    else:
        little = array.dtype.newbyteorder("<")
        head, body = f"{little.str} {array.shape}", np.ascontiguousarray(array, little).tobytes()
    return hashlib.sha256(head.encode() + b"\0" + body).hexdigest()


def hash_parts(*parts: str) -> str:
    """Return the sha256 over several texts, each told from its neighbours.

    Parameters
    ----------
    *parts : str
        Hashes, names, settings.

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> hash_parts("ab", "c") == hash_parts("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def hash_dataarray(responses: xr.DataArray) -> str:
    """Return the sha256 of values, dims and coordinates; names and attrs do not count.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly or RDMs.

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> a = xr.DataArray([1.0, 2.0], dims="neuroid")
    >>> hash_dataarray(a) == hash_dataarray(a.rename("b"))
    True
    """
    parts = [repr(tuple(map(str, responses.dims))), hash_array(responses.values)]
    for key in sorted(map(str, responses.coords)):
        coordinate = responses[key]
        parts += [key, repr(tuple(map(str, coordinate.dims))), hash_array(coordinate.values)]
    return hash_parts(*parts)
