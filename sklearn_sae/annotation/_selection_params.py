"""What the last step of an encoder takes in `fit` beside texts and a target: subgroups and weights."""

from sklearn import config_context
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from sklearn_sae.utils._sklearn_compat import safe_indexing


def check_selection_params(encoder, params):
    """Return the parameters that have a value, or say why the encoder cannot take them."""
    params = {name: value for name, value in params.items() if value is not None}
    for name in params:
        if not isinstance(encoder, Pipeline) or not has_fit_parameter(encoder.steps[-1][1], name):
            raise TypeError(
                f"fit got {name}, which is for the last step of the encoder, and the encoder is no pipeline whose last "
                "step takes it, as a NeuronSelector takes by and sample_weight."
            )
    return params


def fit_with_params(encoder, X, y, params):
    """Fit an encoder, a pipeline where there are parameters for its last step; return what it makes of `X`."""
    if not params and hasattr(encoder, "fit_transform"):
        return encoder.fit_transform(X, y)
    if not params:  # a FrozenEstimator, whose `fit` changes nothing, is one of these
        return encoder.fit(X, y).transform(X)
    last = encoder.steps[-1][0]
    with config_context(enable_metadata_routing=False):  # in which alone the name of a step says where they go
        return encoder.fit_transform(X, y, **{f"{last}__{name}": value for name, value in params.items()})


def rows_of(rows, y, params):
    """Return a target and parameters of some rows."""
    return None if y is None else safe_indexing(y, rows), {
        name: safe_indexing(value, rows) for name, value in params.items()
    }
