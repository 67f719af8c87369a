"""Results as pages and tables that people read."""

from sklearn_sae.report._show_neurons import show_neurons

__all__ = ["show_neurons"]
