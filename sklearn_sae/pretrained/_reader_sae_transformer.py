"""The transformer from texts to the neurons of an autoencoder that is trained on their words in context."""

import os
import tempfile
import warnings
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.pretrained._language_model import LanguageModelMixin
from sklearn_sae.pretrained._loaded import loaded
from sklearn_sae.pretrained._pooling import AGGREGATIONS, aggregate, stack
from sklearn_sae.pretrained._reader_exchange import ReaderExchangeMixin
from sklearn_sae.pretrained._word_encoder import WordEncoder
from sklearn_sae.pretrained._word_reader import StoredStates, Texts, WordReader, choose_layer, gather
from sklearn_sae.pretrained._word_sizes import scale_columns, suggest_epochs, suggest_k, suggest_n_components
from sklearn_sae.pretrained._word_states import counted_words
from sklearn_sae.pretrained._word_store import pool_words
from sklearn_sae.pretrained._word_table import word_tables
from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._languages import LANGUAGES, check_stop_words
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, _fit_context
from sklearn_sae.utils._targets import check_target, check_target_varies
from sklearn_sae.utils._text_transformer import TextTransformerMixin
from sklearn_sae.utils._validation import check_texts
from sklearn_sae.utils.store import open_store

_SAE_PARAMETERS = ("n_components", "k", "target_weight", "random_state", "device", "verbose")


