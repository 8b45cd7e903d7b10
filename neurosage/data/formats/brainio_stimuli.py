"""Stimuli as BrainIO keeps them: a table in CSV, and a flat zip file of their images."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from neurosage.data.formats.carrying import written_whole
from neurosage.data.image_packing import image_suffixes, pack_images
from neurosage.data.images import is_image
from neurosage.data.stimuli import StimulusSet
from neurosage.data.stimulus_files import file_stem, match_images, read_stimulus_table
from neurosage.data.tables import write_table
from neurosage.errors import InputError


def read_stimuli(
    csv: Path, zip_or_folder: Path, *, identifier: str | None = None, degrees: float | None = None
) -> StimulusSet:
    """Read a BrainIO stimulus set.

    Parameters
    ----------
    csv : Path
        ``stimulus_<id>.csv``: a row a stimulus, column ``stimulus_id`` (older:
        ``image_id``), perhaps ``filename``, and labels.
    zip_or_folder : Path
        The images, named by ``filename``, by ``stimulus_path_within_store``, or after
        the ids. Nothing is unpacked to disk.
    identifier : str, optional
        Of the set; what follows ``stimulus_`` in the file's name if omitted.
    degrees : float, optional
        Width of the images in degrees of visual angle, which the format does not hold.

    Returns
    -------
    StimulusSet
        In the order of the table.

    Raises
    ------
    InputError
        If the table or the images cannot be read, a stimulus has no image, or a member
        of the zip file leads out of it, is encrypted or too large.
    """
    table = read_stimulus_table(Path(csv))
    name = identifier or Path(csv).stem.removeprefix("stimulus_")
    return StimulusSet(name, table, match_images(table, Path(zip_or_folder)), degrees)


def write_stimuli(
    stimuli: StimulusSet, folder: Path, identifier: str, *, drop: Collection[str] = ()
) -> tuple[Path, Path]:
    """Write a stimulus set as ``stimulus_<identifier>.csv`` and ``.zip``, ``_`` for ``.``.

    Images from files go into the zip file as they are, others as PNG. They are named by
    the column ``filename`` where that is a plain name of an image for each, else after
    the ids, and the column ``filename`` says so.

    Parameters
    ----------
    stimuli : StimulusSet
        What is written.
    folder : Path
        Where; it is made.
    identifier : str
        Of the set.
    drop : collection of str
        Columns, or ``"degrees"``, that may be left out where the format cannot carry
        them; ``"all"`` for any.

    Returns
    -------
    tuple of Path
        The table and the zip file.

    Raises
    ------
    InputError
        If columns would not be read back as they are (text that looks like numbers,
        missing or mixed values) or the set has `degrees`, and `drop` does not name them.

    Examples
    --------
    >>> import numpy as np
    >>> table = pd.DataFrame({"stimulus_id": ["cat", "dog"], "legs": [4, 3]})
    >>> pets = StimulusSet("lab.pets", table, np.zeros((2, 8, 8, 3), np.uint8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_stimuli(pets, Path(folder), "lab.pets")
    ...     [file.name for file in files], read_stimuli(*files)
    (['stimulus_lab_pets.csv', 'stimulus_lab_pets.zip'], \
<StimulusSet lab_pets: 2 stimuli, 8×8, columns: legs, filename>)
    """
    stem = f"stimulus_{identifier.replace('.', '_')}"
    csv, packed = Path(folder, f"{stem}.csv"), Path(folder, f"{stem}.zip")
    table, names = _carried(stimuli, drop), _file_names(stimuli)
    table["filename"] = names
    with written_whole(csv) as table_part, written_whole(packed) as zip_part:
        write_table(table, table_part)
        pack_images(stimuli, names, zip_part)
    return csv, packed


def _file_names(stimuli: StimulusSet) -> list[str]:
    suffixes = image_suffixes(stimuli)
    stems = [file_stem(name) for name in stimuli.stimulus_ids]
    made = [stem + suffix for stem, suffix in zip(stems, suffixes, strict=True)]
    own = list(stimuli.table["filename"]) if "filename" in stimuli.table.columns else made
    fit = len(set(own)) == len(own) and all(map(_is_plain, own, suffixes))
    return own if fit else made


def _is_plain(name: object, suffix: str) -> bool:
    return (
        isinstance(name, str)
        and is_image(name)
        and name == file_stem(name[: -len(suffix)]) + suffix
    )


def _carried(stimuli: StimulusSet, drop: Collection[str]) -> pd.DataFrame:
    allowed = {drop} if isinstance(drop, str) else set(drop)
    columns = [c for c in stimuli.table.columns if c not in ("stimulus_id", "filename")]
    lost = lost_columns(stimuli.table[columns], text=False)
    if stimuli.degrees is not None:
        lost["degrees"] = "it has no place for it; give it to read_stimuli"
    if "all" not in allowed and (left := {k: v for k, v in lost.items() if k not in allowed}):
        listed = ", ".join(f"{column} ({why})" for column, why in left.items())
        raise InputError(
            f'BrainIO\'s table of stimuli cannot carry: {listed}. Name them in drop=…, or "all".'
        )
    return stimuli.table.drop(columns=[c for c in columns if str(c) in lost])


def lost_columns(table: pd.DataFrame, *, text: bool = True) -> dict[str, str]:
    """Return the columns that would not be read back from CSV as they are, and why.

    Parameters
    ----------
    table : pandas.DataFrame
        Of stimuli.
    text : bool
        Whether it will be said which columns are text though they look like numbers.

    Returns
    -------
    dict of str to str
        Column → reason.

    Examples
    --------
    >>> lost_columns(pd.DataFrame({"legs": [4, 2], "label": ["cat", None]}))
    {'label': "text, and missing values; write '' for what is missing"}
    """
    lost = {str(c): _why_lost(table[[c]], text=text) for c in table.columns}
    return {column: why for column, why in lost.items() if why}


def _why_lost(column: pd.DataFrame, *, text: bool) -> str:
    values = list(column.iloc[:, 0])
    if any(isinstance(v, str) for v in values) and column.iloc[:, 0].isna().any():
        return "text, and missing values; write '' for what is missing"
    with tempfile.TemporaryDirectory() as folder:
        try:
            as_text = write_table(column, Path(folder, "column.csv"))
        except InputError:
            return "not all text, all numbers, or all true or false"
    return "text that looks like numbers" if as_text and not text else ""
