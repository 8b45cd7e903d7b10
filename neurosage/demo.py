"""The whole way, offline: a small brain-guided search, and what the paper claims about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from neurosage.nas.run import DATABASE, Run

if TYPE_CHECKING:
    import numpy.typing as npt

    from neurosage.nas.config import SearchConfig
    from neurosage.nas.engine import Engine
    from neurosage.nas.loop import OnStatus

MATURE_STEPS = 200
OUTCOME = "final accuracy"

OnCount: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demonstration left.

    Parameters
    ----------
    run : Run
        The search.
    signals : pandas.DataFrame
        A row per candidate, index its number: P, TG, P+TG, TG untrained, and
        the final accuracy.
    predictivity : pandas.DataFrame
        From :func:`neurosage.nas.study.predictivity`.
    page : pathlib.Path
        The self-contained HTML page.
    seconds : float
        All of it took.
    """

    run: Run
    signals: pd.DataFrame
    predictivity: pd.DataFrame
    page: Path
    seconds: float


def run_demo(
    out: str | Path = "neurosage-demo",
    *,
    settings: tuple[str, ...] = (),
    engine: str = "debug",
    mature_steps: int = MATURE_STEPS,
    on_status: OnStatus | None = None,
    on_count: OnCount | None = None,
) -> Demo:
    """Search, train every candidate on, and write the page; goes on where it stopped.

    Parameters
    ----------
    out : str or Path
        Folder of the run and of ``demo.html``.
    settings : tuple of str
        Changes to ``demo.toml``, such as ``"search.candidates=8"``.
    engine : {"debug", "local"}
        This process, or worker processes.
    mature_steps : int
        Steps of training that give the final accuracy.
    on_status : callable, optional
        As `progress` of :func:`neurosage.search`.
    on_count : callable, optional
        Called with what is being done, how many are done, and of how many.

    Returns
    -------
    Demo
        The run, the table and the page.

    Raises
    ------
    RunError
        If another process runs it.
    """
    from neurosage.nas.engine import make_engine
    from neurosage.nas.study import predictivity

    started = time.perf_counter()
    config = _config(settings)
    opened = make_engine(engine, workers=config.engine.workers, threads=config.engine.threads)
    try:
        run = _search(Path(out), config, opened, on_status)
        signals = _signals(run, mature_steps, opened, on_count)
    finally:
        opened.close()
    early = {str(name): signals[name] for name in signals.columns[:-1]}
    table = predictivity(early, signals[OUTCOME])
    seconds = time.perf_counter() - started
    demo = Demo(run, signals, table, Path(out) / "demo.html", seconds)
    _write(demo, mature_steps)
    return replace(demo, seconds=time.perf_counter() - started)


def _config(settings: tuple[str, ...]) -> SearchConfig:
    from neurosage.nas.config import load_config

    with resources.as_file(resources.files("neurosage") / "demo.toml") as path:
        return load_config(path, settings)


def _search(out: Path, config: SearchConfig, engine: Engine, on_status: OnStatus | None) -> Run:
    from neurosage.nas.search import resume, search

    folder = out / config.search.name
    if (folder / DATABASE).is_file():
        return resume(folder, config=config, engine=engine, progress=on_status)
    return search(config, out=out, engine=engine, progress=on_status)


def _signals(run: Run, mature_steps: int, engine: Engine, on_count: OnCount | None) -> pd.DataFrame:
    from neurosage.nas.reevaluate import reevaluate

    def count(what: str) -> Callable[[int, int], None]:
        return lambda done, total: on_count(what, done, total) if on_count else None

    untrained = reevaluate(run, steps=0, engine=engine, progress=count("compared untrained"))
    trained = count(f"trained {mature_steps} steps")
    mature = reevaluate(run, steps=mature_steps, engine=engine, progress=trained)
    frame = run.to_frame().set_index("k").sort_index()
    before = pd.Series({k: e.TG for k, e in untrained.items()}, dtype=float)
    final = pd.Series({k: e.P for k, e in mature.items()}, dtype=float)
    return pd.DataFrame(
        {**frame[["P", "TG", "P+TG"]], "TG before training": before, OUTCOME: final}
    )


def _write(demo: Demo, mature_steps: int) -> None:
    from neurosage.report.page import write_page
    from neurosage.report.run_sections import best_section, progress_section, trade_section

    run, final = demo.run, demo.signals[OUTCOME]
    candidates = len(run.candidates())
    lead = (
        f"{candidates} small networks, each trained {run.config.training.steps} steps on images "
        "of digits and compared with the answers of a simulated macaque, then trained "
        f"{mature_steps} steps to see what became of it. It took {demo.seconds:.0f} s."
    )
    sections = [
        _warning(),
        _claim(demo, mature_steps),
        progress_section(run),
        trade_section(run, final),
        _rdms(run),
        best_section(run, final),
        _next_steps(run),
    ]
    write_page(demo.page, "A brain-guided search, in miniature", lead, sections)


def _warning() -> str:
    from neurosage.report.page import paragraph, section

    return section(
        "The teacher is simulated",
        paragraph(
            "Its V4, pIT and aIT are populations of model neurons with Poisson spikes; aIT is "
            "told the digit's class. So what is shown here is how the method works, not what a "
            "brain knows. For real recordings: neurosage search with teacher macaque-v4."
        ),
        warn=True,
    )


