"""The documents in which features are most active."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from sklearn_sae.analysis._activations import check_activations, feature_labels
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import fill, legend_above, name_rows, new_axes, row_height, shorten, wrapped
from sklearn_sae.utils._sklearn_compat import Interval, validate_params
from sklearn_sae.utils._validation import check_texts, counted


@validate_params(
    {
        "X": "no_validation",
        "feature": "no_validation",
        "texts": "no_validation",
        "n_documents": [Interval(Integral, 1, None, closed="left")],
        "labels": "no_validation",
        "highlight": [callable, None],
        "threshold": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def top_documents(X, feature, texts=None, *, n_documents=10, labels=None, highlight=None, threshold=0.0):
    """Find the documents in which features are most active.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
        Activations, 0 where a feature is not active.

    feature : int, str or sequence of these
        Column number or label of a feature, or of several.

    texts : sequence of str of length n_documents, default=None
        The documents.

    n_documents : int, default=10
        How many documents at most for each feature.

    labels : sequence of str or mapping from int to str, default=None
        Labels of the features, one a column or by column number. By default the column names of a DataFrame, else
        "feature 0", "feature 1" and so on.

    highlight : callable, default=None
        A function that marks the words which made a feature active, ``highlight(text, feature) -> str`` with the column
        number, such as the `highlight` of a :class:`~sklearn_sae.PretrainedSAETransformer`. It is called for the
        documents that are returned only.

    threshold : float, default=0.0
        A feature is active in a document where its activation is above that; others are not returned.

    Returns
    -------
    documents : DataFrame
        One row a feature and document, the most active first, features in the order asked for: `feature` (column
        number), `label`, `document` (row number in `X`), `activation`; with `texts` also `text`, and with `highlight`
        `highlighted`. Of equal activations the earlier row comes first.

    Raises
    ------
    ValueError
        If a feature does not exist, a label stands for several features, `texts` has another length than `X`, or
        `highlight` is given without `texts`.

    See Also
    --------
    plot_top_documents : Draws the result.
    PretrainedSAETransformer : Its `highlight` marks the words that made a latent active.
    diff_features : What differs between data sets.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn_sae.analysis import top_documents
    >>> texts = ["Good soup.", "Cold soup, slow service.", "Soup, soup, soup!", "A dog."]
    >>> words = TfidfVectorizer()
    >>> X = words.fit_transform(texts)
    >>> top_documents(X, "soup", texts, labels=words.get_feature_names_out(), n_documents=2).round(2)
       feature label  document  activation               text
    0        5  soup         2        1.00  Soup, soup, soup!
    1        5  soup         0        0.54         Good soup.
    """
    activations = check_activations(X)
    labels, _ = feature_labels(X, labels)
    features = [_column(each, labels) for each in ([feature] if np.ndim(feature) == 0 else feature)]
    if not features:
        raise ValueError("feature is empty: name at least one.")
    if highlight is not None and texts is None:
        raise ValueError("highlight marks words in texts: pass texts too.")
    if texts is not None:
        texts = check_texts(texts, name="texts")
        if len(texts) != activations.shape[0]:
            raise ValueError(
                f"texts has {counted(len(texts), 'text')} for {counted(activations.shape[0], 'row')} of X."
            )
    columns = csc_array(activations[:, features])
    tables = []
    for position, column in enumerate(features):
        entries = slice(*columns.indptr[position : position + 2])
        rows, values = columns.indices[entries], columns.data[entries]
        rows, values = rows[values > threshold], values[values > threshold]
        top = np.lexsort((rows, -values.astype(np.float64)))[:n_documents]
        table = {"feature": column, "label": labels[column], "document": rows[top], "activation": values[top]}
        tables.append(pd.DataFrame(table, index=range(len(top))))
    table = pd.concat(tables, ignore_index=True)
    if texts is not None:
        table["text"] = [texts[row] for row in table["document"]]
    if highlight is not None:
        pairs = zip(table["text"], table["feature"].tolist(), strict=True)
        table["highlighted"] = [highlight(text, column) for text, column in pairs]
    return table


def plot_top_documents(documents, *, n_documents=10, width=90, ax=None):
    """Draw the documents in which features are most active, as bars beside the words.

    Parameters
    ----------
    documents : DataFrame
        As `top_documents` returns it. Of a highlighted text the part around the first mark (``<<``) is shown, else
        the beginning.
    n_documents : int, default=10
        How many documents to draw for each feature.
    width : int, default=90
        Characters of a text to show, on two lines.
    ax : matplotlib Axes or None, default=None
        Where to draw; None makes a new figure.

    Returns
    -------
    ax : matplotlib Axes

    See Also
    --------
    top_documents : Makes the table.
    """
    shown = documents.groupby("feature", sort=False).head(n_documents).reset_index(drop=True)
    if "highlighted" in shown:
        names = [_around_mark(text, width) for text in shown["highlighted"]]
    elif "text" in shown:
        names = list(shown["text"])
    else:
        names = [f"document {row}" for row in shown["document"]]
    names, columns = [shorten(name, width) for name in names], -(-width // 2)
    is_new = ax is None
    ax = new_axes(ax, height=1.2 + row_height(names, width=columns, max_lines=2), width=9)
    for number, (_, rows) in enumerate(shown.groupby("feature", sort=False)):
        ax.barh(rows.index, rows["activation"], height=0.7, label=rows["label"].iloc[0], **fill(number))
    name_rows(ax, names, width=columns, max_lines=2, fit=not is_new)
    ax.set_xlabel("activation")
    if shown["feature"].nunique() > 1:
        legend_above(ax, fontsize="small")
    elif len(shown):
        ax.set_title(wrapped(shown["label"].iloc[0], 50, 3), loc="left", fontsize="medium")
    draw_literally(ax)
    return ax


def _column(feature, labels):
    """Return the column of a feature given by number or label."""
    if isinstance(feature, str):
        found = np.flatnonzero(labels == feature)
        if len(found) != 1:
            problem = "stands for several features" if len(found) else "is no label"
            raise ValueError(f"feature {feature!r} {problem}; give the column number instead.")
        return int(found[0])
    if not isinstance(feature, Integral) or isinstance(feature, bool) or not 0 <= feature < len(labels):
        raise ValueError(f"feature {feature!r} does not exist; X has the columns 0 to {len(labels) - 1}.")
    return int(feature)


def _around_mark(text, width):
    """Return the part of a text that begins some words before its first mark."""
    text = " ".join(str(text).split())
    mark = text.find("<<")
    if mark < width // 2:
        return text
    start = text.find(" ", mark - width // 3) + 1
    return "…" + text[start if 0 < start <= mark else mark :]
