"""Keys of the rows of a sheet: which text a row is of, and how it was drawn, in letters that tell a coder neither."""

import base64
import hashlib
import struct
import zlib
from typing import NamedTuple

_FORM = ">IHII"  # of a key: row, stratum, n_drawn, n_texts
_MARK = "T"  # A key begins with a letter, so that no spreadsheet takes it for a number or a date.


class Drawn(NamedTuple):
    """A text that was drawn."""

    row: int  # of the texts, from 0
    stratum: int
    n_drawn: int  # of the stratum
    n_texts: int  # in the stratum


def to_key(drawn):
    """Return the key of a text that was drawn.

    What tells the stratum differs from row to row, because the stratum says what the annotation is.
    """
    row, rest = struct.pack(">I", drawn.row), struct.pack(_FORM, *drawn)[4:]
    hidden = row + _masked(rest, row)
    return _MARK + base64.b32encode(hidden + _check(hidden)).decode("ascii").rstrip("=")


def from_key(key):
    """Return what a key says, or None where it is damaged."""
    key = key.strip().upper()
    try:
        data = base64.b32decode(key[1:] + "=" * (-len(key[1:]) % 8))
    except ValueError:
        return None
    hidden, check = data[:-2], data[-2:]
    if key[:1] != _MARK or len(hidden) != struct.calcsize(_FORM) or check != _check(hidden):
        return None
    return Drawn(*struct.unpack(_FORM, hidden[:4] + _masked(hidden[4:], hidden[:4])))


def _masked(data, row):
    """Return data with bits turned as the row says; a second time it is as it was."""
    return bytes(a ^ b for a, b in zip(data, hashlib.sha256(row).digest(), strict=False))


def _check(data):
    return struct.pack(">H", zlib.crc32(data) & 0xFFFF)
