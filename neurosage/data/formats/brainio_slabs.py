"""A netCDF variable read in slabs: what is selected, in memory once, and little besides."""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.data.formats.brainio_chunks import Indices, ReadChunk, large_chunks

LIMIT = 2**20  # bytes of values read at a time
PAGE = 64 * 2**10  # bytes: the grain in which an unchunked variable is read
MARKS = ("_FillValue", "missing_value")
SCALES = ("scale_factor", "add_offset")

Box = tuple[slice, ...]  # into the indices of each dim


def read_slabs(
    variable: Any, indices: Sequence[Indices], *, average: int | None = None
) -> npt.NDArray[Any]:
    """Read the selected values of a netCDF variable of numbers.

    Nothing is held but the result, a slab of at most `LIMIT` bytes (what is selected of a
    chunk, where that is more), and one chunk: packed, if it is large.

    Parameters
    ----------
    variable : netCDF4.Variable
        Contiguous or chunked, compressed or not; dims in any order.
    indices : sequence of ndarray of int, one a dim
        What is kept along each dim, rising, not empty.
    average : int, optional
        The dim that is averaged, missing values (NaN) left out.

    Returns
    -------
    ndarray
        Dims in the file's order, without the averaged one. What the file marks as
        missing is NaN.

    Examples
    --------
    >>> import netCDF4
    >>> with netCDF4.Dataset("x.nc", "w", diskless=True) as file:
    ...     _ = file.createDimension("row", 2), file.createDimension("column", 4)
    ...     v = file.createVariable("data", "f8", ("row", "column"))
    ...     v[:] = np.arange(8.0).reshape(2, 4)
    ...     read_slabs(v, [np.array([1]), np.array([0, 3])])
    array([[4., 7.]])
    """
    dtype, convert = _conversion(variable)
    if isinstance(variable.chunking(), list):
        variable.set_var_chunk_cache(size=0)  # each chunk is read once: 64 MB kept for nothing
    blocks = [_blocks(*each) for each in zip(indices, _grain(variable), strict=True)]
    with large_chunks(variable) as read_chunk:
        alone = None if variable.mask or variable.scale else read_chunk

        def read(box: Box) -> npt.NDArray[Any]:
            return convert(_read_box(variable, indices, box, alone))

        limit = 0 if alone else LIMIT  # then a box is one chunk
        if average is None:
            result = np.empty([len(index) for index in indices], dtype)
            for box in _boxes(blocks, indices, dtype.itemsize, limit):
                result[box] = read(box)
            return result
        return _averaged(read, blocks, indices, average=average, limit=limit, dtype=dtype)


