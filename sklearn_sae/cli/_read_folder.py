"""Texts that stay on disk, and the other columns that are asked for, from a folder of parquet files."""

from glob import has_magic
from pathlib import Path

from sklearn_sae.cli._read import are_blank, describe_left_out
from sklearn_sae.datasets import ParquetTexts
from sklearn_sae.utils._notes import warn


def is_folder(path):
    """Return whether a path names a folder, or a pattern of parquet files."""
    return Path(path).is_dir() or (path.endswith(".parquet") and has_magic(path) and not Path(path).exists())


def read_folder(path, text, target, others):
    """Return the texts and a table of the other columns, without the rows that lack a text or a target.

    Parameters
    ----------
    path : str
        A folder of parquet files, or a pattern.
    text, target : str
    others : sequence of str

    Returns
    -------
    texts : ParquetTexts
    table : DataFrame

    Warns
    -----
    UserWarning
        If rows are left out, says how many.
    """
    texts = ParquetTexts.without_blanks(path, text)
    table = texts.read(list(dict.fromkeys([target, *others])))
    has_target = ~are_blank(table[target])
    n_blank, n_lacking = texts.n_left_out, int((~has_target).sum())
    if n_blank or n_lacking:
        warn(describe_left_out(len(texts) + n_blank, n_blank, n_lacking))
    if not has_target.any():
        raise ValueError(f"{path} has no row with both a text and a target.")
    return texts[has_target], table[has_target].reset_index(drop=True)
