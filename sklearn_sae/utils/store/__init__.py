"""The store on disk of embeddings, activations and answers: values by key, filled by many processes at once."""

from sklearn_sae.utils.store._fill import fill
from sklearn_sae.utils.store._keys import digest, path_fingerprint
from sklearn_sae.utils.store._store import cache_folder, open_store

__all__ = ["cache_folder", "digest", "fill", "open_store", "path_fingerprint"]
