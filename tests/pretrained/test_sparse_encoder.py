"""Published SAEs' encoders: the same activations as sae-lens computes, from every place that they come from."""

import json
import os
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_sae.pretrained import _sparse_encoder
from sklearn_sae.pretrained._load import load_sparse_encoder
from sklearn_sae.pretrained._sparse_encoder import SparseEncoder, TorchEncoder

pytest.importorskip("sae_lens")
torch = pytest.importorskip("torch")

ARCHITECTURES = ("standard", "topk", "jumprelu", "gated", "batchtopk", "matryoshka_batchtopk")
pytestmark = pytest.mark.filterwarnings("ignore:.*final matryoshka:UserWarning", "ignore::DeprecationWarning")


def states_for(width, n=50, seed=1):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def encode(encoder, states, device="cpu"):
    """The activations as a dense array, and a check of what the encoder promises about its entries."""
    rows, latents, values = TorchEncoder(encoder, device)(states)
    assert rows.dtype == latents.dtype == torch.int64
    assert values.dtype == torch.float32
    flat = rows * len(encoder.bias) + latents
    assert (flat.diff() > 0).all(), "entries are not in the order of rows and latents"
    assert (values > 0).all()
    dense = torch.zeros(len(states), len(encoder.bias))
    dense[rows, latents] = values
    return dense.numpy()


def assert_same_activations(encoder, reference, states):
    expected = reference.detach().numpy()
    assert 0 < (expected > 0).mean() < 0.9
    np.testing.assert_allclose(encode(encoder, states), expected, rtol=1e-5, atol=2e-6)


def sae_lens_encode(folder, states):
    from sae_lens import SAE

    return SAE.load_from_disk(folder, device="cpu", dtype="float32").encode(states)


@pytest.mark.parametrize("normalization", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_are_those_of_sae_lens(make_sae, architecture, normalization):
    folder = make_sae(architecture, normalize_activations=normalization)
    states = 3 * states_for(32) + 1
    encoder = load_sparse_encoder(folder)
    assert_same_activations(encoder, sae_lens_encode(folder, states), states)
    assert encoder.weight.shape == (96, 32)
    for array in (encoder.weight, encoder.bias, encoder.input_bias, encoder.threshold):
        assert array is None or (isinstance(array, np.ndarray) and array.dtype == np.float32)


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "standard", "apply_b_dec_to_input": False},
        {"architecture": "gated", "apply_b_dec_to_input": False},
        {"architecture": "topk", "rescale_acts_by_decoder_norm": True},
        {"architecture": "topk", "k": 1},
        {"architecture": "topk", "k": 96},  # some of which are negative
        {"architecture": "jumprelu", "dtype": "bfloat16"},
    ],
)
def test_options_of_sae_lens(make_sae, config):
    folder = make_sae(**config)
    states = states_for(32)
    assert_same_activations(load_sparse_encoder(folder), sae_lens_encode(folder, states), states)


def test_thresholds_below_zero_let_nothing_negative_through(make_sae):
    folder = Path(make_sae("jumprelu"))
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "sae_weights.safetensors")
    save_file({**weights, "threshold": weights["threshold"] - 0.5}, folder / "sae_weights.safetensors")
    states = states_for(32)
    assert_same_activations(load_sparse_encoder(str(folder)), sae_lens_encode(folder, states), states)


def test_a_folder_from_before_version_6(old_sae):
    encoder = load_sparse_encoder(old_sae)
    states = states_for(32)
    assert_same_activations(encoder, sae_lens_encode(old_sae, states), states)
    assert (encoder.layer, encoder.site, encoder.model_name) == (3, "resid_pre", "gpt2")
    assert encoder.prepend_bos is True  # what was always done then


