"""How well the predictions of an offset do on the texts held out, alone and with the hypotheses."""

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklearn_sae._baselines import score


def scores_with_offset(offsets, annotations, targets, sample_weight=None):
    """Return the score of an offset alone, and of it and the hypotheses, by the end of its key.

    For numbers the hypotheses add least squares of what the offset misses; for two classes the log-odds of the offset
    stand beside the hypotheses in a logistic regression.

    Parameters
    ----------
    offsets : (Offset, Offset)
        Of the texts learned from, and of those held out; the others likewise.
    annotations : (ndarray, ndarray) of shape (n_texts, n_hypotheses)
    targets : (Target, Target)
    sample_weight : ndarray or None, default=None
        Of the texts learned from.
    """
    (offset, offset_held_out), (target, held_out) = offsets, targets
    A, A_held_out = map(np.nan_to_num, annotations)  # A missing answer counts as no, as in the pipeline.
    if target.task == "regression":
        model = LinearRegression().fit(A, target.values - offset.values, sample_weight=sample_weight)
        alone, both = offset_held_out.values, offset_held_out.values + model.predict(A_held_out)
    else:
        X, X_held_out = (np.column_stack([o.log_odds(), a]) for o, a in ((offset, A), (offset_held_out, A_held_out)))
        model = LogisticRegression(max_iter=1000).fit(X, target.values, sample_weight=sample_weight)
        alone = np.column_stack([1 - offset_held_out.values, offset_held_out.values])
        both = model.predict_proba(X_held_out)
    return {"_offset": score(held_out, alone), "_offset_and_hypotheses": score(held_out, both)}