class ReaderSAETransformer(ReaderExchangeMixin, LanguageModelMixin, TextTransformerMixin, BaseEstimator):
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
        The number of neurons, M. "auto" is a power of two near a 64th of the number of words, from 16 to 1024.
    k : int or "auto", default="auto"
        The number of neurons that may be active on a word, K. "auto" is M / 16, from 4 (or M / 4, if that is less) to
        16.
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
        The most tokens that are read at once. None: as many as the reader takes, at most 512.
    overlap : int or None, default=64
        A longer text is read in windows, each of which repeats that many tokens of the one before, as context. None: it
        is cut at the end, with a warning.
    keep_states : bool or sequence of int, default=False
        Whether the states of all texts stay in the store, so that a search over sizes reads each text once. A sequence
        names layers whose states are kept, out of one read, for a search over layers. They take 2 bytes a number: 77 MB
        for 100,000 words of a reader of width 384. False: the states are dropped when `fit` ends.
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
        More arguments of ``from_pretrained``, such as ``{"revision": "main"}``.
    cache_dir : "auto", path-like or None, default="auto"
        The folder of the store, in which activations are kept, and states until `fit` ends. "auto" is the environment
        variable SKLEARN_SAE_CACHE_DIR, else the user's cache folder. None: states are held in memory.
    random_state : int, RandomState instance or None, default=None
        Seeds the training, and the draw of texts.
    verbose : bool, default=False
        Show progress bars.

    Attributes
    ----------
    sae_ : TopKSAETransformer
        The autoencoder: `sae_.components_` and the rest.
    scale_ : ndarray of shape (width,), float32
        What each dimension of the states is divided by: its standard deviation, and at least the median of these.
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
            for a parameter that is wrong, a model that cannot be used, or texts without a word that counts.
        OSError
            If a folder or file does not exist; if the hub does not have the model (also a ValueError), keeps it from
            you (a PermissionError) or cannot be reached (a ConnectionError); if the store cannot be used.
        """
        self._fit(check_texts(X), y)
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
        """
        texts = check_texts(X)
        return in_container(self, self._fit(texts, y, encode=True), X)

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
        """
        check_is_fitted(self)
        self._validate_params()
        return in_container(self, self._pooled(self._count(check_texts(X)), self._reader()), X)

    def word_activations(self, X, neurons):
        """Return on which words of the texts neurons are active.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        neurons : sequence of int
            From 0 to ``n_components_ - 1``.

        Returns
        -------
        counts : CSR array of shape (n_samples, n_vocabulary), float32
            How often each text has each word that counts.
        vocabulary : ndarray of str of shape (n_vocabulary,)
            The words, in small letters.
        active : list of CSR array of shape (n_samples, n_vocabulary), float32
            For each neuron, the sum of its activations on a word of a text.
        times : list of CSR array of shape (n_samples, n_vocabulary), float32
            For each neuron, on how many of the word's places in a text it is active.

        Raises
        ------
        TypeError, ValueError, OSError
            As `transform`; and if there is no such neuron.
        """
        check_is_fitted(self)
        neurons = [self._check_latent(neuron) for neuron in neurons]
        texts = self._count(check_texts(X))
        rows = (one for some in self._activations(texts, self._reader()) for one in some)
        return word_tables(texts.words, rows, neurons)

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
        aggregations = self._aggregations()
        endings = [f", {aggregation}" for aggregation in aggregations] if len(aggregations) > 1 else [""]
        return np.array([f"neuron {i}{end}" for end in endings for i in range(self.n_components_)], dtype=object)

    @property
    def n_features_out_(self):
        """The number of columns of the output."""
        return self.n_components_ * len(self._aggregations())

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

    def _fit(self, texts, y, *, encode=False):
        """Train the autoencoder; return the pooled activations of the texts if they shall be encoded."""
        self._check_target(texts, y)
        self._aggregations()
        texts = self._count(texts)
        self.layer_ = choose_layer(self.model, self.layer, self._kept_layers(), self.model_kwargs or {})
        reader = self._reader()
        rng = check_random_state(self.random_state)
        drawn = _drawn(texts, self.max_tokens, rng)
        # What a reader without an identity has read cannot be found again.
        with open_store(self.cache_dir if reader.identity(reader.layer) else None, "states") as store:
            stored = StoredStates(store, reader, verbose=self.verbose)
            stored.read(texts.at(drawn))
            with tempfile.TemporaryDirectory(dir=None if store.path is None else store.path.parent) as folder:
                states, text_of = gather(stored, texts.at(drawn), Path(folder) / "states.f16")
                self._train(states, None if y is None else np.asarray(y)[drawn][text_of], rng)
                del states  # so that the folder can be deleted on every system
            pooled = self._pooled(texts, reader, stored) if encode else None
            if self.keep_states is False:
                stored.forget(texts)
        return pooled

    def _train(self, states, y, rng):
        """Train on the states of words; those in memory-mapped form are scaled in place."""
        if len(states) < 2:
            raise ValueError(f"The texts have {len(states)} words that count; two or more are needed to train on.")
        self.scale_ = scale_columns(states)
        self.n_words_ = len(states)
        n_components = suggest_n_components(len(states)) if self.n_components == "auto" else self.n_components
        k = suggest_k(n_components) if self.k == "auto" else self.k
        settings = {"max_epochs": suggest_epochs(len(states))} | (self.sae_params or {})
        self.sae_ = TopKSAETransformer(
            n_components,
            k,
            target_weight=self.target_weight,
            device=self.device,
            random_state=rng.randint(np.iinfo(np.int32).max),
            verbose=self.verbose,
            **settings,
        )
        self.sae_.fit(states, y if self.target_weight else None)
        self.n_components_, self.k_ = self.sae_.n_components_, self.sae_.k_

    def _check_target(self, texts, y):
        """Check what the training would check after the reading, and the parameters against each other."""
        for name in _SAE_PARAMETERS:
            if name in (self.sae_params or {}):
                raise ValueError(f"sae_params holds {name!r}, which is a parameter of its own; set that.")
        TopKSAETransformer(**(self.sae_params or {}))  # so that an unknown name is an error now
        if self.n_components != "auto" and self.k != "auto" and self.k > self.n_components:
            raise ValueError(f"k={self.k} is larger than n_components={self.n_components}.")
        check_consistent_length(texts, y)
        if self.target_weight:
            if y is None:
                raise ValueError(
                    f"target_weight={self.target_weight} requires y to be passed, but the target y is None."
                )
            check_target_varies(check_target(y, n_samples=len(texts)))

    def _count(self, texts):
        """Return the `Texts`: each with its words that count."""
        stop_words = check_stop_words(self.stop_words)
        found = {text: counted_words(text, self.tokens, stop_words) for text in dict.fromkeys(texts)}
        spans, words = zip(*(found[text] for text in texts), strict=True)
        return Texts(texts, list(spans), list(words))

    def _aggregations(self):
        aggregations = [self.aggregation] if isinstance(self.aggregation, str) else list(self.aggregation)
        unknown = [one for one in aggregations if one not in AGGREGATIONS]
        if unknown or not aggregations or len(set(aggregations)) < len(aggregations):
            raise ValueError(f"aggregation must be one or several, each once, of {', '.join(AGGREGATIONS)}.")
        return aggregations

    def _kept_layers(self):
        """Return the layers, beside the one that is read, whose states are kept."""
        return () if isinstance(self.keep_states, bool | np.bool_) else tuple(int(n) for n in self.keep_states)

    def _reader(self):
        """Return the `WordReader`, which is loaded once."""
        return loaded(
            self,
            WordReader,
            model=self.model,
            layer=self.layer_,
            layers=self._kept_layers(),
            batch_size=self.batch_size,
            max_length=self.max_length,
            overlap=self.overlap,
            model_kwargs=dict(self.model_kwargs or {}),
            tokenizer=self.tokenizer,
            device=self.device,
            dtype=self.dtype,
        )

    def _pooled(self, texts, reader, stored=None):
        """Return the pooled activations, (n_texts, n_features_out_); `stored` is where the states are, if anywhere."""
        columns = [[] for _ in self._aggregations()]
        for activations in self._activations(texts, reader, stored):
            for pooled in pool_words(activations):
                for column, aggregation in zip(columns, self._aggregations(), strict=True):
                    column.append((pooled.latents, aggregate(pooled, aggregation)))
        blocks = [stack(rows, self.n_components_) for rows in columns]
        return blocks[0] if len(blocks) == 1 else sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def _activations(self, texts, reader, stored=None):
        """Yield lists of the `WordActivations` of texts, in their order."""
        encoder = WordEncoder(
            self.sae_, self.scale_, reader, cache_dir=self.cache_dir, keeps=self.keep_states is not False
        )
        return encoder.activations(texts, stored, verbose=self.verbose)

    def _check_latent(self, latent):
        if not isinstance(latent, Integral) or not 0 <= latent < self.n_components_:
            raise ValueError(f"latent={latent!r} does not exist; there are neurons 0 to {self.n_components_ - 1}.")
        return int(latent)

    def _tokens(self, texts, latent):
        """Return for each text (text, spans of its words that count, activations of the neuron on them)."""
        check_is_fitted(self)
        latent = self._check_latent(latent)
        texts = self._count(check_texts(texts, name="text"))
        rows = [one for some in self._activations(texts, self._reader()) for one in some]
        found = []
        for text, spans, one in zip(texts.texts, texts.spans, rows, strict=True):
            activations = np.zeros(len(spans), dtype=np.float32)
            of_latent = one.neurons == latent
            activations[one.words[of_latent]] = one.values[of_latent]
            found.append((text, spans, activations))
        return found


def _drawn(texts, max_words, rng):
    """Return the places of all texts, or of texts drawn at random with about `max_words` words, in their order."""
    n_words = np.array([len(spans) for spans in texts.spans])
    if n_words.sum() <= max_words:
        return np.arange(len(n_words))
    order = rng.permutation(len(n_words))
    n_drawn = max(2, int(np.searchsorted(np.cumsum(n_words[order]), max_words)))
    warnings.warn(
        f"The autoencoder is trained on {n_drawn:,} texts drawn from {len(n_words):,}, because all have "
        f"{n_words.sum():,} words that count; raise max_tokens to train on more.",
        stacklevel=4,
    )
    return np.sort(order[:n_drawn])
