"""The standard pipeline, whose `fit` takes controls, weights and subgroups."""

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._fit_once import fit_model, selection_params
from sklearn_sae._text_pairs import BY_OF_PAIRS, is_of_pairs
from sklearn_sae.utils._controls import check_controls, check_weights
from sklearn_sae.utils._frames import columns_named
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import num_samples, safe_indexing
from sklearn_sae.utils._subgroups import check_by
from sklearn_sae.utils._targets import check_target, check_target_varies
from sklearn_sae.utils._validation import check_alignment


class HypothesisPipeline(Pipeline):
    """A pipeline from texts to predictions that can find its hypotheses in what controls leave of the target.

    Parameters and attributes are those of scikit-learn's `Pipeline`.
    """

    __metadata_request__fit = {"controls": True, "sample_weight": True, "by": True}
    __metadata_request__score = {"sample_weight": True}  # Searches score with weights without routing too.

    def fit(self, X, y=None, *, controls=None, sample_weight=None, by=None, **params):
        """Find hypotheses, and fit the model.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or DataFrame with a column "text"
            The texts. Columns of a frame can be named as the others: ``controls=["age", "topic"]``.
        y : array-like of shape (n_samples,), default=None
            The target.
        controls : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_controls), default=None
            What else may explain the target. Hypotheses are found in what the controls leave of it, as `discover` does;
            the model is fitted to the target itself, and takes no controls.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in what the controls leave, in the selection of neurons and in the model. Rows of
            weight 0 are left out.
        by : array-like of shape (n_samples,), default=None
            A column of subgroups or periods: hypotheses are also looked for whose effect differs between them, as
            `NeuronSelector` does.
        **params : dict
            Those of the steps, as of `Pipeline.fit`; not beside the three.

        Returns
        -------
        self : HypothesisPipeline

        Raises
        ------
        ValueError
            If `controls`, `sample_weight` or `by` has another length than `X` or cannot be used, or controls leave
            nothing of `y`.
        """
        given = columns_named(X, y=y, controls=controls, sample_weight=sample_weight, by=by)
        y, controls, sample_weight, by = given
        if controls is None and sample_weight is None and by is None:
            return super().fit(X, y, **params)
        if params:
            raise ValueError(
                f"controls, sample_weight and by exclude other parameters of fit; got {', '.join(params)}."
            )
        if by is not None and is_of_pairs(self):
            raise ValueError(BY_OF_PAIRS)
        n_samples = num_samples(X)
        check_alignment(X, y)
        target = check_target(y, n_samples=n_samples)
        controls = check_controls(controls, n_samples, X=X)
        weights = check_weights(sample_weight, n_samples)
        by = check_by(by, n_samples, X)
        rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
        check_target_varies(target._replace(values=target.values[rows]))
        found_for, notes = target_to_find_for(target, controls, weights, rows)
        for note in notes:
            warn(note)
        X, y = safe_indexing(X, rows), safe_indexing(y, rows)
        weights = None if weights is None else weights[rows]
        params = selection_params(self, weights, None if by is None else by.take(rows).of_rows())
        annotations = self["hypotheses"].fit_transform(X, y if found_for is None else found_for, **params)
        fit_model(self, annotations, y, weights)
        return self

    def get_metadata_routing(self):
        """Return what the pipeline itself and its steps ask for.

        Returns
        -------
        routing : MetadataRouter
        """
        return super().get_metadata_routing().add_self_request(self)
