"""A transformer of texts, applied to long documents."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.compose._chunks import pool_max, pool_mean, split_words
from sklearn_sae.compose._inner import InnerTransformerMixin, fit_inner, transform_inner
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._sentences import split_sentences
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, _fit_context, safe_indexing
from sklearn_sae.utils._validation import check_texts

_POOLING = {"max": pool_max, "mean": pool_mean}


class ChunkTransformer(InnerTransformerMixin, BaseEstimator):
    """Apply a transformer of texts to long documents: it sees chunks, and its output is pooled back to documents.

    An embedding model takes a limited number of words and ignores the rest, and one vector says little of a long
    text. Chunks, be they sentences or runs of words, are embedded whole, and each may have a topic of its own. See
    docs/compose.md.

    Parameters
    ----------
    transformer : estimator
        From texts to numbers: an embedder, a pipeline of embedder and autoencoder, an annotator with an `encoder`. A
        clone of it is fitted on the chunks.
    unit : {"words", "sentence"}, default="words"
        What a chunk is: up to `max_words` words, or one sentence. See the notes.
    max_words : int, default=150
        The most words in a chunk, at most as many as the embedding model takes. A word is what stands between spaces,
        or a character of Chinese or Japanese. It has no effect on sentences.
    overlap : int, default=0
        How many of the last words of a chunk begin the next; less than `max_words`, and 0 for sentences.
    pooling : {"max", "mean"}, default="max"
        How the rows of a document's chunks become its row. "max": what is strong anywhere in the document, for
        activations and annotations (1 if the hypothesis holds for any chunk). "mean": the average, for embeddings.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer, of chunks.
    chunk_document_ : ndarray of shape (n_chunks,), intp
        The row of `X` that each chunk was cut from. Row numbers that `transformer_` keeps, such as the `examples_` of
        an annotator, count the chunks.

    See Also
    --------
    PairTransformer : Applies a transformer to pairs of texts.
    make_hypothesis_pipeline : Builds the whole path; with ``unit="sentence"`` on sentences.
    EmbeddingTransformer : Takes a limited number of words of each text.

    Notes
    -----
    Sentences are told by the rules of the library sentencex, which knows the abbreviations of many languages, and by
    lines and lists. A fragment of one or two words joins the sentence behind it. A sentence of more than 60 words is
    cut at the end of a clause. `transform` passes each distinct sentence to `transformer` once.

    Chunks of words are of similar length within a document. A chunk ends with a sentence or a line if one ends in the
    second half of what it may hold, else after any word; there a sentence ends with a word that ends in a full
    stop, a question or an exclamation mark, and so does, wrongly, "Mr.". Documents of at most `max_words` words are
    left as they are.

    In `fit` each chunk inherits the target of its document. This helps stages inside `transformer` that use it, but
    the chunks of a document are no independent rows: counts of rows inside are too large, a document weighs
    in proportion to its chunks, and the target of most chunks of a mixed document is noise, so that effects look
    smaller for a chunk than they are for a document. So test, and where possible select, behind the
    `ChunkTransformer`, where rows are documents again. Cross-validation around it splits documents, so no document
    has chunks on both sides. Sample weights and groups belong to documents too, so give them to a step behind.

    NaN in a chunk's row is NaN in the document's row.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn_sae import ChunkTransformer
    >>> documents = ["Good soup. Good bread, good wine. Bad coffee.", "Bad soup."]
    >>> chunks = ChunkTransformer(CountVectorizer(vocabulary=["bad", "good"]), max_words=6).fit(documents)
    >>> chunks.chunk_document_
    array([0, 0, 1])
    >>> chunks.transform(documents).toarray()
    array([[1., 3.],
           [1., 0.]])
    >>> sentences = ChunkTransformer(CountVectorizer(), unit="sentence")
    >>> sentences.fit(["Mr. Lee was kind. The soup was cold."]).chunk_document_
    array([0, 0])
    """

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"])],
        "unit": [StrOptions({"words", "sentence"})],
        "max_words": [Interval(Integral, 1, None, closed="left")],
        "overlap": [Interval(Integral, 0, None, closed="left")],
        "pooling": [StrOptions(set(_POOLING))],
    }

    def __init__(self, transformer, *, unit="words", max_words=150, overlap=0, pooling="max"):
        self.transformer = transformer
        self.unit = unit
        self.max_words = max_words
        self.overlap = overlap
        self.pooling = pooling

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the transformer on the chunks.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The documents.
        y : array-like of shape (n_documents,), default=None
            The target; the transformer gets one value a chunk.

        Returns
        -------
        self : ChunkTransformer

        Raises
        ------
        TypeError, ValueError
            If a document is missing, empty or no str, `y` has another length, or `overlap` is not less than
            `max_words`, or not 0 for sentences.
        """
        self._fit(X, y, "fit")
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None):
        """Do `fit` and `transform`, running the transformer once over each chunk.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The documents.
        y : array-like of shape (n_documents,), default=None
            The target.

        Returns
        -------
        pooled : {ndarray, CSR matrix} of shape (n_documents, n_features_out)
            As `transform` returns it.
        """
        return self._pooled(*self._fit(X, y, "fit_transform"), X)

    def transform(self, X):
        """Transform the chunks, and pool the rows of each document.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The documents.

        Returns
        -------
        pooled : {ndarray, CSR matrix} of shape (n_documents, n_features_out), float32 or float64
            CSR if the transformer gives a sparse matrix.
        """
        check_is_fitted(self)
        self._validate_params()  # because `set_params` may have been called after `fit`
        chunks, document = self._split(X)
        rows = {chunk: row for row, chunk in enumerate(dict.fromkeys(chunks))}
        output = transform_inner(self.transformer_, list(rows))
        return self._pooled(document, output[[rows[chunk] for chunk in chunks]], X)

    def _fit(self, X, y, method):
        """Fit the transformer; return the documents of the chunks and, for "fit_transform", the chunks' rows."""
        chunks, document = self._split(X)
        if y is not None:
            check_consistent_length(X, y)
            y = safe_indexing(y, document)
        self.transformer_, output = fit_inner(self._to_fit(document), method, chunks, y)
        self.chunk_document_ = document
        return document, output

    def _to_fit(self, document):
        """Return the transformer of which a clone is fitted on the chunks of documents."""
        return self.transformer

    def _split(self, X):
        """Return all chunks, and the row of the document of each."""
        if self.unit == "words":
            if self.overlap >= self.max_words:
                raise ValueError(f"overlap={self.overlap} must be less than max_words={self.max_words}.")
            chunks = [split_words(text, self.max_words, self.overlap) for text in check_texts(X)]
        elif self.overlap:
            raise ValueError(f'overlap={self.overlap} must be 0 with unit="sentence".')
        else:
            chunks = [split_sentences(text) for text in check_texts(X)]
        document = np.repeat(np.arange(len(chunks)), [len(some) for some in chunks])
        return [chunk for some in chunks for chunk in some], document

    def _pooled(self, document, output, X):
        starts = np.flatnonzero(np.diff(document, prepend=-1))
        return in_container(self, _POOLING[self.pooling](output, starts), X)
