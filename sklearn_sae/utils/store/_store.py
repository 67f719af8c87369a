"""The one content-addressed store on disk, used for embeddings and for annotations.

A store is one SQLite file of (32-byte key, value bytes). Keys are hashes, so no text is stored; values
are raw bytes that the caller encodes, so opening a store runs no code from it. SQLite's write-ahead log
lets several processes read and write at once, and every `put` is on disk when it returns.

Beside a store lie empty files that are there for the lock on them, which the system frees when its holder
ends or is killed: ``{store}.{turn}.lock``, one for each kind of work that is done in turns, and
``{store}.claims-{holder}.lock``, one for each that has claimed keys. The first stay: one that is deleted
while a process waits for it would no longer keep others out. The second go when their holder ends; those of
the killed, when the next one begins.
"""

import glob
import hashlib
import math
import os
import secrets
import sqlite3
import time
import warnings
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from platformdirs import user_cache_path

_KEYS_PER_QUERY = 500  # below SQLite's oldest limit of 999 parameters
_TIMEOUT = 60  # seconds, for another process to end its write
_POLL = 0.005
_STORE = "CREATE TABLE IF NOT EXISTS store (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_CLAIMS = "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, holder TEXT NOT NULL) WITHOUT ROWID"


def digest(*parts):
    """Return the 32-byte SHA-256 of `parts` (str or bytes), each preceded by its length."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.digest()


def path_fingerprint(path):
    """Return the real path of a file or folder, and name, size and time of each file: changed files, changed key."""
    path = Path(path).resolve()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return repr([str(path), *((str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns) for p in files)])


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

    Warns
    -----
    RuntimeWarning
        If the disk refuses a value, or if the file is damaged and what can be read was rescued.
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

    What the disk refuses to write warns once and is kept in memory, so that a run that has paid for it can
    end. What can still be read of a damaged file is rescued, with a warning, and the file goes on in use.
    """

    def __init__(self, path):
        self.path = path
        self._unsaved = {}  # key: value, or None for one that was dropped
        self._writable = True
        if path is None:
            self._connection = _connect(":memory:")
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = _or_rescue(lambda: _connect(path), path)
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

    @property
    def is_saved(self):
        """Whether the disk took all that was put."""
        return not self._unsaved

    def get(self, keys):
        """Return a dict of those of `keys` that are stored, with their values."""
        return self._look_up("SELECT key, value FROM store", keys)

    def stored(self, keys):
        """Return those of `keys` that are stored, as a set, without reading their values."""
        return set(self._look_up("SELECT key, 1 FROM store", keys))

    def _look_up(self, statement, keys):
        keys = list(keys)
        try:
            found = dict(_or_rescue(lambda: _select(self._connection, statement, keys), self.path))
        except sqlite3.DatabaseError as error:
            raise OSError(
                f"The cache file {self.path} cannot be read ({error}); move it away, or pass another cache_dir."
            ) from None
        if self._unsaved:
            found.update((key, self._unsaved[key]) for key in keys if key in self._unsaved)
            found = {key: value for key, value in found.items() if value is not None}
        return found

    def put(self, items):
        """Store (key, value) pairs; what is there already stays."""
        items = list(items)
        self._write("INSERT OR IGNORE INTO store VALUES (?, ?)", items, dict(items))

    def replace(self, items):
        """Store (key, value) pairs in place of what is there."""
        items = list(items)
        self._write("INSERT OR REPLACE INTO store VALUES (?, ?)", items, dict(items))

    def drop(self, keys):
        """Forget `keys`."""
        keys = list(keys)
        self._write("DELETE FROM store WHERE key = ?", [(key,) for key in keys], dict.fromkeys(keys))

    @contextmanager
    def turn(self, name):
        """Hold the only turn `name` among all that use this file, for the length of a `with` block.

        Look up, compute and put what is missing within a turn, and nothing is computed twice at the
        same time. Between two turns others get theirs. The turn of a killed process ends with it.
        """
        if self.path is None or not self._writable:
            yield
            return
        with ExitStack() as held:
            with suppress(sqlite3.DatabaseError):  # without a lock work may be done twice, never wrongly
                held.enter_context(_hold(self.path.with_name(f"{self.path.stem}.{name}.lock")))
            yield
        time.sleep(2 * _POLL)  # one who waits looks once in this time, and so gets the next turn

    @contextmanager
    def claims(self):
        """Give a `Claims` that lasts as long as a `with` block, or until the process is killed."""
        with ExitStack() as held:
            claims = Claims(self.get, self._connection, self.path)
            if self.path is not None and self._writable:
                with suppress(sqlite3.DatabaseError):  # without a lock work may be done twice, never wrongly
                    claims.begin(held)
            yield claims

    def _write(self, statement, rows, unsaved):
        def write():
            with _writing(self._connection):
                self._connection.executemany(statement, rows)

        if self._writable:
            try:
                return _or_rescue(write, self.path)
            except sqlite3.DatabaseError as error:
                self._writable = False
                warnings.warn(
                    f"Cannot write to the cache file {self.path} ({error}); going on, but what is computed from "
                    "here on is not saved.",
                    RuntimeWarning,
                    stacklevel=4,
                )
        self._unsaved.update(unsaved)

    def close(self):
        self._connection.close()


