"""The states that the reader gives, against whole runs of the same model."""

import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sklearn_sae.pretrained._reader import SITES, Reader, count_layers
from sklearn_sae.pretrained._tokens import pad, tokenize_texts

HOOKS = {
    "resid_pre": "hook_resid_pre",
    "resid_mid": "hook_resid_mid",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "mlp_out": "hook_mlp_out",
    "z": "attn.hook_z",
}
TEXTS = ["the soup was cold", "x", "a waiter was kind and the ship saw a storm", "food"]
SMALL = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NO_TOKENIZER = object()  # where none is needed


@pytest.fixture(params=["llama", "gpt2"])
def path(request, llama_reader, gpt2_reader):
    return {"llama": llama_reader, "gpt2": gpt2_reader}[request.param]


@pytest.fixture
def model(path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path).eval()


@pytest.fixture
def ids():
    import torch

    return torch.from_numpy(np.random.default_rng(0).integers(5, 300, (3, 20)))


@pytest.fixture
def make_model(tmp_path):
    """A random model of any architecture, and the folder where it is saved."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    def make(architecture, model_class=AutoModelForCausalLM, **config):
        config = AutoConfig.for_model(architecture, **(SMALL | config))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = model_class.from_config(config)
            for parameter in model.parameters():
                parameter.data += 0.15 * torch.randn_like(parameter)
        model.save_pretrained(tmp_path)
        return model.eval(), tmp_path

    return make


def run_whole(model, ids, mask=None):
    """Return all residual states of a plain run; the last ones are after the final norm."""
    import torch

    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states


def states_of(model, ids, mask=None, **options):
    import torch

    options.setdefault("tokenizer", NO_TOKENIZER)
    return Reader(model, **options).states(ids, torch.ones_like(ids) if mask is None else mask)


def assert_close(a, b, tolerance=1e-5):
    assert a.shape == b.shape
    assert (a - b).detach().abs().max() <= tolerance * b.abs().max()


def hooked_transformer(model, center):
    """Return TransformerLens's form of a Llama or GPT-2, as SAELens would load it."""
    pytest.importorskip("transformer_lens")
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained import weight_conversions

    config = model.config
    shape = {"n_layers": 4, "d_model": 32, "n_heads": 4, "d_head": 8, "d_vocab": config.vocab_size, "device": "cpu"}
    if config.model_type == "llama":
        config = HookedTransformerConfig(
            **shape,
            n_ctx=128,
            d_mlp=64,
            act_fn="silu",
            normalization_type="RMS",
            eps=config.rms_norm_eps,
            n_key_value_heads=2,
            gated_mlp=True,
            positional_embedding_type="rotary",
            rotary_dim=8,
            rotary_base=10_000,
            rotary_adjacent_pairs=False,
            final_rms=True,
        )
        weights = weight_conversions.convert_llama_weights(model, config)
    else:
        config = HookedTransformerConfig(
            **shape,
            n_ctx=64,
            d_mlp=128,
            act_fn="gelu_new",
            normalization_type="LN",
            eps=config.layer_norm_epsilon,
        )
        weights = weight_conversions.convert_gpt2_weights(model, config)
    hooked = HookedTransformer(config)
    hooked.load_and_process_state_dict(
        weights, fold_ln=False, center_writing_weights=center, center_unembed=False, fold_value_biases=False
    )
    return hooked.eval()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TransformerLens, about its own next version
@pytest.mark.parametrize("center", [False, True])
def test_all_sites_are_those_of_transformer_lens(model, ids, center):
    import torch

    with torch.no_grad():
        cache = hooked_transformer(model, center).run_with_cache(ids)[1]
    for layer in (0, 2, 3):
        for site in SITES:
            expected = cache[f"blocks.{layer}.{HOOKS[site]}"].reshape(*ids.shape, -1)
            assert_close(states_of(model, ids, layer=layer, site=site, center=center), expected)


