"""The parameters of an estimator as JSON has them."""

import os

import numpy as np

from sklearn_sae.utils._notes import warn

# What says where and how loudly to compute; a folder may name its user.
_OF_THE_MACHINE = ("cache_dir", "checkpoint_dir", "device", "n_jobs", "verbose")
# What `model_kwargs` may hold in a file. Others, such as trust_remote_code, could run code of whoever wrote the file.
_OF_THE_MODEL = ("revision", "subfolder")


def plain_parameters(estimator):
    """Return the parameters of an estimator that are not of the machine it ran on, as a dict that JSON has.

    A `random_state` that is no number is None. Of `model_kwargs` only `revision` and `subfolder` are returned.

    Parameters
    ----------
    estimator : estimator

    Raises
    ------
    TypeError
        If a parameter is of a kind that JSON does not have, such as a function.

    Warns
    -----
    UserWarning
        If an entry of `model_kwargs` is left out.
    """
    parameters, kind = estimator.get_params(deep=False), type(estimator).__name__
    shared = {name: _plain(value, name, kind) for name, value in _shared(parameters).items()}
    given = parameters.get("model_kwargs") or {}
    dropped = [repr(name) for name in given if name not in shared["model_kwargs"]]
    if dropped:
        warn(
            f"Of model_kwargs {', '.join(dropped)} {'is' if len(dropped) == 1 else 'are'} not saved, because a file "
            "holds only revision and subfolder; whoever loads it sets others with set_params."
        )
    return shared


def estimator_of(cls, parameters):
    """Return the estimator of a class whose `plain_parameters` are given.

    What `plain_parameters` leaves out is not taken from a file either, because anyone may have written it.

    Raises
    ------
    TypeError, ValueError
        If there is no such parameter, or a value is refused.
    """
    estimator = cls(**_shared(dict(parameters)))
    estimator._validate_params()
    return estimator


def _shared(value):
    """Return parameters without those that a file does not hold, also in dicts within."""
    if not isinstance(value, dict):
        return value
    shared = {name: _shared(one) for name, one in value.items() if name not in _OF_THE_MACHINE}
    if isinstance(shared.get("model_kwargs"), dict):
        of_model = shared["model_kwargs"]
        shared["model_kwargs"] = {name: of_model[name] for name in _OF_THE_MODEL if isinstance(of_model.get(name), str)}
    return shared


def _plain(value, name, kind):
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, range)):
        return [_plain(one, name, kind) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(one, name, kind) for key, one in value.items()}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if name == "random_state":
        return None
    raise TypeError(
        f"This {kind} cannot be saved: its {name} is a {type(value).__name__}, which a file without code cannot hold."
    )
