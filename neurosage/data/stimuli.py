"""Stimulus sets: a table of stimuli, with their images read when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neurosage.data.images import ArrayImages, FileImages, ImageSource, SubsetImages
from neurosage.errors import InputError

__all__ = ["ArrayImages", "FileImages", "ImageSource", "StimulusSet"]


@dataclass(frozen=True, eq=False, repr=False)
class StimulusSet:
    """What was shown.

    Parameters
    ----------
    id : str
        Its registered id, with the part where there are several:
        ``"macaque-v4/190923"``.
    table : pandas.DataFrame
        One row a stimulus; ``stimulus_id`` holds unique strings, further columns
        hold labels.
    images : ImageSource or ndarray of uint8, shape (stimulus, height, width, 3)
        As many images as rows, in the order of the table.
    degrees : float, optional
        Width of the images in degrees of visual angle, as they were shown.

    Raises
    ------
    InputError
        If ids are missing, not text or not unique, or numbers do not match.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus_id": ["cat", "dog"], "label": [0, 1]})
    >>> StimulusSet("pets", table, np.zeros((2, 8, 8, 3), np.uint8))
    <StimulusSet pets: 2 stimuli, 8×8, columns: label>
    """

    id: str
    table: pd.DataFrame
    images: ImageSource
    degrees: float | None = None

    def __post_init__(self) -> None:
        images = self.images
        if isinstance(images, np.ndarray):
            images = ArrayImages(images)
        object.__setattr__(self, "images", images)
        if not isinstance(self.table, pd.DataFrame):
            raise InputError(
                f"the table of stimuli {self.id!r} is a {type(self.table).__name__}, but must be a "
                "pandas.DataFrame: give pandas.DataFrame({'stimulus_id': ids})."
            )
        object.__setattr__(self, "table", self.table.reset_index(drop=True))
        self._check()

    def _check(self) -> None:
        if "stimulus_id" not in self.table.columns:
            raise InputError(
                f"the table of stimuli {self.id!r} has no column 'stimulus_id', "
                f"only {list(self.table.columns)}."
            )
        ids = self.stimulus_ids
        if wrong := [i for i in ids if not isinstance(i, str) or not i]:
            raise InputError(
                f"stimulus ids of {self.id!r} must be text that is not empty, but "
                f"{len(wrong)} are not (first: {wrong[:3]}); read them with dtype str."
            )
        repeated = pd.Series(ids)[pd.Series(ids).duplicated()]
        if len(repeated):
            raise InputError(
                f"stimulus ids of {self.id!r} must be unique, but {len(repeated)} repeat "
                f"(first: {list(repeated[:3])})."
            )
        if len(self.table) != len(self.images):
            raise InputError(
                f"stimuli {self.id!r}: {len(self.table)} rows in the table, but "
                f"{len(self.images)} images (first ids: {list(ids[:3])})."
            )

    @cached_property
    def stimulus_ids(self) -> npt.NDArray[np.object_]:
        """Ids in the order of the table, as an array of str."""
        return np.array(self.table["stimulus_id"].tolist(), dtype=object)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.stimulus_ids)}

    def __len__(self) -> int:
        return len(self.table)

    def image(self, i: int) -> npt.NDArray[np.uint8]:
        """Return the i-th image.

        Parameters
        ----------
        i : int
            Its row in the table.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB, 0 to 255.

        Raises
        ------
        InputError
            If the source gives anything else, or the file cannot be decoded.
        """
        image = np.asarray(self.images[i])
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"image {self.stimulus_ids[i]!r} of {self.id!r} has shape {image.shape} and "
                f"dtype {image.dtype}; images are uint8, height × width × 3 (RGB)."
            )
        return image

    def take(self, stimulus_ids: Sequence[str] | npt.NDArray[Any]) -> StimulusSet:
        """Return the stimuli with these ids, in this order.

        Parameters
        ----------
        stimulus_ids : sequence of str
            Each once.

        Returns
        -------
        StimulusSet
            Shares its images with this one.

        Raises
        ------
        InputError
            If an id does not occur; the count and first ids are named.
        """
        wanted = list(stimulus_ids)
        if missing := [name for name in wanted if name not in self._positions]:
            raise InputError(
                f"{len(missing)} of {len(wanted)} stimuli are not in {self.id!r} "
                f"(first: {missing[:3]}); its {len(self)} ids look like "
                f"{list(self.stimulus_ids[:3])}."
            )
        rows = [self._positions[name] for name in wanted]
        return StimulusSet(
            self.id, self.table.iloc[rows], SubsetImages(self.images, tuple(rows)), self.degrees
        )

    def content_hash(self) -> str:
        """Return the sha256 over ids, their order, and every image's shape and pixels."""
        return self._content_hash

    @cached_property
    def _content_hash(self) -> str:
        digest = hashlib.sha256()
        for k, name in enumerate(self.stimulus_ids):
            image = self.image(k)
            digest.update(f"{name}\0{image.shape}\0".encode())
            digest.update(np.ascontiguousarray(image).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        try:
            height, width = self.image(0).shape[:2] if len(self) else (0, 0)
        except InputError:
            height, width = 0, 0  # a repr never fails; reading the image tells why
        columns = [str(c) for c in self.table.columns if c != "stimulus_id"]
        degrees = f", {self.degrees:g}°" if self.degrees is not None else ""
        labels = f", columns: {', '.join(columns)}" if columns else ""
        return f"<StimulusSet {self.id}: {len(self)} stimuli, {height}×{width}{degrees}{labels}>"
