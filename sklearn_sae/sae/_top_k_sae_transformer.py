"""The Top-K sparse autoencoder as a scikit-learn transformer."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.sae._check_rows import check_rows
from sklearn_sae.sae._decoding import decode, reconstruction_r2
from sklearn_sae.sae._exchange import TopKExchangeMixin
from sklearn_sae.sae._settings import check_encoder, resolve_settings
from sklearn_sae.sae._target import encode_chunk_of_target, encode_whole_target, require_target
from sklearn_sae.utils._containers import in_container
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, _fit_context
from sklearn_sae.utils._validation import refuse_texts


class TopKSAETransformer(TopKExchangeMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Sparse autoencoder that writes each row as a sum of at most K of M learned directions.

    The directions ("neurons") of text embeddings often stand for one concept each, so their activations can be named,
    selected and tested. `transform` returns the activations as a sparse matrix.

    Parameters
    ----------
    n_components : int or "auto", default=256
        How many neurons, M. "auto" goes by the rows: 32 below 500, 48 below 3,000, 256 near 10,000, 1024 near 100,000.
    k : int or "auto", default=8
        The number of neurons that may be active in a row, K. "auto" is 8, or M / 4 if that is less; 12 for 48 neurons,
        if both are "auto".
    sparsity : {"topk", "batch_topk"}, default="topk"
        "topk" keeps the K largest positive pre-activations of each row. "batch_topk" keeps the K * B largest of a
        batch of B rows in training, so that rows may differ in how many they need, and in `transform` all above
        `threshold_`.
    signed : bool, default=False
        Whether the entries largest in magnitude are kept, with their signs. For differences of the embeddings of two
        texts: a neuron then says in which of the two its concept is stronger.
    encoder : {"linear", "matching_pursuit"}, default="linear"
        How a row becomes activations. "linear" is one matrix product, of which `sparsity` keeps entries.
        "matching_pursuit" chooses the K neurons one by one, each for what the ones before leave, and sets the
        activations to their non-negative least-squares optimum, which reconstructs better and takes longer to fit. It
        excludes "batch_topk", `signed`, `matryoshka_prefixes` and `multi_weight`.
    matryoshka_prefixes : sequence of int or None, default=None
        Strictly increasing numbers of neurons ending in M. The loss is then the mean over the reconstructions from
        the first so many neurons each, which puts broad concepts first. None is the plain loss.
    target_weight : float, default=0.0
        Weight of how well `y` can be predicted from the reconstruction, so that neurons tell apart what predicts `y`,
        at little cost in reconstruction. At 0.1 to 0.3 many neurons share in it; at 1 they predict as much as they can,
        most of it through a few that stand for `y` itself; above 3 neurons die. Above 0, `fit` needs `y`; at 0, `y` is
        ignored.
    aux_k : int or None, default=None
        How many dead neurons per row reconstruct the residual in the auxiliary loss. None is ``min(2 * k, M)``.
    aux_weight : float, default=1/32
        Weight of the auxiliary loss. It costs nothing while no neuron is dead.
    multi_k : int or None, default=None
        The number of active neurons per row in the multi-K loss. None is ``min(4 * k, M)``.
    multi_weight : float, default=0.0
        Weight of the multi-K loss.
    dead_after : int, default=256
        A neuron is dead when it was not active in so many training steps, or in 10 passes of `fit` if that is sooner.
    batch_size : int or "auto", default="auto"
        Rows a training step. "auto" is 128, from 16,000 training rows on 256, and from 64,000 on 512. An epoch is cut
        into batches of nearly equal size, none larger. Of at most 64 neurons and fewer than 3,000 rows, where
        `max_epochs` is "auto" too, `fit` with "topk" takes all rows in each step: without rows held out, hardly
        anything depends on the seed.
    learning_rate : float or "auto", default="auto"
        The highest rate of the Adam optimizer. "auto" is 5e-3, and 2e-2 with the encoder "matching_pursuit".
    max_epochs : int or "auto", default="auto"
        The most passes over the training rows; the rate falls to zero over them. "auto" is 25, from 30,000 training
        rows on as many as make 750,000 rows, and at least 5; of steps that take all rows it is 40 to 150.
    validation_fraction : float or None, default=0.1
        Share of the rows held out to stop early, if it comes to at least one row. 0 or None holds out none and trains
        all epochs. It has no effect when `X_val` is given.
    patience : int or None, default=10
        Stop when the validation loss did not fall for so many epochs. None never stops early. The weights of the
        best epoch are kept in either case.
    warm_start : bool, default=False
        Start `fit` from the fitted weights instead of new ones.
    sparse_output : bool, default=True
        Whether `transform` returns a CSR matrix or a dense array.
    checkpoint_dir : path-like or None, default=None
        Folder in which the training state is kept after each epoch. A `fit` that was killed goes on from there when it
        is called with the same parameters and data, and ends in the same bits; the file is removed when `fit` ends.
        With ``random_state=None`` the interrupted run's seed is taken up. Such fits on the same data share a file, so
        give those that run at the same time different folders or seeds.
    device : str, default="auto"
        Device of the computation, as PyTorch names it. "auto" is "cuda" where available, else "cpu".
    random_state : int, RandomState instance or None, default=None
        Determines the validation split, the starting weights and the order of the rows. On the CPU the result is the
        same in all bits, whatever the number of threads.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (M, n_features), float32
        The decoder; rows of unit norm, in the metric of the loss if ``target_weight > 0``.
    encoder_weight_ : ndarray of shape (M, n_features), float32
        With the encoder "matching_pursuit" a copy of `components_`, or its image in that metric.
    encoder_bias_ : ndarray of shape (M,), float32
        Zeros with the encoder "matching_pursuit".
    bias_ : ndarray of shape (n_features,), float32
    threshold_ : float
        A pre-activation is kept if it is larger, if `signed` in magnitude: 0.0 for "topk", learned for "batch_topk".
    n_components_, k_ : int
        M and K, the resolved `n_components` and `k`.
    density_ : ndarray of shape (M,), float32
        Share of the rows of `X` in which each neuron is active.
    history_ : list of dict
        One an epoch, with "epoch" (from 1), "train_loss", "validation_loss" (NaN without validation) and
        "dead_fraction"; ready for ``pandas.DataFrame(sae.history_)``. Losses are those of the reconstruction,
        without auxiliary and multi-K terms.
    n_iter_ : int
        The number of epochs run.
    target_coef_ : ndarray of shape (n_outputs, M), float32
        What each activation adds to the prediction from the reconstruction: of `y` itself, of the probability of the
        second of two classes, or of that of each class. Only if ``target_weight > 0``; as are the next three.
    target_intercept_ : ndarray of shape (n_outputs,), float32
    task_ : {"regression", "binary", "multiclass"}
        The task that `y` was taken for.
    classes_ : ndarray of shape (n_classes,) or None
        None for a regression.
    n_features_in_ : int
        The number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,), if `X` has string column names

    See Also
    --------
    PretrainedSAETransformer : The latents of a published autoencoder, over the activations of a language model.
    NeuronSelector : Selects the neurons that predict a target.
    make_hypothesis_pipeline : Puts an autoencoder between an embedder and named hypotheses.
    sklearn.decomposition.MiniBatchDictionaryLearning : Learns directions for codes that are sparse by a penalty.

    Notes
    -----
    With ``pre = (x - bias_) @ encoder_weight_.T + encoder_bias_``, the activations `z` are the kept positive entries of
    `pre` (if `signed`, of either sign), and the reconstruction is ``z @ components_ + bias_``. Training minimizes the
    squared error of the reconstruction over the total variance of the training rows, plus the weighted terms that the
    parameters name. The work is float32: of data a million times farther from zero than spread, subtract the mean.
    Inside a `torch.distributed` group its processes `fit` one autoencoder together (docs/distributed.md).

    See docs/sae.md for the loss and the training in full, the literature, and what was measured.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import TopKSAETransformer
    >>> rng = np.random.default_rng(0)
    >>> concepts = rng.normal(size=(8, 32))  # each row of X is the sum of two of eight directions
    >>> present = np.array([rng.permutation(8)[:2] for _ in range(1000)])
    >>> X = concepts[present].sum(axis=1)
    >>> sae = TopKSAETransformer(n_components=16, k=2, random_state=0).fit(X)
    >>> sae.transform(X).shape
    (1000, 16)
    >>> bool(sae.score(X) > 0.8)
    True
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "k": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "sparsity": [StrOptions({"topk", "batch_topk"})],
        "signed": ["boolean"],
        "encoder": [StrOptions({"linear", "matching_pursuit"})],
        "matryoshka_prefixes": ["array-like", None],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "aux_k": [Interval(Integral, 1, None, closed="left"), None],
        "aux_weight": [Interval(Real, 0, None, closed="left")],
        "multi_k": [Interval(Integral, 1, None, closed="left"), None],
        "multi_weight": [Interval(Real, 0, None, closed="left")],
        "dead_after": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "warm_start": ["boolean"],
        "sparse_output": ["boolean"],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=256,
        k=8,
        *,
        sparsity="topk",
        signed=False,
        encoder="linear",
        matryoshka_prefixes=None,
        target_weight=0.0,
        aux_k=None,
        aux_weight=1 / 32,
        multi_k=None,
        multi_weight=0.0,
        dead_after=256,
        batch_size="auto",
        learning_rate="auto",
        max_epochs="auto",
        validation_fraction=0.1,
        patience=10,
        warm_start=False,
        sparse_output=True,
        checkpoint_dir=None,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.k = k
        self.sparsity = sparsity
        self.signed = signed
        self.encoder = encoder
        self.matryoshka_prefixes = matryoshka_prefixes
        self.target_weight = target_weight
        self.aux_k = aux_k
        self.aux_weight = aux_weight
        self.multi_k = multi_k
        self.multi_weight = multi_weight
        self.dead_after = dead_after
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.sparse_output = sparse_output
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, X_val=None, y_val=None):
        """Train the autoencoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            float32, float64 or float16; also memory-mapped, of Zarr, HDF5 or Dask, or an iterator of arrays, which see
            docs/large.md. Read batch by batch, never copied to memory whole.
        y : array-like of shape (n_samples,) or None, default=None
            The target, needed if ``target_weight > 0`` and else ignored.
        X_val, y_val : array-like of shape (n_val, n_features), (n_val,) or None, default=None
            Held-out rows for early stopping, instead of a share of `X`. `y_val` is checked, but not needed, because
            `y` alone says what predicts it.

        Returns
        -------
        self : TopKSAETransformer

        Raises
        ------
        ValueError
            If `X` has NaN or infinite values, texts, values beyond the range of float32, or fewer than 2 rows; if K,
            `aux_k` or `multi_k` exceeds M; if `matryoshka_prefixes` does not increase strictly or not end in M; if
            `encoder` excludes another parameter that is set; if `y` is needed and missing, constant or beyond the range
            of float32; if `y_val` has a class that `y` has not; if the training diverges.
        OSError
            If the checkpoint's folder cannot be used, or the checkpoint is corrupt. A disk that fills up only warns.
            If another process of the group dies or cannot begin, its subclass ConnectionError.
        """
        self._fit(X, y, X_val, y_val)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, *, X_val=None, y_val=None):
        """Train the autoencoder and return the activations for `X`, which are encoded once for both.

        Parameters
        ----------
        X, y, X_val, y_val : array-like or None
            As in `fit`.

        Returns
        -------
        codes : csr_matrix of shape (n_samples, M)
            As from `transform`.
        """
        return self._in_container(self._fit(X, y, X_val, y_val, encode=True), X)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, classes=None):
        """Take one pass over `X` in batches.

        The first call sets the starting weights from its rows, which should therefore be many times M, as well as the
        mean and the scale that all calls work with; after `fit` it starts from the fitted weights. The learning
        rate warms up and then falls with the root of the number of steps, because the end is not known.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or None, default=None
            The target, needed if ``target_weight > 0`` and else ignored. What predicts it is learned from the rows of
            all calls so far; after `fit`, what that has learned stays. The first call settles what the target is taken
            for: numbers with only two distinct values in it are taken for two classes.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes of `y`, for the first call, where that call may not see each.

        Returns
        -------
        self : TopKSAETransformer
            `density_` is that of the rows of this call; `history_` has one more entry, without a validation loss.

        Raises
        ------
        ValueError
            As `fit`; if `n_components` differs from the weights to go on from; if `y` has one distinct value in the
            first call without `classes`, or a class that was not there in the first; if `classes` are fewer than two.
        """
        from sklearn_sae.sae._encoding import active_share
        from sklearn_sae.sae._fitting import fit_pass

        check_encoder(self)
        fitted = hasattr(self, "components_")
        X = check_rows(self, X, ensure_min_samples=1 if fitted else 2, reset=not fitted)
        known = getattr(self, "_target_encoding", None)
        encoding, values = encode_chunk_of_target(y, len(X), self.target_weight, known, classes)
        sizes = resolve_settings(self, len(X), fitted=fitted)
        state, scaling, history, carried = fit_pass(self, X, encoding, values, *sizes, fitted=fitted)
        self._store(state.trained(), scaling, encoding, sizes, history=history, carried=carried)
        self.density_ = active_share(self, X)
        return self

    def transform(self, X):
        """Return the activations of the neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        codes : csr_matrix of shape (n_samples, M)
            Positive; at most K a row for "topk"; float64 for float64 input, else float32, always computed in float32.
            A `csr_array` where scikit-learn is set to sparse arrays, an ndarray if not `sparse_output`, a frame with
            sparse columns under ``set_output(transform="pandas")``.

        Raises
        ------
        ValueError
            If `X` has another number of features than in `fit`, NaN or infinite values, texts, or values beyond the
            range of float32.
        """
        check_is_fitted(self)
        return self._in_container(self._encode(check_rows(self, X, reset=False)), X)

    def inverse_transform(self, X):
        """Return the rows that activations stand for: ``X @ components_ + bias_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, M)

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            If `X` has not M columns, or has NaN or infinite values or texts.
        """
        check_is_fitted(self)
        with refuse_texts():
            codes = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
        if codes.shape[1] != self.n_components_:
            raise ValueError(f"X has {codes.shape[1]} columns, but there are {self.n_components_} neurons.")
        return decode(codes, self.components_, self.bias_)

    def score(self, X, y=None):
        """Return 1 - the normalized mean squared error of the reconstruction of `X`.

        That is its R2 over all features together: 1 is perfect, 0 as good as the mean of `X`. Equal rows have 1 or 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        score : float

        Raises
        ------
        ValueError
            As `transform`.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        return reconstruction_r2(X, self._encode(X), self.components_, self.bias_)

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = bool(self.target_weight)
        return tags

    def _fit(self, X, y, X_val, y_val, *, encode=False):
        """Fit, and return the codes of `X`, or None where these are not asked for."""
        from sklearn_sae.sae._encoding import active_share
        from sklearn_sae.sae._fitting import fit

        check_encoder(self)
        warm = self.warm_start and hasattr(self, "components_")
        X = check_rows(self, X, ensure_min_samples=2, reset=not warm)
        if X_val is not None:
            X_val = check_rows(self, X_val, name="X_val", reset=False)
        elif y_val is not None:
            raise ValueError("y_val was passed without X_val; pass both or neither.")
        target = require_target(y, len(X), self.target_weight)
        sizes = resolve_settings(self, len(X), fitted=warm)
        encoding, values = encode_whole_target(target, y_val, X_val)
        run, scaling, checkpoint = fit(self, X, X_val, encoding, values, *sizes, warm=warm)
        self._store(run.trained(), scaling, encoding, sizes, history=run.history)
        codes = self._encode(X) if encode else None
        self.density_ = active_share(self, X, codes, run.state.shards)
        if checkpoint is not None:
            checkpoint.remove()
        return codes

    def _store(self, trained, scaling, encoding, sizes, *, history, carried=None):
        """Set the fitted attributes, and what a further `partial_fit` starts from."""
        from sklearn_sae.sae._fitting import fitted_attributes

        attributes = fitted_attributes(trained, scaling, encoding, *sizes)
        for name in ("task_", "classes_", "target_coef_", "target_intercept_"):
            vars(self).pop(name, None)
        vars(self).update(attributes)
        self._scaling, self._target_encoding, self._settings, self._partial = scaling, encoding, sizes[1], carried
        self.history_, self.n_iter_ = history, len(history)

    def _in_container(self, codes, X):
        return in_container(self, codes if self.sparse_output else codes.toarray(), X)

    def _encode(self, X):
        from sklearn_sae.sae._encoding import encode

        return encode(self, X, dtype=np.float64 if X.dtype == np.float64 else np.float32)
