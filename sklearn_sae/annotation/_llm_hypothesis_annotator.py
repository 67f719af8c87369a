"""Hypotheses that a language model writes, and annotations that it makes."""

import os
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.annotation._latents import latents_of, marker_of
from sklearn_sae.annotation._sampling import show_then_score, word_weights
from sklearn_sae.annotation.llm._asking import annotate, connection_of, start
from sklearn_sae.annotation.llm._check import check_judges, check_parameters
from sklearn_sae.annotation.llm._cost import estimate
from sklearn_sae.annotation.llm._cut import cut_texts
from sklearn_sae.annotation.llm._naming import name_neurons
from sklearn_sae.annotation.llm._source import check_source
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import Interval, Options, StrOptions
from sklearn_sae.utils._validation import check_texts


class LLMHypothesisAnnotator(BaseHypothesisAnnotator):
    """Let a language model name neurons, and annotate texts by those names.

    The interpreter is shown texts that activate a neuron beside texts that do not, and says what sets them apart. (It
    is also shown which words or sentences activate the neuron, if the encoder can tell: one that begins with a
    `PretrainedSAETransformer`, a `ReaderSAETransformer` or a `ChunkTransformer` of sentences.)
    Each candidate is scored on texts that the interpreter was not shown, and the best is the neuron's
    hypothesis [1]_. The annotator then says of any text whether each hypothesis holds. The key is never stored.

    There are three forms. With `encoder`, X is texts and everything in `sklearn.model_selection` works.
    With ``encoder=None``, X is activations, for the end of one straight pipeline, and `texts` is passed
    beside it. With `hypotheses`, X is texts and nothing is fitted.

    Parameters
    ----------
    encoder : estimator or None, default=None
        From texts (or X, with `texts` beside) to activations, such as a pipeline of embedder, autoencoder and selector;
        a clone is fitted, a `FrozenEstimator` used as it is. None: X is the activations, with `texts` beside.
    hypotheses : sequence of str or None, default=None
        Sentences that a person wrote, to annotate texts by, without a `fit`. Excludes `encoder`.
    neurons : "all", int or array-like of int, default="all"
        Which outputs of the encoder to name: all, the n that activate on most texts, or these columns.
    interpreter : str, default="gpt-5.2"
        The model that names neurons.
    annotator : str, default="gpt-5-mini"
        The model that annotates texts.
    n_examples : int, default=20
        Texts shown to the interpreter, half of them activating. Of the others half are near misses, the most similar
        in their words, and half are drawn at random.
    sampling : {"top", "percentile"}, default="top"
        Show the most activating texts, or a random draw from their top tenth.
    n_candidates : int, default=1
        Interpretations asked for, each from other texts as far as there are enough, of which the best is kept.
    n_scoring_examples : int, default=100
        Texts to score a candidate on, half of them activating, over the whole range; at least 2, or 0: no scores.
    scoring : {"f1", "precision", "recall", "correlation"}, default="f1"
        What the best candidate is best in.
    min_label_score : float or None, default=None
        The latents of a `PretrainedSAETransformer`, as encoder or before the encoder's selectors, may come with
        labels. A label that scores at least this (by `scoring`) is kept, and only the other latents are named anew, or
        keep their label where no new name scores higher. None: all are named anew.
    instructions : str or None, default=None
        What the texts are and what to look for, added to the interpreter's prompt.
    annotator_instructions : str or None, default=None
        What the texts are and how strict to be, with examples perhaps, added to the annotator's prompt.
    interpreter_prompt, annotator_prompt : str, path-like or None, default=None
        A prompt of your own, or the file that it stands in, with the fields ``{group_a}`` and ``{group_b}``, or
        ``{text}``, ``{properties}`` and ``{form}``. ``{instructions}`` may be one too, and ``{form}`` (in which form to
        reply) of the first. See docs/annotation.md.
    max_words : int or None, default=256
        Words of a text that are sent. None: all.
    truncate : {"head", "middle", "tail"}, default="head"
        Which part of a text of more than `max_words` words is kept: its head; its head and tail, without the middle; or
        its tail. "[…]" stands where it is cut, and a warning says how many texts are. A cut that makes one text in
        twenty equal to another is refused by `fit`.
    concepts_per_call : int, default=1
        Hypotheses about one text that are put into one request.
    output : {"binary", "probability"}, default="binary"
        1 and 0, or P(yes) from the log-probabilities of the annotator's tokens.
    answers : dict of str to float, or None, default=None
        The answers that the annotator chooses from and the number that each becomes, such as
        ``{"yes": 1, "no": 0, "cannot tell": float("nan")}`` or ``{"not at all": 0, "somewhat": 0.5, "strongly": 1}``.
        None: yes, which is 1, and no, which is 0. Fidelity counts 0.5 and more as yes.
    rationale : bool, default=False
        Ask for a quote or a reason before each answer, which costs its tokens; `explain` shows them. They may quote
        texts, and are kept beside the answers in `cache_dir`.
    interpreter_params, annotator_params : dict or None, default=None
        Added to each request to that model, such as ``{"temperature": 0}``, or ``{"max_tokens": 50}`` in place of our
        own limit. Part of what an answer is kept under.
    base_url : str or None, default=None
        Address of an OpenAI-compatible server. None: OPENAI_BASE_URL, or OpenAI. See docs/servers.md.
    server : {"transformers", "vllm", "llama.cpp"} or None, default=None
        Start a server of the models on this machine. See docs/local_models.md.
    api_key_env : str or None, default=None
        The environment variable with the server's key, such as ``"OPENROUTER_API_KEY"``, or with headers, one a line.
        None: OPENAI_API_KEY, which only OpenAI gets, and the server that OPENAI_BASE_URL names.
    api : {"auto", "chat", "responses"}, default="auto"
        Protocol. "auto": Responses for OpenAI, Chat Completions for other servers.
    max_concurrency : int, default=32
        The most requests in flight at once. Fewer while the server answers that there are too many (429, 503).
    requests_per_minute, tokens_per_minute : float or None, default=None
        Limits to keep by spacing requests evenly. None: the server's refusals set the pace.
    timeout : float, default=60
        Seconds, for one request.
    max_retries : int, default=5
        How often a request is repeated after 429, 5xx or no connection.
    on_error : {"nan", "raise"} or 0, default="nan"
        An annotation without an answer becomes NaN (with one warning), an exception, or 0.
    max_requests : int or None, default=None
        Stop with a RuntimeError before this fitted object sends more requests; what was bought is kept.
    batch : bool, default=False
        Ask through the provider's batch endpoint, at half the price and within 24 hours. A run that is
        interrupted while it waits goes on from the same batches when it is started again with the same `cache_dir`.
    prices : dict of str to (float, float), or None, default=None
        By model, the price of a million prompt tokens and of a million completion tokens, such as
        ``{"gpt-5-mini": (0.25, 2)}``, without the discount for batches, which is applied, and the one for prefixes
        that the provider has cached, which is not. None: cost is counted in tokens only.
    cache_dir : "auto", path-like or None, default="auto"
        Where answers are kept, under hashes, so that none is paid for twice. "auto": the folder in
        SKLEARN_SAE_CACHE_DIR, or the user's cache folder. None: nowhere. Of processes that share it, one asks.
    cached_only : bool, default=False
        Use the answers that are kept and ask for none; annotations without one are NaN, whatever `on_error` says.
    remove_boilerplate : bool, default=True
        Leave what nearly all texts share at their beginning or end (instructions, few-shot examples, a signature) out
        of naming and annotation, with a warning that quotes it.
    random_state : int, RandomState instance or None, default=None
        Draws the example texts.
    verbose : bool, default=False
        Show a progress bar with the rate, the cached share and what was spent.

    Attributes
    ----------
    hypotheses_ : DataFrame
        One row a hypothesis: ``neuron`` (column of the encoder's output), ``feature`` (its name),
        ``interpretation``, ``short`` (40 characters of it at most, no two alike), ``selection_score`` (of the encoder's
        last step, if that is a selector), ``selection_class`` (of that score; only for a multiclass target),
        ``fidelity_f1``, ``fidelity_precision``, ``fidelity_recall`` and ``fidelity_correlation`` (agreement of
        annotation and activation on the texts held back), ``density`` (share of texts that activate it).
    candidates_ : DataFrame
        One row a name that was considered: ``neuron``, ``interpretation``, the fidelities as in `hypotheses_`, and
        ``holds_for``, the share of the activating texts shown that the interpreter says it holds for.
    passed_over_ : list of dict
        The neurons whose names are not offered: ``neuron``, ``interpretation`` and ``reason``. The interpreter calls
        what their texts share unclear; or, where the encoder's last step is a selector with spare neurons, the name
        does not fit, or another says the same.
    examples_ : list of dict
        For each hypothesis, row numbers of texts: ``activating`` and ``non_activating``, which the
        interpreter saw for one candidate or another, and ``scoring``, which it did not.
    usage_ : dict
        Of `fit` and every later `transform`: ``requests`` sent, those ``retried`` by the client, answers ``cached`` and
        ``failed`` (of these ``refused`` for what a text says), ``prompt_tokens`` and ``completion_tokens`` as counted
        by the server, and ``price`` (NaN without `prices`); and ``cache_bytes``, the size of the file of all answers.
    encoder_ : estimator
        The fitted encoder; only with `encoder`.
    n_features_in_ : int
        Number of neurons seen in `fit`; only when X is activations.

    See Also
    --------
    KeywordHypothesisAnnotator : Names neurons by words, without a language model.
    QuoteHypothesisAnnotator : Names neurons by short quotes of the texts, with a sentence model.
    score_hypotheses : Scores names that are given.
    evaluate_hypotheses : Tests the annotations against a target.
    make_hypothesis_pipeline : Builds the whole path; ``naming="llm"`` takes this annotator.

    References
    ----------
    .. [1] R. Movva, K. Peng, N. Garg, J. Kleinberg and E. Pierson (2025). Sparse Autoencoders for
       Hypothesis Generation. ICML. https://arxiv.org/abs/2502.04382

    Examples
    --------
    >>> from sklearn_sae import LLMHypothesisAnnotator
    >>> annotator = LLMHypothesisAnnotator(hypotheses=["mentions a long wait", "praises the staff"])
    >>> annotator.estimate_cost(n_texts=1000, words_per_text=60)["requests"]
    2000
    >>> annotator.set_params(concepts_per_call=2).estimate_cost(n_texts=1000, words_per_text=60)["requests"]
    1000
    """

    _parameter_constraints: dict = {
        **BaseHypothesisAnnotator._parameter_constraints,
        "hypotheses": ["array-like", None],
        "interpreter": [str],
        "annotator": [str],
        "n_examples": [Interval(Integral, 2, None, closed="left")],
        "sampling": [StrOptions({"top", "percentile"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_scoring_examples": [Options(Integral, {0}), Interval(Integral, 2, None, closed="left")],
        "scoring": [StrOptions({"f1", "precision", "recall", "correlation"})],
        "min_label_score": [Interval(Real, -1, 1, closed="both"), None],
        "instructions": [str, None],
        "annotator_instructions": [str, None],
        "interpreter_prompt": [str, os.PathLike, None],
        "annotator_prompt": [str, os.PathLike, None],
        "max_words": [Interval(Integral, 1, None, closed="left"), None],
        "truncate": [StrOptions({"head", "middle", "tail"})],
        "concepts_per_call": [Interval(Integral, 1, None, closed="left")],
        "output": [StrOptions({"binary", "probability"})],
        "answers": [dict, None],
        "rationale": ["boolean"],
        "interpreter_params": [dict, None],
        "annotator_params": [dict, None],
        "base_url": [str, None],
        "server": [StrOptions({"transformers", "vllm", "llama.cpp"}), None],
        "api_key_env": [str, None],
        "api": [StrOptions({"auto", "chat", "responses"})],
        "max_concurrency": [Interval(Integral, 1, None, closed="left")],
        "requests_per_minute": [Interval(Real, 0, None, closed="neither"), None],
        "tokens_per_minute": [Interval(Real, 0, None, closed="neither"), None],
        "timeout": [Interval(Real, 0, None, closed="neither")],
        "max_retries": [Interval(Integral, 0, None, closed="left")],
        "on_error": [StrOptions({"nan", "raise"}), Options(Integral, {0})],
        "max_requests": [Interval(Integral, 0, None, closed="left"), None],
        "batch": ["boolean"],
        "prices": [dict, None],
        "cache_dir": [str, os.PathLike, None],
        "cached_only": ["boolean"],
    }

    def __init__(
        self,
        encoder=None,
        *,
        hypotheses=None,
        neurons="all",
        interpreter="gpt-5.2",
        annotator="gpt-5-mini",
        n_examples=20,
        sampling="top",
        n_candidates=1,
        n_scoring_examples=100,
        scoring="f1",
        min_label_score=None,
        instructions=None,
        annotator_instructions=None,
        interpreter_prompt=None,
        annotator_prompt=None,
        max_words=256,
        truncate="head",
        concepts_per_call=1,
        output="binary",
        answers=None,
        rationale=False,
        interpreter_params=None,
        annotator_params=None,
        base_url=None,
        server=None,
        api_key_env=None,
        api="auto",
        max_concurrency=32,
        requests_per_minute=None,
        tokens_per_minute=None,
        timeout=60,
        max_retries=5,
        on_error="nan",
        max_requests=None,
        batch=False,
        prices=None,
        cache_dir="auto",
        cached_only=False,
        remove_boilerplate=True,
        random_state=None,
        verbose=False,
    ):
        self.encoder = encoder
        self.hypotheses = hypotheses
        self.neurons = neurons
        self.interpreter = interpreter
        self.annotator = annotator
        self.n_examples = n_examples
        self.sampling = sampling
        self.n_candidates = n_candidates
        self.n_scoring_examples = n_scoring_examples
        self.scoring = scoring
        self.min_label_score = min_label_score
        self.instructions = instructions
        self.annotator_instructions = annotator_instructions
        self.interpreter_prompt = interpreter_prompt
        self.annotator_prompt = annotator_prompt
        self.max_words = max_words
        self.truncate = truncate
        self.concepts_per_call = concepts_per_call
        self.output = output
        self.answers = answers
        self.rationale = rationale
        self.interpreter_params = interpreter_params
        self.annotator_params = annotator_params
        self.base_url = base_url
        self.server = server
        self.api_key_env = api_key_env
        self.api = api
        self.max_concurrency = max_concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.timeout = timeout
        self.max_retries = max_retries
        self.on_error = on_error
        self.max_requests = max_requests
        self.batch = batch
        self.prices = prices
        self.cache_dir = cache_dir
        self.cached_only = cached_only
        self.remove_boilerplate = remove_boilerplate
        self.random_state = random_state
        self.verbose = verbose

    def estimate_cost(
        self,
        n_texts,
        *,
        n_neurons=None,
        n_fits=1,
        words_per_text=None,
    ):
        """Count what a run will ask for, without asking.

        The cache, which saves requests, is not taken into account. With `min_label_score`, every latent counts as
        having a label that scores less. Requests that are repeated after an unreadable reply, a refused schema or a
        failure are not counted, and neither are those for spare neurons of a selector, which take the place of neurons
        whose names do not fit. The hidden thoughts of reasoning models are not known before; they are billed as
        completion tokens. See docs/annotation.md for how near the count of tokens comes.

        Parameters
        ----------
        n_texts : int or sequence of str
            Texts to annotate after each fit, those that a pipeline annotates while it is fitted included: how many, or
            the texts themselves. Tokens are then counted by their lengths and scripts, and equal texts count once.
        n_neurons : int or None, default=None
            Neurons to name. None: as many as `hypotheses_` or the parameters say.
        n_fits : int, default=1
            How often the annotator is fitted, by a search say. 0: it is fitted already.
        words_per_text : int or None, default=None
            Beside a number of texts, which count as English prose. None: `max_words`, or 256.

        Returns
        -------
        cost : dict
            ``requests``, ``prompt_tokens``, ``completion_tokens`` and their ``price``, NaN if `prices` does not tell.

        Raises
        ------
        ValueError
            If the number of neurons cannot be known yet and `n_neurons` is None; if `words_per_text` is given beside
            the texts themselves.
        """
        self._validate_params()
        self._check_parameters()
        concepts = self._interpretations() if self.__sklearn_is_fitted__() else None
        return estimate(
            self, concepts, texts=n_texts, n_neurons=n_neurons, n_fits=n_fits, words_per_text=words_per_text
        )

    def _given_hypotheses(self):
        return self.hypotheses

    def explain(self, texts):
        """Annotate texts, and give the reason of each annotation.

        Parameters
        ----------
        texts : sequence of str
            In each of the three forms the texts themselves.

        Returns
        -------
        explained : DataFrame
            One row a text and hypothesis: ``row`` (the number of the text), ``hypothesis``, ``annotation`` (as
            `transform` returns it) and ``reason`` (a quote of the text or a few words; "" where no answer came). What
            `transform` has asked for already is not asked for again.

        Raises
        ------
        ValueError
            If `rationale` is False.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_parameters()
        if not self.rationale:
            raise ValueError("explain needs rationale=True, which asks for a reason before each answer.")
        texts = check_texts(texts)
        questions = annotate(self, self._shown(texts), self._interpretations())
        names = self.get_feature_names_out()
        return pd.DataFrame(
            {
                "row": np.repeat(np.arange(len(texts)), len(names)),
                "hypothesis": np.tile(names, len(texts)),
                "annotation": self._values(questions).ravel(),
                "reason": [reason for row in questions.reasons() for reason in row],
            }
        )

    def _check_parameters(self):
        check_parameters(self)

    def _start(self):
        start(self)

    def _check_source(self):
        check_source(self, connection_of(self))

    def _shorten(self, texts, *, fitting=False):
        return cut_texts(check_judges(self, texts), self.max_words, keep=self.truncate, refuse=fitting)

    def _prepare(self, texts, neurons, y=None):
        self._shares = {}  # from a neuron and its name to the share of texts that the interpreter says it holds for
        return word_weights(texts)

    def _choose_examples(self, activation, rng, prepared):
        return show_then_score(
            activation,
            n_examples=self.n_examples,
            n_scoring=self.n_scoring_examples,
            sampling=self.sampling,
            rng=rng,
            n_draws=self.n_candidates,
            words=prepared,
        )

    def _latent_labels(self, neurons):
        latents = None if self.encoder is None else latents_of(self.encoder_)
        if latents is None or self.min_label_score is None:
            return super()._latent_labels(neurons)
        return [latents.label(neuron) for neuron in neurons], self.min_label_score

    def _name(self, texts, activations, examples, neurons, prepared):
        marker = None if self.encoder is None else marker_of(self.encoder_)
        candidates, failures = name_neurons(self, texts, examples, neurons, marker)
        if failures and all(candidates):  # else `fit` warns, with the neurons that are left out
            warn(f"{failures}; the other candidates are used.", RuntimeWarning)
        for neuron, shares in zip(neurons, candidates, strict=True):
            self._shares |= {(neuron, name): share for name, share in shares.items()}
        return [list(shares) for shares in candidates], failures

    def _complete(self, table):
        rows = zip(self.candidates_["neuron"], self.candidates_["interpretation"], strict=True)
        self.candidates_["holds_for"] = [self._shares.get(row, np.nan) for row in rows]
        del self._shares
        return table

    def _annotate(self, texts, hypotheses, mask=None):
        return self._values(annotate(self, texts, hypotheses, mask))

    def _values(self, questions):
        return questions.annotations(missing=0.0 if self.on_error == 0 and not self.cached_only else np.nan)
