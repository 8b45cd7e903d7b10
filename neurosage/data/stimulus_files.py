"""Stimuli on disk: a table of them and their images, each matched to its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path, PurePosixPath

import pandas as pd

from neurosage.data.csv_rows import no_stimuli, stimulus_column
from neurosage.data.image_order import by_number
from neurosage.data.images import SUFFIXES, FileImages, is_image, list_images
from neurosage.data.tables import read_table
from neurosage.errors import InputError

FILES = (
    "filename",
    "image_file_name",
    "stimulus_path_within_store",
    "image_path_within_store",
)


def read_stimulus_table(path: Path, *, text: Iterable[str] = ()) -> pd.DataFrame:
    r"""Read a CSV of stimuli, a row each.

    Parameters
    ----------
    path : Path
        With a column ``stimulus_id`` (older: ``image_id``) and any labels.
    text : iterable of str
        Columns that are text though they look like numbers.

    Returns
    -------
    pandas.DataFrame
        ``stimulus_id`` first, the other columns as they are.

    Raises
    ------
    InputError
        If it is no table, or names no stimuli.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "stimuli.csv")
    ...     _ = path.write_text("label,image_id\n3,cat\n")
    ...     read_stimulus_table(path).to_dict("list")
    {'stimulus_id': ['cat'], 'label': [3]}
    """
    table = read_table(path, text=text)
    named = stimulus_column(list(table.columns))
    if named is None:
        raise no_stimuli(path, list(table.columns))
    if not len(table):
        raise InputError(f"{path} names no stimulus: it has a header and no row.")
    ids = table.pop(named)
    table.insert(0, "stimulus_id", ids)
    return table


def match_images(table: pd.DataFrame, path: Path) -> FileImages:
    """Find the image of each row by its name, never by position.

    A column ``filename`` (or ``image_file_name``, or BrainIO's
    ``stimulus_path_within_store``) names the files; without one, or where it names
    none of them, the file is the one named after the stimulus.

    Parameters
    ----------
    table : pandas.DataFrame
        From `read_stimulus_table`.
    path : Path
        A folder or a zip file; what the table does not name is left alone.

    Returns
    -------
    FileImages
        In the order of the table.

    Raises
    ------
    InputError
        If a stimulus has no image or several; the count and the first are named.
    """
    present = list_images(path)
    for column in [name for name in FILES if name in table.columns]:
        names = [str(name) for name in table[column]]
        if found := _by_name(names, present):
            return FileImages(path, _complete(names, found, path, present))
    ids = [str(name) for name in table["stimulus_id"]]
    return FileImages(path, _complete(ids, _by_name(ids, present), path, present))


def ordered_images(table: pd.DataFrame, path: Path, order: str = "file name") -> FileImages:
    """Take the k-th image by sorted name for the k-th row, where no name says otherwise.

    Parameters
    ----------
    table : pandas.DataFrame
        From `read_stimulus_table`.
    path : Path
        A folder or a zip file, with as many images.
    order : {"file name", "number"}
        Letter by letter, or with numbers in names as numbers.

    Returns
    -------
    FileImages
        In the order of the table.

    Raises
    ------
    InputError
        If numbers differ, or the table names the images in another order.
    """
    images = FileImages(path)
    if order == "number":
        images = FileImages(path, by_number(images.names))
    if len(images) != len(table):
        raise InputError(
            f"{path} holds {len(images)} images (first: {list(images.names[:3])}), but the table "
            f"of stimuli has {len(table)} rows; with order = {order!r} the k-th image is the "
            "k-th row."
        )
    for column in [name for name in (*FILES, "stimulus_id") if name in table.columns]:
        names = [str(name) for name in table[column]]
        found = _fitting(names, list(images.names))
        pairs = zip(names, images.names, strict=True)
        if wrong := [(n, image) for n, image in pairs if found.get(n, image) != image]:
            name, image = wrong[0]
            raise InputError(
                f"order = {order!r} gives {len(wrong)} of {len(names)} stimuli another image "
                f"than the column {column!r} names (first: {image!r} for {name!r}); leave order "
                "out, so that images are matched by name, or mend the table."
            )
    return images


def _fitting(names: list[str], present: list[str]) -> dict[str, str]:
    try:
        return _by_name(names, present)
    except InputError:  # a name that fits several images says nothing of their order
        return {}


def _by_name(names: list[str], present: list[str]) -> dict[str, str]:
    """The file of each name that has one: as neurosage writes it first, whole paths first."""
    ways: tuple[Callable[[str], str], ...] = (
        lambda file: file,
        lambda file: PurePosixPath(file).name,
        lambda file: str(PurePosixPath(file).with_suffix("")),
        lambda file: PurePosixPath(file).stem,
    )
    found: dict[str, str] = {}
    forms: tuple[Callable[[str], str], ...] = (file_stem, str)
    for written, way in product(forms, ways):
        files: dict[str, list[str]] = {}
        for file in present:
            files.setdefault(way(file), []).append(file)
        for name in names:
            if name not in found and written(name) in files:
                found[name] = _only(name, files[written(name)])
    return found


def _only(name: str, files: list[str]) -> str:
    if len(files) > 1:
        raise InputError(
            f"the stimulus or file name {name!r} fits {len(files)} images (first: {files[:3]}); "
            "name the file in a column 'filename', with its folder."
        )
    return files[0]


def _complete(names: list[str], found: dict[str, str], path: Path, present: list[str]) -> list[str]:
    if missing := [name for name in names if name not in found]:
        raise InputError(
            f"{len(missing)} of {len(names)} stimuli have no image in {path} (first: "
            f"{missing[:3]}); it holds {len(present)} (first: {present[:3]}). An image is named "
            "by the column 'filename', or after its stimulus_id."
        )
    return [found[name] for name in names]


def image_names(table: pd.DataFrame, suffixes: Sequence[str]) -> list[str]:
    """Name the image file of each row so that `match_images` finds it.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``stimulus_id``.
    suffixes : sequence of str
        Of the files, such as ``".png"``.

    Returns
    -------
    list of str
        What a column ``filename`` says where it can be used, else the stimulus' id.

    Examples
    --------
    >>> image_names(pd.DataFrame({"stimulus_id": ["cat", "a/b"]}), [".png", ".jpg"])
    ['cat.png', 'a%2Fb.jpg']
    """
    for column in [name for name in FILES if name in table.columns]:
        named = [str(name) for name in table[column]]
        if len(set(named)) == len(named) and all(map(_usable, named)):
            return named
    ids = [str(name) for name in table["stimulus_id"]]
    return [f"{file_stem(name)}{suffix}" for name, suffix in zip(ids, suffixes, strict=True)]


def _usable(name: str) -> bool:
    leads_out = name.startswith("/") or ".." in PurePosixPath(name).parts
    return is_image(name) and name.isprintable() and not leads_out and not set(name) & set("\\:")


def file_stem(stimulus_id: str) -> str:
    """Return the name, without suffix, of a stimulus' image file: the id where it can be.

    Parameters
    ----------
    stimulus_id : str
        Any text.

    Returns
    -------
    str
        Whatever a file name cannot hold is written as ``%`` and two hexadecimal digits
        of its UTF-8; different ids have different names.

    Examples
    --------
    >>> file_stem("cat_1"), file_stem("first/a.png")
    ('cat_1', 'first%2Fa%2Epng')
    """
    plain = "".join(_encoded(c) if _odd(c) else c for c in stimulus_id)
    # A hidden file would not be found, and a.png is the file of a.
    hidden = plain.startswith(".") or plain.lower().endswith(SUFFIXES)
    return plain.replace(".", "%2E") if hidden else plain


def _odd(character: str) -> bool:
    return not (character.isascii() and character.isalnum()) and character not in " -_.()+=,@~"


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
