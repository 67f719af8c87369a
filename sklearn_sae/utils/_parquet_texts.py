"""Texts in parquet files, more than memory holds."""

import copy
from collections.abc import Sequence
from glob import escape, glob
from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_sae.utils._on_disk import write_to_disk
from sklearn_sae.utils._optional import require
from sklearn_sae.utils._validation import visible

MOST_IN_MEMORY = 100_000  # texts; more stay on disk, and what is learned from words is learned from so many of them
_BATCH = 8192  # texts that are in memory together


class ParquetTexts(Sequence):
    """A column of texts in parquet files, read as they are needed and never in memory together.

    `discover`, the pipeline of `make_hypothesis_pipeline` and the annotators take it in place of a list. The texts are
    copied once to a temporary file that is mapped into memory. Up to 100,000 texts are then used as a list is; of more,
    the embedding, the names and the baselines are learned from 100,000 drawn at random, and the autoencoder, the
    selection and the tests use all. A note says so. See docs/large.md.

    Parameters
    ----------
    path : path-like, or list of path-like
        A parquet file, a folder with such files in it or its folders, or a pattern such as ``"reviews/*.parquet"``.
        Files are read in the order of their names, without those of a folder that begin with a point or an underscore.
    column : str
        The column of texts.

    Attributes
    ----------
    files : list of str
    column : str
    shape : tuple of int
        The number of texts.
    n_left_out : int
        The number of rows without a text, where these were left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If pyarrow is not installed.
    ValueError, TypeError
        If there is no such column, it holds no texts, or one is missing or empty.

    See Also
    --------
    discover : Finds out what in texts predicts a target.
    make_concept_texts : Makes texts to try this with.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from sklearn_sae.datasets import ParquetTexts
    >>> folder = tempfile.mkdtemp()
    >>> pd.DataFrame({"text": ["Cold soup.", "Rude staff!"], "stars": [2, 1]}).to_parquet(f"{folder}/a.parquet")
    >>> pd.DataFrame({"text": ["Lovely."], "stars": [5]}).to_parquet(f"{folder}/b.parquet")
    >>> texts = ParquetTexts(folder, "text")
    >>> len(texts), texts[2], texts[1:].tolist()
    (3, 'Lovely.', ['Rude staff!', 'Lovely.'])
    >>> texts.read(["stars"])["stars"].tolist()
    [2, 1, 5]
    """

    def __init__(self, path, column):
        self._store(path, column, skip_blank=False)

    @classmethod
    def without_blanks(cls, path, column):
        """Return the texts that are neither missing nor empty; `read` gives the same rows.

        Parameters
        ----------
        path : path-like, or list of path-like
        column : str

        Returns
        -------
        texts : ParquetTexts
            Its `n_left_out` counts the others.
        """
        texts = cls.__new__(cls)
        texts._store(path, column, skip_blank=True)
        return texts

    def _store(self, path, column, *, skip_blank):
        self.files, self.column = find_parquet(path), column
        self._states = list(map(_state, self.files))
        ends, kept = [np.zeros(1, np.int64)], []
        if not isinstance(column, str):
            raise TypeError(f"column must be the name of the column of texts, a str; got {column!r}.")
        self._bytes = write_to_disk(_encoded(_texts_of(self.files, column), ends, kept, column, skip_blank=skip_blank))
        self._ends = np.concatenate(ends)
        kept = np.concatenate(kept)
        self._in_files = np.flatnonzero(kept)  # the rows of the files that have a text
        self.n_left_out = int((~kept).sum())
        self._rows = np.arange(len(self._in_files))

    @property
    def shape(self):
        """The number of texts, in a tuple."""
        return (len(self),)

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, key):
        """Return one text, or those that a slice, a mask or row numbers choose, which stay on disk."""
        if isinstance(key, Integral):
            row = self._rows[key]
            return self._bytes[self._ends[row] : self._ends[row + 1]].tobytes().decode()
        some = copy.copy(self)
        some._rows = self._rows[key]
        return some

    def __iter__(self):
        for batch in self.batches():
            yield from batch

    def __repr__(self):
        return f"<{len(self):,} texts of the column {self.column!r} in {len(self.files):,} parquet files>"

    def tolist(self):
        """Return the texts in memory.

        Returns
        -------
        texts : list of str
        """
        return [self[i] for i in range(len(self))]

    def batches(self):
        """Yield the texts, a few thousand at a time.

        Yields
        ------
        texts : list of str
        """
        for start in range(0, len(self), _BATCH):
            yield self[start : start + _BATCH].tolist()

    def read(self, columns):
        """Return other columns of the same rows, in memory.

        Parameters
        ----------
        columns : list of str

        Returns
        -------
        table : DataFrame

        Raises
        ------
        ValueError
            If a file has changed since its texts were read, or has no such column.
        """
        import pandas as pd

        for file, state in zip(self.files, self._states, strict=True):
            if _state(file) != state:
                raise ValueError(f"{file} has changed since its texts were read; make a new ParquetTexts of the files.")
        tables = [_columns_of(file, list(columns)) for file in self.files]
        rows = self._in_files[self._rows]
        return pd.concat(tables, ignore_index=True).iloc[rows].reset_index(drop=True)


