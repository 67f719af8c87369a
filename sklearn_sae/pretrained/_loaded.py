"""What an estimator has loaded: its clones share it, and no pickle holds it, because it is in no attribute."""

import os
import threading
from weakref import WeakKeyDictionary

from sklearn_sae.pretrained._engine import path_identity

_loaded = WeakKeyDictionary()  # from estimator to `_Loaded`


def loaded(estimator, load, **parameters):
    """Return what `load` gives for these parameters, which is loaded once for an estimator and its clones.

    It is loaded anew when a parameter changes, or the file or folder that `sae` or `model` names.

    Parameters
    ----------
    estimator : estimator
    load : callable
    **parameters
        The parameters of `load`.
    """
    names = (parameters.get("sae"), parameters.get("model"))
    files = [path_identity(name) for name in names if isinstance(name, str | os.PathLike)]
    return _loaded.setdefault(estimator, _Loaded()).get(load, parameters, files)


def share_loaded(estimator, clone):
    """Let a clone use what `estimator` has loaded and will load."""
    _loaded[clone] = _loaded.setdefault(estimator, _Loaded())


class _Loaded:
    """What was loaded last."""

    def __init__(self):
        self._lock = threading.Lock()
        self._of = self._value = None

    def get(self, load, parameters, files):
        with self._lock:
            if self._of != (parameters, files):
                self._of = self._value = None  # before the next is loaded, so that there are never two in memory
                self._value = load(**parameters)
                self._of = parameters, files
            return self._value
