"""Claims on keys, so that no two processes compute the value of one key at the same time.

The store's file has a table of claims, which names the holder of each claimed key. A holder holds the lock on an empty
file beside the store, ``{store}.claims-{holder}.lock``. The system frees that lock when the process ends or is killed,
and a claim is void when its holder holds no lock. The file is deleted when its holder ends, and the file that a killed
holder has left is deleted when the next holder begins.
"""

import glob
import secrets
import sqlite3
from contextlib import ExitStack, contextmanager, suppress

from sklearn_sae.utils.store._sqlite import CLAIMS_TABLE, is_locked, lock_file, remove, select, writing


@contextmanager
def shared_claims(stored, connection, path):
    """Yield the `Claims` of a new holder, which shares the keys of the store in the file `path` with other holders.

    Where no lock can be had every key is free. Work is then perhaps done twice, but never wrongly.
    """
    claims = Claims(stored, connection, path)
    with ExitStack() as stack:
        with suppress(sqlite3.DatabaseError):
            claims.begin(stack)
        yield claims


def lock_files(path):
    """Yield the files that the holders of claims on the store in the file `path` hold a lock on, or have left."""
    return path.parent.glob(f"{glob.escape(path.stem)}.claims-*.lock")


class Claims:
    """The keys that one holder has claimed.

    Parameters
    ----------
    stored : callable
        Returns which of some keys are stored, as a set.
    connection : sqlite3.Connection or None, default=None
    path : Path or None, default=None
        The store's file. None stands for a store that is not shared.
    """

    def __init__(self, stored, connection=None, path=None):
        self._stored = stored
        self._connection = connection
        self._path = path
        self._holder = None  # set by `begin`; without a holder every key is free
        self._claimed = set()

    def begin(self, stack):
        """Become a holder until the ExitStack `stack` ends."""
        holder = secrets.token_hex(8)
        stack.callback(self._end, holder)
        with writing(self._connection):  # because another process must not find the new lock file before it is locked
            self._connection.execute(CLAIMS_TABLE)
            live = {lock for lock in lock_files(self._path) if is_locked(lock) or remove(lock)}
            for (other,) in self._connection.execute("SELECT DISTINCT holder FROM claims").fetchall():
                if self._lock(other) not in live:
                    self._connection.execute("DELETE FROM claims WHERE holder = ?", (other,))
            stack.enter_context(lock_file(self._lock(holder)))
        self._holder = holder

    def take(self, keys):
        """Claim those of `keys` that are neither stored nor claimed by another live holder.

        Returns
        -------
        claimed : set
            Those of `keys` that this holder has claimed, before or now, and that are not stored. Every other key is
            either stored or claimed by another holder.
        """
        keys = set(keys)
        if self._holder is not None:
            with suppress(sqlite3.DatabaseError):
                return self._take(keys)
        return keys - self._stored(keys)

    def _take(self, keys):
        free = self._free(keys)
        if free - self._claimed:  # otherwise nothing is written, because a holder that waits asks often
            with writing(self._connection):
                new = self._free(free - self._claimed)
                rows = [(key, self._holder) for key in sorted(new)]
                self._connection.executemany("INSERT OR REPLACE INTO claims VALUES (?, ?)", rows)
            self._claimed |= new
        return free & self._claimed

    def _free(self, keys):
        # The claims are looked up first. A key that another process stores and then releases between the two queries
        # is found by one of them; the other way round it would be found by neither.
        holders = dict(select(self._connection, "SELECT key, holder FROM claims", keys))
        others = {name for name in set(holders.values()) - {self._holder} if is_locked(self._lock(name))}
        stored = {key for (key,) in select(self._connection, "SELECT key FROM store", keys)}
        return {key for key in keys - stored if holders.get(key) not in others}

    def release(self):
        """Release all claims, so that other holders can claim what is not stored."""
        if self._claimed:
            with suppress(sqlite3.DatabaseError), writing(self._connection):
                self._connection.execute("DELETE FROM claims WHERE holder = ?", (self._holder,))
            self._claimed.clear()

    def _end(self, holder):
        self.release()
        remove(self._lock(holder))

    def _lock(self, holder):
        return self._path.with_name(f"{self._path.stem}.claims-{holder}.lock")
