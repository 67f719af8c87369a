"""The one content-addressed store on disk, used for embeddings and for annotations.

A store is one SQLite file of (32-byte key, value bytes). Keys are hashes, so no text is stored; values
are raw bytes that the caller encodes, so opening a store runs no code from it. SQLite's write-ahead log
lets several processes read and write at once, and every `put` is on disk when it returns.

Beside a store lie small files ``{store}.{turn}.lock``, one for each kind of work that is done in turns.
They stay: one that is deleted while a process waits for it would no longer keep others out.
"""

import hashlib
import math
import os
import sqlite3
import time
import warnings
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

_KEYS_PER_QUERY = 500  # below SQLite's oldest limit of 999 parameters
_TIMEOUT = 60  # seconds, for another process to end its write
_POLL = 0.005


def digest(*parts):
    """Return the 32-byte SHA-256 of `parts` (str or bytes), each preceded by its length."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.digest()


@contextmanager
def open_store(cache_dir, name):
    """Open the store `name` in `cache_dir` for the length of a `with` block.

    Parameters
    ----------
    cache_dir : "auto", path-like or None
        "auto" is the folder in the environment variable SKLEARN_SAE_CACHE_DIR, else the
        user's cache folder; None keeps values in memory until the block ends.
    name : str
        Names the file: ``{name}.sqlite``.

    Yields
    ------
    store : Store

    Raises
    ------
    ValueError
        If `cache_dir` is an empty str.
    OSError
        If the folder cannot be written or the file is not a readable store.
    """
    store = Store(_store_path(cache_dir, name))
    try:
        yield store
    finally:
        store.close()


def _store_path(cache_dir, name):
    if cache_dir is None:
        return None
    if cache_dir == "":  # which would be the working folder
        raise ValueError("cache_dir is empty; pass a folder, 'auto', or None to store nothing.")
    if cache_dir == "auto":
        cache_dir = os.environ.get("SKLEARN_SAE_CACHE_DIR") or user_cache_path("sklearn_sae")
    return Path(cache_dir).expanduser() / f"{name}.sqlite"


class Store:
    """Bytes by 32-byte key, in one SQLite file or (``path=None``) in memory.

    A `put` that the disk refuses warns once and keeps the values in memory, so that a run that has
    paid for them can end.
    """

    def __init__(self, path):
        self.path = path
        self._unsaved = {}
        self._writable = True
        if path is None:
            self._connection = _connect(":memory:")
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = _connect(path)
        except sqlite3.OperationalError as error:
            raise OSError(
                f"Cannot use the cache file {path} ({error}); pass another cache_dir, or None to do without."
            ) from None
        except sqlite3.DatabaseError as error:
            raise OSError(
                f"The cache file {path} is corrupt ({error}); move it away, or pass another cache_dir."
            ) from None
        except OSError as error:
            raise OSError(
                f"Cannot make the cache folder {path.parent} ({error.strerror}); pass another cache_dir, "
                "or None to do without."
            ) from None

    def get(self, keys):
        """Return a dict of those of `keys` that are stored, with their values."""
        keys = list(keys)
        found = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            some = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(some))
            try:
                found.update(self._connection.execute(f"SELECT key, value FROM store WHERE key IN ({marks})", some))
            except sqlite3.DatabaseError as error:
                raise OSError(
                    f"The cache file {self.path} cannot be read ({error}); move it away, or pass another cache_dir."
                ) from None
        found.update((key, self._unsaved[key]) for key in keys if key in self._unsaved)
        return found

    def put(self, items):
        """Store (key, value) pairs; what is there already stays."""
        items = list(items)
        if self._writable:
            try:
                with self._connection:
                    self._connection.executemany("INSERT OR IGNORE INTO store VALUES (?, ?)", items)
                return
            except sqlite3.DatabaseError as error:
                self._writable = False
                warnings.warn(
                    f"Cannot write to the cache file {self.path} ({error}); going on, but what is computed from "
                    "here on is not saved.",
                    RuntimeWarning,
                    stacklevel=3,
                )
        self._unsaved.update(items)

    @contextmanager
    def turn(self, name):
        """Hold the only turn `name` among all that use this file, for the length of a `with` block.

        Look up, compute and put what is missing within a turn, and nothing is computed twice at the
        same time. Between two turns others get theirs. The turn of a killed process ends with it.
        """
        if self.path is None or not self._writable:
            yield
            return
        # An empty database that is there for its lock alone, since SQLite's locks are the same on every system.
        path = self.path.with_name(f"{self.path.stem}.{name}.lock")
        with ExitStack() as held:
            with suppress(sqlite3.DatabaseError):  # without a lock work may be done twice, never wrongly
                lock = held.enter_context(closing(sqlite3.connect(path, timeout=0, isolation_level=None)))
                _wait_for(lambda: lock.execute("BEGIN EXCLUSIVE"))
            yield
        time.sleep(2 * _POLL)  # one who waits looks once in this time, and so gets the next turn

    def close(self):
        self._connection.close()


def _wait_for(action, *, seconds=math.inf):
    """Do `action` as soon as no other process has the lock that it needs.

    SQLite's own wait would not end at Ctrl-C.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
        time.sleep(_POLL)


def _connect(path):
    # One thread at a time uses a store, but not always the thread that opened it.
    connection = sqlite3.connect(path, timeout=_TIMEOUT, check_same_thread=False)
    try:
        # Two that switch a new file to the log at once: one is refused without the wait that `timeout` gives.
        _wait_for(lambda: connection.execute("PRAGMA journal_mode=WAL"), seconds=_TIMEOUT)
        connection.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut, the last moments
        connection.execute("CREATE TABLE IF NOT EXISTS store (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
    except BaseException:
        connection.close()
        raise
    return connection
