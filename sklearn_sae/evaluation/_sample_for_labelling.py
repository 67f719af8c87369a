"""The texts that people are to label, drawn at random, as a sheet to fill in."""

from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_sae.evaluation._check_annotations import check_annotations
from sklearn_sae.evaluation._sheet_key import Drawn, to_key
from sklearn_sae.utils._optional import require
from sklearn_sae.utils._sklearn_compat import Interval, validate_params
from sklearn_sae.utils._validation import check_alignment, check_texts, counted, text_identity
from sklearn_sae.utils._write_table import write_table

KEY, TEXT, COMMENT = "key", "text", "comment"  # columns of a sheet beside the hypotheses
FORMULA = tuple("=+-@\t\r")  # what a cell that spreadsheets run begins with
_LABELS_A_STRATUM = 10


@validate_params(
    {
        "texts": "no_validation",
        "annotations": "no_validation",
        "path": "no_validation",
        "n_texts": [Interval(Integral, 1, None, closed="left")],
        "hypotheses": "no_validation",
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def sample_for_labelling(texts, annotations, path=None, *, n_texts=300, hypotheses=None, random_state=None):
    """Draw texts for people to label, and write a sheet to fill in.

    The sheet has a row a text and a column a hypothesis. The person writes 1 where the hypothesis holds and 0 where it
    does not. `read_labels` reads it, whatever its order is then.

    Parameters
    ----------
    texts : sequence of str of length n_samples
        All texts that were annotated.

    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        As of `evaluate_hypotheses`.

    path : str or path-like, default=None
        The .csv or .xlsx file to write; a file that is there is not replaced, because it may hold labels. By default
        nothing is written.

    n_texts : int, default=300
        How many texts to draw; all if there are fewer.

    hypotheses : sequence of str of length n_hypotheses, default=None
        What to ask: the headings of the columns. By default the column names of a DataFrame, else "hypothesis 0",
        "hypothesis 1" and so on.

    random_state : int, RandomState instance or None, default=None
        Of the draw and of the order.

    Returns
    -------
    sheet : DataFrame
        The columns `key`, `text`, one for each hypothesis, and `comment`, which is the coder's.

    Raises
    ------
    ValueError
        If `texts` and `annotations` are not of one length, or are wrong as for other functions; if two hypotheses have
        one name, or one has that of another column; if `path` is neither .csv nor .xlsx.
    FileExistsError
        If there is such a file.
    ImportError
        If an .xlsx is to be written without openpyxl.

    See Also
    --------
    read_labels : Reads the sheet when it is filled in.
    correct_annotations : Effects that the labels correct.
    agreement : How well annotations and labels agree.

    Notes
    -----
    *Strata.* A text is in the stratum of the rarest hypothesis that holds for it by its annotation, or in that of the
    texts for which none holds. Half of the labels go to all strata alike and half to each by its size, so that rare
    hypotheses have labels to go by. Strata are so few that ten labels would go to each: of many hypotheses, only the
    rarest have one. Within a stratum each text has the same probability.

    *Nothing of the annotation is shown*, since a coder who sees an answer tends to agree with it. The order is random,
    and the key holds the probability in a form that cannot be told by looking. It is no secret: who has this package
    can read it.

    *Copies* of a text, the same but for case and spaces, stand in the sheet once, with the keys of all that were drawn.
    It may therefore have fewer rows than `n_texts`.

    No text runs as a formula where the sheet is opened: in a .csv an apostrophe goes before what begins like one.

    Examples
    --------
    >>> from sklearn_sae import sample_for_labelling
    >>> texts = ["Good food", "Slow service", "Good bread", "We waited for an hour"]
    >>> annotations = [[1, 0], [0, 1], [1, 0], [0, 1]]
    >>> sheet = sample_for_labelling(
    ...     texts, annotations, n_texts=2, hypotheses=["praises the food", "complains of a wait"], random_state=0
    ... )
    >>> sheet[["text", "praises the food", "complains of a wait"]]
                        text praises the food complains of a wait
    0             Good bread             None                None
    1  We waited for an hour             None                None
    """
    A, hypotheses = check_annotations(annotations, hypotheses)
    check_alignment(texts, annotations, name="texts", other_name="annotations")
    texts = check_texts(texts, name="texts")
    if len(texts) != len(A):
        raise ValueError(f"texts has {counted(len(texts), 'text')} and annotations {counted(len(A), 'row')}.")
    hypotheses = [" ".join(hypothesis.split()) for hypothesis in hypotheses]
    for place, name in enumerate(hypotheses):
        if name in (KEY, TEXT, COMMENT, "") or name in hypotheses[:place]:
            raise ValueError(f"The heading {name!r} of a hypothesis is taken or empty; name it otherwise.")
    path = None if path is None else _checked(Path(path))
    rng = check_random_state(random_state)
    rows = {}  # by the identity of a text, the keys of what was drawn of it and the text
    drawn = _draw(_strata(A, n_texts), min(n_texts, len(A)), rng)
    for one in (drawn[i] for i in rng.permutation(len(drawn))):
        rows.setdefault(text_identity(texts[one.row]), (texts[one.row], []))[1].append(to_key(one))
    sheet = pd.DataFrame(
        {
            KEY: [" ".join(keys) for _, keys in rows.values()],
            TEXT: [text for text, _ in rows.values()],
            **{name: pd.Series([None] * len(rows), dtype=object) for name in [*hypotheses, COMMENT]},
        }
    )
    if path is not None:
        write_table(_unrun(sheet) if path.suffix.lower() == ".csv" else sheet, path)
    return sheet


def _checked(path):
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise ValueError(f"path must end in .csv or .xlsx; got {str(path)!r}.")
    if path.exists():
        raise FileExistsError(f"{path} is there already, and may hold labels; name another file, or move that one.")
    if path.suffix.lower() == ".xlsx":
        require("openpyxl", extra="excel", purpose="Writing an .xlsx file")
    return path


def _strata(A, n_texts):
    """Return the stratum of each text: the place of the rarest hypothesis that holds, or one more than the last."""
    holds = np.abs(np.nan_to_num(A)) >= 0.5
    n_holds = holds.sum(axis=0)
    rarest = [j for j in np.argsort(n_holds, kind="stable") if n_holds[j]][: max(n_texts // _LABELS_A_STRATUM - 1, 0)]
    strata = np.full(len(A), A.shape[1])
    for j in reversed(rarest):
        strata[holds[:, j]] = j
    return strata


def _draw(strata, n_texts, rng):
    """Return the texts drawn, as a list of `Drawn`."""
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    drawn = []
    for code, n_drawn in enumerate(_allocated(sizes, n_texts)):
        rows = rng.choice(np.flatnonzero(codes == code), n_drawn, replace=False)
        drawn += [Drawn(int(row), code, int(n_drawn), int(sizes[code])) for row in rows]
    return drawn


def _allocated(sizes, n_texts):
    """Return how many texts to draw of each stratum: half alike, half by size, and none more than there are."""
    shares = 0.5 / len(sizes) + 0.5 * sizes / sizes.sum()
    n_drawn = np.minimum(np.floor(n_texts * shares).astype(int), sizes)
    while (rest := n_texts - n_drawn.sum()) > 0:
        lacking = np.where(n_drawn < sizes, n_texts * shares - n_drawn, -np.inf)
        n_drawn[np.argsort(-lacking, kind="stable")[: min(rest, int((n_drawn < sizes).sum()))]] += 1
    return n_drawn


def _unrun(sheet):
    """Return a sheet in which no cell and no heading begins as a formula."""
    return sheet.rename(columns=_quoted).assign(**{TEXT: [_quoted(text) for text in sheet[TEXT]]})


def _quoted(text):
    return f"'{text}" if text.startswith(FORMULA) else text
