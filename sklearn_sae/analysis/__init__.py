"""Differences, co-occurrences, clusters and matches in any matrix of activations with named features."""

from sklearn_sae.analysis._diff_features import diff_features, plot_diff_features
from sklearn_sae.analysis._feature_correlations import feature_correlations, npmi, plot_feature_correlations
from sklearn_sae.analysis._label_similarity import label_similarity, plot_label_similarity
from sklearn_sae.analysis._property_retriever import PropertyRetriever, plot_search
from sklearn_sae.analysis._targeted_clustering import TargetedClustering, plot_clusters
from sklearn_sae.analysis._top_documents import plot_top_documents, top_documents

__all__ = [
    "PropertyRetriever",
    "TargetedClustering",
    "diff_features",
    "feature_correlations",
    "label_similarity",
    "npmi",
    "plot_clusters",
    "plot_diff_features",
    "plot_feature_correlations",
    "plot_label_similarity",
    "plot_search",
    "plot_top_documents",
    "top_documents",
]
