"""Results as pages, pictures and tables that people read."""

from sklearn_sae.report._explain import explain
from sklearn_sae.report._explanation import Explanation
from sklearn_sae.report._hypothesis_display import HypothesisDisplay
from sklearn_sae.report._neuron_display import NeuronDisplay
from sklearn_sae.report._neuron_map_display import NeuronMapDisplay
from sklearn_sae.report._prediction_path_display import PredictionPathDisplay
from sklearn_sae.report._show_neurons import show_neurons
from sklearn_sae.report._size_search_display import SizeSearchDisplay
from sklearn_sae.report._subgroup_display import SubgroupDisplay
from sklearn_sae.report._training_history_display import TrainingHistoryDisplay

__all__ = [
    "Explanation",
    "HypothesisDisplay",
    "NeuronDisplay",
    "NeuronMapDisplay",
    "PredictionPathDisplay",
    "SizeSearchDisplay",
    "SubgroupDisplay",
    "TrainingHistoryDisplay",
    "explain",
    "show_neurons",
]