def _claim(demo: Demo, mature_steps: int) -> str:
    from neurosage.report.page import figure_html, paragraph, section, table_html
    from neurosage.report.plots import plot_predictivity

    table = demo.predictivity
    figure = plot_predictivity(table, OUTCOME)
    alt = ", ".join(f"{name} {value:.2f}" for name, value in table["spearman"].items())
    shown = table.reset_index().rename(columns={"low": "95% from", "high": "to"})
    return section(
        "Do early signals foretell the final accuracy?",
        paragraph(verdict(table)),
        figure_html(figure, f"Spearman with the final accuracy: {alt}."),
        table_html(shown, digits=2),
        paragraph(
            f"Final accuracy: on the same validation images as P, after {mature_steps} steps from "
            "the same initial weights. Intervals: bootstrap over candidates, taken as independent; "
            "those that the explorer chose are not quite, and were chosen for a high P + TG, which "
            "narrows the range that a correlation feeds on.",
            note=True,
        ),
    )


def verdict(table: pd.DataFrame) -> str:
    """Say in words what a table of predictivity shows, whatever it is.

    Parameters
    ----------
    table : pandas.DataFrame
        With rows P, TG, P+TG and TG before training.

    Returns
    -------
    str
        Two or three sentences.

    Examples
    --------
    >>> table = pd.DataFrame({"spearman": [0.5, 0.2, 0.6, 0.1], "low": [0.2, -0.1, 0.3, -0.2],
    ...     "high": [0.7, 0.5, 0.8, 0.4]}, index=["P", "TG", "P+TG", "TG before training"])
    >>> print(verdict(table))
    The paper claims that P + TG foretells the final accuracy better than P alone. Here P+TG has \
.60 and P .50, higher, but within the error of so few candidates. Not told from chance: TG, \
TG before training.
    """
    value, low, high = (table[name] for name in ("spearman", "low", "high"))
    difference = value["P+TG"] - value["P"]
    width = (high["P+TG"] - low["P+TG"]) / 2
    direction = "higher" if difference > 0 else "not higher"
    size = "but within the error of so few candidates" if abs(difference) < width else "clearly"
    joined = f"{direction}, {size}" if difference > 0 else f"{direction} here"
    chance = [str(name) for name in table.index if not low[name] > 0]
    last = f" Not told from chance: {', '.join(chance)}." if chance else ""
    return (
        "The paper claims that P + TG foretells the final accuracy better than P alone. Here P+TG "
        f"has {_short(value['P+TG'])} and P {_short(value['P'])}, {joined}.{last}"
    )


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def _rdms(run: Run) -> str:
    from neurosage.report.page import figure_html, section
    from neurosage.report.plots import plot_rdm_pairs

    pairs, labels = best_rdms(run)
    caption = (
        "Above: the teacher's RDM of each region, from its recording. Below: the layer of the "
        "best candidate (highest P + TG, after its short training) most like it. Stimuli are "
        "sorted by digit; bright is unlike."
    )
    alt = "RDMs: " + "; ".join(f"{top} beside {bottom}" for top, _, bottom, _ in pairs) + "."
    figure = plot_rdm_pairs(pairs, labels)
    return section(
        "The teacher's geometry, and the best candidate's", figure_html(figure, alt, caption)
    )


def best_rdms(
    run: Run,
) -> tuple[list[tuple[str, npt.ArrayLike, str, npt.ArrayLike]], npt.ArrayLike]:
    """Return the RDMs of the first teacher's regions and of the best candidate's best layers.

    Parameters
    ----------
    run : Run
        A search with a finished candidate.

    Returns
    -------
    pairs : list of (str, array, str, array)
        A region's name and RDM (n, n), a layer's name and RDM (n, n), in order.
    labels : array, shape (n,)
        Each stimulus' label; its number where there is none.
    """
    from neurosage.data.assembly import region_names
    from neurosage.data.registry import load_teacher
    from neurosage.nas.evaluator import record_again
    from neurosage.nas.plan import Plan
    from neurosage.rsa.rdm import rdms

    best = run.best
    if best is None:
        raise ValueError("no candidate finished")
    plan = Plan.of(run.config)
    k = int(best.data.attrs["k"])
    task = replace(plan.task, k=k, architecture=best.architecture)
    teacher = load_teacher(task.teachers[0].id)
    theirs = rdms(teacher, task.distance)
    ours = rdms(record_again(task)[0], task.distance)
    order = {name: i for i, name in enumerate(region_names(ours))}
    pairs: list[tuple[str, npt.ArrayLike, str, npt.ArrayLike]] = []
    for i, region in enumerate(best.data["region"].values):
        layers = best.similarity.isel(region=i)
        layer = str(best.data["layer"].values[int(layers.argmax("layer"))])
        name = f"{layer}  (r = {float(layers.max()):.2f})"
        pairs.append((str(region), theirs.values[i], name, ours.values[order[layer]]))
    table = teacher.stimuli.table.set_index("stimulus_id").loc[list(theirs["stimulus_id_i"].values)]
    labels = table["label"] if "label" in table else pd.Series(range(len(table)))
    return pairs, labels.to_numpy()


def _next_steps(run: Run) -> str:
    from neurosage.report.page import paragraph, section

    return section(
        "Where to go from here",
        paragraph(f"The run lies in {run.folder}; neurosage report shows any run like this."),
        paragraph(
            "neurosage teachers lists what a search can listen to; neurosage search --example "
            "prints a commented configuration to start from."
        ),
    )
