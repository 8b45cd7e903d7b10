"""Whether a MAT-file of version 5 to 7 is sound: on some that are not, scipy ends the process.

References
----------
MathWorks, *MAT-File Format*: a file is a list of elements, each a type, a length and its data.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
DATA = NUMBERS | {16, 17, 18}  # and text
MATRIX, COMPRESSED = 14, 15
INTEGERS = frozenset({5, 6})
CELL, STRUCT, OBJECT, CHAR, SPARSE, FUNCTION, OPAQUE = 1, 2, 3, 4, 5, 16, 17
PLAIN = range(CHAR, FUNCTION)  # text, sparse, and every class of numbers
NAME = 4096  # bytes at most
COMPLEX = 0x800
DEEPEST = 64
CHUNK = 1 << 20


class Bytes(Protocol):
    """What is read in order."""

    def read(self, number: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        ...

    def skip(self, number: int) -> None:
        """Go on without them."""
        ...


class _File:
    def __init__(self, stream: BinaryIO, length: int) -> None:
        self.stream, self.length = stream, length

    def read(self, number: int) -> bytes:
        return self.stream.read(number)

    def skip(self, number: int) -> None:
        if self.stream.seek(number, 1) > self.length:
            raise _damaged("it is cut off")


class _Inflated:
    """A compressed element, unpacked as it is read and never held whole."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self.stream, self.left = stream, length
        self.unpacker, self.held = zlib.decompressobj(), b""

    def read(self, number: int) -> bytes:
        parts, missing = [], number
        while missing > 0:
            if not self.held and not self._more(missing):
                break
            parts.append(self.held[:missing])
            self.held = self.held[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _more(self, number: int) -> bool:
        while not self.held and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail
            if not packed:
                packed = self.stream.read(min(CHUNK, self.left))
                self.left -= len(packed)
                if not packed:
                    return False
            self.held = self.unpacker.decompress(packed, max(min(number, CHUNK), 4096))
        return bool(self.held)

    def skip(self, number: int) -> None:
        while number > 0:
            step = len(self.read(min(number, CHUNK)))
            if not step:
                raise _damaged("a variable is cut off")
            number -= step


def check_elements(path: Path) -> None:
    """Refuse a file whose elements are not as the format says.

    Parameters
    ----------
    path : Path
        A MAT-file of version 5, 6 or 7. Only types and lengths are looked at; compressed
        variables are unpacked piece by piece for that.

    Raises
    ------
    ValueError
        That says what is wrong.
    """
    length = path.stat().st_size
    with path.open("rb") as stream:
        order = "<" if stream.read(128)[126:128] == b"IM" else ">"
        while stream.tell() < length:
            walk = _Walk(_File(stream, length), order)
            kind, size, _ = walk.tag()
            start = stream.tell()
            if start + size > length:
                raise _damaged("it is cut off")
            if kind == COMPRESSED:
                _Walk(_Inflated(stream, size), order).matrix()
            else:
                stream.seek(start - 8)
                walk.matrix()
            stream.seek(start + size)


class _Walk:
    """Goes through elements; each method says how many bytes it has gone."""

    def __init__(self, held: Bytes, order: str) -> None:
        self.held, self.order = held, order

    def unpack(self, form: str, content: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self.order}{form}", content)

    def tag(self) -> tuple[int, int, bytes]:
        """Return type, length and, where they are in the tag itself, the data."""
        tag = self.held.read(8)
        if len(tag) < 8:
            raise _damaged("it is cut off")
        kind, size = self.unpack("II", tag)
        if small := kind >> 16:
            if small > 4:
                raise _damaged("an element is longer than its tag")
            return kind & 0xFFFF, small, tag[4 : 4 + small]
        return kind, size, b""

    def data(self, wanted: frozenset[int], most: int = 0) -> tuple[int, bytes]:
        """Go past one element of data; return also up to `most` of its bytes."""
        kind, size, small = self.tag()
        if kind not in wanted:
            raise _damaged(f"numbers or text have the type {kind}")
        if small:
            return 8, small
        padded = -(-size // 8) * 8
        if most and size > most:
            raise _damaged(f"{size} bytes stand where {most} are the most")
        content = self.held.read(size) if most else b""
        self.held.skip(padded - len(content))
        return 8 + padded, content

    def matrix(self, depth: int = 0) -> int:
        """Go through one variable, or one element of a cell or struct."""
        kind, size, _ = self.tag()
        if kind != MATRIX:
            raise _damaged(f"an array has the type {kind}")
        if size == 0:
            return 8
        if depth > DEEPEST:
            raise _damaged(f"cells lie deeper than {DEEPEST}")
        used, flags = self.data(INTEGERS, 8)
        if len(flags) != 8:
            raise _damaged("the class of an array is not said")
        word = self.unpack("I", flags[:4])[0]
        family, count = word & 0xFF, 1
        if family != OPAQUE:
            more, count = self.dims()
            used += more
        used += self.data(DATA, NAME)[0]
        used += self.content(family, count, 2 if word & COMPLEX else 1, depth)
        if used > size:
            raise _damaged("an array is longer than it says")
        self.held.skip(size - used)
        return 8 + size

    def dims(self) -> tuple[int, int]:
        used, content = self.data(INTEGERS, 128)
        lengths = self.unpack(f"{len(content) // 4}i", content[: len(content) // 4 * 4])
        if len(lengths) < 2 or min(lengths) < 0:
            raise _damaged(f"an array has the size {lengths}")
        return used, math.prod(lengths)

    def content(self, family: int, count: int, parts: int, depth: int) -> int:
        if family in PLAIN:
            parts += 2 if family == SPARSE else 0
            wanted = DATA if family == CHAR else NUMBERS
            return sum(self.data(wanted)[0] for _ in range(parts))
        used = 0
        if family in (STRUCT, OBJECT):
            used += self.data(DATA, NAME)[0] if family == OBJECT else 0
            more, fields = self.fields()
            used, count = used + more, count * fields
        elif family == OPAQUE:
            used, count = self.data(DATA, NAME)[0] + self.data(DATA, NAME)[0], 1
        elif family == FUNCTION:
            count = 1
        elif family != CELL:
            raise _damaged(f"an array has the class {family}")
        return used + sum(self.matrix(depth + 1) for _ in range(count))

    def fields(self) -> tuple[int, int]:
        used, said = self.data(INTEGERS, 4)
        more, names = self.data(DATA, 1 << 20)
        width = self.unpack("i", said)[0] if len(said) == 4 else 0
        if width <= 0 or len(names) % width:
            raise _damaged("the fields of a struct are not named")
        return used + more, len(names) // width


def _damaged(why: str) -> ValueError:
    return ValueError(f"it is damaged: {why}")
