"""Evaluation: what is known about one candidate once it was evaluated."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.errors import InputError

NUMBERS = (
    "P", "TG", "score", "parameters", "macs", "examples", "steps",
    "seconds_prepare", "seconds_build", "seconds_train", "seconds_validate",
    "seconds_record", "seconds_similarity", "seconds",
)  # fmt: skip
COUNTS = ("parameters", "macs", "examples", "steps")
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One candidate's performance, similarities and costs.

    Parameters
    ----------
    data : xarray.Dataset
        ``similarity (region, layer)`` in [-1, 1], NaN where a layer's RDM is
        undefined, with coordinates ``region``, ``teacher`` (on region; two teachers
        may share a region's name) and ``layer``; ``loss (step)``; and the scalars

        - ``P`` premature validation accuracy in [0, 1], NaN where not measured;
        - ``TG`` teacher guidance; ``score`` = performance weight × P + α × TG;
        - ``parameters``, ``macs`` (per image), ``examples``, ``steps`` as counts;
        - ``seconds`` in all, of which ``seconds_prepare``, ``seconds_build``,
          ``seconds_train``, ``seconds_validate``, ``seconds_record`` and
          ``seconds_similarity``.

        Its attrs are the provenance; ``architecture`` among them is JSON.

    Examples
    --------
    >>> e = Evaluation.from_parts([[0.2, 0.1]], regions=["V4"], teachers=["macaque-v4"],
    ...     layers=["conv0", "conv1"], numbers={"P": 0.5, "TG": 0.2, "score": 0.7})
    >>> e.score, Evaluation.from_json(e.to_json()).TG
    (0.7, 0.2)
    """

    data: xr.Dataset

    @classmethod
    def from_parts(
        cls,
        similarity: Any,
        *,
        regions: Sequence[str],
        teachers: Sequence[str],
        layers: Sequence[str],
        numbers: Mapping[str, float],
        losses: npt.ArrayLike = (),
        attrs: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """Put an evaluation together.

        Parameters
        ----------
        similarity : array_like, shape (region, layer)
            NaN where undefined.
        regions, teachers : sequence of str, length region
            Each row's region, and the teacher that it belongs to.
        layers : sequence of str, length layer
            From input to output.
        numbers : mapping of str to float
            The scalars; those left out are NaN, counts 0.
        losses : array_like, shape (step,)
            Training loss of each step.
        attrs : mapping, optional
            Provenance: strings, numbers, or lists of them.

        Returns
        -------
        Evaluation
            Frozen.
        """
        scalars = {
            name: int(numbers.get(name, 0)) if name in COUNTS else float(numbers.get(name, np.nan))
            for name in NUMBERS
        }
        values = np.asarray(similarity, float).reshape(len(regions), len(layers))
        return cls(
            xr.Dataset(
                {
                    "similarity": (("region", "layer"), values),
                    "loss": ("step", np.asarray(losses, float)),
                    **scalars,
                },
                coords={
                    "region": np.asarray(regions, object),
                    "teacher": ("region", np.asarray(teachers, object)),
                    "layer": np.asarray(layers, object),
                },
                attrs=dict(attrs or {}),
            )
        )

    @property
    def similarity(self) -> xr.DataArray:
        """Similarity of each layer to each region, dims (region, layer)."""
        return self.data["similarity"]

    @property
    def P(self) -> float:  # noqa: N802  # the paper's name
        """Premature validation accuracy in [0, 1], NaN where not measured."""
        return float(self.data["P"])

    @property
    def TG(self) -> float:  # noqa: N802  # the paper's name
        """Teacher guidance in [-1, 1]."""
        return float(self.data["TG"])

    @property
    def score(self) -> float:
        """What explorers see: performance weight × P + α × TG; higher is better."""
        return float(self.data["score"])

    @property
    def numbers(self) -> dict[str, float]:
        """All scalars by name, counts as int."""
        return {
            name: (int if name in COUNTS else float)(self.data[name].item()) for name in NUMBERS
        }

    @property
    def architecture(self) -> dict[str, Any]:
        """The candidate's choices; empty if the evaluation does not say."""
        return dict(json.loads(self.data.attrs.get("architecture", "{}")))

    @property
    def analysis_share(self) -> float:
        """Part of the time that recording and similarity took, in [0, 1]."""
        analysis = self.numbers["seconds_record"] + self.numbers["seconds_similarity"]
        return analysis / self.numbers["seconds"]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per teacher, region and layer, the scalars repeated."""
        frame = self.similarity.to_dataframe().reset_index()
        return frame[["teacher", "region", "layer", "similarity"]].assign(**self.numbers)

    def to_json(self) -> str:
        """Write everything as one line of JSON; NaN becomes null, floats are exact."""
        return json.dumps(
            {
                "format": FORMAT,
                "regions": [str(name) for name in self.data["region"].values],
                "teachers": [str(name) for name in self.data["teacher"].values],
                "layers": [str(name) for name in self.data["layer"].values],
                "similarity": [[_null(v) for v in row] for row in self.similarity.values.tolist()],
                "numbers": {name: _null(value) for name, value in self.numbers.items()},
                "losses": [_null(value) for value in self.data["loss"].values.tolist()],
                "attrs": {key: _plain(value) for key, value in self.data.attrs.items()},
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not that of an evaluation, or of a newer format.
        """
        try:
            document = json.loads(text)
            if document.pop("format") != FORMAT:
                raise InputError(f"the evaluation's format is not {FORMAT}: update neurosage.")
            numbers = {k: v for k, v in document.pop("numbers").items() if v is not None}
            similarity = np.array(document.pop("similarity"), float)
            losses = np.array(document.pop("losses"), float)
            return cls.from_parts(similarity, numbers=numbers, losses=losses, **document)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"this is not the JSON of an evaluation: {text[:80]!r}…") from error

    def save(self, path: str | Path) -> Path:
        """Write to a netCDF file, whole or not at all; return its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            self.data.to_netcdf(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If there is no such file, or it holds no evaluation.
        """
        if not Path(path).is_file():
            raise InputError(f"there is no file {path}.")
        try:
            data = xr.load_dataset(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is no netCDF file: {error}") from error
        if missing := [name for name in ("similarity", *NUMBERS) if name not in data]:
            raise InputError(f"{path} holds no evaluation: {missing[:5]} are missing.")
        return cls(data)

    def __repr__(self) -> str:
        n = self.numbers
        return (
            f"<Evaluation P {n['P']:.3f}, TG {n['TG']:.3f}, score {n['score']:.3f}: "
            f"{self.data.sizes['layer']} layers × {self.data.sizes['region']} regions, "
            f"{n['examples']} examples in {n['seconds']:.1f} s>"
        )

    def _repr_html_(self) -> str:
        table = self.similarity.to_pandas().to_html(float_format="{:.3f}".format)
        return f"<p>{html.escape(repr(self))}</p>{table}"


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
