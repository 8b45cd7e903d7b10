"""Large compressed chunks, unpacked piece by piece: only what is selected is ever held.

HDF5 unpacks a chunk as a whole, twice over; netCDF makes chunks of up to 16 MB.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 2 * 2**20  # bytes of a chunk, from which on it is worth it
FEED = 2**14  # packed bytes at a time
PIECE = 2**20  # unpacked bytes at a time
OTHERS = ("szip", "zstd", "bzip2", "blosc", "fletcher32")

Indices = npt.NDArray[np.intp]
ReadChunk = Callable[[Sequence[Indices]], npt.NDArray[Any]]


@contextlib.contextmanager
def large_chunks(variable: Any) -> Iterator[ReadChunk | None]:
    """Open a variable's chunks, if they are large, and packed as BrainIO's are.

    Parameters
    ----------
    variable : netCDF4.Variable
        Of numbers, in an HDF5 file.

    Yields
    ------
    callable or None
        Takes indices along each dim, rising and within one chunk, and returns the values
        as they are stored. None where netCDF's own way is as good.
    """
    import h5py

    packed = variable.filters() or {}
    chunks = variable.chunking()
    fits = isinstance(chunks, list) and variable.dtype.itemsize * np.prod(chunks) >= LARGE
    if not fits or not packed.get("zlib") or any(packed.get(name) for name in OTHERS):
        yield None
        return
    group = variable.group()
    with h5py.File(group.filepath(), "r") as file:
        place = f"{group.path.rstrip('/')}/{variable.name}"
        if place not in file:  # netCDF may store it under another name
            yield None
            return
        held, shape = file[place], tuple(chunks)

        def read(indices: Sequence[Indices]) -> npt.NDArray[Any]:
            first = [
                int(each[0]) // length * length for each, length in zip(indices, shape, strict=True)
            ]
            skipped, content = held.id.read_direct_chunk(tuple(first))
            if skipped:
                raise OSError("the chunk is not packed as the others")
            local = [each - start for each, start in zip(indices, first, strict=True)]
            return unpack(content, shape, variable.dtype, local, shuffled=packed["shuffle"])

        yield read


def unpack(
    content: bytes,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    indices: Sequence[Indices],
    *,
    shuffled: bool,
) -> npt.NDArray[Any]:
    """Unpack the selected values of one chunk.

    Parameters
    ----------
    content : bytes
        The chunk as it is stored, by zlib.
    shape : tuple of int
        Of the whole chunk.
    dtype : numpy.dtype
        As stored.
    indices : sequence of ndarray of int, one a dim
        Within the chunk, rising.
    shuffled : bool
        Whether the first bytes of all values stand first, then their second ones, …

    Returns
    -------
    ndarray
        As many along each dim as there are indices.

    Raises
    ------
    zlib.error, OSError
        If the chunk is damaged or cut off.

    Examples
    --------
    >>> values = np.arange(6, dtype="i4").reshape(2, 3)
    >>> rows, columns = np.array([1]), np.array([0, 2])
    >>> unpack(zlib.compress(values), (2, 3), values.dtype, [rows, columns], shuffled=False)
    array([[3, 5]], dtype=int32)
    """
    wanted = np.zeros(1, np.intp)
    for length, each in zip(shape, indices, strict=True):
        wanted = (wanted[:, None] * length + each).ravel()
    number = int(np.prod(shape)) if shuffled else 1
    found = np.empty((len(wanted), dtype.itemsize), np.uint8)
    position = 0
    for piece in _inflated(content):
        end = position + len(piece)
        for byte in range(dtype.itemsize):
            # the byte of value v stands at v * step + offset
            step, offset = (1, byte * number) if shuffled else (dtype.itemsize, byte)
            low, high = (-(-(edge - offset) // step) for edge in (position, end))
            a, b = np.searchsorted(wanted, (low, high))
            found[a:b, byte] = piece[wanted[a:b] * step + (offset - position)]
        position = end
    if position != int(np.prod(shape)) * dtype.itemsize:
        raise OSError("the chunk is cut off")
    return found.view(dtype).reshape([len(each) for each in indices])


def _inflated(content: bytes) -> Iterator[npt.NDArray[np.uint8]]:
    inflater = zlib.decompressobj()
    for start in range(0, len(content), FEED):
        fed = content[start : start + FEED]
        while fed:
            yield np.frombuffer(inflater.decompress(fed, PIECE), np.uint8)
            fed = inflater.unconsumed_tail
    yield np.frombuffer(inflater.flush(), np.uint8)
