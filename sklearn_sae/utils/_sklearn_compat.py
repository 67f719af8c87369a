"""Everything that the package takes from scikit-learn's private modules, in one place.

A release that moves one of these names is answered here and nowhere else.
"""

from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.ensemble._base import _set_random_states as set_random_states
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions, validate_params
from sklearn.utils._set_output import _get_output_config
from sklearn.utils._set_output import _safe_set_output as safe_set_output
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_fit_context",
    "check_feature_names_in",
    "check_sample_weight",
    "num_samples",
    "output_container",
    "safe_indexing",
    "safe_set_output",
    "set_random_states",
    "uses_sparse_arrays",
    "validate_params",
]


def output_container(estimator):
    """Return the container that the user asked for with `set_output`: "default", "pandas" or "polars"."""
    return _get_output_config("transform", estimator)["dense"]


def uses_sparse_arrays():
    """Return whether scikit-learn is set to return sparse arrays; releases before 1.9 cannot be."""
    return get_config().get("sparse_interface") == "sparray"
