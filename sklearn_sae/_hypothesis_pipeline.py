"""The standard pipeline, whose `fit` takes controls and weights."""

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._fit_once import fit_model
from sklearn_sae.utils._controls import check_controls, check_weights
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import num_samples, safe_indexing
from sklearn_sae.utils._targets import check_target, check_target_varies


class HypothesisPipeline(Pipeline):
    """A pipeline from texts to predictions that can find its hypotheses in what controls leave of the target.

    Parameters and attributes are those of scikit-learn's `Pipeline`.
    """

    __metadata_request__fit = {"controls": True, "sample_weight": True}
    __metadata_request__score = {"sample_weight": False}  # The score of a search is without weights.

    def fit(self, X, y=None, *, controls=None, sample_weight=None, **params):
        """Find hypotheses, and fit the model.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            The texts.
        y : array-like of shape (n_samples,), default=None
            The target.
        controls : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_controls), default=None
            What else may explain the target. Hypotheses are found in what the controls leave of it, as `discover` does;
            the model is fitted to the target itself, and takes no controls.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in what the controls leave and in the model. Rows of weight 0 are left out.
        **params : dict
            Those of the steps, as of `Pipeline.fit`; not beside controls or weights.

        Returns
        -------
        self : HypothesisPipeline

        Raises
        ------
        ValueError
            If `controls` or `sample_weight` has another length than `X` or cannot be used, or controls leave nothing of
            `y`.
        """
        if controls is None and sample_weight is None:
            return super().fit(X, y, **params)
        if params:
            raise ValueError(f"controls and sample_weight exclude other parameters of fit; got {', '.join(params)}.")
        n_samples = num_samples(X)
        target = check_target(y, n_samples=n_samples)
        controls = check_controls(controls, n_samples, X=X)
        weights = check_weights(sample_weight, n_samples)
        rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
        check_target_varies(target._replace(values=target.values[rows]))
        found_for, notes = target_to_find_for(target, controls, weights, rows)
        for note in notes:
            warn(note)
        X, y = safe_indexing(X, rows), safe_indexing(y, rows)
        annotations = self["hypotheses"].fit_transform(X, y if found_for is None else found_for)
        fit_model(self, annotations, y, None if weights is None else weights[rows])
        return self

    def get_metadata_routing(self):
        """Return what the pipeline itself and its steps ask for.

        Returns
        -------
        routing : MetadataRouter
        """
        return super().get_metadata_routing().add_self_request(self)
