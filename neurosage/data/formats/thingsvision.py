"""thingsvision: folders of a network's features, a layer a region, as assemblies; read only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.assembly import select as keep
from neurosage.data.formats.feature_files import FORMATS, Rows, read_features
from neurosage.data.formats.matching import match_ids
from neurosage.errors import InputError, unknown

NAMES = "file_names.txt"
PIECE = re.compile(r"^(?P<stem>.*?)_(?P<first>\d+)(?:-(?P<last>\d+))?$")


def read(
    path: Path | str,
    *,
    key: str | None = None,
    select: Mapping[str, Any] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    r"""Read what thingsvision extracted as an assembly.

    A card says it so; only the layers selected are read::

        responses = { file = "features", format = "thingsvision",
            select = { region = ["layer3", "layer4"] } }

    Parameters
    ----------
    path : Path or str
        The folder given to thingsvision: features in it are one layer, features in its
        subfolders a layer each, named by the subfolder. Or one file of features. Pieces
        (``features_0-32.npy``, ``features_01.npy``) are joined in order. ``file_names.txt``
        beside the features or above names the stimuli.
    key : str, optional
        What features are called where a folder holds several kinds: ``features_train``.
    select : mapping of str to scalar or list, optional
        ``region`` → the layers read; other coordinates → values kept.
    stimulus_id : sequence of str, optional
        What the stimuli must be, names being compared with or without folder and suffix; or
        the stimuli in order, where there is no ``file_names.txt``.
    region : str, optional
        The layer's name, where the folder holds but one; else the folder's.
    unit : str, optional
        Of the values; kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid``; maps and tokens are flattened, the last dim varying
        fastest, and ``neuroid_id`` counts along.

    Raises
    ------
    InputError
        If there are no features, files are damaged or of several formats, or rows and names
        differ in number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/features.npy", [[1.0, 2.0], [3.0, 4.0]])
    ...     _ = Path(folder, "file_names.txt").write_text("cat.png\ndog.png\n")
    ...     a = read(folder, region="conv1", stimulus_id=["cat", "dog"])
    >>> a.shape, list(a.neuroid_id.values)
    ((2, 2), ['conv1.0', 'conv1.1'])
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no {path}; a folder of thingsvision's features was expected.")
    layers = _layers(path, key, region)
    chosen = dict(select or {})
    wanted = _wanted(layers, chosen.pop("region", list(layers)))
    blocks, names = [], None
    for layer in wanted:
        listed = _names(layers[layer][0].parent, path)
        block = _block(layers[layer], listed, path)
        if names is not None and list(block.names or []) != list(names):
            raise InputError(f"the layers of {path} do not name the same stimuli in one order.")
        names = block.names
        blocks.append(block.values.reshape(len(block.values), -1))
    shown = _shown(names, stimulus_id, len(blocks[0]), path)
    if len({len(block) for block in blocks}) != 1:
        rows = {layer: len(block) for layer, block in zip(wanted, blocks, strict=True)}
        raise InputError(f"the layers of {path} differ in their number of rows: {rows}.")
    regions = np.repeat(np.array(wanted, object), [block.shape[1] for block in blocks])
    values = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    responses = assembly(values, stimulus_id=shown, region=regions)
    responses = keep(match_ids(responses, stimulus_id, path), **chosen)
    return responses.assign_attrs({"unit": unit} if unit else {})


def _layers(path: Path, key: str | None, region: str | None) -> dict[str, list[Path]]:
    """Return the files of each layer, in order."""
    if path.is_file():
        return {region or path.absolute().parent.name: [path]}
    if own := _features(path, key):
        return {region or path.absolute().name: own}
    inside = {child: _features(child, key) for child in sorted(path.rglob("*")) if child.is_dir()}
    layers = {str(c.relative_to(path)).replace("\\", "/"): f for c, f in inside.items() if f}
    if not layers:
        raise InputError(
            f"{path} holds no features of thingsvision: files features.npy, .hdf5, .mat, .pt, .txt "
            "or .csv, in it or in a subfolder a layer."
        )
    if region is not None:
        if len(layers) > 1:
            raise InputError(
                f"{path} holds the layers {', '.join(layers)}, which name their regions; leave "
                f"region = {region!r} out."
            )
        return {region: next(iter(layers.values()))}
    return layers


