"""Tiny readers and tiny SAEs on disk, made from scratch: no hub is needed."""

import json
import string

import numpy as np
import pytest

# In the style of Llama 3: headers around each role, the text stripped.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
WORDS = (
    "the food was great and the waiter was kind but the soup was cold so we will not come back to this place again "
    "a plain story about a ship its captain and a storm that nobody saw coming until it was far too late for them"
)


@pytest.fixture(scope="session")
def llama_reader(tmp_path_factory):
    """Path of a random Llama: width 32, 4 layers, RMSNorm, 128 positions; its tokenizer prepends a BOS and has a chat
    template and, as many do, no true `model_max_length`."""
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _train_tokenizer(["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"])
    bos = "<|begin_of_text|>"
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,  # at 0.02 the layers of so small a model hardly differ
        bos_token_id=tokenizer.token_to_id(bos),
        eos_token_id=tokenizer.token_to_id("<|eot_id|>"),
    )
    special = {"bos_token": bos, "eos_token": "<|eot_id|>", "chat_template": CHAT_TEMPLATE}
    return _save_reader(tmp_path_factory.mktemp("llama"), LlamaForCausalLM, config, tokenizer, special)


@pytest.fixture(scope="session")
def gpt2_reader(tmp_path_factory):
    """Path of a random GPT-2: width 32, 4 layers, LayerNorm, 64 learned absolute positions; its tokenizer prepends no
    BOS (it has one), pads with nothing and has no chat template."""
    from transformers import GPT2Config, GPT2LMHeadModel

    end = "<|endoftext|>"
    tokenizer = _train_tokenizer([end])
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(),
        n_embd=32,
        n_layer=4,
        n_head=4,
        n_positions=64,
        initializer_range=0.3,
        bos_token_id=tokenizer.token_to_id(end),
        eos_token_id=tokenizer.token_to_id(end),
    )
    special = {"bos_token": end, "eos_token": end, "unk_token": end, "model_max_length": 64}
    return _save_reader(tmp_path_factory.mktemp("gpt2"), GPT2LMHeadModel, config, tokenizer, special)


def _train_tokenizer(special_tokens):
    """A byte-level BPE, so that every text has tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS, WORDS.title(), string.ascii_letters], trainer)
    return tokenizer


def _save_reader(folder, model_class, config, tokenizer, special):
    import torch
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config)
        for parameter in model.parameters():  # biases and norms start at 0 and 1, where mistakes do not show
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(folder)
    return str(folder)


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


@pytest.fixture(scope="session")
def make_goodfire_file(tmp_path_factory):
    """Write a random SAE in Goodfire's layout: ``make_goodfire_file(4096, name="x-l19.pth") -> path``."""

    def make(width, *, n_latents=24, name="SAE.pth", dtype="float32", seed=0):
        import torch

        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return (torch.randn(shape, generator=generator) / width**0.5).to(getattr(torch, dtype))

        state = {
            "encoder_linear.weight": random(n_latents, width),
            "encoder_linear.bias": random(n_latents),
            "decoder_linear.weight": random(width, n_latents),
            "decoder_linear.bias": random(width),
        }
        path = tmp_path_factory.mktemp("goodfire") / name
        torch.save(state, path)
        return str(path)

    return make


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
