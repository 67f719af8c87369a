"""The content-addressed store on disk of embeddings, activations and answers.

A store is one SQLite file of 32-byte keys and their values. Keys are hashes, so no text is stored. Values are bytes
that the caller encodes, so opening a store runs no code from it. Several processes use a store at once, because SQLite
keeps a write-ahead log, and every `put` is on disk when it returns.
"""

import os
import sqlite3
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from platformdirs import user_cache_path

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.store._claims import Claims, shared_claims
from sklearn_sae.utils.store._memory import MemoryStore
from sklearn_sae.utils.store._origins import NOTE, sign
from sklearn_sae.utils.store._rescue import or_rescue
from sklearn_sae.utils.store._sqlite import connect, select, shrink, size_on_disk, writing

_SIGNED_AT_ONCE = 1000  # values, because to note each by itself would take half as long as to store it


@contextmanager
def open_store(cache_dir, name, *, model=None):
    """Open the store `name` in `cache_dir` for the length of a `with` block.

    Parameters
    ----------
    cache_dir : "auto", path-like or None
        The folder of the store. "auto" is the environment variable SKLEARN_SAE_CACHE_DIR, else the user's cache
        folder. None keeps values in memory until the block ends.
    name : str
        The file is ``{name}.sqlite``.
    model : str or None, default=None
        Of which model the values are that will be put. None: it is not noted.

    Yields
    ------
    store : Store or MemoryStore

    Raises
    ------
    ValueError
        If `cache_dir` is an empty str.
    OSError
        If the folder cannot be written or the file is not a readable store.

    Warns
    -----
    RuntimeWarning
        If the disk refuses a value, or if the file is damaged and some of its values were rescued.
    """
    store = MemoryStore() if cache_dir is None else Store(_store_path(cache_dir, name), model)
    try:
        yield store
    finally:
        store.close()


def _store_path(cache_dir, name):
    if cache_dir == "":  # because Path("") is the working folder
        raise ValueError("cache_dir is empty; pass a folder, 'auto', or None to store nothing.")
    return cache_folder(cache_dir) / f"{name}.sqlite"


def cache_folder(cache_dir):
    """Return the folder that `cache_dir` names, as a Path, as in `open_store`."""
    if cache_dir == "auto":
        cache_dir = os.environ.get("SKLEARN_SAE_CACHE_DIR") or user_cache_path("sklearn_sae")
    return Path(cache_dir).expanduser()


class Store:
    """Bytes by 32-byte key, in one SQLite file.

    Values that the disk refuses are kept in memory, with one warning, so that a run that has paid for them can end.
    Values of a damaged file that SQLite can still find are rescued, with a warning, and the file stays in use.

    Parameters
    ----------
    path : Path
        The file. It is made, and its folder too, if there is none.
    model : str or None, default=None
        As in `open_store`.
    """

    def __init__(self, path, model=None):
        self.path = path
        self._model = model
        self._to_sign = []  # of values that are on the disk: (key, model, time)
        self._unsaved = {}  # from key to value, or to None where the key was dropped
        self._writable = True
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = or_rescue(lambda: connect(path), path)
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
        """Whether the disk has taken every write."""
        return not self._unsaved

    @property
    def n_bytes(self):
        """How large the file is, with its log of what was written last."""
        return size_on_disk(self.path)

    def get(self, keys):
        """Return a dict of those of `keys` that are stored, with their values."""
        return self._look_up("SELECT key, value FROM store", keys)

    def stored(self, keys):
        """Return those of `keys` that are stored, as a set, without their values."""
        return set(self._look_up("SELECT key, 1 FROM store", keys))

    def _look_up(self, statement, keys):
        keys = list(keys)
        try:
            found = dict(or_rescue(lambda: select(self._connection, statement, keys), self.path))
        except sqlite3.DatabaseError as error:
            raise OSError(
                f"The cache file {self.path} cannot be read ({error}); move it away, or pass another cache_dir."
            ) from None
        if self._unsaved:
            found.update((key, self._unsaved[key]) for key in keys if key in self._unsaved)
            found = {key: value for key, value in found.items() if value is not None}
        return found

    def put(self, items):
        """Store (key, value) pairs; a key that is stored already keeps its value."""
        items = list(items)
        self._write("INSERT OR IGNORE INTO store VALUES (?, ?)", items, dict(items), model=self._model)

    def replace(self, items):
        """Store (key, value) pairs that are notes and no results; a key that is stored already gets the new value."""
        items = list(items)
        self._write("INSERT OR REPLACE INTO store VALUES (?, ?)", items, dict(items), model=NOTE)

    def drop(self, keys):
        """Delete `keys` and their values."""
        keys = list(keys)
        self._write("DELETE FROM store WHERE key = ?", [(key,) for key in keys], dict.fromkeys(keys))

    def shrink(self):
        """Give the room of dropped values back to the disk, if there is much of it and the file is not in use."""
        if self._writable:
            shrink(self._connection)

    def claims(self):
        """Return a `Claims` that lasts as long as a `with` block, or until the process is killed."""
        if not self._writable:
            return nullcontext(Claims(self.stored))
        return shared_claims(self.stored, self._connection, self.path)

    def _write(self, statement, rows, unsaved, *, model=None):
        """Change rows; `model` is of which model they are, if that is to be noted."""

        def write():
            with writing(self._connection):
                self._connection.executemany(statement, rows)

        if self._writable:
            try:
                or_rescue(write, self.path)
                if model is not None:
                    self._to_sign += [(key, model, time.time()) for key in unsaved]
                if len(self._to_sign) >= _SIGNED_AT_ONCE:
                    self._sign()
                return
            except sqlite3.DatabaseError as error:
                self._writable = False
                warn(
                    f"Cannot write to the cache file {self.path} ({error}); going on, but what is computed from "
                    "here on is not saved.",
                    RuntimeWarning,
                )
        self._unsaved.update(unsaved)

    def _sign(self):
        """Note the origin of values; after a kill before it, that of a few values is unknown, which harms nothing."""

        def write():
            with writing(self._connection):
                sign(self._connection, self._to_sign)

        with suppress(sqlite3.DatabaseError):
            or_rescue(write, self.path)
        self._to_sign = []

    def close(self):
        if self._to_sign:
            self._sign()
        self._connection.close()
