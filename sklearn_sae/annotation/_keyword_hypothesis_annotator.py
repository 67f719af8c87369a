"""Hypotheses made of words and phrases: no language model, no network, no key."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.annotation._active_terms import LEAST_SHARE, LEAST_TEXTS, active_terms, link_words
from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.annotation._keywords import (
    choose_terms,
    find_candidates,
    find_terms,
    match_sentences,
    write_sentence,
)
from sklearn_sae.annotation._latents import latents_of
from sklearn_sae.annotation._neurons import column
from sklearn_sae.annotation._outputs import last_step
from sklearn_sae.annotation._quotes import quote
from sklearn_sae.annotation._sampling import score_then_name
from sklearn_sae.utils._languages import LANGUAGES, check_stop_words, guess_language
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils._sklearn_compat import Interval, Options, StrOptions
from sklearn_sae.utils._targets import check_target
from sklearn_sae.utils._validation import check_texts
from sklearn_sae.utils._words import count_markup, undivided_script

_WHY_NOT = "no word or phrase sets their texts apart; try a smaller min_df, fewer stop_words or another tokenizer"
_UNDIVIDED = (
    "has no spaces between words and is not divided into words here; put spaces between words, or in Python pass a "
    "tokenizer"
)
_NO_WORDS = (
    f"no word on which they are active in at least {LEAST_SHARE} of the texts that have it, and in {LEAST_TEXTS} "
    "texts, agrees with them; try more texts, or spare neurons, NeuronSelector(n_spare=...)"
)
_N_KEYWORDS = 8  # n_keywords="auto"; docs/terms.md shows what more would gain
_NEURON_JUDGES = (
    'The judge is the neuron (judge="neuron"): its name is a label, and fidelity says how well the words of the name '
    "agree with it."
)


class KeywordHypothesisAnnotator(BaseHypothesisAnnotator):
    """Name neurons by the words that set their texts apart, and annotate texts by those words.

    A neuron's candidates are the words and phrases with the highest log-odds of standing in the texts
    that activate it [1]_. Of them a set is kept, so that "the text has one of them" agrees best with the
    activation. The name is ``mentions "rude", "never again" or "slow"``, and a text is annotated 1 if
    it has one of the quoted terms. Where words that speak against the neuron, those with the lowest log-odds,
    improve the agreement, the name is ``mentions more of "rude" or "slow" than of "great" or "love"``,
    and a text is annotated 1 if it has more of the first terms than of the second, each counted once.
    "minutes" also finds "minute", and the other way round. A word may be in the names of three neurons, those that it
    tells most of. Where `fit` gets a target, words that go with it too are preferred.

    Behind a `ReaderSAETransformer`, with selectors between or none, candidates are the words on which the neuron is
    active in a good part of the texts that have them, and phrases of such words. Nothing else is in the name.

    Parameters
    ----------
    encoder : estimator or None, default=None
        From texts (or X, with `texts` beside) to activations, such as a pipeline of embedder, autoencoder and selector;
        a clone is fitted, a `FrozenEstimator` used as it is. None: X is the activations, with `texts` beside.
    neurons : "all", int or array-like of int, default="all"
        Which outputs of the encoder to name: all, the n that activate on most texts, or these columns.
    n_keywords : int or "auto", default="auto"
        The most terms in a name, best first in either set. A name ends sooner when no further term improves its
        agreement with the activation. Terms that speak against the neuron come after all others were tried, so that
        long names, of up to 60 terms say, have most of them. "auto": 8.
    target_weight : float, default=1.0
        How much the choice of terms attends to the target, if there is one; at 1 as much as to the neuron, at 0 not at
        all. Terms that say nothing of the neuron are in no name, whatever they say of the target.
    ngram_range : tuple of (int, int), default=(1, 2)
        The least and largest number of words in a term.
    min_df : int or float, default=2
        Leave out terms found in fewer texts; a float is a share of the texts.
    stop_words : str, array-like of str or None, default="english"
        No term starts or ends with one of these. A str is a language, such as "german": the function words of 33
        languages are known. Negations are kept.
    tokenizer : callable or None, default=None
        Divides a text into a list of words. None: words are runs of letters, digits and marks, whole numbers, emoji,
        emoticons, hash tags and user names, and Chinese, Japanese and Thai are divided by BudouX; phrases end where a
        sentence or a field does. For Lao, Khmer and Burmese pass your own, ``jieba.lcut`` for another division of
        Chinese, or ``re.compile(pattern).findall`` for a regular expression.
    judge : {"words", "neuron"}, default="words"
        What annotates. "words": the words of the name, so that a name says all that is annotated. "neuron": the neuron
        itself, 1 where it is active; a name is then a label. This needs an `encoder`, and cannot be saved.
    n_scoring_examples : int, default=100
        Texts held back to score a name on, half of them activating; at least 2, or 0, which names from all
        texts and leaves fidelity NaN. At most a quarter of a neuron's activating texts is held back.
    remove_boilerplate : bool, default=True
        Leave what nearly all texts share at their beginning or end (instructions, few-shot examples, a signature) out
        of naming and annotation, with a warning that quotes it.
    random_state : int, RandomState instance or None, default=None
        Draws the texts held back.
    verbose : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    hypotheses_ : DataFrame
        One row a hypothesis: ``neuron`` (column of the encoder's output), ``feature`` (its name),
        ``interpretation``, ``short`` (40 characters of it at most, no two alike), ``selection_score`` (of the encoder's
        last step, if that is a selector), ``selection_class`` (of that score; only for a multiclass target),
        ``fidelity_f1``, ``fidelity_precision``, ``fidelity_recall`` and ``fidelity_correlation`` (agreement of
        annotation and activation on the texts held back), ``density`` (share of texts that activate it). With
        ``judge="neuron"`` a last column, ``judge``, says so; fidelity is that of the words of the name there too.
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
    n_features_in_ : int
        Number of neurons seen in `fit`; with ``encoder=None`` only.

    See Also
    --------
    QuoteHypothesisAnnotator : Names neurons by short quotes of the texts, with a sentence model.
    LLMHypothesisAnnotator : Lets a language model name neurons and annotate texts.
    ReaderSAETransformer : Trains neurons that are active on words, which then are their names.
    evaluate_hypotheses : Tests the annotations against a target.
    make_hypothesis_pipeline : Builds the whole path; ``naming="keywords"`` takes this annotator.

    Notes
    -----
    Long names predict better than short ones, because people say one thing in many ways; set `n_keywords` to 60 where
    that counts more than names that are understood at a glance. Of the neurons that a `NeuronSelector` with spare ones
    keeps, all are named, and with a target a clone of it selects anew from what the names say of the texts. A term is
    tried if its log-odds lie 3 standard errors from 0. Behind a reader long names agree better with the neuron but
    predict hardly better. See docs/annotation.md for what was measured.

    References
    ----------
    .. [1] B. L. Monroe, M. P. Colaresi and K. M. Quinn (2008). Fightin' Words: Lexical Feature Selection
       and Evaluation for Identifying the Content of Political Conflict. Political Analysis 16(4), 372-403.

    Examples
    --------
    >>> from sklearn.decomposition import NMF
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sae import KeywordHypothesisAnnotator
    >>> texts = ["The soup was cold.", "Rude staff!", "A rude waiter.", "Great soup.", "Cold soup again.", "So rude."]
    >>> encoder = make_pipeline(TfidfVectorizer(stop_words="english"), NMF(2, random_state=0))
    >>> annotator = KeywordHypothesisAnnotator(encoder, n_keywords=2).fit(texts)
    >>> for name in annotator.get_feature_names_out():
    ...     print(name)
    mentions "soup"
    mentions "rude"
    >>> annotator.transform(["I had rude soup.", "Lovely!"])
    array([[1., 1.],
           [0., 0.]])
    """

    _parameter_constraints: dict = {
        **BaseHypothesisAnnotator._parameter_constraints,
        "n_keywords": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "ngram_range": [tuple],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "stop_words": [StrOptions(set(LANGUAGES)), "array-like", None],
        "tokenizer": [callable, None],
        "judge": [StrOptions({"words", "neuron"})],
        "n_scoring_examples": [Options(Integral, {0}), Interval(Integral, 2, None, closed="left")],
    }

    _annotates_freely = True

    def __init__(
        self,
        encoder=None,
        *,
        neurons="all",
        n_keywords="auto",
        target_weight=1.0,
        ngram_range=(1, 2),
        min_df=2,
        stop_words="english",
        tokenizer=None,
        judge="words",
        n_scoring_examples=100,
        remove_boilerplate=True,
        random_state=None,
        verbose=False,
    ):
        self.encoder = encoder
        self.neurons = neurons
        self.n_keywords = n_keywords
        self.target_weight = target_weight
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.stop_words = stop_words
        self.tokenizer = tokenizer
        self.judge = judge
        self.n_scoring_examples = n_scoring_examples
        self.remove_boilerplate = remove_boilerplate
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self):
        are_integers = len(self.ngram_range) == 2 and all(isinstance(n, Integral) for n in self.ngram_range)
        if not are_integers or not 1 <= self.ngram_range[0] <= self.ngram_range[1]:
            raise ValueError(f"ngram_range must be two integers, 1 <= least <= largest; got {self.ngram_range}.")
        check_stop_words(self.stop_words)
        if self.judge == "neuron" and self.encoder is None:
            raise ValueError('judge="neuron" needs an encoder=, which turns the texts to annotate into activations.')

    def quotes(self, texts, n=3):
        """Show the clauses of texts in which the neuron behind each hypothesis is most active.

        Parameters
        ----------
        texts : sequence of str
            Those that it was fitted on, or any others.
        n : int, default=3
            The most clauses of a hypothesis, each from another text.

        Returns
        -------
        quotes : dict of str to list of str
            For each hypothesis, as `get_feature_names_out` names it, its clauses, the strongest first: a sentence, or
            up to 15 words of it. The word on which the neuron is most active stands between ``<<`` and ``>>``.

        Raises
        ------
        ValueError
            If the encoder is no `ReaderSAETransformer`, with selectors behind it or none; or `n` is not at least 1.
        """
        check_is_fitted(self, "hypotheses_")
        latents = self._latents() if hasattr(self, "encoder_") else None
        if latents is None:
            raise ValueError(
                "quotes needs an encoder whose first step is a ReaderSAETransformer, because only that knows on which "
                "words a neuron is active."
            )
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n={n!r} must be an integer, at least 1.")
        clauses = quote(latents, check_texts(texts, name="texts"), self.hypotheses_["neuron"].tolist(), n)
        return dict(zip(self.get_feature_names_out(), clauses, strict=True))

    def _choose_examples(self, activation, rng, prepared):
        return score_then_name(activation, n_scoring=self.n_scoring_examples, rng=rng)

    def _warn_of_texts(self, texts):
        """Say what in the texts is no word, and what of their language should be told to this annotator."""
        if n_texts := count_markup(texts):
            warn(
                f"{n_texts:,} of {len(texts):,} texts {'has' if n_texts == 1 else 'have'} HTML tags, entities or "
                "addresses, which do not count as words."
            )
        if self.tokenizer is None and (script := undivided_script(texts)):
            warn(f"The texts are in {script}, which {_UNDIVIDED}.")
        if self.stop_words == "english" and (language := guess_language(texts)) not in ("english", None):
            warn(
                f"The texts seem to be {language.capitalize()}; stop_words={language!r} keeps its function words out "
                "of names."
            )

    def _prepare(self, texts, neurons, y=None):
        self._warn_of_texts(texts)
        if self.judge == "neuron":
            warn(_NEURON_JUDGES)
        presence, terms = find_terms(
            texts,
            tokenizer=self.tokenizer,
            ngram_range=self.ngram_range,
            stop_words=check_stop_words(self.stop_words),
            min_df=self.min_df,
        )
        target = self._target(y)
        latents = self._latents()
        if latents is None:
            return presence, terms, target, None
        _, vocabulary, _, times = latents.word_activations(texts, neurons)
        return presence, terms, target, (link_words(vocabulary, terms), dict(zip(neurons, times, strict=True)))

    def _target(self, y):
        """Return what names attend to beside their neurons: a column for a number or each class, or None."""
        if y is None or not self.target_weight:
            return None
        task = getattr(last_step(self.encoder), "task", "auto")
        target = check_target(y, task=task)
        columns = target.values[:, None] if target.classes is None else np.eye(len(target.classes))[target.values]
        columns = columns[:, np.ptp(columns, axis=0) > 0]
        return self.target_weight * (columns - columns.mean(axis=0)) / columns.std(axis=0) if columns.size else None

    def _latents(self):
        """Return the `Latents` that the encoder's outputs are, if it is known on which words each is active."""
        latents = None if self.encoder is None else latents_of(self.encoder_)
        return latents if latents is not None and latents.knows_words else None

    def _name(self, texts, activations, examples, neurons, prepared):
        presence, terms, target, of_words = prepared
        n_keywords = _N_KEYWORDS if self.n_keywords == "auto" else self.n_keywords
        columns = [column(activations, i) for i in range(len(examples))]
        uses = [np.isin(np.arange(len(texts)), chosen.scoring, invert=True) for chosen in examples]
        if of_words is None:
            may_name = find_candidates(presence, columns, uses)
        else:
            links, times = of_words
            may_name = [
                (active_terms(presence, links, times[neuron], use=use), ())
                for neuron, use in zip(neurons, uses, strict=True)
            ]
        candidates = []
        for i, (more, less) in enumerate(progress(may_name, desc="naming", verbose=self.verbose, unit="neuron")):
            keywords, opposed = choose_terms(
                presence, columns[i], n_keywords, use=uses[i], more=more, less=less, target=target
            )
            candidates.append(
                [write_sentence(terms[keywords], terms[opposed], tokenizer=self.tokenizer)] if keywords else []
            )
        if of_words is not None:
            return candidates, _NO_WORDS
        script = undivided_script(texts) if self.tokenizer is None else None
        return candidates, _WHY_NOT if script is None else f"the texts are in {script}, which {_UNDIVIDED}"

    def _complete(self, table):
        return table if self.judge == "words" else table.assign(judge=self.judge)

    def _judge(self, X, shown):
        fitted = "neuron" if "judge" in self.hypotheses_ else "words"
        if self.judge != fitted:
            raise ValueError(f"judge={self.judge!r} was set after fit, which took judge={fitted!r}; fit again.")
        if fitted == "words":
            return super()._judge(X, shown)
        check_is_fitted(self, "encoder_")
        with config_context(transform_output="default"):
            activations = self.encoder_.transform(X)
        columns = self.hypotheses_["neuron"].to_numpy()
        return np.asarray(sparse.csc_array(activations)[:, columns].toarray() > 0, dtype=np.float64)

    def _annotate(self, texts, hypotheses, mask=None):
        holds = match_sentences(texts, hypotheses, tokenizer=self.tokenizer).astype(np.float64)
        return holds if mask is None else np.where(mask, holds, np.nan)
