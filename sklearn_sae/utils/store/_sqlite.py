"""SQLite as the store uses it: the two tables, connections, queries by key, transactions and locks.

Every wait for a lock is a loop in Python, because SQLite's own wait does not end at Ctrl-C.
"""

import sqlite3
import time
from contextlib import closing, contextmanager, suppress

STORE_TABLE = "CREATE TABLE IF NOT EXISTS store (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
CLAIMS_TABLE = "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, holder TEXT NOT NULL) WITHOUT ROWID"
POLL = 0.005  # seconds between two attempts to take a lock
_TIMEOUT = 60  # seconds that another process has to end its write
_KEYS_PER_QUERY = 500  # because old versions of SQLite take at most 999 parameters


def connect(path):
    """Return a connection to the store in the file `path`, and make the file if there is none."""
    # SQLite must not check the thread, because a store may be used by another thread than the one that opened it.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _when_free(lambda: connection.execute("PRAGMA journal_mode=WAL"))
        # A killed process then loses nothing; a power cut loses what was written last.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")  # because what a user has dropped shall be in no file
        _when_free(lambda: connection.execute(STORE_TABLE))
    except BaseException:
        connection.close()
        raise
    return connection


def select(connection, statement, keys):
    """Return the rows of `statement` whose key is one of `keys`."""
    keys, rows = list(keys), []
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        some = keys[start : start + _KEYS_PER_QUERY]
        query = f"{statement} WHERE key IN ({','.join('?' * len(some))})"
        rows += _when_free(lambda q=query, k=some: connection.execute(q, k).fetchall())
    return rows


def shrink(connection):
    """Give the room of deleted rows back to the disk where it is most of the file and no other process is writing."""
    n_free, n_pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if n_free > n_pages / 2:
        with suppress(sqlite3.OperationalError):
            connection.execute("VACUUM")


def size_on_disk(path):
    """Return how many bytes a store takes, with its log of what was written last."""
    files = [path, path.with_name(f"{path.name}-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


@contextmanager
def writing(connection):
    """Hold the store's lock for writing, in a transaction that ends with the `with` block."""
    with connection:
        _when_free(lambda: connection.execute("BEGIN IMMEDIATE"))
        yield


@contextmanager
def lock_file(path):
    """Hold the lock on the file `path` for the length of a `with` block.

    The file is an empty database, because SQLite's locks work alike on every system.
    """
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as lock:
        _when_free(lambda: lock.execute("BEGIN EXCLUSIVE"))
        yield


@contextmanager
def try_lock(path):
    """Hold the lock on the file `path` for the length of a `with` block; yield False if another process holds it."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            yield False
            return
        yield True


def is_locked(path):
    """Return whether a live process holds the lock on the file `path`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=0, uri=True)) as lock:
            lock.execute("SELECT * FROM sqlite_master")
    except sqlite3.OperationalError as error:  # raised where there is no such file, too
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def remove(path):
    """Delete a file; one that is gone, or that Windows keeps because it is open, is left."""
    with suppress(OSError):
        path.unlink()


def _when_free(action):
    """Return the result of `action`, which is repeated as long as another process holds the lock that it needs."""
    deadline = time.monotonic() + _TIMEOUT
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
        time.sleep(POLL)
