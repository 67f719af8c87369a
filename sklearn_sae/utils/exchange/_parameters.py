"""The parameters of an estimator as JSON has them."""

import os

import numpy as np

# What says where and how loudly to compute; a folder may name its user.
_OF_THE_MACHINE = ("cache_dir", "checkpoint_dir", "device", "n_jobs", "verbose")


def plain_parameters(estimator, *, leave_out=()):
    """Return the parameters of an estimator that are not of the machine it ran on, as a dict that JSON has.

    A `random_state` that is no number is None.

    Parameters
    ----------
    estimator : estimator
    leave_out : sequence of str, default=()
        More parameters that are not wanted; a loaded estimator has the defaults of these.

    Raises
    ------
    TypeError
        If a parameter is of a kind that JSON does not have, such as a function.
    """
    parameters = {n: v for n, v in estimator.get_params(deep=False).items() if n not in (*_OF_THE_MACHINE, *leave_out)}
    return {name: _plain(value, name, type(estimator).__name__) for name, value in parameters.items()}


def estimator_of(cls, parameters):
    """Return the estimator of a class whose `plain_parameters` are given.

    Raises
    ------
    TypeError, ValueError
        If there is no such parameter, or a value is refused.
    """
    estimator = cls(**{name: value for name, value in parameters.items() if name not in _OF_THE_MACHINE})
    estimator._validate_params()
    return estimator


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
