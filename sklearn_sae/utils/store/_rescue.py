"""A damaged store: what can still be read of it is kept, in the same file."""

import os
import sqlite3
import warnings
from contextlib import closing, suppress
from itertools import count

from sklearn_sae.utils.store._sqlite import CLAIMS_TABLE, POLL, STORE_TABLE, remove


def or_rescue(action, path):
    """Do `action`; where the file `path` is damaged, rescue it and do `action` again."""
    try:
        return action()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT or not rescue(path):
            raise
    return action()


def rescue(path):
    """Refill the damaged store at `path` with those of its rows that can be read; return whether it is whole now.

    That is one transaction, from its start the only one that writes: another process sees the file as it was or as
    it will be, and a kill changes nothing. A copy of the damaged file stays beside it.
    """
    copy = n_rescued = None

    def refill(status, _remaining, _total):
        nonlocal copy, n_rescued
        if status != sqlite3.SQLITE_OK or n_rescued is not None:  # another is writing; or only the copying is left
            return
        n_rescued = 0
        with suppress(sqlite3.DatabaseError):
            if damaged.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                raise _IsWhole
        names = (path.with_name(f"{path.stem}.damaged-{i}.sqlite") for i in count(1))
        copy = next(name for name in names if not name.exists())
        damaged.execute("PRAGMA writable_schema=ON")  # which lets a file be read that was cut
        with closing(sqlite3.connect(copy)) as beside:
            damaged.backup(beside)
        page = damaged.execute("PRAGMA page_size").fetchone()[0]
        if path.stat().st_size % page:  # the last page was cut within, and now ends in zeros, in a value maybe
            os.truncate(copy, copy.stat().st_size - page)
        with closing(sqlite3.connect(copy)) as beside, new:
            beside.execute("PRAGMA writable_schema=ON")
            new.execute("BEGIN")
            n_rescued = new.executemany("INSERT OR IGNORE INTO store VALUES (?, ?)", _readable(beside)).rowcount
        if not n_rescued:
            raise sqlite3.DatabaseError("no row can be read")

    with (
        closing(sqlite3.connect(path, isolation_level=None)) as damaged,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as target,
        closing(sqlite3.connect("", isolation_level=None)) as new,
    ):
        try:
            target.execute("PRAGMA writable_schema=ON")
            new.execute(STORE_TABLE)
            new.execute(CLAIMS_TABLE)
            new.backup(target, pages=1, progress=refill, sleep=POLL)  # the first page takes the lock, then all is read
        except _IsWhole:
            return True
        except (sqlite3.DatabaseError, OSError):
            if copy is not None:
                remove(copy)
            return False
    warnings.warn(
        f"The cache file {path} is damaged: {n_rescued} values could be read and are kept, the others are lost. "
        f"A copy of the damaged file is {copy.name}, beside it.",
        RuntimeWarning,
        stacklevel=4,
    )
    return True


class _IsWhole(Exception):
    """Another process has rescued the file."""


def _readable(connection):
    """Yield what rows can be read: up to a damage, then from beyond it down to it again, then on from there."""

    def rows(order, low, high, limit):
        where = "rowid > ? AND rowid <= ? AND length(key) = 32 AND typeof(value) = 'blob'"
        query = f"SELECT rowid, key, value FROM store WHERE {where} ORDER BY rowid {order} LIMIT ?"
        return connection.execute(query, (low, high, limit))

    low, top = 0, 2**62
    while low < top:
        try:
            for rowid, *row in rows("ASC", low, top, -1):
                low = max(low, rowid)
                yield row
            return
        except sqlite3.DatabaseError:
            beyond = top
        # The cursor is a row ahead, so an error takes the row before it along: ask for that one alone (0; below, 1).
        for step in (0, *(2**i for i in range(62))):
            with suppress(sqlite3.DatabaseError):
                beyond, *_ = rows("ASC", low + step, top, 1).fetchone() or [top]
                break
        down = beyond
        for limit in (-1, 1):
            with suppress(sqlite3.DatabaseError):
                for rowid, *row in rows("DESC", low, down, limit):
                    down = rowid - 1
                    yield row
        low = max(low + 1, beyond)
