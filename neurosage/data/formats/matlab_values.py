"""What a MATLAB variable is once it is found: numbers, text, cells; and where it is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError, unknown

STEP = re.compile(r"([A-Za-z]\w*)((?:[({][\d, ]+[)}])*)$")
INDEX = re.compile(r"[({]([\d, ]+)[)}]")
Objects = npt.NDArray[np.object_]


class Source(Protocol):
    """A MAT-file of either kind, walked without loading what is not wanted."""

    def names(self) -> list[str]:
        """Return the variables."""
        ...

    def top(self, name: str) -> Any:
        """Return the node of a variable."""
        ...

    def fields(self, node: Any) -> list[str]:
        """Return the fields of a struct; none for anything else."""
        ...

    def elements(self, node: Any) -> Objects | None:
        """Return the nodes of a cell or struct array, in MATLAB's size; None for others."""
        ...

    def field(self, element: Any, name: str) -> Any:
        """Return the node of one field of one element of a struct."""
        ...

    def value(self, node: Any) -> npt.NDArray[Any]:
        """Return numbers, text (a row an element), or the values of a cell as objects."""
        ...


def parse(key: str) -> list[tuple[str, list[tuple[int, ...]]]]:
    """Split a key as MATLAB writes it into fields and indices, which count from 1.

    Parameters
    ----------
    key : str
        Such as ``"data.spikes"``, ``"RDMs(2).RDM"``, ``"trials{3}.rate"``.

    Returns
    -------
    list of (str, list of tuple of int)
        A pair a field.

    Raises
    ------
    InputError
        If it is not written so.

    Examples
    --------
    >>> parse("RDMs(1, 2).RDM")
    [('RDMs', [(1, 2)]), ('RDM', [])]
    """
    steps = []
    for word in key.split("."):
        if not (found := STEP.match(word)):
            raise InputError(
                f"the key {key!r} is not understood at {word!r}; write it as in MATLAB: "
                "data.spikes, RDMs(2).RDM, trials{3}.rate."
            )
        indices = [tuple(int(n) for n in i.split(",")) for i in INDEX.findall(found[2])]
        steps.append((found[1], indices))
    return steps


def find(source: Source, key: str, where: str) -> npt.NDArray[Any]:
    """Return the value that a key names.

    Parameters
    ----------
    source : Source
        An open file.
    key : str
        As `parse` takes it. A field of a struct array gives every element's, as objects, in
        the array's size without dims of length 1.
    where : str
        The file, for errors.

    Returns
    -------
    numpy.ndarray
        Numbers, text, or objects that are values themselves.

    Raises
    ------
    InputError
        If there is no such variable, field or element.
    """
    steps = parse(key)
    name, indices = steps[0]
    if name not in source.names():
        raise unknown(
            f"variable in {where}",
            name,
            source.names(),
            "Variables of classes such as string, table or datetime cannot be read: save them "
            "as cellstr(…) or numbers.",
        )
    nodes = np.empty((), object)
    nodes[()] = source.top(name)
    nodes = _indexed(source, nodes, name, indices, where)
    for name, indices in steps[1:]:
        nodes = _indexed(source, _fields(source, nodes, name, where), name, indices, where)
    if nodes.size == 1:
        return source.value(nodes.flat[0])
    return _objects([source.value(node) for node in nodes.flat], _without_ones(nodes.shape))


def _fields(source: Source, nodes: Objects, name: str, where: str) -> Objects:
    found, shape = [], None
    for node in nodes.flat:
        if name not in source.fields(node):
            raise unknown(f"field in {where}", name, source.fields(node))
        elements = source.elements(node)
        assert elements is not None  # a struct has them
        if shape not in (None, elements.shape):
            raise InputError(f"structs of unequal sizes hold the field {name!r} in {where}.")
        shape = elements.shape
        found += [source.field(element, name) for element in elements.flat]
    return _objects(found, nodes.shape + (shape or ()))


def _indexed(
    source: Source, nodes: Objects, name: str, indices: Sequence[tuple[int, ...]], where: str
) -> Objects:
    for index in indices:
        picked = []
        for node in nodes.flat:
            elements = source.elements(node)
            if elements is None:
                raise InputError(f"{name} in {where} is no cell or struct array to be indexed.")
            picked.append(_pick(elements, index, f"{name} in {where}"))
        nodes = _objects(picked, nodes.shape)
    return nodes


def _pick(elements: Objects, index: tuple[int, ...], where: str) -> Any:
    size = elements.shape if len(index) > 1 else (elements.size,)
    index += (1,) * (len(size) - len(index))
    if len(index) != len(size) or not all(1 <= i <= n for i, n in zip(index, size, strict=True)):
        raise InputError(f"index {index} is not within the size {elements.shape} of {where}.")
    held = elements if len(index) > 1 else elements.ravel(order="F")
    return held[tuple(i - 1 for i in index)]


def settle(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make numbers or text of cells that hold one each, or arrays of one shape.

    Parameters
    ----------
    value : numpy.ndarray
        As `find` returns it.

    Returns
    -------
    numpy.ndarray
        Numbers: a cell of scalars in the cell's size, empty ones NaN; a cell of equal arrays
        in its size without dims of length 1, then theirs. Text: an element a cell. Objects
        where cells differ.

    Examples
    --------
    >>> cells = np.empty((1, 2), object)
    >>> cells[0, 0], cells[0, 1] = np.array([[1.0]]), np.zeros((0, 0))
    >>> settle(cells)
    array([[ 1., nan]])
    """
    if value.dtype != object:
        return value
    held = [settle(cell) for cell in value.flat]
    kinds = {cell.dtype.kind for cell in held if cell.size}
    if kinds <= {"U"} and held and any(cell.dtype.kind == "U" for cell in held):
        if all(cell.size <= 1 for cell in held):
            words = [str(cell.flat[0]) if cell.size else "" for cell in held]
            return _objects(words, value.shape).astype(str)
    elif kinds <= set("fiub") and kinds:
        if all(cell.size <= 1 for cell in held):
            numbers = [cell.flat[0] if cell.size else np.nan for cell in held]
            return np.array(numbers).reshape(value.shape)
        if len({cell.shape for cell in held}) == 1:
            return np.stack(held).reshape(_without_ones(value.shape) + held[0].shape)
    return _objects(held, value.shape)


def nest(value: npt.NDArray[Any]) -> Objects:
    """Return cells of arrays, or cells of such cells, as one array of arrays.

    Parameters
    ----------
    value : numpy.ndarray of object
        As `find` returns it.

    Returns
    -------
    numpy.ndarray of object
        In the outer size, then, where cells hold cells, in theirs without dims of length 1.

    Raises
    ------
    InputError
        If inner cells differ in size, or text is among them.
    """
    inner = [cell for cell in value.flat if cell.dtype == object]
    if not inner:
        if any(cell.dtype.kind not in "fiub" for cell in value.flat):
            raise InputError("cells of text are no spike times; each cell holds numbers.")
        return value
    if len(inner) != value.size or len({cell.shape for cell in inner}) != 1:
        raise InputError(
            f"cells of spike times hold cells of sizes {sorted({c.shape for c in inner})[:4]}; "
            "each must hold as many presentations."
        )
    held = [nest(cell) for cell in inner]
    shape = _without_ones(value.shape) + _without_ones(held[0].shape)
    return _objects([cell for one in held for cell in one.flat], shape)


def _objects(held: Sequence[Any], shape: tuple[int, ...]) -> Objects:
    array = np.empty(len(held), object)
    for k, each in enumerate(held):
        array[k] = each
    return array.reshape(shape)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)
