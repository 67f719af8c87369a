"""The files of the package hypothesaes, which is not needed to read them."""

import pickle
from pathlib import Path

import numpy as np

from sklearn_sae.utils.exchange import Autoencoder

_TENSORS = {"encoder.weight", "decoder.weight", "input_bias", "neuron_bias"}
_CONFIG = {"input_dim", "m_total_neurons", "k_active_neurons", "aux_k", "multi_k", "dead_neuron_threshold_steps"}
_CONFIG_LATER = {"prefix_lengths", "use_batch_topk"}  # which its first versions did not have


def read_hypothesaes(path):
    """Return the parameters of a `TopKSAETransformer` and the `Autoencoder` of a file that hypothesaes saved.

    Raises
    ------
    FileNotFoundError, ValueError
        As `TopKSAETransformer.from_hypothesaes`.
    """
    path = Path(path).expanduser()
    what = f"The file {path}"
    config, state = _load(path, what)
    tensors = _tensors(config, state, what)
    n_components, k = config["m_total_neurons"], config["k_active_neurons"]
    batch_topk = bool(config.get("use_batch_topk"))
    prefixes = config.get("prefix_lengths")
    parameters = {
        "n_components": n_components,
        "k": k,
        "sparsity": "batch_topk" if batch_topk else "topk",
        "matryoshka_prefixes": None if prefixes is None else list(prefixes),
        "aux_k": config["aux_k"],
        "multi_k": config["multi_k"],
        "dead_after": config["dead_neuron_threshold_steps"],
    }
    autoencoder = Autoencoder(
        tensors["encoder.weight"],
        tensors["neuron_bias"],
        np.ascontiguousarray(tensors["decoder.weight"].T),
        tensors["input_bias"],
        None if batch_topk else k,
        max(0.0, float(tensors["threshold"])) if batch_topk else 0.0,
    )
    return parameters, autoencoder


def _load(path, what):
    """Return the config and the state of a file, from which only tensors, numbers and texts are read."""
    import torch

    if not path.is_file():
        raise FileNotFoundError(f"{what} does not exist, or is no file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(
            f"{what} was not opened: it is no file of tensors and numbers only ({type(error).__name__})."
        ) from None
    if not isinstance(content, dict) or {"config", "state_dict"} - set(content):
        raise ValueError(f"{what} was not saved by hypothesaes: it has no config and state_dict.")
    return content["config"], content["state_dict"]


def _tensors(config, state, what):
    """Return the tensors of an autoencoder as float32 arrays by name, or refuse those that do not fit."""
    kind = f"{what} holds an autoencoder of a kind that TopKSAETransformer has not"
    if unknown := set(config) - _CONFIG - _CONFIG_LATER:
        raise ValueError(f"{kind}: its config says {', '.join(sorted(map(str, unknown)))}.")
    needed = _TENSORS | ({"threshold"} if config.get("use_batch_topk") else set())
    if unknown := set(state) - _TENSORS - {"threshold"}:
        raise ValueError(f"{kind}: it has the tensor {', '.join(sorted(map(str, unknown)))}.")
    if missing := sorted((_CONFIG - set(config)) | (needed - set(state))):
        raise ValueError(f"{what} lacks {', '.join(missing)}.")
    if not all(hasattr(tensor, "detach") for tensor in state.values()):
        raise ValueError(f"{what} is damaged: its state_dict holds other things than tensors.")
    tensors = {name: state[name].detach().float().numpy() for name in sorted(needed)}
    m, d, k = (config[name] for name in ("m_total_neurons", "input_dim", "k_active_neurons"))
    shapes = {"encoder.weight": (m, d), "decoder.weight": (d, m), "input_bias": (d,), "neuron_bias": (m,)}
    shapes |= {"threshold": ()}
    for name, tensor in tensors.items():
        if tensor.shape != shapes[name]:
            raise ValueError(f"{what} is damaged: {name} is of shape {tensor.shape} instead of {shapes[name]}.")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{what} is damaged: {name} has numbers that are not finite.")
    if type(k) is not int or not 1 <= k <= m:
        raise ValueError(f"{what} is damaged: it has {k!r} active neurons of {m}.")
    return tensors