def _averaged(
    read: Callable[[Box], npt.NDArray[Any]],
    blocks: list[list[slice]],
    indices: Sequence[Indices],
    *,
    average: int,
    limit: int,
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    shape = [len(index) for axis, index in enumerate(indices) if axis != average]
    result = np.empty(shape, dtype if dtype.kind == "f" else float)
    inner, outer = blocks[average], [*blocks]
    outer[average] = [slice(0, 1)]
    deepest = 3 + max(_span(indices[average], block) for block in inner)  # a slab and its sums
    for box in _boxes(outer, indices, 8 * deepest, limit):
        pieces = ((*box[:average], block, *box[average + 1 :]) for block in inner)
        result[box[:average] + box[average + 1 :]] = _mean(map(read, pieces), average)
    return result


def result_dtype(variable: Any) -> np.dtype[Any]:
    """Return the dtype that the values of a netCDF variable have once read.

    Parameters
    ----------
    variable : netCDF4.Variable
        Of numbers.

    Returns
    -------
    numpy.dtype
        The stored one; float64 where whole numbers are marked as missing, or scaled.
    """
    return _conversion(variable)[0]


def _conversion(
    variable: Any,
) -> tuple[np.dtype[Any], Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]:
    stored = variable.dtype.newbyteorder("=")
    held = set(variable.ncattrs())
    fills = [variable.getncattr(mark) for mark in MARKS if mark in held]
    scaled = not held.isdisjoint(SCALES)
    # NaN is what a fill of NaN becomes: no mask is needed for it
    marked = any(stored.kind != "f" or not np.isnan(fill).all() for fill in fills)
    variable.set_auto_mask(marked)
    variable.set_auto_scale(scaled)
    if "dtype" in held and variable.getncattr("dtype") == "bool":
        return np.dtype(bool), lambda slab: np.asarray(slab, bool)
    if not marked and not scaled:
        return stored, lambda slab: np.asarray(slab, stored)
    dtype = stored if stored.kind == "f" and not scaled else np.dtype(float)
    return dtype, lambda slab: np.ma.filled(np.ma.asarray(slab).astype(dtype), np.nan)


def _mean(pieces: Iterator[npt.NDArray[Any]], axis: int) -> npt.NDArray[Any]:
    total: Any = 0.0
    count: Any = 0
    for piece in pieces:
        present = ~np.isnan(piece)
        total = total + np.sum(piece, axis=axis, dtype=float, where=present)
        count = count + present.sum(axis=axis, dtype=np.int32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def _grain(variable: Any) -> tuple[int, ...]:
    """Return how many values along each dim are best read together."""
    chunks = variable.chunking()
    if isinstance(chunks, list):
        return tuple(chunks)
    sizes = [variable.dtype.itemsize]
    for length in reversed(variable.shape[1:]):
        sizes.append(sizes[-1] * max(1, length))
    return tuple(max(1, PAGE // size) for size in reversed(sizes))


def _blocks(index: Indices, grain: int) -> list[slice]:
    """Cut the indices where the grains of the file end."""
    edges = np.flatnonzero(np.diff(index // grain)) + 1
    return [slice(a, b) for a, b in itertools.pairwise([0, *edges.tolist(), len(index)])]


def _span(index: Indices, block: slice) -> int:
    return int(index[block.stop - 1] - index[block.start]) + 1


def _boxes(
    blocks: Sequence[list[slice]], indices: Sequence[Indices], itemsize: int, limit: int
) -> Iterator[Box]:
    """Join blocks while a box stays within `limit` bytes, the last dims first."""
    widest = [
        max(_span(index, block) for block in axis)
        for index, axis in zip(indices, blocks, strict=True)
    ]
    joined = list(blocks)
    for axis in reversed(range(len(blocks))):
        others = itemsize * int(np.prod([w for a, w in enumerate(widest) if a != axis]))
        joined[axis] = _join(blocks[axis], indices[axis], limit // others)
        widest[axis] = max(_span(indices[axis], block) for block in joined[axis])
    return itertools.product(*joined)


def _join(blocks: list[slice], index: Indices, room: int) -> list[slice]:
    joined = [blocks[0]]
    for block in blocks[1:]:
        longer = slice(joined[-1].start, block.stop)
        # as wide as its parts: else what nobody selected would be read between them
        close = _span(index, longer) <= 2 * (longer.stop - longer.start)
        if close and _span(index, longer) <= room:
            joined[-1] = longer
        else:
            joined.append(block)
    return joined


def _read_box(
    variable: Any, indices: Sequence[Indices], box: Box, read_chunk: ReadChunk | None
) -> Any:
    chosen = [index[part] for index, part in zip(indices, box, strict=True)]
    if read_chunk is not None:
        # a chunk that was never written, or not packed: netCDF knows what then holds
        with contextlib.suppress(OSError, ValueError, RuntimeError, zlib.error):
            return read_chunk(chosen)
    values = variable[tuple(slice(int(each[0]), int(each[-1]) + 1) for each in chosen)]
    for axis, each in enumerate(chosen):
        if len(each) != values.shape[axis]:
            values = values.take(each - each[0], axis=axis)
    return values
