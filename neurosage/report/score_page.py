"""The page of a score: numbers, pictures and how they were made, in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.report.drawable import checked_score
from neurosage.report.page import (
    figure_html,
    paragraph,
    section,
    table_html,
    write_page,
)
from neurosage.report.profile_plots import plot_profiles
from neurosage.report.similarity_plots import plot_similarity
from neurosage.scoring.result import Score
from neurosage.scoring.showing import ceiling_kinds, notes, shown_best, with_interval

OFTEN = 0.1  # of the halves: a layer that was chosen so often is named
EMPTY = ("", "{}", "[]")  # of what was left out, where nothing was
SIMULATED = "Made by a formula, measured in no animal: this is about the method, not brains."


def write_score_page(score: Score, path: str | Path) -> Path:
    """Write the page of a score.

    Parameters
    ----------
    score : Score
        With intervals, cross-fitted similarity and ceilings, or without.
    path : str or Path
        Of the HTML file; its folder is made.

    Returns
    -------
    pathlib.Path
        The file, which holds its pictures.

    Raises
    ------
    InputError
        If it is no score.

    Examples
    --------
    >>> import tempfile
    >>> from neurosage.scoring.network import score
    >>> made = score("pixels", "simulated-macaque", interval=None, ceilings=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "Most similar layer" in write_score_page(made, f"{folder}/score.html").read_text()
    True
    """
    score = checked_score(score, "write_score_page")
    made = score.data.attrs
    title = f"{made.get('model', 'a network')} against {made.get('teacher', 'a teacher')}"
    sections = [
        *_simulated(score.data),
        _best(score),
        *_profile(score),
        _matrix(score),
        *_chosen(score.data),
        _layers(score),
        _provenance(score.data),
    ]
    return write_page(path, title, _lead(score), sections)


def _lead(score: Score) -> str:
    data = score.data
    regions, layers = data.sizes["region"], data.sizes["layer"]
    weights = f" (weights: {data.attrs['weights']})" if data.attrs.get("weights") else ""
    number = data.attrs.get("n_stimuli")
    over = f" over {number} stimuli" if number else ""
    return (
        f"{_count(layers, 'layer')} of the network{weights} compared with "
        f"{_count(regions, 'region')}{over}. Teacher guidance TG {score.tg:.3f}: the mean over "
        "regions of the best layer's similarity."
    )


def _simulated(data: xr.Dataset) -> Iterator[str]:
    if data.attrs.get("teacher_kind") == "simulated":
        yield section("This teacher is simulated", paragraph(SIMULATED), warn=True)


def _best(score: Score) -> str:
    table = table_html(shown_best(score.best, score.data))
    said = "".join(paragraph(note, note=True) for note in notes(score.data))
    return section("Most similar layer of each region", table, said)


def _profile(score: Score) -> Iterator[str]:
    if score.data.sizes["layer"] < 2:
        return
    caption = "Layers in their order, from input to output. The ring marks the best layer"
    caption += ": a max, which grows with the number of layers."
    if _known(score.data, "low"):
        caption += " The band is each layer's interval."
    if _known(score.data, "cross_fitted"):
        caption += " The diamond is the similarity of layers chosen on other stimuli."
    if any(_known(score.data, name) for name in ceiling_kinds(score.data)):
        caption += " Dark lines are estimated ceilings with their intervals, not bounds."
    figure = figure_html(plot_profiles(score), _best_in_words(score), caption)
    yield section("Similarity by depth", figure)


def _matrix(score: Score) -> str:
    caption = "Each layer against each region; framed is the best layer of a region."
    if score.similarity.isnull().any():
        caption += " Hatched: undefined."
    figure = figure_html(plot_similarity(score), _best_in_words(score), caption)
    return section("Every layer and region", figure)


def _best_in_words(score: Score) -> str:
    rows = score.best.itertuples()
    return "Best: " + ", ".join(f"{r.region} {r.layer} {r.similarity:.3f}" for r in rows) + "."


def _chosen(data: xr.Dataset) -> Iterator[str]:
    if not _known(data, "chosen"):
        return
    rows = []
    for region in data["region"].values:
        shares = data["chosen"].sel(region=region).to_series().sort_values(ascending=False)
        often = [f"{layer} {100 * share:.0f}%" for layer, share in shares.items() if share >= OFTEN]
        rest = int(((shares > 0) & (shares < OFTEN)).sum())
        words = ", ".join([*often, *([f"{_count(rest, 'layer')} more rarely"] if rest else [])])
        rows.append({"region": str(region), "layers chosen, share of halves": words})
    note = (
        "The stimuli are split in halves many times; a layer is chosen on one half and compared "
        "on the other. Where the share is spread over many layers, none is the best for sure."
    )
    table = table_html(pd.DataFrame(rows), wrap=True)
    yield section("Which layer, on other stimuli", table, paragraph(note, note=True))


def _layers(score: Score) -> str:
    """A table of all layers, folded up."""
    data = score.data
    shown = {"layer": [str(name) for name in data["layer"].values]}
    if "units" in data.coords:
        shown["units"] = data["units"].values.tolist()
    for region in data["region"].values:
        own = data.sel(region=region)
        empty = np.full(own.sizes["layer"], np.nan)
        parts = [own[key].values if key in own else empty for key in ("similarity", "low", "high")]
        shown[str(region)] = [
            with_interval(v, low, high) for v, low, high in zip(*parts, strict=True)
        ]
    table = table_html(pd.DataFrame(shown))
    return section("All numbers", f"<details><summary>Show them</summary>{table}</details>")


def _provenance(data: xr.Dataset) -> str:
    facts = {str(key): str(value) for key, value in data.attrs.items() if str(value) not in EMPTY}
    if wording := facts.pop("ceiling_wording", ""):
        known = [kind for name, kind in ceiling_kinds(data).items() if _known(data, name)]
        kinds = " and ".join(dict.fromkeys(kind.split(",")[0] for kind in known))
        facts |= {"ceiling_wording": wording.replace("{kind}", kinds)} if kinds else {}
    table = pd.DataFrame({"what": list(facts), "value": list(facts.values())})
    return section("How it was made", table_html(table, wrap=True))


def _known(data: xr.Dataset, name: str) -> bool:
    return name in data and bool(data[name].notnull().any())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