@given(n=st.integers(0, 40), chunk=st.integers(1, 5000), k=st.sampled_from([None, 1, 5]), with_threshold=st.booleans())
@settings(deadline=None, max_examples=40)
def test_chunks_change_nothing(n, chunk, k, with_threshold):
    rng = np.random.default_rng(n)
    weight, bias, threshold = (rng.standard_normal(s).astype(np.float32) for s in [(30, 8), 30, 30])
    encoder = random_encoder(weight=weight, bias=bias, k=k, threshold=np.abs(threshold) if with_threshold else None)
    states = states_for(8, n)
    whole = TorchEncoder(encoder, "cpu")(states)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sparse_encoder, "_CHUNK", chunk)
        parts = TorchEncoder(encoder, "cpu")(states)
    for a, b in zip(whole[:2], parts[:2], strict=True):
        assert torch.equal(a, b)
    torch.testing.assert_close(whole[2], parts[2])


def test_both_ways_to_find_entries_agree():
    """The one for the CPU and the one for other devices."""
    before = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    for threshold in (0, torch.linspace(0, 1, 30)):
        on_cpu, elsewhere = (f(before, threshold) for f in (_sparse_encoder._above_on_cpu, _sparse_encoder._above))
        for a, b in zip(on_cpu, elsewhere, strict=True):
            assert a.dtype == b.dtype
            assert torch.equal(a, b)


def random_encoder(**changes):
    rng = np.random.default_rng(0)
    fields = {
        "weight": rng.standard_normal((30, 8)).astype(np.float32),
        "bias": np.zeros(30, np.float32),
        "normalization": "none",
        "layer": 0,
        "site": "resid_post",
        "center": False,
        "source": "random",
    }
    return SparseEncoder(**{**dict.fromkeys(SparseEncoder._fields), **fields, **changes})


def test_states_of_another_dtype(make_sae):
    encoder = load_sparse_encoder(make_sae())
    states = states_for(32)
    half = TorchEncoder(encoder, "cpu")(states.bfloat16())
    full = TorchEncoder(encoder, "cpu")(states.bfloat16().float())
    assert all(torch.equal(a, b) for a, b in zip(half, full, strict=True))


def test_an_encoder_pickles_without_torch(make_sae):
    encoder = load_sparse_encoder(make_sae("gated"))
    dump = pickle.dumps(encoder)
    assert b"torch" not in dump
    np.testing.assert_array_equal(pickle.loads(dump).weight, encoder.weight)


# What the metadata says


@pytest.mark.parametrize(
    ("hook_name", "place"),
    [
        ("blocks.0.hook_resid_pre", (0, "resid_pre")),
        ("blocks.3.hook_resid_mid", (3, "resid_mid")),
        ("blocks.11.hook_resid_post", (11, "resid_post")),
        ("blocks.3.hook_attn_out", (3, "attn_out")),
        ("blocks.3.hook_mlp_out", (3, "mlp_out")),
    ],
)
def test_hook_names(make_sae, hook_name, place):
    encoder = load_sparse_encoder(make_sae(hook_name=hook_name))
    assert (encoder.layer, encoder.site) == place


def test_hook_z_takes_all_heads_side_by_side(make_sae):
    folder = make_sae(hook_name="blocks.1.attn.hook_z", reshape_activations="hook_z")
    encoder = load_sparse_encoder(folder)
    assert (encoder.layer, encoder.site) == (1, "z")
    states = states_for(32)
    expected = sae_lens_encode(folder, states.reshape(-1, 4, 8)).detach().numpy()
    np.testing.assert_allclose(encode(encoder, states), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    "hook_name",
    ["hook_embed", "blocks.2.mlp.hook_post", "blocks.2.hook_resid_postx", "model.layers.2", "xblocks.2.hook_mlp_out"],
)
def test_other_hook_names_are_refused(make_sae, hook_name):
    with pytest.raises(ValueError, match=rf"reads '{hook_name}', which is not supported; supported are blocks"):
        load_sparse_encoder(make_sae(hook_name=hook_name))


def test_no_hook_name(make_sae):
    with pytest.raises(ValueError, match="it has no hook_name"):
        load_sparse_encoder(make_sae(hook_name=None))


def test_one_head_is_refused(make_sae):
    folder = make_sae(hook_name="blocks.2.attn.hook_z", metadata={"hook_head_index": 3})
    with pytest.raises(ValueError, match="head 3, which is not supported"):
        load_sparse_encoder(folder)


