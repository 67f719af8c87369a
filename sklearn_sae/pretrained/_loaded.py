"""What an estimator has loaded: its clones share it, and no pickle holds it, because it is in no attribute."""

import os
import threading
from weakref import WeakKeyDictionary

from sklearn_sae.pretrained._engine import load_engine, path_identity

_loaded = WeakKeyDictionary()  # from estimator to `_Loaded`


def engine_of(estimator, **parameters):
    """Return the `Engine` of these parameters, which is loaded once for an estimator and its clones.

    Parameters
    ----------
    estimator : estimator
    **parameters
        Parameters of `load_engine`.
    """
    files = [path_identity(p) for p in (parameters["sae"], parameters["model"]) if isinstance(p, str | os.PathLike)]
    return _loaded.setdefault(estimator, _Loaded()).engine(parameters, files)


def share_engine(estimator, clone):
    """Let a clone use what `estimator` has loaded and will load."""
    _loaded[clone] = _loaded.setdefault(estimator, _Loaded())


class _Loaded:
    """The engine that was loaded last."""

    def __init__(self):
        self._lock = threading.Lock()
        self._of = self._engine = None

    def engine(self, parameters, files):
        with self._lock:
            if self._of != (parameters, files):
                self._of = self._engine = None  # before the next is loaded, so that there are never two in memory
                self._engine = load_engine(**parameters)
                self._of = parameters, files
            return self._engine