class Claims:
    """Keys that are one holder's to compute, and no other's; made by `Store.claims`."""

    def __init__(self, get, connection, path):
        self._get = get
        self._connection = connection
        self._path = path
        self._holder = None  # until `begin` there is nobody to share with, and every key is free
        self._mine = set()

    def begin(self, held):
        """Become a holder, until the ExitStack `held` ends."""
        holder = secrets.token_hex(8)
        held.callback(self._end, holder)
        with _writing(self._connection):  # so that none takes the new lock for a dead one before it is held
            self._connection.execute(_CLAIMS)
            locks = self._path.parent.glob(f"{glob.escape(self._path.stem)}.claims-*.lock")
            live = {lock for lock in locks if _is_held(lock) or _remove(lock)}
            for (other,) in self._connection.execute("SELECT DISTINCT holder FROM claims").fetchall():
                if self._lock(other) not in live:
                    self._connection.execute("DELETE FROM claims WHERE holder = ?", (other,))
            held.enter_context(_hold(self._lock(holder)))
        self._holder = holder

    def take(self, keys):
        """Claim those of `keys` that are neither stored nor claimed by another live holder.

        Returns
        -------
        mine : set
            Those of `keys` that are mine to compute, of old or from now on, and not yet stored. A key that is
            neither here nor stored is another's: ask again for both.
        """
        keys = set(keys)
        if self._holder is not None:
            with suppress(sqlite3.DatabaseError):
                return self._take(keys)
        return keys.difference(self._get(keys))

    def _take(self, keys):
        free = self._free(keys)
        if free - self._mine:  # one who only waits for others writes nothing
            with _writing(self._connection):
                new = self._free(free - self._mine)
                rows = [(key, self._holder) for key in sorted(new)]
                self._connection.executemany("INSERT OR REPLACE INTO claims VALUES (?, ?)", rows)
            self._mine |= new
        return free & self._mine

    def _free(self, keys):
        # First the claims, then the store: what another stores and then lets go of is seen in one of the two.
        holders = dict(_select(self._connection, "SELECT key, holder FROM claims", keys))
        others = {name for name in set(holders.values()) - {self._holder} if _is_held(self._lock(name))}
        stored = {key for (key,) in _select(self._connection, "SELECT key FROM store", keys)}
        return {key for key in keys - stored if holders.get(key) not in others}

    def release(self):
        """Let go of all that was taken: what is not stored by now is free for others."""
        if self._mine:
            with suppress(sqlite3.DatabaseError), _writing(self._connection):
                self._connection.execute("DELETE FROM claims WHERE holder = ?", (self._holder,))
            self._mine.clear()

    def _end(self, holder):
        self.release()
        _remove(self._lock(holder))

    def _lock(self, holder):
        return self._path.with_name(f"{self._path.stem}.claims-{holder}.lock")


def _select(connection, statement, keys):
    """Return the rows of `statement` whose key is one of `keys`."""
    keys, rows = list(keys), []
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        some = keys[start : start + _KEYS_PER_QUERY]
        query = f"{statement} WHERE key IN ({','.join('?' * len(some))})"
        rows += _wait_for(lambda q=query, k=some: connection.execute(q, k).fetchall(), seconds=_TIMEOUT)
    return rows


@contextmanager
def _writing(connection):
    """One transaction, from its start the only one that writes."""
    with connection:
        _wait_for(lambda: connection.execute("BEGIN IMMEDIATE"), seconds=_TIMEOUT)
        yield


@contextmanager
def _hold(path):
    """Hold the lock on the empty database `path`, since SQLite's locks are the same on every system."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as lock:
        _wait_for(lambda: lock.execute("BEGIN EXCLUSIVE"))
        yield


def _is_held(path):
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=0, uri=True)) as lock:
            lock.execute("SELECT * FROM sqlite_master")
    except sqlite3.OperationalError as error:  # else there is no such file
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


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
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _wait_for(lambda: connection.execute("PRAGMA journal_mode=WAL"), seconds=_TIMEOUT)
        connection.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut, the last moments
        _wait_for(lambda: connection.execute(_STORE), seconds=_TIMEOUT)
    except BaseException:
        connection.close()
        raise
    return connection


def _remove(path):
    with suppress(OSError):  # it is gone, or on Windows looked at just now
        path.unlink()


def _or_rescue(action, path):
    """Do `action`; where the file `path` is damaged, rescue it and do `action` again."""
    try:
        return action()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT or not _rescue(path):
            raise
    return action()


def _rescue(path):
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
            new.execute(_STORE)
            new.execute(_CLAIMS)
            new.backup(target, pages=1, progress=refill, sleep=_POLL)  # the first page takes the lock, then all is read
        except _IsWhole:
            return True
        except (sqlite3.DatabaseError, OSError):
            if copy is not None:
                _remove(copy)
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
