"""The reader: a language model that is run up to one layer, for the states that an SAE encodes."""

import inspect
import json
import os
import sys
import threading
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from sklearn_sae.pretrained._sites import (
    SITES,
    find_layers,
    find_site,
    first_position,
    has_layer_norm,
    n_inputs,
    text_model,
)
from sklearn_sae.pretrained._tokens import pad
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._hub import load_model
from sklearn_sae.utils._minilm import NAMES, minilm_folder
from sklearn_sae.utils._optional import require

_CONTEXT = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")
_HUB_ARGUMENTS = ("revision", "token", "trust_remote_code", "cache_dir", "subfolder")
_PROBE_LENGTH = 8  # tokens at the beginning and at the end that tell whether a reader is causal

_in_use = threading.Lock()  # because a hook is called in every run of the model, in whichever thread


class Reader:
    """A transformers model, a decoder or an encoder, that is run up to one site in one layer, or in each of several.

    Parameters
    ----------
    model : str, path, or transformers.PreTrainedModel
        A hub id or folder, of which no layer after `layer` is loaded; or a loaded model, which is left as and where it
        is, and of which no layer after `layer` is run. Of a folder that sentence-transformers saved, the reader is the
        transformer in it.
    layer : int or None, default=None
        Counted from 0. None: `layers` is given.
    layers : sequence of int or None, default=None
        Several layers, in any order, of which one run gives the states.
    site : {"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"}
        The residual stream before, within or after the layer (after the last layer: before the final norm); what
        attention or MLP adds to it; or the outputs of the attention heads, side by side, before they are mixed. Most
        encoders have the first and third of these only.
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
        The most tokens that the model can read at once: its positions. The length to which sentence-transformers cuts
        a text is no limit, because a model has been trained on whole texts before it is trained on sentences.
    is_causal : bool
        Whether a token's state depends on no later token.

    Raises
    ------
    ValueError
        If the model has no such layer or site, has both an encoder and a decoder, or lacks weights.
    NotOnHubError, PermissionError, ConnectionError, OSError
        If there is no such model, it is gated, the hub cannot be reached, or its files cannot be loaded.
    ImportError
        If the model goes to a GPU or to several devices, and accelerate is not installed.
    """

    def __init__(
        self,
        model,
        *,
        layer=None,
        layers=None,
        site,
        tokenizer=None,
        center=False,
        device="auto",
        dtype="auto",
        **model_kwargs,
    ):
        if site not in SITES:
            raise ValueError(f"The SAE reads {site!r}, which is none of the sites {', '.join(SITES)}.")
        if (layer is None) == (layers is None) or (layers is not None and not len(layers)):
            raise ValueError("The reader takes either one layer or several; pass one of layer and layers.")
        self._is_single = layers is None
        places = [_state_before(one, site) for one in ([layer] if self._is_single else layers)]
        source, config, hub = _source(model, model_kwargs)
        n_layers = _check_layers(config, layer, layers)
        if isinstance(model, (str, os.PathLike)):
            _drop_layers(config.get_text_config(decoder=True), n_layers, max(places)[0] + 1)
            self.model = _load_model(source, config, device=device, dtype=dtype, model_kwargs=model_kwargs)
        else:
            self.model = model
        self.tokenizer = _load_tokenizer(source, hub) if tokenizer is None else tokenizer
        text_config = config.get_text_config(decoder=True)
        self._decoder = text_model(self.model)
        stack, blocks = find_layers(self._decoder, text_config.num_hidden_layers)
        self._sites = [find_site(stack, blocks, *place, text_config, self._decoder) for place in places]
        self._centers = center and site != "z" and has_layer_norm(blocks[places[0][0]])
        self._parameters = inspect.signature(self._decoder.forward).parameters
        self.width = n_inputs(self._sites[0][0]) if site == "z" else text_config.hidden_size
        self._first_position = first_position(self._decoder)
        context = next((n for n in (getattr(text_config, key, None) for key in _CONTEXT) if n), sys.maxsize)
        self.context = context - self._first_position

    @cached_property
    def is_causal(self):
        # The model is asked itself, because no name or setting tells it of all models: other tokens at the end change
        # most numbers at the beginning, by more than rounding, unless the reader is causal.
        import torch

        n_embedded = len(self._decoder.get_input_embeddings().weight)
        ids = n_embedded // 2 + torch.arange(3 * _PROBE_LENGTH)
        beginning, *ends = (ids % n_embedded).split(_PROBE_LENGTH)
        runs = [torch.cat([beginning, end])[None] for end in ends]
        tolerance = 4 * torch.finfo(self.model.dtype).eps
        for a, b in zip(*(self._run(run, torch.ones_like(run)) for run in runs), strict=True):
            a, b = (states.reshape(2 * _PROBE_LENGTH, -1)[:_PROBE_LENGTH] for states in (a, b))
            if ((a - b).abs() > tolerance * a.abs()).float().mean() > 0.5:
                return False
        return True

    def states(self, ids, mask):
        """Return the states at the reader's site.

        Parameters
        ----------
        ids, mask : Tensor of shape (B, T), int64
            The tokens, padded on either side; and 1 at each token, 0 at padding.

        Returns
        -------
        states : Tensor of shape (B, T, width), float32; or a list of them
            A list, with one for each of `layers`, where they were given. They lie on the device on which the model
            computed them. The states of padding have no meaning.
        """
        states = [found.reshape(*ids.shape, -1) for found in self._run(ids, mask)]
        if self._centers:
            states = [some - some.mean(-1, keepdim=True) for some in states]
        return states[0] if self._is_single else states

    def _run(self, ids, mask):
        """Return what is found at each site, float32."""
        import torch

        n_embedded = len(self._decoder.get_input_embeddings().weight)
        if ids.max() >= n_embedded:
            raise ValueError(
                f"The tokenizer gives token {int(ids.max())}, but the reader knows tokens 0 to {n_embedded - 1}; pass "
                "the tokenizer that the reader was trained with."
            )
        inputs = {"input_ids": ids, "attention_mask": mask}
        if "position_ids" in self._parameters and not mask[:, 0].all():
            # They are given, because the model would count the padding on the left.
            inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0) + self._first_position
        device = _input_device(self._decoder)
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
        if "use_cache" in self._parameters or "kwargs" in self._parameters:
            inputs["use_cache"] = False
        with _in_use, torch.no_grad(), _evaluating(self._decoder), _stop_at(set(self._sites)) as found:
            self._decoder(**inputs)
        return [found[site] for site in self._sites]


