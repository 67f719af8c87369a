"""A union of cheap transformers, which is worth no parallel work."""

from joblib import parallel_config
from sklearn.pipeline import FeatureUnion


class SequentialUnion(FeatureUnion):
    """Fits and applies its transformers one after the other, in the process where it stands.

    In a fit that joblib runs on Dask, a `FeatureUnion` sends each of its parts and the data to the cluster as a task
    of its own, also with ``n_jobs=1``, and what comes back costs more than the parts do.
    """

    def fit(self, X, y=None, **fit_params):
        """Fit all transformers."""
        with parallel_config("sequential"):
            return super().fit(X, y, **fit_params)

    def fit_transform(self, X, y=None, **params):
        """Fit all transformers and set the columns that they return side by side."""
        with parallel_config("sequential"):
            return super().fit_transform(X, y, **params)

    def transform(self, X, **params):
        """Set the columns that the transformers return side by side."""
        with parallel_config("sequential"):
            return super().transform(X, **params)