def _features(folder: Path, key: str | None) -> list[Path]:
    found = [p for p in sorted(folder.iterdir()) if p.is_file() and p.suffix.lower() in FORMATS]
    kinds: dict[str, list[tuple[int, int, Path]]] = {}
    for file in found:
        piece = PIECE.match(file.stem)
        stem = piece["stem"] if piece else file.stem
        if file.name != NAMES and (stem == key if key else stem.startswith("features")):
            first = int(piece["first"]) if piece else -1
            last = int(piece["last"] or -1) if piece else -1
            kinds.setdefault(stem, []).append((first, last, file))
    if len(kinds) > 1:
        raise InputError(
            f"{folder} holds several kinds of features: {', '.join(kinds)}; name one as key = …."
        )
    pieces = sorted(next(iter(kinds.values()), []))
    _check_pieces(folder, pieces)
    return [file for *_, file in pieces]


def _check_pieces(folder: Path, pieces: Sequence[tuple[int, int, Path]]) -> None:
    if len({file.suffix for *_, file in pieces}) > 1 or len({p[0] < 0 for p in pieces}) > 1:
        names = ", ".join(file.name for *_, file in pieces[:6])
        raise InputError(f"{folder} holds the same features more than once: {names}; keep one.")
    for (first, last, file), (following, _, after) in pairwise(pieces):
        expected = last if last >= 0 else first + 1
        if following != expected:
            raise InputError(
                f"between {file.name} and {after.name} in {folder} pieces are missing or overlap."
            )
    if pieces and pieces[0][0] > (0 if pieces[0][1] >= 0 else 1):
        raise InputError(f"the pieces before {pieces[0][2].name} in {folder} are missing.")


def _wanted(layers: Mapping[str, Any], named: Any) -> list[str]:
    wanted = [named] if isinstance(named, str) else list(named)
    for layer in wanted:
        if layer not in layers:
            raise unknown("region", layer, layers)
    return [layer for layer in layers if layer in wanted]


def _names(folder: Path, top: Path) -> list[str] | None:
    for place in (folder, top if top.is_dir() else top.parent, folder.parent):
        if (file := place / NAMES).is_file():
            try:
                lines = file.read_text(encoding="utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise InputError(f"{file} is not text in UTF-8 ({error.reason}).") from error
            return [line.strip() for line in lines if line.strip()]
    return None


def _block(files: Sequence[Path], listed: list[str] | None, path: Path) -> Rows:
    pieces = [read_features(file, listed) for file in files]
    shapes = {piece.values.shape[1:] for piece in pieces}
    if len(shapes) != 1:
        raise InputError(f"pieces of features in {path} have shapes {sorted(shapes)} a stimulus.")
    values = pieces[0].values
    if len(pieces) > 1:
        values = np.concatenate([piece.values for piece in pieces])
    named = [name for piece in pieces for name in piece.names or []]
    if listed is not None and len(listed) != len(values):
        raise InputError(
            f"{path} holds features of {len(values)} stimuli, but {NAMES} names {len(listed)}."
        )
    return Rows(values, named or listed)


def _shown(names: Sequence[str] | None, stimulus_id: Any, rows: int, path: Path) -> Any:
    if names is not None:
        return np.array([*names, None], object)[:-1]
    if stimulus_id is None or len(stimulus_id) != rows:
        given = "no" if stimulus_id is None else len(stimulus_id)
        raise InputError(
            f"there is no {NAMES} beside the features of {path}, which have {rows} rows, and "
            f"{given} stimulus ids were given; copy it there."
        )
    return np.array(list(stimulus_id), object)
