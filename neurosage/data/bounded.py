"""A download is stopped where it is longer than its card says."""

from __future__ import annotations

from typing import BinaryIO

from neurosage.data.cards.entries import FileEntry
from neurosage.errors import FetchError


class BoundedFile:
    """A file that takes no more bytes than the card says.

    Parameters
    ----------
    stream : BinaryIO
        Open for writing.
    entry : FileEntry
        Without a size nothing is bounded.
    url : str
        Where the bytes come from, for the message.

    Examples
    --------
    >>> import io
    >>> file = BoundedFile(io.BytesIO(), FileEntry(file="r.npy", size=2), "https://lab.org/r.npy")
    >>> file.write(b"ab")
    2
    """

    def __init__(self, stream: BinaryIO, entry: FileEntry, url: str) -> None:
        self._stream, self._entry, self._url, self._taken = stream, entry, url, 0

    def write(self, content: bytes) -> int:
        """Write bytes.

        Raises
        ------
        FetchError
            Before more is written than the card says.
        """
        self._taken += len(content)
        if self._entry.size is not None and self._taken > self._entry.size:
            raise FetchError(
                f"{self._url} is longer than the {self._entry.size} bytes that the card says of "
                f"{self._entry.file}: the download was stopped and nothing kept. The source may "
                "have changed, or the card's size is wrong."
            )
        return self._stream.write(content)

    def flush(self) -> None:
        """Hand to the system what is written."""
        self._stream.flush()