def count_layers(model, **model_kwargs):
    """Return how many layers a reader has, of which no weights are loaded.

    Parameters
    ----------
    model : str, path, or transformers.PreTrainedModel
        As the `Reader` takes it.
    **model_kwargs
        As the `Reader` takes them.

    Raises
    ------
    ValueError, NotOnHubError, PermissionError, ConnectionError, OSError
        As the `Reader`.
    """
    return _check_layers(_source(model, model_kwargs)[1], None, ())


def kept_states(reader, windows):
    """Return the states of the kept tokens, a list with one array (n_kept, width) for each of the reader's layers.

    Parameters
    ----------
    reader : Reader
    windows : list of Window
        They are read at once.
    """
    import torch

    ids, mask = pad(windows, reader.tokenizer)
    kept = mask.bool()
    kept[kept.clone()] = torch.from_numpy(np.concatenate([window.kept for window in windows]))
    states = reader.states(ids, mask)
    return [some[kept.to(some.device)] for some in (states if isinstance(states, list) else [states])]


def check_finite(states):
    """Refuse states that are not all finite numbers."""
    if not states.isfinite().all():
        raise ValueError(
            "The reader's states are not all finite numbers; read with another dtype, such as 'bfloat16' or "
            "'float32', or look for such numbers in its weights."
        )


def check_model_kwargs(model_kwargs):
    """Refuse arguments of `from_pretrained` that have a parameter of their own, and a token.

    Parameters
    ----------
    model_kwargs : dict
    """
    if "token" in model_kwargs:
        raise ValueError(
            "model_kwargs holds a token, which would be in every repr and pickle; log in with `hf auth login`, or "
            "set the environment variable HF_TOKEN."
        )
    for name in ("config", "device", "dtype", "torch_dtype", "tokenizer"):
        if name in model_kwargs:
            raise ValueError(
                f"model_kwargs holds {name!r}; pass the parameter dtype, device or tokenizer instead, or for "
                "another config a loaded model."
            )