@pytest.mark.parametrize(
    ("name", "hub_id"),
    [
        ("gpt2-small", "gpt2"),
        ("gemma-2b", "google/gemma-2b"),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("somebody/unknown-model", "somebody/unknown-model"),
        (None, None),
    ],
)
def test_aliases_become_hub_ids(make_sae, name, hub_id):
    assert load_sparse_encoder(make_sae(metadata={"model_name": name})).model_name == hub_id


def test_the_rest_of_the_metadata(make_sae):
    encoder = load_sparse_encoder(make_sae(metadata={"prepend_bos": False, "neuronpedia_id": "gpt2-small/2-res-jb"}))
    assert encoder.prepend_bos is False
    assert encoder.neuronpedia_id == "gpt2-small/2-res-jb"
    assert encoder.labels_file is None
    assert encoder.center is False
    assert load_sparse_encoder(make_sae(metadata={"prepend_bos": None})).prepend_bos is None


@pytest.mark.filterwarnings(r"ignore:\s*This SAE has non-empty model_from:UserWarning")
def test_centering_only_where_the_metadata_say_so(make_sae):
    def center(kwargs, hook_name="blocks.1.hook_mlp_out"):
        metadata = {"model_from_pretrained_kwargs": kwargs}
        return load_sparse_encoder(make_sae(hook_name=hook_name, metadata=metadata)).center

    assert center({"center_writing_weights": True}) is True
    assert center({"center_writing_weights": False}) is False
    assert center({"n_devices": 1}) is False
    assert center({}) is False
    assert center(None) is False
    assert center({"center_writing_weights": True}, "blocks.1.attn.hook_z") is False  # before the weights that write


def test_loading_does_not_repeat_the_librarys_advice(make_sae, recwarn):
    folder = make_sae(metadata={"model_from_pretrained_kwargs": {"center_writing_weights": True}})
    recwarn.clear()
    load_sparse_encoder(folder)
    assert not recwarn.list


# The scale that some SAEs need


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated"])
def test_a_missing_activation_scale_is_refused_and_a_given_one_folded(make_sae, architecture):
    from sae_lens import SAE

    folder = make_sae(architecture, normalize_activations="expected_average_only_in")
    with pytest.raises(ValueError, match="pass activation_scale, which is sqrt"):
        load_sparse_encoder(folder)
    sae = SAE.load_from_disk(folder, device="cpu")
    sae.fold_activation_norm_scaling_factor(2.5)
    states = states_for(32)
    assert_same_activations(load_sparse_encoder(folder, activation_scale=2.5), sae.encode(states), states)


def test_a_scale_that_is_not_needed_is_refused(make_sae, make_goodfire_file):
    for sae in (make_sae(), make_goodfire_file(4096)):
        with pytest.raises(ValueError, match="needs no activation scale"):
            load_sparse_encoder(sae, activation_scale=2.0)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "2", True])
def test_a_bad_scale(scale):
    with pytest.raises(ValueError, match="activation_scale must be a positive number"):
        load_sparse_encoder("anything", activation_scale=scale)


def test_unfolded_whitening_is_refused(make_sae):
    with pytest.raises(ValueError, match="still needs its normalization 'covariance_whitening'"):
        load_sparse_encoder(make_sae(normalize_activations="covariance_whitening"))


# Goodfire


