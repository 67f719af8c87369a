"""The transformer from texts to the latents of a published SAE."""

import json
import os
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.pretrained._activation_store import pooled_activations
from sklearn_sae.pretrained._engine import load_engine, reader_identity, reader_name
from sklearn_sae.pretrained._labels import load_feature_labels
from sklearn_sae.pretrained._language_model import LanguageModelMixin
from sklearn_sae.pretrained._loaded import loaded
from sklearn_sae.pretrained._pooling import AGGREGATIONS
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, _fit_context
from sklearn_sae.utils._text_transformer import TextTransformerMixin
from sklearn_sae.utils._validation import check_texts, unique_names

_BATCHES_SORTED = 32  # batches whose texts are tokenized and sorted together, so that a batch has texts of like length


class PretrainedSAETransformer(LanguageModelMixin, TextTransformerMixin, BaseEstimator):
    """Read texts with a language model and describe them by the latents of a published sparse autoencoder (SAE).

    The reader is run up to the layer that the SAE was trained on. The SAE turns the state of each token into a few
    active latents out of many thousands, and these are pooled over the tokens of the text. The output has one sparse
    row a text, and its columns have names where the SAE's latents have been labeled.

    Activations are stored on disk, batch by batch, under a hash of the text and of everything on which they depend. A
    run that was killed goes on where it stopped, another `aggregation` reads no text again, and the folds and
    candidates of a grid search share what is stored. The store holds no text.

    The transformer is stateless: `transform` works without `fit`, which only checks the texts and loads the labels. The
    reader and the SAE are loaded once, when they are first needed. An estimator and its clones share them, and pickles
    do not contain them.

    Parameters
    ----------
    sae : str, path-like or (str, str)
        - a release of SAELens and an id in it, as a pair or as ``"release/id"``, such as
          ``"gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical"``, or Goodfire's
          ``"goodfire-llama-3.1-8b-instruct/layer_19"``;
        - a folder that SAELens saved;
        - a local file in Goodfire's layout.
    model : str, path-like, PreTrainedModel or None, default=None
        The reader: an id on the Hugging Face hub, a folder, or a loaded model of transformers, which is left as and
        where it is. None: the model that the SAE names.
    aggregation : {"max", "mean", "sum", "count", "binarize"}, default="max"
        How the activations of a latent on all tokens of a text become one number: their largest, mean or sum; the
        number of tokens on which the latent is active; or 1 if it is active on any.
    chat_template : "auto", str or None, default="auto"
        The Jinja template in which each text is read as a user's message. "auto": the tokenizer's own, if it has one.
        None: the text is read alone. The tokens of the template and a BOS are read, but never pooled.
    batch_size : int, default=8
        The number of texts, or of windows on them, that are read at once.
    max_length : int or None, default=None
        The most tokens of a text that are read at once, including the BOS and the template. None: as many as the
        reader takes.
    overlap : int or None, default=None
        None: a text that is longer than `max_length` is cut at the end, with a warning. A number: the whole text is
        read, in windows of `max_length` tokens, each of which repeats that many tokens of the window before as context.
        A token is pooled once.
    device : str, default="auto"
        The device to which the reader is loaded: "cpu", "cuda", "cuda:1". "auto": "cuda" where there is one.
    sae_device : str, default="auto"
        The device on which the SAE runs. "auto": where the reader's states are.
    dtype : str, default="auto"
        The dtype of the reader's weights: "float32", "bfloat16", "float16". "auto": as they were saved. The SAE is
        float32.
    tokenizer : PreTrainedTokenizerFast or None, default=None
        The tokenizer. None: the reader's own.
    model_kwargs : dict or None, default=None
        More arguments of ``from_pretrained``, such as ``{"device_map": "auto"}`` (needs accelerate) or
        ``{"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}`` (needs bitsandbytes).
    activation_scale : float or None, default=None
        The factor by which states are multiplied before they are encoded, for an SAE that was trained on scaled states
        and saved without the factor.
    feature_labels : "auto", mapping, path-like or None, default="auto"
        The labels of the latents: a mapping from latent to label, a JSON file of such a mapping or of Neuronpedia's
        explanations, or none. "auto": Goodfire's labels from the hub for Goodfire's SAEs, and none for others.
    cache_dir : "auto", path-like or None, default="auto"
        The folder of the store. "auto" is the environment variable SKLEARN_SAE_CACHE_DIR, else the user's cache
        folder. None: nothing is stored.
    verbose : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    n_features_out_ : int
        The number of latents.
    feature_labels_ : dict of int to str
        The labels of the latents that have one.
    model_name_ : str or None
        The hub id of the reader that the SAE names.
    neuronpedia_id_ : str or None
        The name of the SAE's latents at neuronpedia.org: latent 3 is at
        ``https://neuronpedia.org/{neuronpedia_id_}/3``.

    See Also
    --------
    TopKSAETransformer : Learns latents from the embeddings of your own texts.
    EmbeddingTransformer : Turns texts into embeddings.
    NeuronSelector : Selects the latents that predict a target.
    sklearn_sae.analysis.diff_features : Finds the latents in which two sets of texts differ.

    Notes
    -----
    As in SAELens, a BOS comes first where the SAE's metadata say that it was trained so (where they say nothing, as the
    tokenizer does it), and states are centered only where the metadata say so. InterpEmbed, which has the same purpose,
    pools the BOS too, on which many latents are strongly active, and centers the states of all readers with LayerNorm.

    A loaded model is hashed at each `transform`, so that changed weights are noticed. Hooks of your own that change
    what it computes are not noticed, so they need ``cache_dir=None``, which also saves the hashing. An estimator with a
    loaded model cannot be pickled. A file or folder is loaded anew when it changes. A model on the hub is expected not
    to change under its name.

    Short texts are padded to the longest in their batch, so the last digits of an activation may depend on the other
    texts. See docs/pretrained.md on this and on the size of the store.

    References
    ----------
    Jiang, Sun, Dunlap, Smith and Nanda, "Interpretable Embeddings with Sparse Autoencoders: A Data Analysis Toolkit",
    2025, arXiv:2512.10092.

    Examples
    --------
    >>> from sklearn_sae.pretrained import PretrainedSAETransformer
    >>> reader = PretrainedSAETransformer("goodfire-llama-3.1-8b-instruct/layer_19")
    >>> X = reader.fit_transform(texts)  # doctest: +SKIP

    A reader of five words with nothing but an embedding, and an SAE with a latent for each, made on the spot:

    >>> import tempfile, torch
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
    >>> encoder = {"encoder_linear.weight": torch.eye(5, 8), "encoder_linear.bias": torch.zeros(5)}
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = folder.name + "/words-l0.pt"  # of layer 0
    >>> torch.save(encoder, file)

    >>> reader = PretrainedSAETransformer(
    ...     file,
    ...     model=model,
    ...     tokenizer=tokenizer,
    ...     aggregation="count",
    ...     feature_labels={2: "bread", 4: "soup"},
    ...     cache_dir=None,
    ... )
    >>> reader.fit_transform(["warm bread", "cold soup cold"]).toarray()
    array([[0., 1., 1., 0., 0.],
           [0., 0., 0., 2., 1.]], dtype=float32)
    >>> reader.get_feature_names_out()
    array(['latent 0', 'latent 1', 'bread', 'latent 3', 'soup'], dtype=object)
    >>> reader.highlight("cold soup cold", 3)
    '<<cold>> soup <<cold>>'
    """

    _parameter_constraints: dict = {
        "sae": [str, os.PathLike, tuple, list],
        "model": [str, os.PathLike, HasMethods(["get_decoder", "state_dict"]), None],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        "chat_template": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "overlap": [Interval(Integral, 0, None, closed="left"), None],
        "device": [str],
        "sae_device": [str],
        "dtype": [str],
        "tokenizer": [HasMethods("apply_chat_template"), None],
        "model_kwargs": [dict, None],
        "activation_scale": [Interval(Real, 0, None, closed="neither"), None],
        "feature_labels": [Mapping, str, os.PathLike, None],
        "cache_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        sae,
        *,
        model=None,
        aggregation="max",
        chat_template="auto",
        batch_size=8,
        max_length=None,
        overlap=None,
        device="auto",
        sae_device="auto",
        dtype="auto",
        tokenizer=None,
        model_kwargs=None,
        activation_scale=None,
        feature_labels="auto",
        cache_dir="auto",
        verbose=False,
    ):
        self.sae = sae
        self.model = model
        self.aggregation = aggregation
        self.chat_template = chat_template
        self.batch_size = batch_size
        self.max_length = max_length
        self.overlap = overlap
        self.device = device
        self.sae_device = sae_device
        self.dtype = dtype
        self.tokenizer = tokenizer
        self.model_kwargs = model_kwargs
        self.activation_scale = activation_scale
        self.feature_labels = feature_labels
        self.cache_dir = cache_dir
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the texts and load the SAE and its labels. No text is read.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        y : None
            Ignored.

        Returns
        -------
        self : PretrainedSAETransformer

        Raises
        ------
        TypeError, ValueError
            If an entry of `X` is missing, empty or not a str; for a parameter that is wrong, an SAE that cannot be
            used, or labels for other latents.
        OSError
            If a folder or file does not exist; if the hub does not have it (also a ValueError), keeps it from you (a
            PermissionError) or cannot be reached (a ConnectionError).
        ImportError
            If sae-lens is needed and not installed.
        """
        check_texts(X)
        encoder = self._engine().encoder
        self.feature_labels_ = load_feature_labels(self.feature_labels, encoder)
        self.n_features_out_ = len(encoder.bias)
        self.model_name_ = encoder.model_name
        self.neuronpedia_id_ = encoder.neuronpedia_id
        return self

    def transform(self, X):
        """Read the texts and pool their active latents.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.

        Returns
        -------
        latents : CSR matrix of shape (n_samples, n_features_out_), float32
            The indices are int32. The output is a CSR array where scikit-learn is set to sparse arrays, and a frame
            with sparse columns under ``set_output(transform="pandas")``.

        Raises
        ------
        TypeError, ValueError
            As `fit`; and if the SAE does not fit the reader, the tokenizer gives no offsets, the chat template changes
            the text, or a text has no token.
        OSError
            As `fit`, for the reader too; and if the store cannot be used.

        Warns
        -----
        UserWarning
            If texts that are not yet in the store were cut.
        """
        self._validate_params()
        return in_container(self, self._activations(check_texts(X)), X)

    def get_feature_names_out(self, input_features=None):
        """Return the labels of the latents, each once.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str of shape (n_features_out_,)
            White space is collapsed, a label that comes again ends in " (2)", and latent 7 without a label is
            "latent 7".
        """
        check_is_fitted(self)
        labels = self.feature_labels_
        return unique_names(labels.get(i, "").strip() or f"latent {i}" for i in range(self.n_features_out_))

    def _engine(self):
        names = ("sae", "model", "activation_scale", "tokenizer", "device", "sae_device", "dtype")
        model_kwargs = dict(self.model_kwargs or {})  # a copy, so that what is changed in place is noticed
        return loaded(self, load_engine, **{name: getattr(self, name) for name in names}, model_kwargs=model_kwargs)

    def _activations(self, texts):
        engine = self._engine()
        n_latents = len(engine.encoder.bias)
        if getattr(self, "n_features_out_", n_latents) != n_latents:
            raise ValueError(f"The SAE has {n_latents} latents; in fit it had {self.n_features_out_}.")
        how = self._tokenization()
        reader = None
        if self.cache_dir is not None:
            reader = reader_identity(engine.model, self.tokenizer)
        identity = json.dumps([engine.identity, reader, self.dtype, repr(self.model_kwargs), how])
        n_cut = 0

        def compute(some):
            nonlocal n_cut
            windows = engine.tokenize(some, row_of=lambda i: texts.index(some[i]), **how)
            n_cut += sum(some[-1].cut for some in windows)
            yield from engine.pooled(windows, self.batch_size)

        rows = pooled_activations(
            texts,
            identity,
            compute,
            aggregation=self.aggregation,
            n_latents=n_latents,
            chunk_size=_BATCHES_SORTED * self.batch_size,
            cache_dir=None if reader is None else self.cache_dir,
            verbose=self.verbose,
            model=reader_name(engine.model),
        )
        if n_cut:
            warn(
                f"{n_cut} of {len(set(texts))} texts {'is' if n_cut == 1 else 'are'} longer than the reader takes, or "
                "than max_length, and cut at the end; pass overlap to read them in windows."
            )
        return rows

    def _tokenization(self):
        return {"chat_template": self.chat_template, "max_length": self.max_length, "overlap": self.overlap}

    def _tokens(self, texts, latent):
        """Return for each text (text, spans of its tokens, activations of the latent on them)."""
        self._validate_params()
        texts = check_texts(texts, name="text")
        engine = self._engine()
        n_latents = len(engine.encoder.bias)
        if not isinstance(latent, Integral) or not 0 <= latent < n_latents:
            raise ValueError(f"latent={latent!r} does not exist; the SAE has latents 0 to {n_latents - 1}.")
        windows = engine.tokenize(texts, **self._tokenization())
        activations = engine.activations(windows, int(latent), self.batch_size)
        spans = [np.concatenate([window.spans[window.kept] for window in some]) for some in windows]
        return list(zip(texts, spans, activations, strict=True))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
