"""What can go wrong, in few kinds; every message says the value, the rule and the next step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeurosageError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(NeurosageError, ValueError):
    """A value that was given breaks a rule; nothing was done."""


class FetchError(NeurosageError, OSError):
    """A file could not be had, or is not the file that its card describes."""


class RunError(NeurosageError, RuntimeError):
    """A search run on disk is missing, in use, or not what was asked for."""


class MissingExtraError(NeurosageError, ImportError):
    """An optional package is needed; the message names the pip extra."""


def unknown(kind: str, value: object, choices: Iterable[object], hint: str = "") -> InputError:
    """Build the error for a name that is not among the choices, close matches first.

    Parameters
    ----------
    kind : str
        What the name should have named, such as ``"teacher"``.
    value : object
        The name that was given.
    choices : iterable of object
        The names that exist.
    hint : str, optional
        The next step, as a sentence.

    Returns
    -------
    InputError
        To be raised by the caller.

    Examples
    --------
    >>> print(unknown("distance", "corelation", ["correlation", "euclidean"]))
    unknown distance 'corelation'; did you mean 'correlation'? Choices: correlation, euclidean.
    """
    names = [str(choice) for choice in choices]
    close = difflib.get_close_matches(str(value), names, n=3)
    meant = f"; did you mean {' or '.join(repr(name) for name in close)}?" if close else "."
    listed = ", ".join(names[:40]) + (f", … ({len(names)} in all)" if len(names) > 40 else "")
    message = f"unknown {kind} {value!r}{meant} Choices: {listed or 'none'}."
    return InputError(f"{message} {hint}".rstrip())