def find_parquet(path):
    """Return the parquet files that a path, a folder, a pattern or a list of these names, each list in order."""
    if isinstance(path, (list, tuple)):
        return [file for one in path for file in find_parquet(one)]
    path = str(path)
    named = [path] if Path(path).exists() else sorted(glob(path, recursive=True))
    found = [file for one in named for file in (_files_below(one) if Path(one).is_dir() else [one])]
    if not found:
        raise FileNotFoundError(f"{path} is no parquet file, nor a folder or a pattern of such files.")
    return found


def _files_below(folder):
    """Return the parquet files below a folder; names with an underscore in front are no data to Spark and Dask."""
    paths = (path for path in sorted(glob(f"{escape(folder)}/**/*.parquet", recursive=True)) if Path(path).is_file())
    return [path for path in paths if not any(part[0] == "_" for part in Path(path).relative_to(folder).parts)]


def in_memory(texts):
    """Return `ParquetTexts` as they are if they are too many, else as a list."""
    return texts if len(texts) > MOST_IN_MEMORY else texts.tolist()


def sample_rows(n_texts):
    """Return the rows, in order, that stand for all texts where these are too many: all, or some drawn at random."""
    if n_texts <= MOST_IN_MEMORY:
        return np.arange(n_texts)
    return np.sort(np.random.RandomState(0).permutation(n_texts)[:MOST_IN_MEMORY])


def _open(file, columns):
    parquet = require("pyarrow.parquet", extra="parquet", purpose="Reading a parquet file")
    try:
        opened = parquet.ParquetFile(file)
    except Exception as error:  # what a broken file raises is of many kinds
        raise ValueError(f"{file} cannot be read as parquet: {str(error).strip().partition(chr(10))[0]}") from error
    for column in columns:
        if column not in opened.schema_arrow.names:
            raise ValueError(
                f"{file} has no column {column!r}; it has {', '.join(map(repr, opened.schema_arrow.names))}."
            )
    return opened


def _state(file):
    facts = Path(file).stat()
    return facts.st_size, facts.st_mtime_ns


def _texts_of(files, column):
    """Yield lists of values of the column, a few thousand at a time."""
    for file in files:
        with _open(file, [column]) as opened:
            try:
                for batch in opened.iter_batches(_BATCH, columns=[column]):
                    yield batch.column(batch.schema.names.index(column)).to_pylist()
            except (OSError, ValueError) as error:
                raise ValueError(f"{file} cannot be read as parquet: {error}") from error


def _columns_of(file, columns):
    """Return columns as a frame, of several of one name the first."""
    with _open(file, columns) as opened:
        table = opened.read(columns)  # also holds what is nested in a column of another name before a point
    places = [table.column_names.index(column) for column in columns]
    return table.select(places).to_pandas(ignore_metadata=True)  # in which a column could be the index


def _encoded(batches, ends, kept, column, *, skip_blank):
    """Yield the bytes of each batch of texts; fill `ends` with where texts end, and `kept` with which rows have one."""
    n_rows, n_bytes = 0, 0
    for batch in batches:
        are_texts = [isinstance(text, str) and visible(text) != "" for text in batch]
        for row, (text, is_text) in enumerate(zip(batch, are_texts, strict=True), n_rows):
            if not (isinstance(text, str) or text is None):
                raise TypeError(
                    f"the column {column!r} has a value of type {type(text).__name__} in row {row} where a text (str) "
                    "is needed."
                )
            if not is_text and not skip_blank:
                what = "a missing" if text is None else "an empty"
                raise ValueError(f"the column {column!r} has {what} text in row {row}; drop it or fill it in.")
        encoded = [text.encode() for text, is_text in zip(batch, are_texts, strict=True) if is_text]
        ends.append(n_bytes + np.cumsum(list(map(len, encoded)), dtype=np.int64))
        kept.append(np.array(are_texts, dtype=bool))
        n_bytes, n_rows = n_bytes + sum(map(len, encoded)), n_rows + len(batch)
        yield np.frombuffer(b"".join(encoded), dtype=np.uint8)
