"""An estimator, applied to the partitions of collections of Dask and Ray Data, which compute when they are asked to.

Neither library is imported before a collection of it is passed.
"""

import threading
import warnings

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import config_context

from sklearn_sae.compose._inner import transform_inner
from sklearn_sae.utils._containers import sparse_frame
from sklearn_sae.utils._optional import require

_KINDS = {
    ("dask.array", "Array"): "dask array",
    ("dask.bag", "Bag"): "dask bag",
    ("dask.dataframe", "DataFrame"): "dask frame",
    ("dask.dataframe", "Series"): "dask frame",
    ("ray.data", "Dataset"): "ray dataset",
}
_TEXT = "This is a text."
# One partition at a time is worked on in a process, because two threads of a worker would each load a model that is
# not there yet, and because an estimator uses all cores by itself where that helps.
_LOCK = threading.RLock()


def lazy_kind(X):
    """Return what kind of collection of Dask or Ray Data `X` is, or None if it is no collection of theirs.

    Raises
    ------
    TypeError
        If it is something else of theirs.
    """
    for cls in type(X).__mro__:
        for (module, name), kind in _KINDS.items():
            if cls.__name__ == name and f"{cls.__module__}.".startswith(f"{module}."):
                return kind
    if type(X).__module__.partition(".")[0] in ("dask", "ray"):
        raise TypeError(
            f"X is a {type(X).__name__} of {type(X).__module__.partition('.')[0]}; pass a Dask array, bag, DataFrame "
            "or Series, or a Ray Data dataset."
        )
    return None


def apply_lazily(estimator, method, X, *, ray_kwargs=None):
    """Return a collection of the kind of `X` that holds what a method of a fitted estimator makes of its partitions.

    Parameters
    ----------
    estimator : estimator
    method : {"transform", "predict", "predict_proba"}
    X : Dask array, bag, DataFrame or Series, or Ray Data dataset
    ray_kwargs : dict or None, default=None
        More arguments of `Dataset.map_batches`.

    Raises
    ------
    ValueError
        If probabilities are those of several targets.
    """
    if method == "predict_proba" and isinstance(getattr(estimator, "classes_", None), list):
        raise ValueError(
            f"predict_proba returns {len(estimator.classes_)} arrays, one a target, which are no rows of a collection; "
            "call predict, or pass a model of one target."
        )
    kind = lazy_kind(X)
    if kind == "ray dataset":
        return _over_ray(estimator, method, X, ray_kwargs or {})
    module = {"dask array": "array", "dask bag": "bag", "dask frame": "dataframe"}[kind]
    require(f"dask.{module}", extra="dask", purpose=f"A {kind}")
    if kind == "dask bag":
        return X.map_partitions(_rows_of_bag, _sent(estimator, method))
    if kind == "dask array" and X.ndim > 1:
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    if kind == "dask frame" and X.ndim == 2 and len(X.columns) == 1 and not _is_numeric(X):
        X = X[X.columns[0]]  # because a vectoriser of scikit-learn takes no frame
    like = _like(estimator, method, X)
    if kind == "dask frame":
        names = _names(estimator, method)
        meta = _frame(like, X._meta.index, names)
        return X.map_partitions(_frame_of_partition, _sent(estimator, method, like, names), meta=meta)
    dropped = list(range(like.ndim, X.ndim))
    added = list(range(X.ndim, like.ndim))
    options = {"drop_axis": dropped} if dropped else {"new_axis": added} if added else {}
    chunks = (X.chunks[0], *((n,) for n in like.shape[1:]))
    return X.map_blocks(_block, _sent(estimator, method, like), meta=like, dtype=like.dtype, chunks=chunks, **options)


def _sent(*what):
    """Return what all partitions need as a task of its own, because that is sent once to each worker."""
    import dask

    return dask.delayed(what, traverse=False)


# What runs where a partition is


def _apply(estimator, method, X):
    with _LOCK:
        if method == "transform":
            return transform_inner(estimator, X)
        with config_context(transform_output="default"):
            return np.asarray(getattr(estimator, method)(X))


def _block(X, sent):
    estimator, method, like = sent
    return _apply(estimator, method, X) if len(X) else like


def _rows_of_bag(X, sent):
    estimator, method = sent
    texts = list(X)
    values = _apply(estimator, method, texts) if texts else []
    return [values[[row]] for row in range(len(texts))] if sparse.issparse(values) else list(values)