@pytest.mark.parametrize(
    ("width", "model", "layer"),
    [(4096, "meta-llama/Llama-3.1-8B-Instruct", 19), (8192, "meta-llama/Llama-3.3-70B-Instruct", 50)],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_local_goodfire_file(make_goodfire_file, width, model, layer, dtype):
    path = make_goodfire_file(width, dtype=dtype)
    encoder = load_sparse_encoder(path)
    assert (encoder.model_name, encoder.layer, encoder.site) == (model, layer, "resid_post")
    assert encoder.labels_file == f"goodfire/{model}.json"
    assert encoder.neuronpedia_id.endswith(f"/{layer}-resid-post-gf")
    assert encoder.prepend_bos is True
    state = {key: value.float() for key, value in torch.load(path, weights_only=True).items()}
    states = 10 * states_for(width)
    expected = torch.relu(states @ state["encoder_linear.weight"].T + state["encoder_linear.bias"])
    assert_same_activations(encoder, expected, states)
    assert encoder.weight.dtype == np.float32


def test_a_local_goodfire_file_of_another_model(make_goodfire_file):
    encoder = load_sparse_encoder(make_goodfire_file(32, name="tiny-SAE-l2.pt"))
    assert (encoder.model_name, encoder.layer, encoder.labels_file, encoder.neuronpedia_id) == (None, 2, None, None)
    other_layer = load_sparse_encoder(make_goodfire_file(4096, name="My-SAE-l7.pt"))
    assert (other_layer.model_name, other_layer.layer) == (None, 7)
    with pytest.raises(ValueError, match=r"name that ends in the layer, such as 'tiny-l19\.pt'"):
        load_sparse_encoder(make_goodfire_file(32, name="tiny.pt"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to tell what is in memory")
def test_a_goodfire_file_is_mapped_and_its_decoder_never_read(make_goodfire_file):
    path = make_goodfire_file(4096, n_latents=4096)  # 64 MiB each way
    code = (
        "import sys; from sklearn_sae.pretrained._load import load_sparse_encoder as load\n"
        "pages = lambda: int(open('/proc/self/statm').read().split()[1])\n"
        "load(sys.argv[2]); before = pages(); encoder = load(sys.argv[1]); after = pages()\n"
        "encoder.weight.sum(); print(after - before, pages() - before, 'sae_lens' in sys.modules)"
    )
    command = [sys.executable, "-c", code, path, make_goodfire_file(4096)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded, used, imported = out.split()
    mebibytes = os.sysconf("SC_PAGE_SIZE") / 2**20
    assert int(loaded) * mebibytes < 16, "loading reads what a mapping leaves on disk"
    assert 56 < int(used) * mebibytes < 80, "more than the encoder is in memory"
    assert imported == "False"


@pytest.mark.parametrize(
    ("release", "width", "repository", "filename"),
    [
        (
            "goodfire-llama-3.1-8b-instruct/layer_19",
            4096,
            "Goodfire/Llama-3.1-8B-Instruct-SAE-l19",
            "Llama-3.1-8B-Instruct-SAE-l19.pth",
        ),
        (
            ("goodfire-llama-3.3-70b-instruct", "layer_50"),
            8192,
            "Goodfire/Llama-3.3-70B-Instruct-SAE-l50",
            "Llama-3.3-70B-Instruct-SAE-l50.pt",
        ),
    ],
)
def test_goodfire_releases(hub, make_goodfire_file, release, width, repository, filename):
    path = make_goodfire_file(width, name=filename)
    hub(repository, filename, path)
    encoder, local = load_sparse_encoder(release), load_sparse_encoder(path)
    assert "/layer_" in encoder.source
    for field, value in encoder._replace(source=local.source)._asdict().items():
        np.testing.assert_array_equal(value, getattr(local, field))


# Releases of sae-lens


def put_folder(hub, folder, repository, path):
    for file in Path(folder).iterdir():
        hub(repository, f"{path}/{file.name}", file)


def test_a_release_by_name(hub, old_sae):
    put_folder(hub, old_sae, "jbloom/GPT2-Small-SAEs-Reformatted", "blocks.3.hook_resid_pre")
    states = states_for(32)
    release = "gpt2-small-res-jb", "blocks.3.hook_resid_pre"
    for sae in (release, "/".join(release)):
        encoder = load_sparse_encoder(sae)
        assert_same_activations(encoder, sae_lens_encode(old_sae, states), states)
        assert encoder.source == "gpt2-small-res-jb/blocks.3.hook_resid_pre"
        assert (encoder.model_name, encoder.layer, encoder.site) == ("gpt2", 3, "resid_pre")
        assert encoder.neuronpedia_id == "gpt2-small/3-res-jb"
        assert encoder.center is True  # the folder does not say so; the table does


def test_the_tables_scale_and_entries_are_used(hub, make_sae):
    folder = make_sae(hook_name="blocks.0.hook_mlp_out", normalize_activations="expected_average_only_in")
    put_folder(hub, folder, "tommmcgrath/gpt2-small-mlp-out-saes", "sae_group_gpt2_blocks.0.hook_mlp_out_24576:v1")
    from sae_lens import SAE

    states = states_for(32)
    release = "gpt2-small-mlp-tm", "blocks.0.hook_mlp_out"
    encoder = load_sparse_encoder(release)  # which has the scale, so none is asked for
    assert_same_activations(encoder, SAE.from_pretrained(*release).encode(states), states)
    assert (
        np.abs(encode(encoder, states) - encode(load_sparse_encoder(folder, activation_scale=1), states)).max() > 0.01
    )
    assert encoder.center is True
    with pytest.raises(ValueError, match="needs no activation scale"):
        load_sparse_encoder(release, activation_scale=2.0)


def test_a_repository_of_the_hub(hub, make_sae):
    folder = make_sae("topk")
    put_folder(hub, folder, "somebody/their-saes", "layer/2")
    encoder = load_sparse_encoder("somebody/their-saes/layer/2")
    states = states_for(32)
    assert_same_activations(encoder, sae_lens_encode(folder, states), states)


@pytest.mark.parametrize(
    ("sae", "message"),
    [
        ("gpt2-small-res-jp/blocks.8.hook_resid_pre", "does not know; did you mean 'gpt2-small-res-jb'"),
        ("xyzzy", "release 'xyzzy', which sae-lens does not know; give a folder, or 'release/id'"),
        ("gpt2-small-res-jb", "which the release 'gpt2-small-res-jb' does not have; it has blocks"),
        (("gpt2-small-res-jb", "blocks.99.hook_resid_pre"), "it has blocks.9.hook_resid_pre"),
    ],
)
def test_no_such_release_or_id(sae, message):
    with pytest.raises(ValueError, match=message):
        load_sparse_encoder(sae)


def test_no_connection(hub):
    for sae in ("gpt2-small-res-jb/blocks.8.hook_resid_pre", "goodfire-llama-3.1-8b-instruct/layer_19", "some/body/x"):
        with pytest.raises(
            ConnectionError, match=f"^The SAE '{sae}' is not on this machine, and .* cannot be reached.$"
        ):
            load_sparse_encoder(sae)


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (403, "GatedRepo", PermissionError, "is gated: accept its terms on its page at huggingface.co"),
        (404, "RepoNotFound", ValueError, "is not on the Hugging Face hub, or is private"),
        (404, "EntryNotFound", ValueError, "lacks a file on the Hugging Face hub"),
    ],
)
def test_a_hub_that_refuses(hub, monkeypatch, status, code, kind, message):
    """A server on loopback that answers as the hub does."""
    from huggingface_hub import constants

    class Refusal(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        for sae in ("gpt2-small-res-jb/blocks.8.hook_resid_pre", "goodfire-llama-3.3-70b-instruct/layer_50"):
            with pytest.raises(kind, match=f"^The SAE '{sae}' {message}[^\n]*$"):
                load_sparse_encoder(sae)
    finally:
        server.shutdown()
        server.server_close()


# What is refused


@pytest.mark.parametrize("architecture", ["transcoder", "skip_transcoder", "jumprelu_transcoder"])
def test_transcoders(make_sae, architecture):
    folder = make_sae(architecture, hook_name="blocks.2.hook_mlp_in", d_out=32, apply_b_dec_to_input=False)
    with pytest.raises(ValueError, match="is a transcoder"):
        load_sparse_encoder(folder)


@pytest.mark.parametrize("architecture", ["temporal", "matching_pursuit", "abstopk"])
def test_architectures_that_are_not_one_product(make_sae, architecture):
    config = {"n_heads": 2, "bottleneck_factor": 8} if architecture == "temporal" else {}
    with pytest.raises(ValueError, match=f"architecture '{architecture}', which is not supported; supported are stand"):
        load_sparse_encoder(make_sae(architecture, **config))


def test_a_training_form(make_sae):
    folder = Path(make_sae("batchtopk"))
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "architecture": "batchtopk"}))
    with pytest.raises(ValueError, match="training form; save it with save_inference_model"):
        load_sparse_encoder(folder)


