"""The steps that the annotators share: encode, choose examples, name, score, keep the best name, annotate."""

from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sae.annotation._before_encoding import check_before_encoding
from sklearn_sae.annotation._candidates import best_candidate, candidate_table, is_good, score_candidates
from sklearn_sae.annotation._fidelity import Fidelity
from sklearn_sae.annotation._hypothesis_table import hypothesis_table
from sklearn_sae.annotation._neurons import as_columns, check_neurons, column, density_of, warn_left_out
from sklearn_sae.annotation._outputs import check_output, last_step, output_names, selection_of
from sklearn_sae.annotation._sampling import check_several, first_rows
from sklearn_sae.annotation._selection_params import check_selection_params, fit_with_params, rows_of
from sklearn_sae.annotation._succession import (
    NEARLY,
    Named,
    Succession,
    at_least_one,
    can_select_names,
    first_of_near_copies,
    most_telling,
    offer,
    sentence_on,
    sentence_on_near_copies,
)
from sklearn_sae.utils._boilerplate import Boilerplate, shared_boilerplate
from sklearn_sae.utils._in_batches import fit_encoder
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._parquet_texts import ParquetTexts, sample_rows
from sklearn_sae.utils._sklearn_compat import (
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
    check_feature_names_in,
)
from sklearn_sae.utils._validation import check_alignment, check_texts, unique_names

_MOST_COMPARED = 1000  # texts on which names are compared
_NO_TEXTS = (
    "texts is missing. With encoder=None, X holds activations and texts=... the text of each row (in a Pipeline: "
    "sklearn.set_config(enable_metadata_routing=True), and texts=... at fit and again at predict or transform). "
    "To pass the texts as X, give the annotator an encoder=, a pipeline from texts to activations."
)


