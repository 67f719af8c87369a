"""Hypotheses made of quotes: a sentence model, and no language model."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.annotation._closeness import choose_quotes, discriminating
from sklearn_sae.annotation._fidelity import fidelity
from sklearn_sae.annotation._keyword_hypothesis_annotator import KeywordHypothesisAnnotator
from sklearn_sae.annotation._neurons import column
from sklearn_sae.annotation._quotable import Quotable, show, write_sentence
from sklearn_sae.annotation._sampling import score_then_name
from sklearn_sae.annotation._sentence_vectors import Sentences, divide, embed, embedder_of, no_embedder, unit
from sklearn_sae.utils._languages import guess_language
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, Options

_MOST_READ = 10_000  # texts whose sentences may be quoted, evenly spread
_N_CANDIDATES = 20  # sentences of a neuron that are tried
_BATCH = 4096  # sentences whose vectors are in memory at a time in `transform`
# On the texts that it was named from, where spare neurons can take its place. On those held back, half of which are
# active, even a name that always holds has an F1 of 0.67.
_LEAST_F1 = 0.5
_MISFIT = f"whose quotes fit few of their texts, or many others (F1 below {_LEAST_F1})"
_ENGLISH_MODEL = "all-MiniLM-L6-v2"
_NOTHING_TO_QUOTE = (
    "none of their texts has a sentence that may be quoted, of at least three words and without an address, a user's "
    "name or a number to call; keywords may name them"
)


class Rule(NamedTuple):
    """When a hypothesis holds: where the vector of a sentence is so close to the mean of those of the quotes."""

    direction: np.ndarray  # (n_dims,) float32
    threshold: float


class _Corpus(NamedTuple):
    """The sentences that may be quoted, and all sentences that they must set apart."""

    rows: np.ndarray  # of the texts that are read
    sentences: Sentences
    vectors: np.ndarray  # (n_distinct, n_dims)
    quotable: Quotable


class QuoteHypothesisAnnotator(BaseHypothesisAnnotator):
    """Name neurons by short quotes of the texts that activate them, and annotate texts by how close they come.

    The name is ``says something like "We waited over an hour for our food"``, with up to three quotes. It holds for a
    text if one of the text's sentences is close enough to the quotes, as a sentence model sees them: the cosine of
    their vectors, averaged over the quotes. So a text is judged by what a reader of the name sees, and the neuron plays
    no part. This needs a sentence model, and no language model.

    The quotes are whole sentences of the training texts, and are chosen so that what is close to them agrees best with
    the activation. They differ from each other and are short. Names of people and places are avoided where others will
    do. A sentence is never quoted in which patterns find an address (of the web, of email or of a house), a user's name
    or a number to call. Patterns cannot find all of these, nor secrets of other kinds. The target takes no part in the
    choice of quotes.

    **Names show fragments of the texts.** They are in `hypotheses_`, `candidates_` and `passed_over_`, in reports and
    in saved models. Where texts must not be shown, set ``quote=False``.

    Parameters
    ----------
    encoder : estimator or None, default=None
        From texts (or X, with `texts` beside) to activations, such as a pipeline of embedder, autoencoder and selector;
        a clone is fitted, a `FrozenEstimator` used as it is. None: X is the activations, with `texts` beside.
    neurons : "all", int or array-like of int, default="all"
        Which outputs of the encoder to name: all, the n that activate on most texts, or these columns.
    n_quotes : int, default=3
        The most quotes in a name. It has fewer where no other improves the agreement with the activation.
    embedder : estimator or None, default=None
        What turns sentences into dense vectors, such as an `EmbeddingTransformer`; a clone of it is fitted. None: the
        first step of the `encoder`, or of what a `ChunkTransformer` there applies.
    max_words : int, default=12
        Sentences of more words are quoted only where too few are shorter.
    quote : bool, default=True
        Show fragments of the texts. False: names are keywords and annotations are made by these, as by a
        `KeywordHypothesisAnnotator`; no sentence is shown, and neither sentences nor their vectors are kept, but for
        what `remove_boilerplate` finds.
    n_scoring_examples : int, default=100
        Texts held back to score a name on, half of them activating; at least 2, or 0, which names from all
        texts and leaves fidelity NaN. At most a quarter of a neuron's activating texts is held back.
    remove_boilerplate : bool, default=True
        Leave what nearly all texts share at their beginning or end (instructions, few-shot examples, a signature) out
        of naming and annotation, with a warning that quotes it. It is kept, and so is in a pickle.
    random_state : int, RandomState instance or None, default=None
        Draws the texts held back.
    verbose : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    hypotheses_ : DataFrame
        One row a hypothesis: ``neuron`` (column of the encoder's output), ``feature`` (its name),
        ``interpretation``, ``short`` (the name in at most 40 characters, no two alike), ``selection_score`` (of the
        encoder's last step, if that is a selector), ``selection_class`` (of that score; only for a multiclass target),
        ``fidelity_f1``, ``fidelity_precision``, ``fidelity_recall`` and ``fidelity_correlation`` (agreement of
        annotation and activation on the texts held back), ``density`` (share of texts that activate it).
    candidates_ : DataFrame
        One row a name that was considered: ``neuron``, ``interpretation`` and the fidelities as in `hypotheses_`.
    passed_over_ : list of dict
        The neurons whose names are not offered because others say the same, because they do not fit, or because they
        tell less of the target beside the others: ``neuron``, ``interpretation`` and ``reason``. Only where the
        encoder's last step is a selector with spare neurons.
    examples_ : list of dict
        For each hypothesis, row numbers of texts: ``activating`` (the ten strongest that it was named from),
        ``non_activating`` (ten others) and ``scoring`` (those held back).
    encoder_ : estimator
        The fitted encoder; not there with ``encoder=None``.
    embedder_ : estimator
        The fitted embedder; not there with ``quote=False``.
    n_features_in_ : int
        Number of neurons seen in `fit`; with ``encoder=None`` only.

    See Also
    --------
    KeywordHypothesisAnnotator : Names neurons by words, which needs no model and shows no sentence.
    LLMHypothesisAnnotator : Lets a language model name neurons and annotate texts.
    ChunkTransformer : Lets neurons be of sentences, which quotes name best.
    make_hypothesis_pipeline : Builds the whole path; ``naming="quotes"`` takes this annotator.

    Notes
    -----
    Vectors are taken relative to the mean of all training sentences, so that what all sentences of a corpus share
    counts for nothing. The threshold is the one at which closeness agrees best with the neuron being active. In a
    corpus of more than 10,000 texts, quotes are chosen from so many of them. Of the neurons that a `NeuronSelector`
    with spare ones keeps, all are named, and with a target a clone of it selects anew from what the names say of the
    texts. See docs/annotation.md for what was measured.

    A pickle holds the quotes that are shown, and of each name the mean of their vectors and the threshold. From the
    vector of a sentence much of the sentence can be guessed.

    Examples
    --------
    >>> from sklearn.decomposition import NMF, TruncatedSVD
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sae import QuoteHypothesisAnnotator
    >>> texts = ["The soup was cold.", "Such rude staff!", "A rude waiter.", "We liked the soup.", "Cold soup again."]
    >>> words = TfidfVectorizer(stop_words="english")
    >>> encoder = make_pipeline(words, NMF(2, random_state=0))
    >>> sentence_model = make_pipeline(words, TruncatedSVD(3, random_state=0))  # in the place of a real one
    >>> annotator = QuoteHypothesisAnnotator(encoder, embedder=sentence_model, n_scoring_examples=0).fit(texts)
    >>> for name in annotator.get_feature_names_out():
    ...     print(name)
    says something like "The soup was cold"
    says something like "Such rude staff!"
    >>> annotator.transform(["I had soup.", "Rude!"])
    array([[1., 0.],
           [0., 1.]])
    """

    _parameter_constraints: dict = {
        **BaseHypothesisAnnotator._parameter_constraints,
        "n_quotes": [Interval(Integral, 1, None, closed="left")],
        "embedder": [HasMethods(["fit", "transform"]), None],
        "max_words": [Interval(Integral, 1, None, closed="left")],
        "quote": ["boolean"],
        "n_scoring_examples": [Options(Integral, {0}), Interval(Integral, 2, None, closed="left")],
    }

    _annotates_freely = True

    def __init__(
        self,
        encoder=None,
        *,
        neurons="all",
        n_quotes=3,
        embedder=None,
        max_words=12,
        quote=True,
        n_scoring_examples=100,
        remove_boilerplate=True,
        random_state=None,
        verbose=False,
    ):
        self.encoder = encoder
        self.neurons = neurons
        self.n_quotes = n_quotes
        self.embedder = embedder
        self.max_words = max_words
        self.quote = quote
        self.n_scoring_examples = n_scoring_examples
        self.remove_boilerplate = remove_boilerplate
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self):
        if self.quote and self.embedder is None and embedder_of(self.encoder) is None:
            begins = f"the encoder, a {type(self.encoder).__name__}, does not begin with one"
            raise no_embedder("with encoder=None there is none" if self.encoder is None else begins)

    def _check_texts(self, X, texts):
        texts, X = super()._check_texts(X, texts)
        are_texts = X is texts or getattr(X, "dtype", np.dtype(float)).kind == "O"  # or pairs of them
        if self.quote and self.embedder is None and not are_texts:
            raise no_embedder("X holds vectors of the texts, and none of their sentences")
        return texts, X

    def _start(self):
        for name in ("embedder_", "_center", "_rules"):
            vars(self).pop(name, None)

    def _choose_examples(self, activation, rng, prepared):
        return score_then_name(activation, n_scoring=self.n_scoring_examples, rng=rng)

    def _by_keywords(self):
        """Return what names and annotates where no text may be quoted."""
        keywords = KeywordHypothesisAnnotator(self.encoder, verbose=self.verbose)
        if hasattr(self, "encoder_"):
            keywords.encoder_ = self.encoder_
        return keywords

    def _name_in_turn(self, *args):
        self._known = {}  # the vectors of training sentences, so that each is embedded once
        self._f1 = {}  # of each name, on the texts that it was named from
        try:
            return super()._name_in_turn(*args)
        finally:
            del self._known, self._f1

    def _with_annotations(self, named, texts):
        named = super()._with_annotations(named, texts)
        return [one._replace(misfit=_MISFIT if self._f1.get(one.sentence, 1) < _LEAST_F1 else "") for one in named]

    def _prepare(self, texts, neurons, y=None):
        if not self.quote:
            return self._by_keywords()._prepare(texts, neurons, y)
        rows = np.arange(0, len(texts), -(-len(texts) // _MOST_READ))
        sentences = divide([texts[row] for row in rows])
        self._rules = {}
        self.embedder_ = (
            embedder_of(self.encoder_) if self.embedder is None else clone(self.embedder).fit(sentences.distinct)
        )
        self._warn_of_language(texts)
        vectors = embed(self.embedder_, sentences.distinct)
        self._center = np.average(vectors, axis=0, weights=np.bincount(sentences.place)).astype(np.float32)
        vectors = unit(vectors - self._center)
        self._known.update(zip(sentences.distinct, vectors, strict=True))
        return _Corpus(rows, sentences, vectors, Quotable(sentences.distinct, self.max_words))

    def _warn_of_language(self, texts):
        """Say where the sentence model was trained on another language than that of the texts."""
        model = str(getattr(self.embedder_, "model", ""))
        if model.endswith(_ENGLISH_MODEL) and (language := guess_language(texts)) not in ("english", None):
            warn(
                f"The texts seem to be {language.capitalize()}, and {_ENGLISH_MODEL} knows little but English; pass a "
                "model of many languages as embedder=."
            )

    def _name(self, texts, activations, examples, neurons, prepared):
        if not self.quote:
            return self._by_keywords()._name(texts, activations, examples, neurons, prepared)
        candidates = []
        for i, chosen in enumerate(progress(examples, desc="naming", verbose=self.verbose, unit="neuron")):
            use = np.ones(len(texts), dtype=bool)
            use[chosen.scoring] = False
            rows = prepared.rows
            candidates.append(self._quotes_for(prepared, column(activations, i)[rows], use[rows]))
        return candidates, _NOTHING_TO_QUOTE

    def _quotes_for(self, corpus, activation, use):
        """Return the name of a neuron in a list, or [], and keep when it holds."""
        sentences, vectors = corpus.sentences, corpus.vectors
        stands = np.unique(sentences.place[(use & (activation > 0))[sentences.text]])
        if not len(stands):
            return []
        scores = discriminating(vectors, sentences, activation, use)[stands]
        tried = corpus.quotable.best(stands[np.argsort(-scores, kind="stable")], _N_CANDIDATES)
        if not len(tried):
            return []

        def closest(directions):
            closeness = (vectors @ directions.T)[sentences.place]
            return np.maximum.reduceat(closeness, sentences.starts, axis=0)[use]

        words = [sentences.distinct[i] for i in tried]
        active = activation[use] > 0
        choice = choose_quotes(vectors[tried], words, self.n_quotes, closest, active)
        said = closest(choice.direction[None])[:, 0] >= choice.threshold
        name = write_sentence([show(words[i]) for i in choice.chosen])
        f1 = fidelity(said.astype(np.float64), active.astype(np.float64)).f1
        if f1 > self._f1.get(name, -1):  # two neurons may have the same quotes
            self._f1[name] = f1
            self._rules[name] = Rule(choice.direction, float(choice.threshold))
        return [name]

    def _complete(self, table):
        if self.quote:
            self._rules = {name: self._rules[name] for name in table["interpretation"]}
        return table

    def _judge(self, X, shown):
        if self.quote != hasattr(self, "_rules"):
            raise ValueError(f"quote={self.quote!r} was set after fit, which took quote={not self.quote!r}; fit again.")
        return super()._judge(X, shown)

    def _annotate(self, texts, hypotheses, mask=None):
        if not self.quote:
            return self._by_keywords()._annotate(texts, hypotheses, mask)
        sentences = divide(texts)
        rules = [self._rules[name] for name in hypotheses]
        directions = np.array([rule.direction for rule in rules])
        thresholds = np.array([rule.threshold for rule in rules])
        is_close = np.empty((len(sentences.distinct), len(rules)), dtype=bool)
        for start in range(0, len(is_close), _BATCH):
            batch = slice(start, start + _BATCH)
            is_close[batch] = self._vectors(sentences.distinct[batch]) @ directions.T >= thresholds
        holds = np.logical_or.reduceat(is_close[sentences.place], sentences.starts, axis=0).astype(np.float64)
        return holds if mask is None else np.where(mask, holds, np.nan)

    def _vectors(self, sentences):
        """Return the vectors of distinct sentences, relative to the mean; in `fit`, those known are not embedded."""
        known = getattr(self, "_known", {})
        new = [one for one in sentences if one not in known]
        vectors = dict(zip(new, unit(embed(self.embedder_, new) - self._center), strict=True)) if new else {}
        return np.array([known[one] if one in known else vectors[one] for one in sentences])