def test_residuals_are_those_of_a_plain_run(path, model, ids):
    whole = run_whole(model, ids)
    for layer in range(4):
        assert_close(states_of(path, ids, layer=layer, site="resid_pre"), whole[layer], 1e-6)
        if layer < 3:
            assert_close(states_of(model, ids, layer=layer, site="resid_post"), whole[layer + 1], 1e-6)
    decoder = model.get_decoder()
    norm = decoder.norm if hasattr(decoder, "norm") else decoder.ln_f
    last = states_of(path, ids, layer=3, site="resid_post")
    assert_close(norm(last), whole[4], 1e-6)
    assert not np.allclose(last, whole[4].numpy(), atol=0.1)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("site", ["resid_post", "z"])
def test_padding_changes_nothing(path, side, site):
    import torch

    reader = Reader(path, layer=2, site=site)
    reader.tokenizer.padding_side = side
    windows = [window for (window,) in tokenize_texts(TEXTS, reader.tokenizer)]
    ids, mask = pad(windows, reader.tokenizer)
    together = reader.states(ids, mask)[mask.bool()]
    alone = [reader.states(*pad([window], reader.tokenizer))[0] for window in windows]
    assert_close(together, torch.cat(alone), 1e-5)


def test_only_what_is_needed_is_loaded(path, model, caplog):
    n_whole = sum(p.numel() for p in model.parameters())
    for layer, site, n_layers in ((0, "resid_pre", 1), (2, "resid_pre", 2), (2, "z", 3), (3, "mlp_out", 4)):
        reader = Reader(path, layer=layer, site=site)
        decoder = reader.model.get_decoder()
        assert len(decoder.layers if hasattr(decoder, "layers") else decoder.h) == n_layers
        assert not hasattr(reader.model, "lm_head")
        assert n_layers == 4 or sum(p.numel() for p in reader.model.parameters()) < n_whole
        assert reader.width == 32
        assert reader.context == {"llama": 128, "gpt2": 64}[model.config.model_type]
    assert not caplog.records


def test_a_model_given_ready_is_left_as_it_was(path, model, ids):
    import torch

    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits = model(ids).logits
    model.train()
    model.get_decoder().get_input_embeddings().eval()
    modes = [module.training for module in model.modules()]

    def is_run(*_):
        raise AssertionError("a later layer is run")

    decoder = model.get_decoder()
    later = (decoder.layers if hasattr(decoder, "layers") else decoder.h)[2]
    handle = later.register_forward_pre_hook(is_run)
    states_of(model, ids, layer=1, site="resid_post")
    states_of(model, ids, layer=2, site="resid_pre")
    with pytest.raises(AssertionError, match="is run"):  # so the hook would have told
        states_of(model, ids, layer=2, site="attn_out")
    with pytest.raises(IndexError):
        states_of(model, ids - 10**6, layer=1, site="resid_post")
    handle.remove()
    assert [module.training for module in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert model.config.num_hidden_layers == 4
    model.eval()
    assert torch.equal(model(ids).logits, logits)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_in_training_mode_is_read_without_dropout(gpt2_reader, ids):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gpt2_reader)
    expected = states_of(model.eval(), ids, layer=2, site="resid_post")
    assert_close(states_of(model.train(), ids, layer=2, site="resid_post"), expected, 0)
    assert not expected.requires_grad


def test_centering_is_for_layer_norm_and_for_what_is_written(model, ids):
    for site in SITES:
        plain, centered = (states_of(model, ids, layer=2, site=site, center=center) for center in (False, True))
        has_mean = model.config.model_type == "llama" or site == "z"
        assert_close(centered, plain if has_mean else plain - plain.mean(-1, keepdim=True), 1e-6)


def test_bfloat16(path, ids):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)
    reader = Reader(path, layer=2, site="resid_post", dtype="bfloat16")
    assert next(reader.model.parameters()).dtype == torch.bfloat16
    states = reader.states(ids, torch.ones_like(ids))
    assert states.dtype == torch.float32
    assert torch.equal(states, run_whole(model, ids)[3].float())


