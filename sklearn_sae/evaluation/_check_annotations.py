"""What annotations must be."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils import check_array

from sklearn_sae.utils._validation import counted


def check_annotations(annotations, hypotheses=None, *, name="annotations", names="hypotheses"):
    """Return the annotations as a dense float64 array, and the hypotheses as a list of str.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
    hypotheses : sequence of str of length n_hypotheses, default=None
    name, names : str
        What to call the two arguments in an error.

    Raises
    ------
    ValueError
        If `annotations` is empty, not 2-D, or has anything but numbers from -1 to 1 and NaN; if `hypotheses` is not
        one str a column.
    """
    if hypotheses is None and hasattr(annotations, "columns"):
        hypotheses = [str(column) for column in annotations.columns]
    if isinstance(annotations, pd.DataFrame):  # because two columns may have the same name
        annotations = annotations.set_axis(range(annotations.shape[1]), axis="columns")
    shape = np.shape(annotations)
    if len(shape) != 2:
        raise ValueError(f"{name} must be 2-D, one row a text and one column a hypothesis; its shape is {shape}.")
    _refuse_words(annotations, name)
    A = check_array(
        annotations,
        accept_sparse=["csr", "csc"],
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        input_name=name,
    )
    A = A.toarray() if issparse(A) else A
    outside = np.argwhere(np.abs(A) > 1)
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"{name} must be numbers from -1 to 1, or NaN; found {A[row, column]:g} in row {row}, column {column}."
        )
    if hypotheses is None:
        hypotheses = [f"hypothesis {i}" for i in range(A.shape[1])]
    if isinstance(hypotheses, str) or not all(isinstance(hypothesis, str) for hypothesis in hypotheses):
        raise ValueError(f"{names} must be a sequence of str, one for each column of {name}.")
    if len(hypotheses) != A.shape[1]:
        raise ValueError(
            f"{names} has {counted(len(hypotheses), 'sentence')} for {counted(A.shape[1], 'column')} of {name}."
        )
    return A, [str(hypothesis) for hypothesis in hypotheses]


def are_of_pairs(A):
    """Return whether annotations are of pairs of texts: some hypothesis holds for a second text only."""
    return bool((A <= -0.5).any())


def _refuse_words(annotations, name):
    """Refuse answers that are written out, "yes" and "no" say, because what they mean is for the user to say."""
    values = None if issparse(annotations) else np.asarray(annotations)
    if values is None or values.dtype.kind not in "OU":
        return
    for (row, column), value in np.ndenumerate(values):
        if isinstance(value, str) and not _is_number(value):
            raise ValueError(
                f"{name} must be numbers from -1 to 1, or NaN; found the text {str(value)!r} in row {row}, column "
                f"{column}; pass 1 where a hypothesis holds, 0 where it does not and NaN where no answer came."
            )


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
