"""The one store on disk, for embeddings, activations and answers."""

from sklearn_sae.utils.store._store import Store, digest, open_store, path_fingerprint

__all__ = ["Store", "digest", "open_store", "path_fingerprint"]
