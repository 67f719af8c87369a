"""SAEs of `sae-lens`: its releases, and the folders that it saves.

`sae-lens` itself is asked for its table of releases and does all conversions of old formats. It is imported when such
an SAE is loaded, because the import takes seconds.
"""

import os
import pickle
import re
import warnings
from contextlib import contextmanager
from difflib import get_close_matches

from sklearn_sae.pretrained import _goodfire
from sklearn_sae.pretrained._sparse_encoder import SparseEncoder, refuse_activation_scale
from sklearn_sae.utils._hub import download, hub_errors
from sklearn_sae.utils._optional import require

_ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")
_TRAINED_FORMS = ("batchtopk", "matryoshka_batchtopk")
_NORMALIZATIONS = ("none", "layer_norm", "constant_norm_rescale")
_SCALED = "expected_average_only_in"
_HOOK = re.compile(r"blocks\.(\d+)\.(?:hook_(resid_pre|resid_mid|resid_post|attn_out|mlp_out)|attn\.hook_(z))")


def load_folder(path, activation_scale):
    """Load a folder that `sae-lens` saved as a `SparseEncoder`."""
    what = f"The SAE {path}"
    if not (path / "cfg.json").is_file():
        raise FileNotFoundError(f"{what} has no cfg.json: give a folder that sae-lens saved.")
    sae_lens, loaders, _ = _import_sae_lens()
    with _loading(what):
        config = loaders.handle_config_defaulting(loaders.get_sae_lens_config_from_disk(path))
    metadata = _metadata(config)
    place = _check(config, metadata, what)
    with _loading(what):
        sae = sae_lens.SAE.load_from_disk(path, device="cpu", dtype="float32")
    return _encoder_of(sae, metadata, place, activation_scale, source=str(path.resolve()), what=what)


def load_release(name, activation_scale):
    """Load an SAE of a release, or of a repository of the hub, as a `SparseEncoder`.

    Parameters
    ----------
    name : str or (str, str)
        ``"release/id"``, or the pair of the two.
    activation_scale : float or None
    """
    sae_lens, loaders, directory = _import_sae_lens()
    release, sae_id = _split(name, directory.get_pretrained_saes_directory())
    source = f"{release}/{sae_id}"
    what = f"The SAE {source!r}"
    with _loading(what):
        config = loaders.load_sae_config_from_huggingface(release, sae_id)
    metadata = _metadata(config)
    place = _check(config, metadata, what)
    if loaders.get_conversion_loader_name(release) == "goodfire":
        refuse_activation_scale(activation_scale, what)
        file = download(*directory.get_repo_id_and_folder_name(release, sae_id), what=what)
        weight, bias = _goodfire.load_encoder(file)
        return _goodfire.encoder_of(
            weight,
            bias,
            layer=place[0],
            model_name=metadata["model_name"],
            neuronpedia_id=metadata.get("neuronpedia_id"),
            source=source,
        )
    with _loading(what):
        sae = sae_lens.SAE.from_pretrained(release, sae_id, device="cpu", dtype="float32")
    return _encoder_of(sae, metadata, place, activation_scale, source=source, what=what)


def _import_sae_lens():
    purpose = "Loading an SAE of sae-lens"
    sae_lens = require("sae_lens", extra="pretrained", purpose=purpose)
    from sae_lens.loading import pretrained_sae_loaders, pretrained_saes_directory

    return sae_lens, pretrained_sae_loaders, pretrained_saes_directory


