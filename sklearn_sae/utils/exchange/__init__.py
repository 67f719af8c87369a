"""Trained autoencoders as files: a folder that SAELens loads as well, and repositories of the Hugging Face hub."""

from sklearn_sae.utils.exchange._autoencoder import Autoencoder, check_weights, fold_affine
from sklearn_sae.utils.exchange._card import model_card
from sklearn_sae.utils.exchange._folder import read_folder, write_folder
from sklearn_sae.utils.exchange._mixin import Exchanged, ExchangeMixin
from sklearn_sae.utils.exchange._parameters import estimator_of, plain_parameters

__all__ = [
    "Autoencoder",
    "ExchangeMixin",
    "Exchanged",
    "check_weights",
    "estimator_of",
    "fold_affine",
    "model_card",
    "plain_parameters",
    "read_folder",
    "write_folder",
]
