"""What a run's page shows: its candidates, its progress, P against TG."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from neurosage.data.registry import list_teachers
from neurosage.nas.catalogue import make_explorer, make_space
from neurosage.nas.outline import outline
from neurosage.nas.run import Run
from neurosage.report import plots
from neurosage.report.page import figure_html, paragraph, section, table_html, write_page

SHOWN = 10
OUTLINE = (
    "An architecture is written step by step, divided by |: the options in the order of the "
    "space's choices, then < and the earlier steps that it listens to (0 is the image)."
)


def best_section(run: Run, extra: pd.Series | None = None) -> str:
    """Tabulate the best candidates of a run.

    Parameters
    ----------
    run : Run
        A search.
    extra : pandas.Series, optional
        A further column, by candidate number; its name heads the column.

    Returns
    -------
    str
        An HTML section.
    """
    frame = run.to_frame()
    finished = frame[frame["state"] == "finished"].head(SHOWN)
    settings = run.config.space
    space = make_space(settings.name, settings.options)
    shown = pd.DataFrame(
        {
            "rank": finished["rank"].astype(int),
            "candidate": finished["k"].astype(int),
            "P": finished["P"],
            "TG": finished["TG"],
            "score": finished["P+TG"],
            **({extra.name: extra.reindex(finished["k"]).to_numpy()} if extra is not None else {}),
            "parameters": finished["parameters"].astype(int),
            "MACs": finished["macs"].astype(int),
            "examples seen": finished["examples"].astype(int),
        }
    )
    built = pd.DataFrame(
        {
            "candidate": finished["k"].astype(int),
            "architecture": [outline(space, json.loads(a)) for a in finished["architecture"]],
        }
    )
    parts = [table_html(shown), table_html(built, wrap=True), paragraph(OUTLINE, note=True)]
    failed = frame[frame["state"] == "failed"]
    if len(failed):
        reasons = failed[["k", "reason"]].rename(columns={"k": "candidate"})
        parts += [paragraph(f"{len(failed)} candidates failed:", note=True)]
        parts += [table_html(reasons, wrap=True)]
    return section(f"The best {len(shown)} of {len(frame)} candidates", *parts)


def progress_section(run: Run) -> str:
    """Draw how the score went, candidate by candidate.

    Parameters
    ----------
    run : Run
        A search.

    Returns
    -------
    str
        An HTML section.
    """
    config = run.config
    scores = run.to_frame().sort_values("k")["P+TG"].to_numpy(float)
    explorer = make_explorer(config.explorer.name, config.explorer.options)
    starts = getattr(explorer, "random_starts", 0)
    figure = plots.plot_progress(scores, starts, score_name(run))
    caption = "Each dot is a candidate; the line is the best so far. "
    if not starts:
        caption += f"All were proposed by explorer {config.explorer.name!r}."
    elif starts >= len(scores):
        caption += "All were drawn at random."
    else:
        caption += f"The first {starts} were drawn at random, the others proposed by "
        caption += f"explorer {config.explorer.name!r}."
    known = scores[np.isfinite(scores)]
    best = f"the best {known.max():.3f}" if known.size else "none finished"
    alt = f"Scores of {len(scores)} candidates, {best}."
    return section("Progress of the search", figure_html(figure, alt, caption))


def trade_section(run: Run, final: pd.Series | None = None) -> str:
    """Draw P against TG, a dot per candidate.

    Parameters
    ----------
    run : Run
        A search.
    final : pandas.Series, optional
        Colour of the dots, by candidate number; its name is the colour's label.

    Returns
    -------
    str
        An HTML section; empty where P was not measured.
    """
    frame = run.to_frame()
    frame = frame[frame["state"] == "finished"]
    if frame["P"].isna().all():
        return ""
    colour = None if final is None else final.reindex(frame["k"]).to_numpy()
    label = "" if final is None else str(final.name)
    figure = plots.plot_trade(frame["P"], frame["TG"], colour, label)
    alt = f"P against TG of {len(frame)} candidates."
    caption = (
        "P is the accuracy on validation images after the short training; TG the mean, over "
        "the teacher's regions, of the best layer's RDM similarity."
    )
    return section("Performance and guidance", figure_html(figure, alt, caption))


def regions_section(run: Run) -> str:
    """Tabulate the best candidate's most similar layer of each region.

    Parameters
    ----------
    run : Run
        A search.

    Returns
    -------
    str
        An HTML section; empty before any candidate has finished.
    """
    best = run.best
    if best is None:
        return ""
    rows = best.to_frame().sort_values("similarity", ascending=False, kind="stable")
    rows = rows.drop_duplicates(["teacher", "region"]).sort_index()
    note = (
        f"The best of {best.data.sizes['layer']} layers: a selected number, which grows with them."
    )
    return section(
        f"Candidate {best.data.attrs['k']}, the best, region by region",
        table_html(rows[["teacher", "region", "layer", "similarity"]]),
        paragraph(note, note=True),
    )


def made_section(run: Run) -> str:
    """Say how the numbers of a run were made.

    Parameters
    ----------
    run : Run
        A search.

    Returns
    -------
    str
        An HTML section; empty before any candidate has finished.
    """
    best = run.best
    if best is None:
        return ""
    made = best.data.attrs
    data, recipe = json.loads(made["data"]), json.loads(made["recipe"])
    teachers = [
        f"{spec['id']} (neuroids {spec['normalise']}, content {spec['content_hash'][:12]}…)"
        for spec in json.loads(made["teachers"])
    ]
    facts = {
        "teachers": "; ".join(teachers),
        "similarity": f"{made['comparison']} of {made['distance']} RDMs, {made['backend']}",
        "recorded": f"at most {made['units']} units of a layer, normalise {made['normalise']}",
        "score": made["formula"],
        "training": f"{made['budget']}, recipe {recipe['name']}, batches of {recipe['batch']}",
        "images": f"{data['name']}, content {data['content_hash'][:12]}…",
        "seed and threads": f"{made['seed']}; {made['threads']} on {made['device']}",
        "software": made["versions"],
    }
    table = pd.DataFrame({"what": list(facts), "how": list(facts.values())})
    return section("How these numbers were made", table_html(table, wrap=True))


def score_name(run: Run) -> str:
    """Write the formula of a run's score.

    Parameters
    ----------
    run : Run
        A search.

    Returns
    -------
    str
        Such as ``P + 1 · TG``.
    """
    settings = run.config.search
    weight = "" if settings.performance_weight == 1 else f"{settings.performance_weight:g} · "
    parts = [] if settings.performance_weight == 0 else [f"{weight}P"]
    return " + ".join([*parts, f"{settings.alpha:g} · TG"])


def write_report(run: Run, path: str | Path | None = None) -> Path:
    """Write a page about a run.

    Parameters
    ----------
    run : Run
        A search, ended or not.
    path : str or Path, optional
        Where; ``report.html`` in the run's folder if omitted.

    Returns
    -------
    pathlib.Path
        The page.
    """
    config = run.config
    kinds = list_teachers().set_index("id")["kind"]
    teachers = ", ".join(
        f"{teacher.id} (SIMULATED: measured in no animal)"
        if kinds.get(teacher.id) == "simulated"
        else teacher.id
        for teacher in config.teacher
    )
    budget = config.training.epochs
    length = _count(config.training.steps, "step") if budget is None else _count(budget, "epoch")
    lead = (
        f"{len(run.candidates())} candidates of {config.search.candidates} in {config.space.name}, "
        f"each trained {length} on {config.data.name}, score {score_name(run)}, teacher {teachers}."
    )
    rooms = (progress_section, trade_section, regions_section, best_section, made_section)
    sections = [made for room in rooms if (made := room(run))]
    return write_page(path or run.folder / "report.html", f"Search {run.name}", lead, sections)


def _count(number: int | None, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
