"""The one store on disk, for embeddings, activations and answers."""

from sklearn_sae.utils.store._fill import fill
from sklearn_sae.utils.store._keys import digest, path_fingerprint
from sklearn_sae.utils.store._store import open_store

__all__ = ["digest", "fill", "open_store", "path_fingerprint"]
