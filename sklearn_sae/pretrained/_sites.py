"""Where among the modules of a transformers model the states are found."""

import inspect

SITES = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z")

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


def text_model(model):
    decoder = model.get_decoder()
    # The head of some encoders is called a decoder.
    return decoder if hasattr(decoder, "get_input_embeddings") else model.base_model


def find_layers(decoder, n_layers):
    """Return the module that holds the list of layers, and the list."""
    import torch

    for stack in decoder.modules():  # the outermost first; encoders have a module for their layers
        for module in stack.children():
            if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers:
                return stack, module
    raise ValueError(f"No list of {n_layers} layers was found in the reader's {type(decoder).__name__}.")


def first_position(decoder):
    """Return the position of a text's first token, which is not 0 in RoBERTa and its kind.

    Their positions begin after the number of the padding token.
    """
    for name, module in decoder.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return module.padding_idx + 1
    return 0


def find_site(stack, blocks, layer, site, config, decoder):
    """Return the module whose input or output is the state, and whether it is the input."""
    block = blocks[layer]
    if site in ("resid_pre", "resid_post"):
        conv = getattr(stack, "conv", None)  # which DeBERTa may have behind its first layer
        return conv if conv is not None and (layer, site) == (0, "resid_post") else block, site == "resid_pre"
    if stack is not decoder:  # because the parts of most encoders return the norm of a sum
        raise _no_site(block, site)
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
        raise _no_site(block, site)
    return module, site in ("resid_mid", "z")


def _no_site(block, site):
    return ValueError(f"The reader's {type(block).__name__} has no site {site!r} that can be found.")


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


def n_inputs(linear):
    # GPT-2's layers have no `in_features`, and their weights are transposed.
    return linear.in_features if hasattr(linear, "in_features") else linear.weight.shape[0]


def has_layer_norm(block):
    import torch

    return any(isinstance(module, torch.nn.LayerNorm) for module in block.modules())
