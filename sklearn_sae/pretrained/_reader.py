"""The reader: a language model that is run up to one layer, for the states that an SAE encodes."""

import inspect
import os
import sys
import threading
from contextlib import contextmanager
from functools import partial

from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._hub import load_model

# Names that transformers gives to the parts of a layer.
_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe", "fc2")
_PROJECTION = ("o_proj", "c_proj", "out_proj", "dense", "wo")
_NORM_BEFORE_MLP = (
    "pre_feedforward_layernorm",
    "pre_mlp_layernorm",
    "post_attention_layernorm",
    "ln_2",
    "ffn_norm",
    "norm_2",
    "final_layer_norm",
)
_NORM_AFTER_MLP = ("post_feedforward_layernorm", "post_mlp_layernorm")
_CONTEXT = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")
_HUB_ARGUMENTS = ("revision", "token", "trust_remote_code", "cache_dir", "subfolder")

SITES = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z")

_in_use = threading.Lock()  # because a hook is called in every run of the model, in whichever thread


class Reader:
    """A transformers model that is run up to one site in one layer.

    Parameters
    ----------
    model : str, path, or transformers.PreTrainedModel
        A hub id or folder, of which no layer after `layer` is loaded; or a loaded model, which is left as and where it
        is, and of which no layer after `layer` is run.
    layer : int
        Counted from 0.
    site : {"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"}
        The residual stream before, within or after the layer (after the last layer: before the final norm); what
        attention or MLP adds to it; or the outputs of the attention heads, side by side, before they are mixed.
    tokenizer : transformers.PreTrainedTokenizerFast or None, default=None
        None: the model's own.
    center : bool, default=False
        Whether the mean over the width is subtracted from each state, as TransformerLens does by centering the weights
        that write to the residual stream. As there, a model without LayerNorm is not centered, nor is "z".
    device : str, default="auto"
        The device to which a model is loaded, unless `device_map` is given. "auto": "cuda" where there is one, else
        "cpu".
    dtype : str or torch.dtype, default="auto"
        The dtype of a model's weights. "auto": as they were saved.
    **model_kwargs
        More arguments of `from_pretrained`, such as `device_map`, `quantization_config`, `revision` or `token`.

    Attributes
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    width : int
        The number of columns of the states.
    context : int
        The most tokens that the model can read at once.

    Raises
    ------
    ValueError
        If the model has no such layer or site, has an encoder, or lacks weights.
    NotOnHubError, PermissionError, ConnectionError, OSError
        If there is no such model, it is gated, the hub cannot be reached, or its files cannot be loaded.
    """

    def __init__(
        self, model, *, layer, site, tokenizer=None, center=False, device="auto", dtype="auto", **model_kwargs
    ):
        if site not in SITES:
            raise ValueError(f"The SAE reads {site!r}, which is none of the sites {', '.join(SITES)}.")
        if isinstance(model, (str, os.PathLike)):
            model = os.path.expanduser(os.fspath(model))
            hub = {key: model_kwargs[key] for key in _HUB_ARGUMENTS if key in model_kwargs}
            source, config = model, _load_config(model, hub)
            n_layers = _check_layer(config, layer)
            layer, site = _state_before(layer, site)
            _drop_layers(config.get_text_config(decoder=True), n_layers, layer + 1)
            self.model = _load_model(model, config, device=device, dtype=dtype, model_kwargs=model_kwargs)
        else:
            hub, source, config = {}, model.config._name_or_path, model.config
            _check_layer(config, layer)
            layer, site = _state_before(layer, site)
            self.model = model
        self.tokenizer = _load_tokenizer(source, hub) if tokenizer is None else tokenizer
        text_config = config.get_text_config(decoder=True)
        self._decoder = self.model.get_decoder()
        block = _layers(self._decoder, text_config.num_hidden_layers)[layer]
        self._module, self._of_input = _find_site(block, site, text_config)
        self._centers = center and site != "z" and _has_layer_norm(block)
        self._takes_positions = "position_ids" in inspect.signature(self._decoder.forward).parameters
        self.width = _n_inputs(self._module) if site == "z" else text_config.hidden_size
        self.context = next((n for n in (getattr(text_config, key, None) for key in _CONTEXT) if n), sys.maxsize)

    def states(self, ids, mask):
        """Return the states at the reader's site.

        Parameters
        ----------
        ids, mask : Tensor of shape (B, T), int64
            The tokens, padded on either side; and 1 at each token, 0 at padding.

        Returns
        -------
        states : Tensor of shape (B, T, width), float32
            They lie on the device on which the model computed them. The states of padding have no meaning.
        """
        import torch

        n_embedded = len(self._decoder.get_input_embeddings().weight)
        if ids.max() >= n_embedded:
            raise ValueError(
                f"The tokenizer gives token {int(ids.max())}, but the reader knows tokens 0 to {n_embedded - 1}; pass "
                "the tokenizer that the reader was trained with."
            )
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._takes_positions and not mask[:, 0].all():  # because the model would count the padding on the left
            inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        device = _input_device(self._decoder)
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
        with _in_use, torch.no_grad(), _evaluating(self._decoder), _stop_at(self._module, self._of_input) as found:
            self._decoder(**inputs, use_cache=False)
        states = found[0].reshape(*ids.shape, -1).float()
        return states - states.mean(-1, keepdim=True) if self._centers else states


class _Found(Exception):
    """The states have been caught, so the rest of the model need not be run."""


@contextmanager
def _stop_at(module, of_input):
    """Yield a list for the first input or output of `module`, and stop the model's run in the `with` block there."""
    found = []

    def catch_input(module, args, kwargs):
        found.append(args[0] if args else kwargs["hidden_states"])
        raise _Found

    def catch_output(module, args, output):
        found.append(output[0] if isinstance(output, (tuple, list)) else output)
        raise _Found

    if of_input:
        handle = module.register_forward_pre_hook(catch_input, with_kwargs=True)
    else:
        handle = module.register_forward_hook(catch_output)
    try:
        yield found
    except _Found:
        pass
    finally:
        handle.remove()


