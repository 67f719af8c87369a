"""A store in memory, for values that are not kept on disk."""

from contextlib import nullcontext

from sklearn_sae.utils.store._claims import Claims


class MemoryStore:
    """A dict with the methods of `Store`, which no other process shares."""

    path = None
    is_saved = True
    n_bytes = 0

    def __init__(self):
        self._values = {}

    def get(self, keys):
        """Return a dict of those of `keys` that are stored, with their values."""
        return {key: self._values[key] for key in keys if key in self._values}

    def stored(self, keys):
        """Return those of `keys` that are stored, as a set."""
        return self._values.keys() & set(keys)

    def put(self, items):
        """Store (key, value) pairs; a key that is stored already keeps its value."""
        for key, value in items:
            self._values.setdefault(key, value)

    def replace(self, items):
        """Store (key, value) pairs; a key that is stored already gets the new value."""
        self._values.update(items)

    def drop(self, keys):
        """Delete `keys` and their values."""
        for key in keys:
            self._values.pop(key, None)

    def shrink(self):
        """Do nothing, because there is no file."""

    def claims(self):
        """Return a `Claims` to which every key is free, for a `with` block."""
        return nullcontext(Claims(self.stored))

    def close(self):
        """Do nothing, because there is no file."""