def _split(name, table):
    """Return the release and the id that `name` stands for."""
    if isinstance(name, str):
        release, _, sae_id = name.partition("/")
        if release not in table and name.count("/") > 1:
            owner, repository, sae_id = name.split("/", 2)
            release = f"{owner}/{repository}"
    else:
        release, sae_id = name
    if release not in table and "/" not in release:
        close = get_close_matches(release, table, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "give a folder, or 'release/id'."
        raise ValueError(f"sae names the release {release!r}, which sae-lens does not know; {hint}")
    if release in table and sae_id not in table[release].saes_map:
        ids = list(table[release].saes_map)
        some = ", ".join(get_close_matches(sae_id, ids, n=5) or ids[:5])
        raise ValueError(f"sae names {sae_id!r}, which the release {release!r} does not have; it has {some}, ...")
    return release, sae_id


def _metadata(config):
    # In today's format the entries of the table of releases lie beside the metadata.
    entries = {name: config.get(name) for name in ("neuronpedia_id", "model_from_pretrained_kwargs")}
    return {**config.get("metadata", {}), **{name: entry for name, entry in entries.items() if entry is not None}}


def _check(config, metadata, what):
    """Return the layer and the site of an SAE.

    An SAE that does not encode single states of the reader is refused here, before its weights are loaded.
    """
    architecture = config.get("architecture", "")
    if "transcoder" in architecture or metadata.get("hook_name_out") is not None:
        raise ValueError(f"{what} is a transcoder, which does not decompose the state that it reads; give an SAE.")
    if architecture in _TRAINED_FORMS:
        raise ValueError(f"{what} was saved in its training form; save it with save_inference_model.")
    if architecture not in _ARCHITECTURES:
        raise ValueError(
            f"{what} has the architecture {architecture!r}, which is not supported; "
            f"supported are {', '.join(_ARCHITECTURES)} (batchtopk and matryoshka are saved as jumprelu)."
        )
    hook = metadata.get("hook_name")
    if hook is None:
        raise ValueError(f"{what} does not say which state of its reader it encodes: it has no hook_name.")
    found = _HOOK.fullmatch(hook)
    if found is None or metadata.get("hook_head_index") is not None:
        head = "" if metadata.get("hook_head_index") is None else f", head {metadata['hook_head_index']}"
        raise ValueError(
            f"{what} reads {hook!r}{head}, which is not supported; supported are blocks.N.hook_resid_pre, "
            "hook_resid_mid, hook_resid_post, hook_attn_out, hook_mlp_out and attn.hook_z, all heads together."
        )
    if config.get("normalize_activations", "none") not in (*_NORMALIZATIONS, _SCALED):
        raise ValueError(
            f"{what} still needs its normalization {config['normalize_activations']!r}; fold it into the weights first."
        )
    return int(found.group(1)), found.group(2) or found.group(3)


def _encoder_of(sae, metadata, place, activation_scale, *, source, what):
    normalization = sae.cfg.normalize_activations
    if normalization == _SCALED:  # an error without the scale, which sae-lens would silently do without
        if activation_scale is None:
            raise ValueError(
                f"{what} was trained on states scaled to a fixed average norm, and the scale is not in it; "
                "pass activation_scale, which is sqrt(width) divided by the mean norm of the reader's states there."
            )
        sae.fold_activation_norm_scaling_factor(float(activation_scale))
        normalization = "none"
    else:
        refuse_activation_scale(activation_scale, what)
    layer, site = place
    # Only weights that write to the residual stream can be centered, and hook_z comes before them.
    centered = (metadata.get("model_from_pretrained_kwargs") or {}).get("center_writing_weights", False)
    return SparseEncoder(
        **_arrays(sae),
        normalization=normalization,
        model_name=_hub_id(metadata.get("model_name")),
        layer=layer,
        site=site,
        prepend_bos=metadata.get("prepend_bos"),
        center=bool(centered) and site != "z",
        source=source,
        neuronpedia_id=metadata.get("neuronpedia_id"),
    )


def _arrays(sae):
    architecture = sae.cfg.architecture()
    tensors = {name: tensor.detach().float() for name, tensor in sae.named_parameters() if name != "W_dec"}
    weight = tensors["W_enc"].T
    threshold = k = None
    if architecture == "gated":
        # The gate and the magnitude share one product, so gate > 0 is a threshold on the magnitude.
        gain = tensors["r_mag"].exp()
        weight = weight * gain[:, None]
        bias = tensors["b_mag"]
        threshold = (bias - tensors["b_gate"] * gain).clamp(min=0)
    else:
        bias = tensors["b_enc"]
    if architecture == "jumprelu":
        threshold = tensors["threshold"].clamp(min=0)
    if architecture == "topk":
        k = sae.cfg.k
        if sae.cfg.rescale_acts_by_decoder_norm:
            norm = sae.W_dec.detach().norm(dim=-1)
            weight, bias = weight * norm[:, None], bias * norm
    return {
        "weight": weight.numpy(),
        "bias": bias.numpy(),
        "input_bias": tensors["b_dec"].numpy() if sae.cfg.apply_b_dec_to_input else None,
        "threshold": None if threshold is None else threshold.numpy(),
        "k": k,
    }


def _hub_id(name):
    """Return the hub id that a name of transformer_lens stands for. Any other name is returned as it is."""
    from transformer_lens.loading_from_pretrained import get_official_model_name

    try:
        return name and get_official_model_name(name)
    except ValueError:
        return name


@contextmanager
def _loading(what):
    """Replace an error within a `with` block by an error of one sentence, whatever is wrong with an SAE.

    No pickle runs code in the block, and warnings about what this module takes care of are hidden.
    """
    from requests import RequestException
    from safetensors import SafetensorError

    damaged = (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
        SafetensorError,
    )
    with warnings.catch_warnings(), _tensors_only(), hub_errors(what):
        warnings.filterwarnings("ignore", category=UserWarning, message=r"\s*This SAE has non-empty model_from")
        warnings.filterwarnings("ignore", category=UserWarning, message=r"norm_scaling_factor not found")
        try:
            yield
        except pickle.UnpicklingError:
            raise ValueError(
                f"{what} was not opened: its file holds more than tensors, so opening it could run code."
            ) from None
        except RequestException as error:
            raise OSError(
                f"{what} cannot be had from the Hugging Face hub ({type(error).__name__}): check the connection and "
                "whether you may read it."
            ) from None
        except damaged as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{what} cannot be read ({type(error).__name__}: {reason[:200]}).") from None


@contextmanager
def _tensors_only():
    """Let torch.load accept tensors only, in the calls of `sae-lens` that leave this to torch's default."""
    names = ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
