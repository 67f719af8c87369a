"""What the stores of a folder hold, and the removal of some of it."""

import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from sklearn_sae.utils.store._claims import lock_files
from sklearn_sae.utils.store._origins import NOTE
from sklearn_sae.utils.store._sqlite import is_locked, size_on_disk, writing

UNKNOWN = "unknown"  # the model of what earlier versions have written

# Values with their origin. A value without one was written before the first that has one. Empty values and notes are
# no results.
_RESULTS = f"""
    FROM (
        SELECT s.rowid AS place, s.key AS key, LENGTH(s.value) AS n_bytes, IFNULL(m.name, '{UNKNOWN}') AS model,
            o.written IS NULL AS is_undated, IFNULL(o.written, :first) AS written
        FROM main.store s LEFT JOIN origins o ON o.key = s.key LEFT JOIN models m ON m.id = o.model
        WHERE LENGTH(s.value) > 0 AND IFNULL(m.name, '{UNKNOWN}') <> '{NOTE}'
    )
    WHERE (:model IS NULL OR model = :model) AND (:before IS NULL OR written < :before)
"""


class Part(NamedTuple):
    """What a store holds of one model."""

    model: str
    n: int
    n_bytes: int  # of the values alone
    oldest: int | None  # seconds of Unix time; None if it is not known
    newest: int | None


def store_files(folder):
    """Return the files of the stores in a folder, without the copies of damaged ones."""
    return sorted(path for path in folder.glob("*.sqlite") if ".damaged-" not in path.name)


def survey(path):
    """Return the `Part` of each model of the store in the file `path`, the largest first; it is only read.

    Raises
    ------
    OSError
        If the file cannot be read, or is not a whole store.
    """
    with opened(path) as (connection, first):
        query = (
            "SELECT model, COUNT(*), SUM(n_bytes), MIN(CASE WHEN NOT is_undated THEN written END), "
            f"MAX(CASE WHEN NOT is_undated THEN written END) {_RESULTS} GROUP BY model ORDER BY SUM(n_bytes) DESC"
        )
        return [Part(*row) for row in connection.execute(query, {"first": first, "model": None, "before": None})]


@contextmanager
def opened(path):
    """Yield a connection to a store whose tables of origins may be empty ones, and the time before which they begin."""
    try:
        with closing(_connect(path)) as connection:
            (n_tables,) = connection.execute(
                "SELECT COUNT(*) FROM main.sqlite_master WHERE name IN ('models', 'origins')"
            ).fetchone()
            if n_tables < 2:  # a store of an earlier version, which is not changed before something is removed
                connection.execute("CREATE TEMP TABLE models (id, name)")
                connection.execute("CREATE TEMP TABLE origins (key PRIMARY KEY, model, written)")
            (first,) = connection.execute("SELECT MIN(written) FROM origins").fetchone()
            yield connection, int(path.stat().st_mtime) if first is None else first
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise OSError(
                f"The cache file {path} is in use by another process; try again when that has ended."
            ) from None
        if "no such table: main.store" in str(error):
            raise OSError(f"The file {path} is no cache of this package, and is left alone.") from None
        raise OSError(f"The cache file {path} cannot be used ({error}).") from None
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"The cache file {path} is corrupt ({error}); delete it, or let a run that uses it rescue what can be read."
        ) from None


def _connect(path):
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=rw", uri=True, timeout=1, isolation_level=None)
    try:
        connection.execute("SELECT * FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # On a disk that is only read there can be no log, and nobody writes one.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
    return connection


class Pruning:
    """What of one store is to be removed.

    Parameters
    ----------
    connection, first
        As `opened` yields them.
    path : Path
    model : str or None
        Only what is of this model. None: of any.
    before : float or None
        Only what was written before. None: at any time.
    """

    def __init__(self, connection, first, path, *, model, before):
        self._connection, self.path = connection, path
        connection.execute("CREATE TEMP TABLE chosen (place INTEGER PRIMARY KEY, key, n_bytes, model, written)")
        connection.execute(
            "INSERT INTO chosen (key, n_bytes, model, written) "
            f"SELECT key, n_bytes, model, written {_RESULTS} ORDER BY written, place",
            {"first": first, "model": model, "before": before},
        )

    def sizes(self):
        """Yield (time, bytes on the disk) of each value, the oldest first."""
        n, n_bytes = self._connection.execute("SELECT COUNT(*), SUM(LENGTH(value)) FROM main.store").fetchone()
        n_pages, n_free, page = (
            self._connection.execute(f"PRAGMA main.{name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        beside = ((n_pages - n_free) * page - (n_bytes or 0)) / max(n, 1)  # keys, indexes and room between rows
        rows = self._connection.execute("SELECT written, n_bytes FROM chosen ORDER BY place")
        return ((written, size + beside) for written, size in rows)

    def keep_oldest(self, n):
        """Remove the `n` oldest only."""
        self._connection.execute("DELETE FROM chosen WHERE place > ?", (n,))

    def counts(self):
        """Return (model, number of values, their bytes) for each model of which something is to be removed."""
        return self._connection.execute(
            "SELECT model, COUNT(*), SUM(n_bytes) FROM chosen GROUP BY model ORDER BY SUM(n_bytes) DESC"
        ).fetchall()

    def check_free(self):
        """Raise if a run is filling the store.

        Raises
        ------
        OSError
        """
        if any(map(is_locked, lock_files(self.path))):
            raise OSError(
                f"A run is writing to the cache file {self.path}; nothing is removed, so try again when it has ended."
            )

    def remove(self):
        """Remove what was chosen and give its room back to the disk; return how many bytes that is.

        Raises
        ------
        OSError
            If a run is filling the store.
        """
        before, connection = size_on_disk(self.path), self._connection
        with writing(connection):  # a run that begins waits for the end of this
            self.check_free()
            for table in ("store", "origins"):
                connection.execute(f"DELETE FROM {table} WHERE key IN (SELECT key FROM chosen)")
            # An empty value says that there are answers of a model.
            connection.execute(
                "DELETE FROM store WHERE LENGTH(value) = 0 AND IFNULL((SELECT model FROM origins o "
                "WHERE o.key = store.key), 0) NOT IN (SELECT DISTINCT IFNULL(o.model, 0) FROM store s "
                "LEFT JOIN origins o ON o.key = s.key WHERE LENGTH(s.value) > 0)"
            )
            connection.execute("DELETE FROM origins WHERE key NOT IN (SELECT key FROM store)")
        # A store that another process reads at this moment keeps its size; the next removal finds the room.
        with suppress(sqlite3.OperationalError):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(before - size_on_disk(self.path), 0)


def days_ago(days):
    """Return the Unix time of so many days ago."""
    return time.time() - days * 86400