def test_damaged_folders(make_sae, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no cfg.json"):
        load_sparse_encoder(tmp_path)
    folder = Path(make_sae())
    weights = (folder / "sae_weights.safetensors").read_bytes()
    (folder / "sae_weights.safetensors").write_bytes(weights[:-100])
    with pytest.raises(ValueError, match=r"^The SAE .* cannot be read \(SafetensorError[^\n]*$"):
        load_sparse_encoder(folder)
    (folder / "sae_weights.safetensors").unlink()
    with pytest.raises(OSError, match=r"sae_weights"):
        load_sparse_encoder(folder)
    (folder / "cfg.json").write_text('{"d_in": 32')
    with pytest.raises(ValueError, match=r"cannot be read \(JSONDecodeError"):
        load_sparse_encoder(folder)
    (folder / "cfg.json").write_text('{"d_in": 32, "architecture": "novel"}')
    with pytest.raises(ValueError, match=r"cannot be read|not supported"):
        load_sparse_encoder(folder)


def test_damaged_goodfire_files(tmp_path, make_goodfire_file):
    whole = Path(make_goodfire_file(4096)).read_bytes()
    cut = tmp_path / "cut.pt"
    cut.write_bytes(whole[:-1000])
    with pytest.raises(ValueError, match=rf"^The file {cut}[^\n]*$"):
        load_sparse_encoder(cut)
    cut.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read"):
        load_sparse_encoder(cut)
    for state in ({"weight": torch.zeros(3, 2)}, [1, 2], {"encoder_linear.weight": 1, "encoder_linear.bias": 2}):
        torch.save(state, tmp_path / "other.pt")
        with pytest.raises(ValueError, match="is not in Goodfire's layout"):
            load_sparse_encoder(tmp_path / "other.pt")


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("from_hub", [True, False])
@pytest.mark.parametrize("default", ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "unset"])
def test_a_pickle_that_would_run_code(hub, tmp_path, monkeypatch, new_format, from_hub, default):
    monkeypatch.setenv(default, "1")
    trap = tmp_path / "trap"
    file = tmp_path / "Llama-3.1-8B-Instruct-SAE-l19.pth"
    torch.save({"encoder_linear.weight": Hostile(str(trap))}, file, _use_new_zipfile_serialization=new_format)
    sae = str(file)
    if from_hub:
        sae = "goodfire-llama-3.1-8b-instruct/layer_19"
        hub("Goodfire/Llama-3.1-8B-Instruct-SAE-l19", file.name, file)
    with pytest.raises(ValueError, match=r"^The file [^\n]* was not opened[^\n]*could run code[^\n]*$"):
        load_sparse_encoder(sae)
    assert not trap.exists()


