"""The rescue of a damaged store: the rows that SQLite can still find are kept, in the same file."""

import os
import sqlite3
from contextlib import closing, suppress
from itertools import count

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.store._origins import make_tables
from sklearn_sae.utils.store._sqlite import CLAIMS_TABLE, POLL, STORE_TABLE, remove


def or_rescue(action, path):
    """Return the result of `action`, which is repeated once after a rescue where the file `path` is damaged."""
    try:
        return action()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT or not rescue(path):
            raise
    return action()


def rescue(path):
    """Replace the damaged store in the file `path` by one of the rows that can be found; return whether that worked.

    The replacement is one transaction that holds the lock for writing from its start. Other processes therefore see
    the file as it was or as it will be, and a kill changes nothing. A copy of the damaged file stays beside it.
    """
    copy = n_rescued = None

    def refill(status, _remaining, _total):
        nonlocal copy, n_rescued
        # The status is another while another process holds the lock. After the first step the rows are there already.
        if status != sqlite3.SQLITE_OK or n_rescued is not None:
            return
        n_rescued = 0
        with suppress(sqlite3.DatabaseError):
            if damaged.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                raise _IsWhole
        names = (path.with_name(f"{path.stem}.damaged-{i}.sqlite") for i in count(1))
        copy = next(name for name in names if not name.exists())
        damaged.execute("PRAGMA writable_schema=ON")  # because SQLite otherwise refuses a file that was cut
        with closing(sqlite3.connect(copy)) as beside:
            damaged.backup(beside)
        page = damaged.execute("PRAGMA page_size").fetchone()[0]
        # A file that was cut within a page is copied with zeros in the rest of that page, perhaps within a value.
        if path.stat().st_size % page:
            os.truncate(copy, copy.stat().st_size - page)
        with closing(sqlite3.connect(copy)) as beside, new:
            beside.execute("PRAGMA writable_schema=ON")
            new.execute("BEGIN")
            n_rescued = new.executemany("INSERT OR IGNORE INTO store VALUES (?, ?)", _readable(beside)).rowcount
            make_tables(new)
            for table, values in (("models", "?, ?"), ("origins", "?, ?, ?")):
                with suppress(sqlite3.DatabaseError):  # values are worth keeping also where their origin is lost
                    new.executemany(
                        f"INSERT OR IGNORE INTO {table} VALUES ({values})", beside.execute(f"SELECT * FROM {table}")
                    )
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
            # The first step takes the lock. `refill` is called after it and finds the rows of the old file, because
            # nothing is committed before the last step.
            new.backup(target, pages=1, progress=refill, sleep=POLL)
        except _IsWhole:
            return True
        except (sqlite3.DatabaseError, OSError):
            if copy is not None:
                remove(copy)
            return False
    warn(
        f"The cache file {path} is damaged: {n_rescued} values could be read and are kept, the others are lost. "
        f"A copy of the damaged file is {copy.name}, beside it.",
        RuntimeWarning,
    )
    return True


class _IsWhole(Exception):
    """Another process has rescued the file already."""


def _readable(connection):
    """Yield the rows that can be found.

    Rows are taken in ascending order up to a damaged page, then in descending order from beyond the page down to it,
    and then again in ascending order from beyond the page.
    """

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
        # SQLite's cursor is a row ahead, so an error hides the row before the damage too. A query for one row finds it:
        # step 0 in this loop, and limit 1 in the next.
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
