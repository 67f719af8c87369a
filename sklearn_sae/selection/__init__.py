"""From activations and a target to the few neurons that predict it."""

from sklearn_sae.selection._neuron_selector import NeuronSelector

__all__ = ["NeuronSelector"]
