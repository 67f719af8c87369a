"""What a transformer that reads words does for all its methods: read, encode, and say on which words neurons fire."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.pretrained._language_model import LanguageModelMixin
from sklearn_sae.pretrained._loaded import loaded
from sklearn_sae.pretrained._word_encoder import WordEncoder
from sklearn_sae.pretrained._word_reader import WordReader
from sklearn_sae.pretrained._word_table import activations_on_words, word_tables
from sklearn_sae.pretrained._word_texts import Texts
from sklearn_sae.utils._validation import check_texts


class WordMixin(LanguageModelMixin):
    """The reading of words, by the parameters and fitted attributes of a `ReaderSAETransformer`."""

    def word_activations(self, X, neurons):
        """Return on which words of the texts neurons are active.

        Parameters
        ----------
        X : sequence of str, 1-D array, Series, or one-column frame
            The texts.
        neurons : sequence of int
            Columns of the output; with several aggregations each stands for its neuron.

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
        self._validate_params()
        neurons = [self._check_neuron(neuron) for neuron in neurons]
        texts = self._count(X)
        return word_tables(texts.words, self._activations(texts, self._reader(self.layer_)), neurons)

    def _count(self, X, *, name="X"):
        """Return the `Texts`: each with its words that count."""
        return Texts.counted(check_texts(X, name=name), self.tokens, self.stop_words)

    def _keeps(self):
        """Return whether the states of texts stay in the store."""
        return bool(self.keep_states) if isinstance(self.keep_states, bool | np.bool_) else True

    def _kept_layers(self):
        """Return the layers, beside the one that is read, whose states are kept."""
        return () if isinstance(self.keep_states, bool | np.bool_) else tuple(self.keep_states)

    def _reader(self, layer):
        """Return the `WordReader` of a layer, which is loaded once."""
        return loaded(
            self,
            WordReader,
            model=self.model,
            layer=layer,
            layers=self._kept_layers(),
            batch_size=self.batch_size,
            max_length=self.max_length,
            overlap=self.overlap,
            model_kwargs=dict(self.model_kwargs or {}),
            tokenizer=self.tokenizer,
            device=self.device,
            dtype=self.dtype,
        )

    def _activations(self, texts, reader, stored=None):
        """Yield the `WordActivations` of each text; `stored` is where the states are, if anywhere."""
        encoder = WordEncoder(self.sae_, self.scale_, reader, cache_dir=self.cache_dir, keeps=self._keeps())
        return encoder.activations(texts, stored, verbose=self.verbose)

    def _check_neuron(self, column):
        """Return the neuron for which a column of the output stands."""
        if not isinstance(column, Integral) or not 0 <= column < self.n_features_out_:
            raise ValueError(f"latent={column!r} does not exist; there are columns 0 to {self.n_features_out_ - 1}.")
        return int(column) % self.n_components_

    def _tokens(self, texts, latent):
        """Return for each text (text, spans of its words that count, activations of the neuron on them)."""
        check_is_fitted(self)
        self._validate_params()
        neuron = self._check_neuron(latent)
        texts = self._count(texts, name="text")
        activations = self._activations(texts, self._reader(self.layer_))
        return [
            (text, spans, activations_on_words(one, neuron, len(spans)))
            for text, spans, one in zip(texts.texts, texts.spans, activations, strict=True)
        ]