@pytest.mark.parametrize("device_map", [{"": "disk"}, "auto"])
def test_device_map(llama_reader, ids, tmp_path, device_map):
    """Weights that lie on the disk come to the device as they are needed, at every call."""
    import torch

    pytest.importorskip("accelerate")
    expected = states_of(llama_reader, ids, layer=2, site="attn_out")
    reader = Reader(llama_reader, layer=2, site="attn_out", device_map=device_map, offload_folder=tmp_path)
    for _ in range(2):
        assert_close(reader.states(ids, torch.ones_like(ids)), expected, 1e-6)


def test_two_threads_that_share_a_model(path, model, ids):
    results = {}
    expected = {layer: states_of(path, ids, layer=layer, site="resid_post") for layer in (0, 3)}

    def run(layer):
        results[layer] = [states_of(model, ids, layer=layer, site="resid_post") for _ in range(20)]

    threads = [threading.Thread(target=run, args=(layer,)) for layer in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for layer, states in expected.items():
        for own in results[layer]:
            assert_close(own, states, 1e-6)


@pytest.mark.parametrize(
    ("architecture", "config"),
    [
        ("gemma2", {"head_dim": 8}),  # norms before and after each part, and two kinds of layers
        ("olmo2", {}),  # norms after only
        ("glm4", {"head_dim": 8}),
        ("qwen3", {"head_dim": 16}),  # heads wider together than the model
        ("mixtral", {"num_local_experts": 2}),
        ("gpt_neox", {"use_parallel_residual": False}),
        ("opt", {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    ],
)
def test_sites_of_other_architectures(make_model, ids, architecture, config):
    import torch

    model, path = make_model(architecture, **config)
    ids = ids % 100
    mask = torch.ones_like(ids)
    mask[1, :7] = 0
    kept = mask.bool()
    states = {}
    for site in SITES:
        reader = Reader(path, layer=1, site=site, tokenizer=NO_TOKENIZER)
        states[site] = reader.states(ids, mask)[kept]
        assert states[site].shape[1] == reader.width == (64 if architecture == "qwen3" and site == "z" else 32)
        assert len(getattr(reader.model.config, "layer_types", None) or [0] * 2) <= 2
        assert_close(states_of(model, ids, mask, layer=1, site=site)[kept], states[site], 1e-6)
    assert_close(states["resid_pre"] + states["attn_out"], states["resid_mid"])
    assert_close(states["resid_mid"] + states["mlp_out"], states["resid_post"])
    assert_close(states_of(path, ids, layer=1, site="resid_post"), run_whole(model, ids)[2])


def test_a_multimodal_reader(make_model, ids):
    from transformers import AutoModelForImageTextToText

    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model, path = make_model(
        "gemma3",
        AutoModelForImageTextToText,
        text_config=SMALL | {"head_dim": 8},
        vision_config=vision | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        image_token_index=99,
        boi_token_index=98,
        eoi_token_index=97,
    )
    ids = ids % 90
    reader = Reader(path, layer=1, site="resid_post", tokenizer=NO_TOKENIZER)
    assert (reader.width, reader.context, len(reader.model.get_decoder().layers)) == (32, 64, 2)
    assert_close(states_of(path, ids, layer=1, site="resid_post"), run_whole(model, ids)[2])
    assert_close(states_of(model, ids, layer=3, site="resid_pre"), run_whole(model, ids)[3])


@pytest.mark.parametrize(
    ("architecture", "config", "site"),
    [
        ("gpt_neox", {}, "resid_mid"),  # attention and MLP side by side
        ("cohere", {}, "resid_mid"),
        ("bloom", {"n_head": 4}, "attn_out"),  # modules that return the sum
        ("granite", {"residual_multiplier": 0.5}, "mlp_out"),  # outputs that are scaled afterwards
    ],
)
def test_a_site_that_is_not_there_is_refused(make_model, architecture, config, site):
    model, _ = make_model(architecture, **config)
    with pytest.raises(ValueError, match=f"has no site '{site}' that can be found"):
        Reader(model, layer=1, site=site, tokenizer=NO_TOKENIZER)


def test_a_layer_or_site_that_does_not_exist(path, model):
    for reader in (path, model):
        for layer in (4, -1):
            with pytest.raises(ValueError, match=f"Layer {layer} is beyond the reader, which has 4 layers, 0 to 3"):
                Reader(reader, layer=layer, site="resid_pre")
        with pytest.raises(ValueError, match="'hook_pattern', which is none of the sites resid_pre, resid_mid"):
            Reader(reader, layer=1, site="hook_pattern")


def test_a_device_that_does_not_exist(llama_reader):
    with pytest.raises(ValueError, match="device='nowhere' cannot be used here"):
        Reader(llama_reader, layer=1, site="z", device="nowhere")


def test_a_model_without_its_weights(model, path, ids):
    import torch
    from transformers import AutoTokenizer

    with torch.device("meta"):
        empty = type(model)(model.config)
    reader = Reader(empty, layer=1, site="resid_post", tokenizer=AutoTokenizer.from_pretrained(path))
    with pytest.raises(ValueError, match="'meta', which holds no numbers"):
        reader.states(ids, torch.ones_like(ids))


def test_a_token_that_the_model_does_not_know(model, path, ids):
    reader = Reader(path, layer=1, site="resid_post")
    ids[1, 2] = model.config.vocab_size
    with pytest.raises(ValueError, match=f"gives token {ids[1, 2]}, but the reader knows tokens 0 to {ids[1, 2] - 1}"):
        reader.states(ids, ids.new_ones(ids.shape))


def test_a_tokenizer_that_cannot_be_found(make_model):
    model, path = make_model("llama")
    with pytest.raises(ValueError, match="pass its tokenizer too"):
        Reader(model, layer=1, site="z")
    with pytest.raises(OSError, match=r"The reader '.*' has files that cannot be loaded"):
        Reader(path, layer=1, site="z")


@pytest.fixture(params=["bert", "roberta", "mpnet", "distilbert", "modernbert", "deberta", "deberta-v2", "electra"])
def encoder(request, make_model):
    """A random encoder with a head for masked words, and so without a pooler, and the folder where it is saved."""
    from transformers import AutoModelForMaskedLM

    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
    config = {
        "roberta": {"pad_token_id": 1, "bos_token_id": 0},
        "mpnet": {"pad_token_id": 1, "bos_token_id": 0},
        "distilbert": {"dim": 32, "hidden_dim": 64},
        "modernbert": {"cls_token_id": 1, "sep_token_id": 2},
        "deberta": relative,
        "deberta-v2": relative | {"conv_kernel_size": 3, "position_buckets": 8},
        "electra": {"embedding_size": 16},
    }
    return make_model(request.param, AutoModelForMaskedLM, **config.get(request.param, {}))


def test_the_states_of_encoders(encoder, ids):
    import torch

    model, path = encoder
    ids = 5 + ids % 95
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    kept = mask.bool()
    whole = run_whole(model, ids, mask)
    for layer in range(4):
        reader = Reader(path, layer=layer, site="resid_pre", tokenizer=NO_TOKENIZER)
        assert sum(len(m) for m in reader.model.modules() if isinstance(m, torch.nn.ModuleList)) == max(layer, 1)
        assert_close(reader.states(ids, mask)[kept], whole[layer][kept], 1e-6)
        assert_close(states_of(model, ids, mask, layer=layer, site="resid_pre")[kept], whole[layer][kept], 1e-6)
        if layer < 3 or model.config.model_type != "modernbert":  # which has a norm behind its last layer
            assert_close(states_of(path, ids, mask, layer=layer, site="resid_post")[kept], whole[layer + 1][kept], 1e-6)
    assert reader.width == 32
    assert reader.context == (62 if model.config.model_type in ("roberta", "mpnet") else 64)
    assert model.config.num_hidden_layers == 4


def test_an_encoder_padded_on_the_left(encoder, ids):
    import torch

    model, path = encoder
    ids = 5 + ids % 95
    mask = torch.ones_like(ids)
    mask[1, :7] = 0
    states = states_of(path, ids, mask, layer=2, site="resid_post")
    assert_close(states[1, 7:], states_of(path, ids[1:2, 7:], layer=2, site="resid_post")[0])
    assert_close(states[0], run_whole(model, ids)[3][0])


def test_an_encoder_reads_all_its_positions(encoder, ids):
    model, path = encoder
    reader = Reader(path, layer=1, site="resid_post", tokenizer=NO_TOKENIZER)
    ids = 5 + ids.reshape(1, -1).repeat(1, 2)[:, : reader.context] % 95
    assert_close(reader.states(ids, ids.new_ones(ids.shape)), run_whole(model, ids)[2], 1e-6)


def test_an_encoder_is_not_causal(encoder):
    model, folder = encoder
    assert not Reader(model, layer=1, site="resid_post", tokenizer=NO_TOKENIZER).is_causal
    dtype = "float32" if model.config.model_type == "deberta" else "bfloat16"  # which it cannot be run in
    assert not Reader(folder, layers=[2, 0], site="resid_post", tokenizer=NO_TOKENIZER, dtype=dtype).is_causal


def test_a_decoder_is_causal(path):
    assert Reader(path, layer=3, site="resid_post").is_causal
    assert Reader(path, layer=3, site="z", dtype="bfloat16").is_causal


@pytest.mark.parametrize("architecture", ["bloom", "mpt", "mixtral", "gpt_neox", "gemma2"])
def test_who_is_causal_among_other_decoders(make_model, architecture):
    for is_causal in (True, False):
        if architecture == "gemma2" or is_causal:
            model, _ = make_model(architecture, num_local_experts=2, d_model=32, n_layers=4, n_heads=4, head_dim=8)
            model.config.is_causal = is_causal  # transformers lets a decoder read both ways by this
            layer = min(3, model.config.num_hidden_layers - 1)
            assert Reader(model, layer=layer, site="resid_post", tokenizer=NO_TOKENIZER).is_causal == is_causal


def test_the_parts_of_an_encoders_layer_are_refused(encoder):
    if encoder[0].config.model_type != "modernbert":
        for site in ("resid_mid", "attn_out", "mlp_out", "z"):
            with pytest.raises(ValueError, match=f"has no site '{site}' that can be found"):
                Reader(encoder[0], layer=1, site=site, tokenizer=NO_TOKENIZER)


@pytest.mark.parametrize("site", SITES)
def test_several_layers_come_out_of_one_run(path, model, ids, site):
    import torch

    layers = (2, 0, 1, 2)
    runs = []
    reader = Reader(path, layers=layers, site=site)
    decoder = reader.model.get_decoder()
    assert len(decoder.layers if hasattr(decoder, "layers") else decoder.h) == (2 if site == "resid_pre" else 3)
    handle = model.get_decoder().register_forward_pre_hook(lambda *_: runs.append(1))
    for several in (reader, Reader(model, layers=np.array(layers), site=site)):
        runs.clear()
        states = several.states(ids, torch.ones_like(ids))
        assert len(states) == 4
        for layer, own in zip(layers, states, strict=True):
            assert_close(own, states_of(path, ids, layer=layer, site=site, tokenizer=None), 0)
    assert len(runs) == 1
    handle.remove()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_several_layers_of_an_encoder(encoder, ids):
    model, path = encoder
    ids = 5 + ids % 95
    whole = run_whole(model, ids)
    for layer, states in enumerate(states_of(path, ids, layers=range(3), site="resid_post")):
        assert_close(states, whole[layer + 1], 1e-6)


def test_layers_are_counted_without_weights(path, model, tmp_path):
    import shutil
    from pathlib import Path

    shutil.copy(Path(path) / "config.json", tmp_path / "config.json")
    assert [count_layers(some) for some in (tmp_path, model)] == [4, 4]


def test_one_of_layer_and_layers(model):
    for given in ({}, {"layer": 1, "layers": [1]}, {"layers": []}):
        with pytest.raises(ValueError, match="pass one of layer and layers"):
            Reader(model, **given, site="resid_post")
    with pytest.raises(ValueError, match="Layer 4 is beyond the reader, which has 4 layers"):
        Reader(model, layers=[0, 4], site="resid_post")


@pytest.mark.parametrize("name", ["", "0_Transformer"])
def test_a_sentence_transformers_folder(tiny_sentence_transformer, tmp_path, name):
    """Its transformer lies in the folder, or in one inside it."""
    import json
    import shutil
    from pathlib import Path

    folder = tmp_path / "model"
    shutil.copytree(tiny_sentence_transformer, folder / name)
    modules = folder / name / "modules.json"
    listed = json.loads(modules.read_text())
    assert listed[0]["path"] == ""
    listed[0]["path"] = name
    modules.rename(folder / "modules.json").write_text(json.dumps(listed))
    reader = Reader(folder, layer=0, site="resid_post")
    assert (reader.width, reader.context, reader.is_causal) == (16, 128, False)
    ((window,),) = tokenize_texts(["the soup"], reader.tokenizer, is_causal=False)
    ids, mask = pad([window], reader.tokenizer)
    assert reader.tokenizer.convert_ids_to_tokens(window.ids) == [
        "[CLS]",
        "t",
        "##h",
        "##e",
        "s",
        "##o",
        "##u",
        "##p",
        "[SEP]",
    ]
    whole = Reader(Path(tiny_sentence_transformer), layer=0, site="resid_post").model
    assert_close(reader.states(ids, mask), run_whole(whole, ids, mask)[1], 1e-6)


def test_a_model_with_an_encoder_beside_its_decoder_is_refused(tmp_path):
    from transformers import T5Config

    T5Config(d_model=16, num_layers=1, num_heads=2, d_ff=16).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="type 't5', with both an encoder and a decoder; pass a model that"):
        Reader(tmp_path, layer=0, site="resid_post")


def test_weights_that_are_missing_are_not_made_up(make_model):
    from safetensors.torch import load_file, save_file

    _, path = make_model("llama")
    weights = load_file(path / "model.safetensors")
    for name in ("model.layers.3.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"):
        del weights[name]
        save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
        if ".3." in name:
            Reader(path, layer=2, site="z", tokenizer=NO_TOKENIZER)
    with pytest.raises(ValueError, match=r"comes without 1 of its weights, such as layers\.1\.mlp\.up_proj\.weight"):
        Reader(path, layer=2, site="z", tokenizer=NO_TOKENIZER)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_that_would_run_code_does_not(make_model, tmp_path):
    class Attack:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    _, path = make_model("llama")
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").write_bytes(pickle.dumps({"model.embed_tokens.weight": Attack()}))
    with pytest.raises(OSError, match="has files that cannot be loaded"):
        Reader(path, layer=1, site="z", tokenizer=NO_TOKENIZER)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["nobody/nothing", "/no/such/folder", "no name"])
def test_a_model_that_is_nowhere(hub, name):
    with pytest.raises(OSError, match=f"The reader '{name}' is (not|neither) "):
        Reader(name, layer=1, site="z")


def test_a_model_that_was_downloaded_before(hub, llama_reader, ids):
    from pathlib import Path

    for file in Path(llama_reader).iterdir():
        hub("somebody/llama", file.name, file)
    expected = states_of(llama_reader, ids, layer=1, site="z")
    assert_close(states_of("somebody/llama", ids, layer=1, site="z", tokenizer=None), expected, 0)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("a/gated", PermissionError, "is gated: accept its terms"),
        ("a/missing", ValueError, "is not on the Hugging Face hub, or is private"),
        ("a/missing", FileNotFoundError, "is not on the Hugging Face hub, or is private"),
    ],
)
def test_the_hub_refuses(tmp_path, monkeypatch, name, kind, message):
    from huggingface_hub import constants

    class Hub(BaseHTTPRequestHandler):
        """Says who a gated model is, but hands out none of its files."""

        def do_GET(self):
            is_known = self.path.startswith("/api/models/a/gated")
            self.send_response(200 if is_known else 401 if "/api/" in self.path else 403)
            self.send_header("X-Error-Code", "RepoNotFound" if "/api/" in self.path else "GatedRepo")
            body = b'{"id": "a/gated", "siblings": []}' if is_known else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        with pytest.raises(kind, match=f"The reader '{name}' {message}"):
            Reader(name, layer=1, site="z")
        server.shutdown()
