"""Files of a folder that are no part of its first card: what they hold, and what they lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurosage.data.csv_rows import IDS
from neurosage.errors import NeurosageError

MOST = 8  # arrays or columns named
OTHERS = {
    **dict.fromkeys((".txt", ".tsv", ".xls", ".xlsx", ".ods"), "save its table as .csv"),
    **dict.fromkeys((".parquet", ".feather", ".json"), "save its table as .csv"),
    **dict.fromkeys(
        (".h5", ".hdf5"),
        'if rsatoolbox or thingsvision made it, say format = "rsatoolbox" or "thingsvision"; else '
        "save its array by numpy.save",
    ),
}


def why_unused(path: Path) -> str:
    """Say what a file holds that is no response, and what would make it one.

    Parameters
    ----------
    path : Path
        In which nothing was found that may be responses.

    Returns
    -------
    str
        Without a full stop; empty for files that are none of data, such as a text to read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "r.npy")
    ...     np.save(path, np.zeros(50))
    ...     why_unused(path)
    'it holds an array (50); responses are numbers with two or three dims, stimuli × neuroids'
    """
    if (look := LOOKS.get(path.suffix.lower())) is None:
        rest = OTHERS.get(path.suffix.lower(), "")
        return rest and f"no format reads it as it is; {rest}"
    try:
        held = list(look(path))
    except Exception as error:  # what a damaged file raises is up to its format
        return f"it cannot be read: {str(error).rstrip('.')}"
    named = ", ".join(held[:MOST]) + (", …" if len(held) > MOST else "")
    return (
        f"it holds {named or 'no array'}; responses are numbers with two or three dims, stimuli × "
        "neuroids"
    )


def why_no_table(table: pd.DataFrame) -> str:
    """Say what a CSV file lacks to be responses or one of the tables of a card.

    Parameters
    ----------
    table : pandas.DataFrame
        As read.

    Returns
    -------
    str
        Without a full stop.

    Examples
    --------
    >>> why_no_table(pd.DataFrame({"image": ["a"], "n0": [1]}))
    '1 row with the columns image, n0: no column is called stimulus_id (nor region, neuroid_id \
or filename); call the column that names the image stimulus_id, one that counts repetitions \
repetition, and the others are neuroids'
    """
    columns = list(map(str, table.columns))
    named = ", ".join(columns[:MOST]) + (", …" if len(columns) > MOST else "")
    rows = f"{len(table)} row{'s' if len(table) != 1 else ''} with the columns {named}"
    if set(columns) & set(IDS):
        return f"{rows}: another file is taken for that; name this one in its place if it is better"
    return (
        f"{rows}: no column is called stimulus_id (nor region, neuroid_id or filename); call the "
        "column that names the image stimulus_id, one that counts repetitions repetition, and the "
        "others are neuroids"
    )


def _of_npy(path: Path) -> Iterator[str]:
    values = np.lib.format.open_memmap(path, mode="r")  # refuses pickled objects
    yield f"an array{_size(values)}"


def _of_npz(path: Path) -> Iterator[str]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
        for name in held.files:
            try:
                yield f"{name}{_size(held[name])}"
            except ValueError:
                yield f"{name} (Python objects, which are never read)"


def _of_netcdf(path: Path) -> Iterator[str]:
    import netCDF4

    with netCDF4.Dataset(path) as root:
        for group in (root, *root.groups.values()):
            for name, variable in group.variables.items():
                yield f"{name} ({' × '.join(variable.dimensions) or 'one value'})"


def _of_matlab(path: Path) -> Iterator[str]:
    from neurosage.data.formats.matlab_files import opened
    from neurosage.data.formats.matlab_values import find

    with opened(path) as source:
        for name in source.names():
            fields = source.fields(source.top(name))
            for key in [f"{name}.{one}" for one in fields] or [name]:
                try:
                    yield f"{key}{_size(find(source, key, path.name))}"
                except NeurosageError as error:
                    yield f"{key} (cannot be read: {str(error).rstrip('.')})"


def _size(values: Any) -> str:
    shape = " × ".join(map(str, values.shape)) or "one value"
    if values.dtype == object:
        inner = {" × ".join(map(str, np.shape(one))) for one in values.flat}
        some = ", ".join(sorted(inner)[:3]) + (", …" if len(inner) > 3 else "")
        return f" ({shape} cells or structs, of {some or 'nothing'})"
    return f" ({shape}{'' if values.dtype.kind in 'fiub' else ', text'})"


LOOKS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".npy": _of_npy,
    ".npz": _of_npz,
    ".nc": _of_netcdf,
    ".mat": _of_matlab,
}