class BaseHypothesisAnnotator(TransformerMixin, BaseEstimator, ABC):
    """Everything about an annotator but how it names a neuron and how it annotates a text.

    A subclass gives `_choose_examples`, `_name` and `_annotate`.
    """

    __metadata_request__fit = {"texts": True, "by": False}
    __metadata_request__transform = {"texts": True}

    _parameter_constraints: dict = {
        "encoder": [HasMethods(["fit", "transform"]), None],
        "neurons": [StrOptions({"all"}), Interval(Integral, 1, None, closed="left"), "array-like"],
        "remove_boilerplate": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["boolean"],
    }

    _annotates_freely = False  # whether annotations cost nothing, so that names can be compared by them

    @abstractmethod
    def _choose_examples(self, activation, rng, prepared):
        """Return the `Examples` for one neuron, given its activation on each text and what `_prepare` returned."""

    @abstractmethod
    def _name(self, texts, activations, examples, neurons, prepared):
        """Return the candidate sentences of each column of `activations` (csc_array), and why some have none.

        `neurons` are their columns in the encoder's output, and `prepared` is what `_prepare` returned.
        """

    @abstractmethod
    def _annotate(self, texts, hypotheses, mask=None):
        """Return whether each hypothesis holds for each text.

        Parameters
        ----------
        texts : list of str
        hypotheses : list of str
        mask : ndarray of bool of shape (n_texts, n_hypotheses), default=None
            The annotations to make. None: all.

        Returns
        -------
        annotations : ndarray of shape (n_texts, n_hypotheses), float64
            1, 0 (or a number between) or NaN; NaN outside the mask.
        """

    def _prepare(self, texts, neurons, y=None):
        """Return what `_name` needs of all texts (and their target), once for all `neurons` that may be named."""

    def _judge(self, X, shown):
        """Return what `transform` returns, from what the encoder takes and the parts of texts that annotating sees."""
        return self._annotate(shown, self._interpretations())

    def _complete(self, table):
        """Return the table of hypotheses with what only a subclass knows of them."""
        return table

    def _latent_labels(self, neurons):
        """Return the label that each neuron comes with, or None, and the fidelity from which on a label is kept."""
        return [None] * len(neurons), -np.inf

    def _given_hypotheses(self):
        """Return the hypotheses that a person wrote, or None."""
        return None

    def _shorten(self, texts, *, fitting=False):
        """Return the parts of texts that naming and annotating see."""
        return texts

    def _check_parameters(self):
        """Check parameters against each other, before anything else in `fit` and `transform`."""

    def _start(self):
        """Begin anew, once the parameters are checked."""

    def _check_source(self):
        """Check that names and annotations can be had, before texts are embedded."""

    # The contract

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, texts=None, **params):
        """Name the neurons.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or {array-like, sparse matrix} of shape (n_samples, n_features)
            The texts, or what the encoder takes in their place; with ``encoder=None``, the activations.
        y : array-like of shape (n_samples,), default=None
            The target. The encoder uses it, and where annotations cost nothing the choice of names and their words.
        texts : sequence of str of shape (n_samples,), default=None
            The texts, if `X` is something else.
        **params : dict
            What `fit` of the encoder's last step takes, a value a row, such as ``by`` and ``sample_weight`` of a
            `NeuronSelector`.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError, ValueError
            If a text is missing, empty or no str; lengths differ; `y` has the index of `X` in another order; there is
            one sample only; `neurons` is not among the encoder's outputs; or no neuron activates or can be named.
        """
        self._check_parameters()
        params = check_selection_params(self.encoder, params)
        self._start()
        if self._given_hypotheses() is not None:
            self._check_texts(X, texts)
            self.hypotheses_ = hypothesis_table(interpretation=self._interpretations())
            self.examples_ = []
            return self
        texts, activations, features, selection = self._check_and_encode(X, y, texts, params)
        neurons, density = check_neurons(self.neurons, activations), density_of(activations)
        rows = np.arange(len(texts))
        if isinstance(texts, ParquetTexts):
            rows = sample_rows(len(texts))
            texts, activations = texts[rows].tolist(), activations[rows]
        self._boilerplate = shared_boilerplate(texts) if self.remove_boilerplate else Boilerplate()
        if self._boilerplate.note:
            warn(self._boilerplate.note)
        texts = self._shorten([self._boilerplate.without(text) for text in texts], fitting=True)

        # One row for each distinct text, so that no text is both shown and scored on.
        first = first_rows(texts)
        texts = [texts[row] for row in first]
        activations = activations[:, neurons][first]
        first = rows[first]
        alive = np.flatnonzero(density_of(activations))
        if not len(alive):
            raise ValueError("No neuron to name: none activates (is above 0) on any of the texts.")
        warn_left_out(neurons, alive, "activated on no text")
        neurons, activations = neurons[alive], activations[:, alive]

        y, params = rows_of(first, y, params)
        named, passed = self._name_in_turn(texts, activations, neurons, len(features), y, params)
        self.passed_over_ = [
            {"neuron": int(neurons[one.place]), "interpretation": one.sentence, "reason": why} for one, why in passed
        ]
        neurons = neurons[[one.place for one in named]]
        scores = pd.DataFrame([one.score for one in named], columns=Fidelity._fields)
        table = hypothesis_table(
            neuron=neurons,
            feature=features[neurons],
            interpretation=[one.sentence for one in named],
            **{name: values[neurons] for name, values in selection.items()},
            density=density[neurons],
            **scores.add_prefix("fidelity_"),
        )
        self.hypotheses_ = self._complete(table)
        self.examples_ = [{kind: first[rows] for kind, rows in one.examples._asdict().items()} for one in named]
        return self

    def fit_transform(self, X, y=None, *, texts=None, **params):
        """Name the neurons, then annotate the same texts.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or {array-like, sparse matrix} of shape (n_samples, n_features)
            The texts, or what the encoder takes in their place; with ``encoder=None``, the activations.
        y : array-like of shape (n_samples,), default=None
            The target. The encoder uses it, and where annotations cost nothing the choice of names and their words.
        texts : sequence of str of shape (n_samples,), default=None
            The texts, if `X` is something else.
        **params : dict
            As of `fit`.

        Returns
        -------
        annotations : ndarray of shape (n_samples, n_hypotheses), float64
            As `transform` returns them.
        """
        return self.fit(X, y, texts=texts, **params).transform(X, texts=texts)

    def transform(self, X, *, texts=None):
        """Annotate each text by each hypothesis.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or {array-like, sparse matrix} of shape (n_samples, n_features)
            As for `fit`; with ``encoder=None`` it is only checked.
        texts : sequence of str of shape (n_samples,), default=None
            The texts, if `X` is something else.

        Returns
        -------
        annotations : ndarray of shape (n_samples, n_hypotheses), float64
            1 where the hypothesis holds, 0 where not (or a probability of 1), NaN where no answer came.
        """
        check_is_fitted(self)
        self._validate_params()  # again: `set_params` may have come since
        self._check_parameters()
        if self._takes_texts():
            texts, X = self._check_texts(X, texts)
            if isinstance(texts, ParquetTexts) and X is texts:
                rows = (row for batch in texts.batches() for row in self._judge(batch, self._shown(batch)))
                return np.fromiter(rows, dtype=(np.float64, (len(self._interpretations()),)), count=len(texts))
        else:
            texts = self._check_texts_beside(texts)
            check_consistent_length(validate_data(self, X, accept_sparse=("csr", "csc"), reset=False), texts)
        return self._judge(X, self._shown(texts))

    def get_feature_names_out(self, input_features=None):
        """Return the hypotheses, each once.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str of shape (n_hypotheses,)
            Spaces collapsed; a hypothesis that comes again ends in " (2)".
        """
        check_is_fitted(self)
        return unique_names(self._interpretations())

    def _html_repr(self):
        """Return what a notebook shows: the hypotheses, once there are any, and scikit-learn's diagram."""
        if not hasattr(self, "hypotheses_"):
            return super()._html_repr()
        from sklearn_sae.report._notebook import annotator_html

        return f"{annotator_html(self)}{super()._html_repr()}"

    def __sklearn_is_fitted__(self):
        return self._given_hypotheses() is not None or hasattr(self, "hypotheses_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        takes_texts = self._takes_texts()
        tags.input_tags.string = tags.input_tags.one_d_array = takes_texts
        tags.input_tags.two_d_array = tags.input_tags.sparse = not takes_texts
        tags.requires_fit = self._given_hypotheses() is None
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _shown(self, texts):
        """Return what annotating sees of texts."""
        boilerplate = getattr(self, "_boilerplate", Boilerplate())  # there is none where hypotheses are given
        return self._shorten([boilerplate.without(text) for text in texts])

    # Steps of fit

    def _takes_texts(self):
        return self.encoder is not None or self._given_hypotheses() is not None

    def _check_texts(self, X, texts):
        """Return the texts, and what the encoder takes."""
        if texts is None:
            texts = check_texts(X)
            return texts, texts
        if self._given_hypotheses() is not None or len(np.shape(X)) != 2:
            raise ValueError("texts goes beside vectors as X, which the encoder takes; here X holds the texts.")
        check_consistent_length(X, texts)
        return check_texts(texts, name="texts"), X

    def _check_texts_beside(self, texts):
        if texts is None:
            raise ValueError(_NO_TEXTS)
        return check_texts(texts, name="texts")

    def _interpretations(self):
        given = self._given_hypotheses()
        return self.hypotheses_["interpretation"].tolist() if given is None else check_texts(given, name="hypotheses")

    def _check_and_encode(self, X, y, texts, params):
        """Return the texts, the activations (csc_array), their names and what they were selected by."""
        check_alignment(X, y)
        if self.encoder is not None:
            texts, X = self._check_texts(X, texts)
            check_consistent_length(texts, y)
            check_several(texts)
            check_before_encoding(self.encoder, y, len(texts))
            self._check_source()
            return texts, *self._fit_encoder(X, y, params)
        texts = self._check_texts_beside(texts)
        X = validate_data(self, X, accept_sparse=("csr", "csc"))
        check_consistent_length(X, texts)
        check_several(texts)
        return texts, as_columns(X), check_feature_names_in(self), {}

    def _fit_encoder(self, X, y, params):
        """Fit the encoder; return its activations, their names and what they were selected by.

        The encoder runs once: neurons are named from what `fit_transform` returns. An encoder whose `transform` differs
        from that, by rounding or (as in `NMF`) by more, needs no second run, because annotations depend on the names
        alone and no later step compares activations of both kinds.
        """
        self.encoder_ = clone(self.encoder)
        with config_context(transform_output="default"):
            fit = partial(fit_with_params, params=params)
            output = fit_encoder(self.encoder_, X, y, fit) if isinstance(X, ParquetTexts) else fit(self.encoder_, X, y)
        output = check_output(output, X)
        n_outputs = output.shape[1]
        return as_columns(output), output_names(self.encoder_, n_outputs), selection_of(self.encoder_, n_outputs)

    def _name_in_turn(self, texts, activations, neurons, n_outputs, y, params):
        """Return the names that are offered, in the order of the neurons, and those passed over with why.

        The neurons that the encoder wants are named, and then as many of its spare ones as are missing. Where
        annotations cost nothing, all are named, and the encoder's last step selects from what their names say.
        """
        encoder = self.encoder_ if self.encoder is not None and isinstance(self.neurons, str) else None
        succession = Succession.of(encoder, neurons, n_outputs)
        order, n_wanted = succession.order, succession.n_wanted
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=len(neurons))
        random_states = {place: np.random.RandomState(seed) for place, seed in zip(order, seeds, strict=True)}
        prepared = self._prepare(texts, neurons, y)
        selects = succession.is_strict and self._annotates_freely and y is not None and can_select_names(encoder)
        kept, passed, unnamed, candidates, why_not = [], [], [], [], ""
        while order and len(kept) < n_wanted:
            n_next = len(order) if selects else n_wanted - len(kept)
            batch, order = order[:n_next], order[n_next:]
            examples = [self._choose_examples(column(activations, i), random_states[i], prepared) for i in batch]
            scored, reason = self._name_and_score(texts, activations[:, batch], examples, neurons[batch], prepared)
            candidates += [(neurons[i], *one) for i, some in zip(batch, scored, strict=True) for one in some]
            best = [best_candidate(some, self._scoring) for some in scored]
            why_not = reason or why_not
            unnamed += [i for i, one in zip(batch, best, strict=True) if one is None]
            new = [Named(i, *one, some) for i, one, some in zip(batch, best, examples, strict=True) if one is not None]
            new = self._with_annotations(new, texts) if succession.is_strict else new
            kept, others = offer(kept, new, succession.rank, is_strict=succession.is_strict)
            passed += others
        if len(kept) > n_wanted:
            annotations = self._annotate(texts, [one.sentence for one in kept])
            kept, others = most_telling(kept, annotations, y, last_step(encoder), params)
            passed += others
        kept, passed = at_least_one(kept, passed, why_not)
        if not selects or len(kept) < n_wanted:
            warn_left_out(neurons, np.delete(np.arange(len(neurons)), unnamed), f"could not be named ({why_not})")
        if passed_on := sentence_on(passed, len(kept), n_wanted):
            warn(passed_on)
        self.candidates_ = candidate_table(candidates)
        return sorted(kept, key=lambda one: one.place), passed

    def _leave_out_near_copies(self, annotations):
        """Leave out names of which a better one says nearly the same, if they were not compared in `fit`.

        Parameters
        ----------
        annotations : ndarray of shape (n_texts, n_hypotheses)
            Of some texts.

        Returns
        -------
        kept : list of int
            The columns whose names are left.
        """
        table = self.hypotheses_
        if self._annotates_freely:
            return list(range(len(table)))
        kept, same_as = first_of_near_copies(annotations, table["selection_score"].abs().fillna(0))
        if same_as:
            names = table["interpretation"].tolist()
            warn(sentence_on_near_copies(names, same_as))
            self.passed_over_ += [
                {"neuron": int(table["neuron"][place]), "interpretation": names[place], "reason": NEARLY}
                for place in same_as
            ]
            self.hypotheses_ = table.iloc[kept].reset_index(drop=True)
            self.examples_ = [self.examples_[place] for place in kept]
        return kept

    def _with_annotations(self, named, texts):
        """Return names with what they say of some texts, so that they can be compared, if that costs nothing."""
        if not self._annotates_freely or not named:
            return named
        some = texts[:: -(-len(texts) // _MOST_COMPARED)]
        annotations = self._annotate(some, [one.sentence for one in named])
        return [one._replace(says=says) for one, says in zip(named, annotations.T, strict=True)]

    def _name_and_score(self, texts, activations, examples, neurons, prepared):
        """Return the (sentence, Fidelity) of each candidate of each neuron, and why some have none.

        A label that a neuron comes with is scored first; if it does well, the neuron is not named anew.
        """
        labels, min_score = self._latent_labels(neurons)
        labels = [[] if label is None else [label] for label in labels]
        scored = score_candidates(self._annotate, texts, activations, examples, labels)
        left = [i for i, some in enumerate(scored) if not is_good(some, self._scoring, min_score)]
        if not left:
            return scored, ""
        some = [examples[i] for i in left]
        candidates, why_not = self._name(texts, activations[:, left], some, neurons[left], prepared)
        new = score_candidates(self._annotate, texts, activations[:, left], some, candidates)
        for i, others in zip(left, new, strict=True):
            scored[i] += others
        return scored, why_not

    @property
    def _scoring(self):
        return getattr(self, "scoring", "f1")