def _frame_of_partition(X, sent):
    estimator, method, like, names = sent
    return _frame(_apply(estimator, method, X) if len(X) else like, X.index, names)


class _RayActor:
    """A process of Ray that holds the estimator, and what it has loaded, for as long as there are batches."""

    def __init__(self, reference, method, names):
        import ray

        self.estimator, self.method, self.names = ray.get(reference[0]), method, names

    def __call__(self, batch):
        """Return the columns that come out of those of a batch, each an array."""
        column, *others = batch
        is_tensor = self.method == "transform" and not others and np.ndim(batch[column]) == 2
        X = pd.DataFrame(batch) if others else batch[column]
        values = _apply(self.estimator, self.method, X)
        values = values.toarray() if sparse.issparse(values) else values  # because columns of Ray are dense
        if values.ndim == 1:
            return {self.names: values}
        return {column: values} if is_tensor else dict(zip(_columns(self.names, values), values.T, strict=True))


def _over_ray(estimator, method, X, options):
    ray = require("ray", extra="ray", purpose="A Ray Data dataset")
    # The reference stands in a list, because Ray passes the value of one that stands alone.
    arguments = ([ray.put(estimator)], method, _names(estimator, method))
    options = {"batch_format": "numpy", "zero_copy_batch": True, **options}
    return X.map_batches(_RayActor, fn_constructor_args=arguments, **options)


# What comes out, before anything is computed


def _names(estimator, method):
    """Return the names of what comes out: of columns, or the name of predictions."""
    if method == "transform":
        return [str(name) for name in estimator.get_feature_names_out()]
    return "prediction" if method == "predict" else [str(label) for label in estimator.classes_]


def _columns(names, values):
    """Return the names of columns; those of predictions of several targets are numbered."""
    return names if isinstance(names, list) else [f"{names}{i}" for i in range(values.shape[1])]


def _frame(values, index, names):
    if values.ndim == 1:
        dtype = object if values.dtype.kind in "OUST" else values.dtype
        return pd.Series(values, index=index, name=names, dtype=dtype)
    if sparse.issparse(values):
        return sparse_frame(values, index, names)
    return pd.DataFrame(values, index=index, columns=_columns(names, values))


def _like(estimator, method, X):
    """Return what a collection becomes, of no rows.

    One made-up row tells. A row of texts is transformed where Dask computes, because a model may be there and not here.
    """
    row, is_text = _row_like(X)
    if is_text and not _is_annotator(_first_step(estimator)):
        import dask

        return dask.delayed(_made_of)(dask.delayed(estimator, traverse=False), method, row).compute()[:0]
    return _made_of(estimator, method, row)[:0]


def _row_like(X):
    """Return a made-up row of a Dask array, DataFrame or Series, and whether it holds texts."""
    if hasattr(X, "_meta_nonempty"):
        row = X._meta_nonempty.iloc[:1].replace("foo", _TEXT)
        return row, not _is_numeric(X)
    if X.dtype.kind in "OUST":
        return np.full((1, *X.shape[1:]), _TEXT, dtype=object), True
    row = np.zeros((1, *X.shape[1:]), dtype=X.dtype)
    return sparse.csr_array(row) if sparse.issparse(X._meta) else row, False


def _is_numeric(X):
    """Return whether a Dask DataFrame or Series holds nothing but numbers."""
    dtypes = [X.dtype] if X.ndim == 1 else X.dtypes
    return all(pd.api.types.is_numeric_dtype(dtype) for dtype in dtypes)


def _made_of(estimator, method, row):
    """Return what an estimator makes of a made-up row; no annotator is asked, because a language model may be in it."""
    if _is_annotator(estimator):
        return np.zeros((1, len(estimator.get_feature_names_out())))
    if hasattr(estimator, "steps"):
        *steps, (_, last) = [step for step in estimator.steps if step[1] not in (None, "passthrough")]
        for _, step in steps:
            row = _made_of(step, "transform", row)
        return _made_of(last, method, row)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # because nobody has written this row
        return _apply(estimator, method, row)


def _first_step(estimator):
    return _first_step(estimator.steps[0][1]) if hasattr(estimator, "steps") else estimator


def _is_annotator(estimator):
    """Return whether what comes out are annotations, of which it is known that they are a dense array of float64."""
    if hasattr(estimator, "hypotheses_") or hasattr(estimator, "hypotheses"):
        return True
    return hasattr(estimator, "transformer_") and _is_annotator(estimator.transformer_)
