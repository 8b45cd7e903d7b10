"""A self-contained HTML page: text, tables and pictures in one file."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color: #22303c; background: #f4f6f8; font: 16px/1.55 system-ui, sans-serif; }
body { max-width: 960px; margin: 0 auto; padding: 2.5rem 1.2rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
.lead { font-size: 1.08rem; color: #44525f; margin: 0 0 1.6rem; }
section { background: white; border: 1px solid #dde3e8; border-radius: 10px;
          padding: 1.2rem 1.4rem; margin: 1.1rem 0; }
figure { margin: .8rem 0 .2rem; } img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: #5c6b78; font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .28rem .7rem; border-bottom: 1px solid #e8edf1;
         white-space: nowrap; }
th { color: #5c6b78; font-weight: 600; }
td.text, th.text { text-align: left; }
.wrap td.text { white-space: normal; }
code { font-size: .88em; background: #eef2f5; padding: .1em .3em; border-radius: 4px; }
.warn { border-left: 4px solid #d55e00; }
"""


def figure_html(figure: Figure, alt: str, caption: str = "") -> str:
    """Embed a figure as SVG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The picture.
    alt : str
        What it shows, for who cannot see it.
    caption : str
        Text below it.

    Returns
    -------
    str
        An HTML ``figure``.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=150, metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    picture = f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure>{picture}{below}</figure>"


def table_html(frame: pd.DataFrame, digits: int = 3, *, wrap: bool = False) -> str:
    """Write a table; numbers are right-aligned, missing ones are a dash.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is not shown; reset it to show it.
    digits : int
        Decimals of fractions.
    wrap : bool
        Break long text into lines.

    Returns
    -------
    str
        An HTML ``table`` that scrolls by itself where it is too wide.

    Examples
    --------
    >>> "<td>0.250</td>" in table_html(pd.DataFrame({"P": [0.25]}))
    True
    """
    text = [not pd.api.types.is_numeric_dtype(frame[column]) for column in frame.columns]
    head = "".join(_cell("th", str(c), t) for c, t in zip(frame.columns, text, strict=True))
    rows = "".join(
        "<tr>"
        + "".join(_cell("td", _show(v, digits), t) for v, t in zip(row, text, strict=True))
        + "</tr>"
        for row in frame.itertuples(index=False)
    )
    kind = "scroll wrap" if wrap else "scroll"
    return f'<div class="{kind}"><table><tr>{head}</tr>{rows}</table></div>'


def _cell(tag: str, value: str, text: bool) -> str:
    mark = ' class="text"' if text else ""
    return f"<{tag}{mark}>{html.escape(value)}</{tag}>"


def _show(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def section(title: str, *parts: str, warn: bool = False) -> str:
    """Frame parts of HTML under a title.

    Parameters
    ----------
    title : str
        Plain text.
    *parts : str
        HTML, in order.
    warn : bool
        Mark the section as a warning.

    Returns
    -------
    str
        An HTML ``section``.
    """
    mark = ' class="warn"' if warn else ""
    return f"<section{mark}><h2>{html.escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str, *, note: bool = False) -> str:
    """Write plain text as a paragraph, ``note`` in small print."""
    mark = ' class="note"' if note else ""
    return f"<p{mark}>{html.escape(text)}</p>"


def write_page(path: str | Path, title: str, lead: str, sections: Sequence[str]) -> Path:
    """Write a page whole: beside its place, then renamed.

    Parameters
    ----------
    path : str or Path
        Where; its folder is made.
    title, lead : str
        Plain text at the top.
    sections : sequence of str
        From :func:`section`.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{html.escape(title)}</h1><p class="lead">{html.escape(lead)}</p>'
        f"{''.join(sections)}</body></html>\n"
    )
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)
    return target
