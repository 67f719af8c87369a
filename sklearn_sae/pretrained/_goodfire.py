"""Files in Goodfire's layout: a pickled dict of the weights and biases of an encoder and a decoder."""

import pickle
import re
import zipfile
from typing import NamedTuple

import numpy as np

from sklearn_sae.pretrained._sparse_encoder import SparseEncoder, refuse_activation_scale


class _Published(NamedTuple):
    model_name: str
    layer: int
    neuronpedia_id: str


_BY_WIDTH = {
    4096: _Published("meta-llama/Llama-3.1-8B-Instruct", 19, "llama3.1-8b-it/19-resid-post-gf"),
    8192: _Published("meta-llama/Llama-3.3-70B-Instruct", 50, "llama3.3-70b-it/50-resid-post-gf"),
}


def labels_file(model_name):
    """Return the name of the file in nickjiang/feature_labels that labels Goodfire's SAE of a model."""
    return f"goodfire/{model_name}.json"


def load_file(path, activation_scale):
    """Load a local file as a `SparseEncoder`.

    The layer is the number after "-l" at the end of the file's name, as in Goodfire's own names. Where there is none,
    it is the layer of the one SAE that Goodfire published for this width.

    Raises
    ------
    ValueError
        If the layer is unknown, the layout is another, opening the file would run code, or an activation scale is
        given.
    """
    refuse_activation_scale(activation_scale, f"The SAE {path}")
    weight, bias = load_encoder(path)
    published = _BY_WIDTH.get(weight.shape[1])
    named = re.search(r"-l(\d+)$", path.stem)
    if named is None and published is None:
        raise ValueError(
            f"The layer of the SAE {path} is not known: give the file a name that ends in the layer, "
            f"such as '{path.stem}-l19{path.suffix}'."
        )
    layer = published.layer if named is None else int(named.group(1))
    is_published = published is not None and layer == published.layer
    return encoder_of(
        weight,
        bias,
        layer=layer,
        model_name=published.model_name if is_published else None,
        neuronpedia_id=published.neuronpedia_id if is_published else None,
        source=str(path.resolve()),
    )


def encoder_of(weight, bias, *, layer, model_name, neuronpedia_id, source):
    """Return an encoder of Goodfire's kind: a ReLU on the residual stream after a layer."""
    return SparseEncoder(
        weight=weight,
        bias=bias,
        input_bias=None,
        threshold=None,
        k=None,
        normalization="none",
        model_name=model_name,
        layer=layer,
        site="resid_post",
        prepend_bos=True,
        center=False,
        source=source,
        neuronpedia_id=neuronpedia_id,
        labels_file=None if model_name is None else labels_file(model_name),
    )


def load_encoder(path):
    """Return the weight (n_latents, width) and the bias (n_latents,) of the encoder in a file, float32.

    The file is mapped into memory, so that its decoder stays on disk.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        raise ValueError(
            f"The file {path} was not opened: it is no plain dict of tensors, so opening it could run code; "
            "ask for one that holds tensors only."
        ) from None
    except (RuntimeError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"The file {path} cannot be read ({type(error).__name__}): is it cut off?") from None
    try:
        weight, bias = state["encoder_linear.weight"], state["encoder_linear.bias"]
        fits = weight.ndim == 2 and bias.shape == weight.shape[:1]
    except (AttributeError, KeyError, TypeError, IndexError):
        fits = False
    if not fits:
        raise ValueError(
            f"The file {path} is not in Goodfire's layout: it needs encoder_linear.weight of shape (n_latents, width) "
            "and encoder_linear.bias of shape (n_latents,); an SAE saved by sae-lens is given as its folder."
        )
    return np.asarray(weight.float()), np.asarray(bias.float())
