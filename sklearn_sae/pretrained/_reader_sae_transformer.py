"""The transformer from texts to the neurons of an autoencoder that is trained on their words in context."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.pretrained._pooling import AGGREGATIONS, check_aggregations
from sklearn_sae.pretrained._reader_exchange import ReaderExchangeMixin
from sklearn_sae.pretrained._saturation import warn_of_saturation
from sklearn_sae.pretrained._word_mixin import WordMixin
from sklearn_sae.pretrained._word_reader import StoredStates, check_known, choose_layer, gather
from sklearn_sae.pretrained._word_store import pool_words
from sklearn_sae.pretrained._word_texts import draw_texts
from sklearn_sae.pretrained._word_training import check_enough, plan_autoencoder, scale_columns
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._languages import LANGUAGES
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, _fit_context
from sklearn_sae.utils._targets import as_given, check_target, check_target_varies
from sklearn_sae.utils._text_transformer import TextTransformerMixin
from sklearn_sae.utils._validation import check_alignment
from sklearn_sae.utils.store import open_store


class ReaderSAETransformer(ReaderExchangeMixin, WordMixin, TextTransformerMixin, BaseEstimator):
    """Train a sparse autoencoder on the words of your own texts, each as a language model reads it in its context.

    A language model (the reader) reads the texts. The state of each word at one layer, which is the mean over its
    tokens, is a row on which a `TopKSAETransformer` is trained. Its neurons are words in context: "cold" and "lukewarm"
    of food, say. The activations of a text's words are pooled to one sparse row a text.

    A small model on the CPU is enough: docs/reader.md compares readers, layers and sizes, and this way with one vector
    a text.

    Parameters
    ----------
    model : str, path-like or PreTrainedModel, default="sentence-transformers/all-MiniLM-L6-v2"
        The reader: an encoder (BERT, ModernBERT, the transformer of any sentence-transformers model) or a decoder
        (Llama, Qwen, SmolLM), as an id on the Hugging Face hub, a folder, or a loaded model of transformers, which is
        left as and where it is.
    layer : int or "auto", default="auto"
        How many of the reader's layers are run; the last of them gives the states. "auto": two in three.
    n_components : int or "auto", default="auto"
        The number of neurons, M. "auto" is a power of two near a hundredth of the number of words, from 16 to 1024.
    k : int or "auto", default="auto"
        The number of neurons that may be active on a word, K. "auto" is M / 64, but at least 4, or M / 4, if that is
        less.
    target_weight : float, default=0.0
        How much the training attends to what predicts the target, as in `TopKSAETransformer`. Each word inherits the
        target of its text. Above 0, `fit` needs `y`.
    aggregation : {"max", "mean", "sum", "count", "binarize"} or list of them, default="max"
        How the activations of a neuron on all words of a text become one number: their largest, mean or sum; the number
        of words on which the neuron is active; or 1 if it is active on any. With several, the output has a column for
        each neuron under the first, then one for each under the second, and so on.
    tokens : {"content", "all"} or callable, default="content"
        What is trained on and pooled; the reader reads all of a text. "content": words but stop words and single
        letters, without punctuation, HTML tags and addresses. "all": each word, and each sign. A callable takes a word,
        in small letters, and returns whether it counts.
    stop_words : str, array-like of str or None, default="english"
        What is no content word. A str is a language, such as "german": the function words of 33 languages are known.
        Negations are kept.
    max_tokens : int, default=5_000_000
        About the most words to train on. Where there are more, `fit` trains on texts drawn at random.
    batch_size : int, default=32
        The number of texts, or of windows on them, that are read at once.
    max_length : int or None, default=None
        The most tokens that are read at once. None: as many as the reader takes, at most 256.
    overlap : int or None, default=64
        A longer text is read in windows, each of which repeats that many tokens of the one before, or half of them if
        that is less, as context. None: it is cut at the end, with a warning.
    keep_states : bool or sequence of int, default=False
        Whether the states of all texts stay in the store, so that a search over sizes reads each text once. A sequence
        names layers whose states are kept, out of one read, for a search over layers. They take 2 bytes a number: 77 MB
        for 100,000 words of a reader of width 384. False: the states are dropped when `fit` ends, and stay if it fails
        or is killed, so that it can go on where it stopped.
    sae_params : dict or None, default=None
        More parameters of the `TopKSAETransformer`, such as ``{"max_epochs": 10, "matryoshka_prefixes": [64, 512]}``.
    device : str, default="auto"
        The device on which the reader is run and the autoencoder trained: "cpu", "cuda", "cuda:1". "auto": "cuda" where
        there is one.
    dtype : str, default="auto"
        The dtype of the reader's weights: "float32", "bfloat16", "float16". "auto": as they were saved.
    tokenizer : PreTrainedTokenizerFast or None, default=None
        None: the reader's own.
    model_kwargs : dict or None, default=None
        More arguments of ``from_pretrained``, such as ``{"revision": "main"}``, or ``{"device_map": "auto"}``, which
        spreads the reader over all GPUs and takes the place of `device` (needs accelerate).
    cache_dir : "auto", path-like or None, default="auto"
        The folder of the store, in which activations are kept, and states until `fit` ends. "auto" is the environment
        variable SKLEARN_SAE_CACHE_DIR, else the user's cache folder. None: all is held in memory.
    random_state : int, RandomState instance or None, default=None
        Seeds the training, and the draw of texts.
    verbose : bool, default=False
        Show progress bars.

    Attributes
    ----------
    sae_ : TopKSAETransformer
        The autoencoder: `sae_.components_` and the rest.
    scale_ : ndarray of shape (width,), float32
        What each dimension of the states is divided by: its standard deviation, and at least the median of these, or 1
        where the median is next to nothing.
    layer_ : int
        The layer that is read.
    n_components_, k_ : int
        M and K.
    n_words_ : int
        The number of words that it was trained on.
    n_features_out_ : int
        M times the number of aggregations.
    feature_labels_ : dict
        Empty: neurons come without labels. `PretrainedSAETransformer` has the same attribute.

    See Also
    --------
    PretrainedSAETransformer : Reads with an autoencoder that others have trained.
    TopKSAETransformer : Learns from one vector a text.
    KeywordHypothesisAnnotator : Names neurons by the words on which they are active.
    make_hypothesis_pipeline : Builds the whole path; ``reader=`` puts this transformer in.

    Notes
    -----
    A state is scaled so that its norm is the root of its width, because some words of decoders have states a hundred
    times as long as others. A decoder gets its BOS before each window, which takes up the states that are long in
    every text; it is not pooled.

    The store has each word's active neurons, under a hash of the text and of all on which they depend; it holds no
    text. A `fit` that was killed goes on where its reading stopped.

    References
    ----------
    Huben, Cunningham, Riggs Smith, Ewart and Sharkey, "Sparse Autoencoders Find Highly Interpretable Features in
    Language Models", 2024, arXiv:2309.08600. Movva, Peng, Garg, Kleinberg and Pierson, "Sparse Autoencoders for
    Hypothesis Generation", 2025, arXiv:2502.04382.

    Examples
    --------
    A reader of four words with nothing but an embedding, made on the spot:

    >>> import torch
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast
    >>> words = {word: i for i, word in enumerate(["<s>", "warm", "bread", "cold", "soup"])}
    >>> backend = Tokenizer(models.WordLevel(words, unk_token="<s>"))
    >>> backend.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", pad_token="<s>")
    >>> sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    >>> model = LlamaModel(LlamaConfig(vocab_size=5, max_position_embeddings=16, **sizes))
    >>> for weight in model.parameters():
    ...     _ = weight.data.zero_()
    >>> _ = model.embed_tokens.weight.data.fill_diagonal_(1)

    >>> from sklearn_sae import ReaderSAETransformer
    >>> texts = ["warm bread", "cold soup", "cold bread", "warm soup"] * 50
    >>> reader = ReaderSAETransformer(
    ...     model, tokenizer=tokenizer, n_components=4, k=1, cache_dir=None, random_state=0
    ... )
    >>> activations = reader.fit_transform(texts)
    >>> activations.shape
    (200, 4)
    >>> neuron = int(activations[0].indices[0])
    >>> reader.highlight(["warm bread", "cold soup"], neuron)  # doctest: +SKIP
    ['<<warm>> bread', 'cold soup']
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike, HasMethods(["get_decoder", "state_dict"])],
        "layer": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "k": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "aggregation": [StrOptions(set(AGGREGATIONS)), list, tuple],
        "tokens": [StrOptions({"content", "all"}), callable],
        "stop_words": [StrOptions(set(LANGUAGES)), "array-like", None],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "overlap": [Interval(Integral, 0, None, closed="left"), None],
        "keep_states": ["boolean", "array-like"],
        "sae_params": [dict, None],
        "device": [str],
        "dtype": [str],
        "tokenizer": [HasMethods("apply_chat_template"), None],
        "model_kwargs": [dict, None],
        "cache_dir": [str, os.PathLike, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model="sentence-transformers/all-MiniLM-L6-v2",
        *,
        layer="auto",
        n_components="auto",
        k="auto",
        target_weight=0.0,
        aggregation="max",
        tokens="content",
        stop_words="english",
        max_tokens=5_000_000,
        batch_size=32,
        max_length=None,
        overlap=64,
        keep_states=False,
        sae_params=None,
        device="auto",
        dtype="auto",
        tokenizer=None,
        model_kwargs=None,
        cache_dir="auto",
        random_state=None,
        verbose=False,
    ):
        self.model = model
        self.layer = layer
        self.n_components = n_components
        self.k = k
        self.target_weight = target_weight
        self.aggregation = aggregation
        self.tokens = tokens
        self.stop_words = stop_words
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self.max_length = max_length
        self.overlap = overlap
        self.keep_states = keep_states
        self.sae_params = sae_params
        self.device = device
        self.dtype = dtype
        self.tokenizer = tokenizer
        self.model_kwargs = model_kwargs
        self.cache_dir = cache_dir
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Read the texts and train the autoencoder on their words.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        y : array-like of shape (n_samples,) or None, default=None
            The target, needed if ``target_weight > 0`` and else ignored.

        Returns
        -------
        self : ReaderSAETransformer

        Raises
        ------
        TypeError, ValueError
            If an entry of `X` is missing, empty or not a str; `y` is needed and missing, constant or of another length;
            for a parameter that is wrong, a model that cannot be used, or texts without a word that counts, or of which
            its tokenizer knows none. All that can be known before texts are read is checked before.
        OSError
            If a folder or file does not exist; if the hub does not have the model (also a ValueError), keeps it from
            you (a PermissionError) or cannot be reached (a ConnectionError); if the store cannot be used.

        Warns
        -----
        UserWarning
            If some texts are not trained on, because of `max_tokens`, or are cut, because `overlap` is None; or if the
            reader's tokenizer does not know a twentieth of the words, which are then all the same to it.
        """
        self._fit(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Train the autoencoder on the words of the texts and return the activations, for which no text is read again.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        y : array-like of shape (n_samples,) or None, default=None
            As in `fit`.

        Returns
        -------
        activations : CSR matrix of shape (n_samples, n_features_out_), float32
            As from `transform`.

        Warns
        -----
        UserWarning
            As `fit`; and if half of the neurons are active in nearly all texts, because these are long.
        """
        return in_container(self, self._fit(X, y, encode=True), X)

    def transform(self, X):
        """Read the texts and pool the activations of their words.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.

        Returns
        -------
        activations : CSR matrix of shape (n_samples, n_features_out_), float32
            The indices are int32. The output is a CSR array where scikit-learn is set to sparse arrays, and a frame
            with sparse columns under ``set_output(transform="pandas")``. A text without a word that counts has zeros.

        Raises
        ------
        TypeError, ValueError, OSError
            As `fit`.

        Warns
        -----
        UserWarning
            If texts are cut, because `overlap` is None.
        """
        check_is_fitted(self)
        self._validate_params()
        return in_container(self, self._pooled(self._count(X), self._reader(self.layer_)), X)

    def get_feature_names_out(self, input_features=None):
        """Return "neuron 7"; with several aggregations "neuron 7, max".

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str of shape (n_features_out_,)
        """
        check_is_fitted(self)
        aggregations = check_aggregations(self.aggregation)
        endings = [f", {aggregation}" for aggregation in aggregations] if len(aggregations) > 1 else [""]
        return np.array([f"neuron {i}{end}" for end in endings for i in range(self.n_components_)], dtype=object)

    @property
    def n_features_out_(self):
        """The number of columns of the output."""
        return self.n_components_ * len(check_aggregations(self.aggregation))

    @property
    def feature_labels_(self):
        """No labels, because neurons that are trained here come without."""
        check_is_fitted(self)
        return {}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.target_weight > 0
        return tags

    # Steps of fit and transform

    def _fit(self, X, y, *, encode=False):
        """Train the autoencoder; return the pooled activations of the texts if they shall be encoded."""
        texts = self._count(X)
        target = self._check_target(X, y, len(texts.texts))
        check_aggregations(self.aggregation)
        rng = check_random_state(self.random_state)
        drawn = self._draw(texts, rng)
        trained_on = texts.at(drawn)
        sae = self._plan(sum(map(len, trained_on.spans)), rng.randint(np.iinfo(np.int32).max))
        layer = choose_layer(self.model, self.layer, self._kept_layers(), self.model_kwargs or {})
        reader = self._reader(layer)
        check_known(trained_on, reader.reader.tokenizer)
        # What a reader without an identity has read cannot be found again.
        kept_in = self.cache_dir if reader.identity(reader.layer) else None
        with open_store(kept_in, "states", model=reader.name) as store:
            stored = StoredStates(store, reader, verbose=self.verbose)
            stored.read(trained_on, row_of=lambda i: drawn[i])
            states, text_of, is_cut = gather(stored, trained_on, None if store.path is None else store.path.parent)
            check_enough(len(states))  # again, because a reader may have no token of some words
            scale = scale_columns(states)
            y = None if target is None else as_given(target._replace(values=target.values[drawn][text_of]))
            sae.fit(states, y)
            # All at once, so that a fit that fails leaves the estimator as it was.
            self.sae_, self.scale_, self.layer_, self.n_words_ = sae, scale, layer, len(states)
            self.n_components_, self.k_, self._prepend_bos = sae.n_components_, sae.k_, reader.prepend_bos
            del states  # which frees the disk, or the memory, that they take
            if encode:
                pooled = self._pooled(texts, reader, stored)
                warn_of_saturation(pooled, texts, check_aggregations(self.aggregation))
            else:
                self._warn_of_cut(is_cut)
                pooled = None
            if not self._keeps():
                stored.forget(texts)
        return pooled

    def _check_target(self, X, y, n_texts):
        """Return the `Target`, or None if the training does not attend to it."""
        if not self.target_weight:
            check_consistent_length(np.empty(n_texts), y)
            return None
        if y is None:
            raise ValueError(f"target_weight={self.target_weight} requires y to be passed, but the target y is None.")
        check_alignment(X, y)
        target = check_target(y, n_samples=n_texts)
        check_target_varies(target)
        return target

    def _plan(self, n_words, random_state=None):
        """Return the autoencoder that will be trained on so many words, after the checks of its parameters."""
        return plan_autoencoder(
            n_words,
            self.sae_params or {},
            n_components=self.n_components,
            k=self.k,
            target_weight=self.target_weight,
            random_state=random_state,
            device=self.device,
            verbose=self.verbose,
        )

    def _draw(self, texts, rng):
        """Return the places of the texts that are trained on."""
        drawn = draw_texts(texts, self.max_tokens, rng)
        if len(drawn) < len(texts.texts):
            warn(
                f"The autoencoder is trained on {len(drawn):,} texts drawn from {len(texts.texts):,}, because all have "
                f"{sum(map(len, texts.spans)):,} words that count; raise max_tokens to train on more.",
            )
        return drawn

    def _pooled(self, texts, reader, stored=None):
        """Return the pooled activations, (n_texts, n_features_out_)."""
        activations = self._activations(texts, reader, stored)
        pooled, is_cut = pool_words(activations, check_aggregations(self.aggregation), self.n_components_)
        self._warn_of_cut(is_cut)
        return pooled

    def _warn_of_cut(self, is_cut):
        n_cut = sum(is_cut)
        if self.overlap is None and n_cut:
            warn(
                f"{n_cut:,} of {len(is_cut):,} texts {'is' if n_cut == 1 else 'are'} longer than what is read at once, "
                "and cut at the end; pass overlap to read them in windows."
            )
