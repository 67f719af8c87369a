"""The transformer from texts to embeddings."""

import os
from contextlib import closing
from numbers import Integral

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.preprocessing import normalize

from sklearn_sae.embedding._embed import embed_texts
from sklearn_sae.embedding._local import callable_embedder, sentence_transformers_embedder
from sklearn_sae.embedding._server import openai_embedder
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, _fit_context
from sklearn_sae.utils._text_transformer import TextTransformerMixin
from sklearn_sae.utils._validation import check_texts

_OF_LOCAL_MODELS = ("max_seq_length", "model_kwargs", "revision", "trust_remote_code")


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TextTransformerMixin, BaseEstimator):
    """Turn texts into embeddings, each distinct text once.

    Vectors are stored on disk under a hash of the model, its options and the whole text, batch by batch as they arrive.
    The folds and candidates of a grid search therefore embed nothing twice, in one process or several, and a run that
    was killed goes on where it stopped. The store holds no text.

    The transformer is stateless: `transform` works without `fit`.

    Parameters
    ----------
    model : str, path-like or callable, default="sentence-transformers/all-MiniLM-L6-v2"
        - the id of a sentence-transformers model on the Hugging Face Hub, which is downloaded when
          it is first used, or the path of a folder that holds one. The default model is taken from the package of
          the extra `minilm` where that is installed;
        - the name of an OpenAI embedding model, or of any that the server at `base_url` has;
        - a callable that takes a list of n str and returns an array of shape (n, dim), such as
          ``SentenceTransformer(...).encode``. Its vectors are stored only if it has a str attribute
          `cache_key`, which must change when they do.
    backend : {"auto", "sentence-transformers", "openai"}, default="auto"
        What `model` names. "auto" is "openai" when `base_url` is given or the name starts with
        ``text-embedding-``, else "sentence-transformers". A callable takes "auto".
    prompt : str or None, default=None
        What is put before each text. None: the default prompt of a sentence-transformers model, else nothing.
    batch_size : int, default=64
        The number of texts in one call of the model or one request to the server.
    normalize : bool, default=False
        Scale each vector to Euclidean length 1.
    truncate_dim : int or None, default=None
        The number of dimensions that are kept of each vector, for models that were trained to allow it.
        None: all.
    device : str or list of str, default="auto"
        Where a sentence-transformers model runs: "cpu", "cuda", "cuda:1", "mps". "auto" leaves the choice to
        sentence-transformers. With a list such as ``["cuda:0", "cuda:1"]``, a process for each embeds; they start when
        more texts than one batch are to be embedded, and end with the call. See docs/distributed.md.
    base_url : str or None, default=None
        A server that speaks the OpenAI protocol, such as ``http://localhost:8000/v1``. None: the
        environment variable OPENAI_BASE_URL, or OpenAI. See docs/servers.md.
    api_key_env : str or None, default=None
        The environment variable that holds the server's key, or headers, one on each line. None: OPENAI_API_KEY, which
        goes to OpenAI and to the server that OPENAI_BASE_URL names; other servers get no key.
    max_concurrency : int, default=8
        The most requests at one time.
    max_seq_length : int or None, default=None
        How many tokens of a text a sentence-transformers model reads. None: what the model says, which some models set
        lower than they could.
    model_kwargs : dict or None, default=None
        Passed on when a sentence-transformers model is loaded, such as ``{"dtype": "bfloat16"}``.
    revision : str or None, default=None
        The branch, tag or commit of a model on the hub.
    trust_remote_code : bool, default=False
        Run the Python code that a model on the hub brings along, which some models need.
    cache_dir : "auto", path-like or None, default="auto"
        The folder of the store. "auto" is the environment variable SKLEARN_SAE_CACHE_DIR, else the user's cache
        folder. None: nothing is stored.
    verbose : bool, default=False
        Show a progress bar.

    Attributes
    ----------
    n_features_out_ : int
        The length of a vector.

    See Also
    --------
    TopKSAETransformer : Learns sparse neurons of embeddings.
    PretrainedSAETransformer : Describes texts by the latents of a published sparse autoencoder instead.
    ChunkTransformer : Embeds long texts in chunks.
    sklearn.feature_extraction.text.TfidfVectorizer : Can stand in its place, followed by a TruncatedSVD.

    Notes
    -----
    A text that is longer than the model takes is cut at the end (by the default model after 256 tokens), with a warning
    that says how many were cut, and how many different texts have the same vector.

    A model on the hub is expected not to change under its id. The texts are embedded anew when a file in a model's
    folder changes.

    Short texts are padded to the longest in their batch, so the last digits of a vector may depend on the other texts.
    A stored vector stays the same. See docs/embedding.md.

    References
    ----------
    Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", EMNLP 2019.

    Examples
    --------
    >>> from sklearn_sae import EmbeddingTransformer
    >>> def lengths(texts):
    ...     return [[len(text), len(text.split())] for text in texts]
    >>> EmbeddingTransformer(lengths).fit_transform(["Warm bread", "Cold soup again"])
    array([[10.,  2.],
           [15.,  3.]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike, callable],
        "backend": [StrOptions({"auto", "sentence-transformers", "openai"})],
        "prompt": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "truncate_dim": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, list],
        "base_url": [str, None],
        "api_key_env": [str, None],
        "max_concurrency": [Interval(Integral, 1, None, closed="left")],
        "max_seq_length": [Interval(Integral, 1, None, closed="left"), None],
        "model_kwargs": [dict, None],
        "revision": [str, None],
        "trust_remote_code": ["boolean"],
        "cache_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model="sentence-transformers/all-MiniLM-L6-v2",
        *,
        backend="auto",
        prompt=None,
        batch_size=64,
        normalize=False,
        truncate_dim=None,
        device="auto",
        base_url=None,
        api_key_env=None,
        max_concurrency=8,
        max_seq_length=None,
        model_kwargs=None,
        revision=None,
        trust_remote_code=False,
        cache_dir="auto",
        verbose=False,
    ):
        self.model = model
        self.backend = backend
        self.prompt = prompt
        self.batch_size = batch_size
        self.normalize = normalize
        self.truncate_dim = truncate_dim
        self.device = device
        self.base_url = base_url
        self.api_key_env = api_key_env
        self.max_concurrency = max_concurrency
        self.max_seq_length = max_seq_length
        self.model_kwargs = model_kwargs
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.cache_dir = cache_dir
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the texts, and learn the length of a vector from the first one.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        y : None
            Ignored.

        Returns
        -------
        self : EmbeddingTransformer

        Raises
        ------
        TypeError, ValueError
            If an entry of `X` is missing, empty or not a str; for a parameter that is wrong, an unknown model, or no
            API key.
        ConnectionError
            If the hub or the server cannot be reached.
        PermissionError
            If the server rejects the key, or the model is gated.
        OSError
            If the cache folder cannot be used, or the model's files cannot be loaded.
        """
        self.n_features_out_ = self._embed(check_texts(X)[:1]).shape[1]
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Do `fit` and `transform`, embedding every text once.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        y : None
            Ignored.

        Returns
        -------
        embeddings : ndarray of shape (n_samples, n_features_out_), float32

        Raises
        ------
        TypeError, ValueError, ConnectionError, PermissionError, OSError
            As `fit`.
        """
        embeddings = self._embed(check_texts(X))
        self.n_features_out_ = embeddings.shape[1]
        return embeddings

    def transform(self, X):
        """Embed the texts.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.

        Returns
        -------
        embeddings : ndarray of shape (n_samples, n_features_out_), float32

        Raises
        ------
        TypeError, ValueError, ConnectionError, PermissionError, OSError
            As `fit`.
        """
        self._validate_params()
        embeddings = self._embed(check_texts(X))
        expected = getattr(self, "n_features_out_", embeddings.shape[1])
        if embeddings.shape[1] != expected:
            raise ValueError(f"The model gives vectors of length {embeddings.shape[1]}; in fit it was {expected}.")
        return embeddings

    def _embed(self, texts):
        with closing(self._embedder()) as embedder:
            vectors = embed_texts(
                texts, embedder, truncate_dim=self.truncate_dim, cache_dir=self.cache_dir, verbose=self.verbose
            )
        return normalize(vectors, copy=False) if self.normalize else vectors

    def _asks_a_server(self):
        if self.backend != "auto" or callable(self.model):
            return self.backend == "openai"
        return self.base_url is not None or os.fspath(self.model).startswith("text-embedding-")

    def _embedder(self):
        options = {"prompt": self.prompt, "batch_size": self.batch_size}
        local = {name: getattr(self, name) for name in _OF_LOCAL_MODELS}
        if callable(self.model):
            if self.backend != "auto" or self.base_url is not None:
                raise ValueError("A callable model takes backend='auto' and no base_url.")
            _refuse_given(local, "a callable")
            return callable_embedder(self.model, **options)
        model = os.fspath(self.model)
        if self._asks_a_server():
            _refuse_given(local, "a server")
            return openai_embedder(
                model,
                truncate_dim=self.truncate_dim,
                base_url=self.base_url,
                api_key_env=self.api_key_env,
                verbose=self.verbose,
                max_concurrency=self.max_concurrency,
                **options,
            )
        for name in ("base_url", "api_key_env"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is for a server; pass backend='openai' or leave {name} out.")
        return sentence_transformers_embedder(model, device=self.device, verbose=self.verbose, **options, **local)

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _refuse_given(local, what):
    """Say that a parameter of local models has no effect."""
    for name, value in local.items():
        if value not in (None, False, {}):
            raise ValueError(f"{name} is for a sentence-transformers model and has no effect on {what}; leave it out.")