@contextmanager
def _evaluating(model):
    """Keep all modules in evaluation mode for the length of a `with` block."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _state_before(layer, site):
    """Return the layer before as the site of a layer's input, because that layer then need not be loaded."""
    return (layer - 1, "resid_post") if site == "resid_pre" and layer > 0 else (layer, site)


def _check_layer(config, layer):
    """Return the number of the reader's layers. `layer` must be one of them."""
    if config.is_encoder_decoder:
        raise ValueError(f"The reader is of type {config.model_type!r}, with an encoder; pass a causal language model.")
    n_layers = config.get_text_config(decoder=True).num_hidden_layers
    if not 0 <= layer < n_layers:
        raise ValueError(f"Layer {layer} is beyond the reader, which has {n_layers} layers, 0 to {n_layers - 1}.")
    return n_layers


def _drop_layers(config, n_layers, n_kept):
    """Change `config` to that of a model with the first `n_kept` layers only."""
    config.num_hidden_layers = n_kept
    for key, value in vars(config).copy().items():
        if "layer" in key and isinstance(value, (list, tuple)) and len(value) == n_layers:
            setattr(config, key, value[:n_kept])
    if getattr(config, "num_kv_shared_layers", None):  # which are the last of all layers
        config.num_kv_shared_layers = max(0, config.num_kv_shared_layers - (n_layers - n_kept))


def _layers(decoder, n_layers):
    import torch

    for module in decoder.children():
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers:
            return module
    raise ValueError(f"No list of {n_layers} layers was found in the reader's {type(decoder).__name__}.")


def _find_site(block, site, config):
    """Return the module whose input or output is the state, and whether it is the input."""
    if site in ("resid_pre", "resid_post"):
        return block, site == "resid_pre"
    norm_after_mlp = _child(block, _NORM_AFTER_MLP)
    norm_after_attention = _child(block, ["post_self_attn_layernorm"])
    names = list(_NORM_BEFORE_MLP)
    if norm_after_attention is None and norm_after_mlp is not None:  # the name is then to be taken literally
        norm_after_attention = _child(block, ["post_attention_layernorm"])
        names.remove("post_attention_layernorm")
    attention, mlp = _child(block, _ATTENTION), _child(block, _MLP)
    if site == "attn_out":
        module = attention if norm_after_attention is None else norm_after_attention
    elif site == "mlp_out":
        module = mlp if norm_after_mlp is None else norm_after_mlp
    elif site == "z":
        module = attention and _descendant(attention, _PROJECTION)
    elif getattr(config, "use_parallel_residual", False) or getattr(config, "parallel_attn", False):
        module = None  # attention and MLP have the same input, so there is no state between them
    else:
        norm = _child(block, names)
        module = mlp if norm is None and norm_after_mlp is not None else norm
    if site in ("attn_out", "mlp_out") and not _is_added_as_it_is(module, config):
        module = None
    if module is None:
        raise ValueError(f"The reader's {type(block).__name__} has no site {site!r} that can be found.")
    return module, site in ("resid_mid", "z")


def _is_added_as_it_is(module, config):
    """Return whether the output of `module` is added to the residual stream as it is.

    Some modules return the sum, and some models scale the output before they add it.
    """
    returns_sum = module is not None and "residual" in inspect.signature(module.forward).parameters
    return not returns_sum and getattr(config, "residual_multiplier", 1) == 1


def _child(module, names):
    return next((child for child in (getattr(module, name, None) for name in names) if child is not None), None)


def _descendant(module, names):
    return next((m for path, m in module.named_modules() if path.rpartition(".")[2] in names), None)


def _n_inputs(linear):
    # GPT-2's layers have no `in_features`, and their weights are transposed.
    return linear.in_features if hasattr(linear, "in_features") else linear.weight.shape[0]


def _has_layer_norm(block):
    import torch

    return any(isinstance(module, torch.nn.LayerNorm) for module in block.modules())


def _input_device(decoder):
    embedding = decoder.get_input_embeddings()
    device = embedding.weight.device
    if device.type != "meta":
        return device
    if not hasattr(embedding, "_hf_hook"):
        raise ValueError("The reader's weights are on the device 'meta', which holds no numbers; pass a loaded model.")
    return embedding._hf_hook.execution_device  # set by accelerate, which has offloaded the weights


def _load_config(name, hub):
    from transformers import AutoConfig

    return _load(AutoConfig, name, **hub)


def _load_tokenizer(name, hub):
    from transformers import AutoTokenizer

    if not name:
        raise ValueError("The reader is a model that does not say where it was loaded from; pass its tokenizer too.")
    return _load(AutoTokenizer, name, **hub)


def _load_model(name, config, *, device, dtype, model_kwargs):
    from transformers import AutoModel

    device = str(check_device(device))
    placed = {} if device == "cpu" else {"device_map": {"": device}}
    with _quiet():
        model, info = _load(
            AutoModel, name, config=config, dtype=dtype, output_loading_info=True, **placed | model_kwargs
        )
    missing = sorted(info["missing_keys"])
    if missing:  # an error, because they would be random numbers
        raise ValueError(f"The reader {name!r} comes without {len(missing)} of its weights, such as {missing[0]}.")
    return model.eval()


def _load(kind, name, **options):
    load = partial(kind.from_pretrained, **options)
    return load_model(load, name, what=f"The reader {name!r}", token=options.get("token"))


@contextmanager
def _quiet():
    """Hide progress bars and the report on unused weights, which are all weights of later layers."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
