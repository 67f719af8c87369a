"""Tiny SAEs on disk, made from scratch: no hub is needed."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="session")
def make_sae(tmp_path_factory):
    """Save a random SAE with `sae-lens`: ``make_sae("topk", width=32, n_latents=96) -> folder``.

    The architectures are all that it can save. Batchtopk and matryoshka are saved in their inference form, which is
    a JumpReLU. `config` is the configuration's and `metadata` goes into its metadata, such as ``prepend_bos``.
    """

    def make(architecture="standard", *, hook_name="blocks.2.hook_resid_post", metadata=None, seed=0, **config):
        folder = tmp_path_factory.mktemp(architecture)
        metadata = {"model_name": "gpt2-small", "hook_name": hook_name, "prepend_bos": True, **(metadata or {})}
        _save_sae(folder, architecture, metadata, seed, **config)
        return str(folder)

    return make


def _save_sae(folder, architecture, metadata, seed, *, width=32, n_latents=96, **config):
    import torch
    from sae_lens import registry

    config = {"d_in": width, "d_sae": n_latents, "dtype": "float32", "device": "cpu", **config}
    is_trained_form = architecture in ("batchtopk", "matryoshka_batchtopk")
    if "topk" in architecture:
        config.setdefault("k", 8)
    if architecture == "matryoshka_batchtopk":
        config.setdefault("matryoshka_widths", [n_latents // 2, n_latents])
    get_class = registry.get_sae_training_class if is_trained_form else registry.get_sae_class
    sae_class, config_class = get_class(architecture)
    generator = torch.Generator().manual_seed(seed)
    sae = sae_class(config_class.from_dict({**config, "architecture": architecture, "metadata": metadata}))
    with torch.no_grad():
        for name, parameter in sae.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = {"W_enc": width**-0.5, "W_dec": width**-0.5, "r_mag": 0.2, "b_dec": 0.5}.get(name, 0.3)
            parameter.copy_(scale * (noise.abs() if name == "threshold" else noise))
        if is_trained_form:
            sae.topk_threshold.fill_(0.8)
    (sae.save_inference_model if is_trained_form else sae.save_model)(folder)


@pytest.fixture
def old_sae(tmp_path):
    """Path of a folder as sae-lens wrote it before its version 6, under the names it used at first."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    shapes = {"W_enc": (32, 96), "b_enc": (96,), "W_dec": (96, 32), "b_dec": (32,), "scaling_factor": (96,)}
    weights = {name: 0.3 * rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    weights["scaling_factor"][:] = 1
    save_file(weights, tmp_path / "sae_weights.safetensors")
    config = {
        "model_name": "gpt2-small",
        "hook_point": "blocks.3.hook_resid_pre",
        "hook_point_layer": 3,
        "hook_point_head_index": None,
        "dataset_path": "Skylion007/openwebtext",
        "context_size": 128,
        "d_in": 32,
        "d_sae": 96,
        "dtype": "torch.float32",
        "device": "cuda",
        "activation_fn_str": "relu",
        "normalize_activations": False,
        "finetuning_scaling_factor": False,
    }
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    return str(tmp_path)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's store on this machine, empty, with no connection.

    ``hub(repo_id, filename, path)`` puts a file there.
    """
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(repo_id, filename, path, repo_type="model"):
        repository = folder / f"{repo_type}s--{repo_id.replace('/', '--')}"
        target = repository / "snapshots" / ("0" * 40) / filename
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text("0" * 40)

    return put


@pytest.fixture(scope="session")
def bert_reader(tmp_path_factory):
    """Path of a random BERT: width 32, 3 layers, 64 positions; its word pieces are learned from a few sentences."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = BertWordPieceTokenizer()
    text = "the food was great and the waiter was kind but the soup was cold so we will not come back to this place"
    tokenizer.train_from_iterator(
        [text, "abcdefghijklmnopqrstuvwxyz é ü 漢 字 😀"], vocab_size=150, show_progress=False
    )
    tokenizer.save_model(str(folder))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(vocab_size=150, max_position_embeddings=64, initializer_range=0.3, **sizes)
        BertModel(config).save_pretrained(folder)
    return str(folder)
