"""Arguments that are no recording, or no name: refused before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from neurosage.data.sources import sources
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError

RECORD = "record it on the stimuli: neurosage.record(model, stimuli)"


def check_recording(*sources: Any) -> None:
    """Refuse what is neither a teacher nor an array.

    Parameters
    ----------
    *sources : Teacher or xarray.DataArray
        Responses, or RDMs.

    Raises
    ------
    InputError
        With what makes a recording of it.

    Examples
    --------
    >>> check_recording(xr.DataArray(0.0))
    """
    for source in sources:
        if not isinstance(source, Teacher | xr.DataArray):
            raise InputError(_instead_of(source))


def _instead_of(source: Any) -> str:
    kind = type(source).__name__
    if isinstance(source, str):
        return _instead_of_name(source)
    # By what they offer: networks and scores are known to other rooms.
    if hasattr(source, "named_modules") or hasattr(getattr(source, "module", None), "forward"):
        return f"{kind} is a network, not a recording; {RECORD}."
    if hasattr(source, "best") and hasattr(source, "data"):
        return f"a {kind} holds similarities, not responses; to compare its network, {RECORD}."
    if hasattr(source, "assembly"):
        return f"{kind} is no recording; give its .assembly."
    return (
        f"a recording is a teacher, or an assembly or RDMs (xarray.DataArray), not "
        f"{'None' if source is None else kind}; build an assembly with "
        "neurosage.assembly(values, stimulus_id=…, region=…)."
    )


def _instead_of_name(name: str) -> str:
    if name.partition("/")[0] in sources("teacher") or (Path(name) / "card.toml").is_file():
        return (
            f"{name!r} is a name, not a teacher; load it first: neurosage.load_teacher({name!r})."
        )
    return (
        f"{name!r} is a name, not a recording, and no teacher has it (neurosage.list_teachers()); "
        f"if it is a network's, record it first: neurosage.record({name!r}, stimuli)."
    )


def check_by(by: object) -> None:
    """Refuse what cannot be the name of a coordinate.

    Parameters
    ----------
    by : str
        Asked for.

    Raises
    ------
    InputError
        If it is no text.

    Examples
    --------
    >>> check_by("stimulus_id")
    """
    if not isinstance(by, str):
        names = [n for n in by if isinstance(n, str)] if isinstance(by, list | tuple) else []
        such = [*names, "stimulus_id"][0]
        raise InputError(f"by is one name, such as {such!r}, not {by!r}.")