class _Found(Exception):
    """The states have been caught, so the rest of the model need not be run."""


@contextmanager
def _stop_at(sites):
    """Yield a dict for what is found at each of `sites`, and stop the model's run in the `with` block at the last.

    A site is a module and whether its input is meant, not its output.
    """
    import torch

    found = {}

    def keep(site, states):
        # A copy, because a later layer may write into what an earlier one has returned.
        found[site] = states.to(torch.float32, copy=len(sites) > 1)
        if len(found) == len(sites):
            raise _Found

    def catch_input(site, module, args, kwargs):
        keep(site, args[0] if args else kwargs["hidden_states"])

    def catch_output(site, module, args, output):
        keep(site, output[0] if isinstance(output, (tuple, list)) else output)

    handles = []
    for site in sites:
        module, of_input = site
        if of_input:
            handles.append(module.register_forward_pre_hook(partial(catch_input, site), with_kwargs=True))
        else:
            handles.append(module.register_forward_hook(partial(catch_output, site)))
    try:
        yield found
    except _Found:
        pass
    finally:
        for handle in handles:
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


def _source(model, model_kwargs):
    """Return where a reader comes from, its config, and the arguments with which its other files are loaded."""
    if not isinstance(model, (str, os.PathLike)):
        return model.config._name_or_path, model.config, {}
    name = os.path.expanduser(os.fspath(model))
    is_packaged = "revision" not in model_kwargs and not os.path.isdir(name)
    name = NAMES[1] if name in NAMES and not os.path.isdir(name) else name  # its whole name, by which the hub has it
    source = _transformer_folder((minilm_folder(name) if is_packaged else None) or name)
    hub = {key: model_kwargs[key] for key in _HUB_ARGUMENTS if key in model_kwargs}
    return source, _load_config(source, hub), hub


def _check_layers(config, layer, layers):
    """Return the number of the reader's layers. `layer`, or each of `layers`, must be one of them."""
    if config.is_encoder_decoder:
        raise ValueError(
            f"The reader is of type {config.model_type!r}, with both an encoder and a decoder; pass a model that is "
            "one of the two."
        )
    n_layers = config.get_text_config(decoder=True).num_hidden_layers
    for one in [layer] if layers is None else layers:
        if not 0 <= one < n_layers:
            raise ValueError(f"Layer {one} is beyond the reader, which has {n_layers} layers, 0 to {n_layers - 1}.")
    return n_layers


def _transformer_folder(name):
    """Return the folder of the transformer where `name` is one that sentence-transformers saved, else `name`."""
    modules = Path(name, "modules.json")
    if modules.is_file():
        for module in json.loads(modules.read_text(encoding="utf-8")):
            if module["type"].endswith(".Transformer"):
                return os.path.join(name, module["path"]).rstrip("/")
    return name


def _drop_layers(config, n_layers, n_kept):
    """Change `config` to that of a model with the first `n_kept` layers only."""
    config.num_hidden_layers = n_kept
    for key, value in vars(config).copy().items():
        if "layer" in key and isinstance(value, (list, tuple)) and len(value) == n_layers:
            setattr(config, key, value[:n_kept])
    if getattr(config, "num_kv_shared_layers", None):  # which are the last of all layers
        config.num_kv_shared_layers = max(0, config.num_kv_shared_layers - (n_layers - n_kept))


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
    placed = ({} if device == "cpu" else {"device_map": {"": device}}) | model_kwargs
    if placed.get("device_map") is not None:
        require("accelerate", extra="pretrained", purpose=f"A reader with device_map={placed['device_map']!r}")
    with _quiet():
        model, info = _load(AutoModel, name, config=config, dtype=dtype, output_loading_info=True, **placed)
    # A pooler is not run, and models that were not trained to pool come without one.
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
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