def test_a_pickle_that_sae_lens_opens_for_us(hub, tmp_path, monkeypatch):
    """Its loaders leave the choice to torch, which an environment variable can turn to the unsafe side."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    trap, file = tmp_path / "trap", tmp_path / "sae.pt"
    torch.save({"encoder.weight": Hostile(str(trap))}, file)
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory as directory

    release = next(name for name, entry in directory().items() if entry.conversion_func == "deepseek_r1")
    sae_id, path = next(iter(directory()[release].saes_map.items()))
    hub(directory()[release].repo_id, path, file)
    with pytest.raises(ValueError, match=r"was not opened[^\n]*could run code"):
        load_sparse_encoder((release, sae_id))
    assert not trap.exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.parametrize("sae", [None, 3, "", ("a", "b", "c"), ("a", 1)])
def test_no_name_of_an_sae(sae):
    with pytest.raises(TypeError, match="sae must be a release and an id, a folder or a file"):
        load_sparse_encoder(sae)


@pytest.mark.parametrize("sae", ["./nowhere", "/no/where", "~/no-where", "nowhere.pt", Path("nowhere")])
def test_no_such_file(sae):
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        load_sparse_encoder(sae)


def test_without_sae_lens(make_sae, monkeypatch):
    folder = make_sae()
    monkeypatch.setitem(sys.modules, "sae_lens", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-sae\[pretrained\]'"):
        load_sparse_encoder(folder)
