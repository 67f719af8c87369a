"""The exchange of autoencoders with SAELens, the hub and hypothesaes, against these packages themselves."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae._target import TargetEncoding
from sklearn_sae.utils.exchange import Autoencoder, fold_affine, model_card, read_folder, write_folder

SETTINGS = {
    "topk": {},
    "batch_topk": {"sparsity": "batch_topk"},
    "matryoshka": {"matryoshka_prefixes": [8, 32]},
    "target": {"target_weight": 1.0},
    "batch_topk-target": {"sparsity": "batch_topk", "target_weight": 1.0},
    "signed": {"signed": True},
    "signed-batch_topk-target": {"signed": True, "sparsity": "batch_topk", "target_weight": 1.0},
    "pursuit": {"encoder": "matching_pursuit"},
    "pursuit-target": {"encoder": "matching_pursuit", "target_weight": 1.0},
}
FOR_SAELENS = [name for name in SETTINGS if "pursuit" not in name and "signed" not in name]
OURS = ["sklearn_sae.json", "sklearn_sae.safetensors"]
SAELENS = ["cfg.json", "sae_weights.safetensors"]


@pytest.fixture(scope="module")
def y(X):
    return np.where(X[:, 0] + X[:, 1] > 2, "yes", "no")


@pytest.fixture(scope="module")
def fitted(X, y):
    """``fitted(name)``: an autoencoder with the settings of that name, fitted once. Do not change it."""
    saes = {}

    def fit(name):
        if name not in saes:
            sae = TopKSAETransformer(32, 4, max_epochs=4, random_state=0, **SETTINGS[name])
            saes[name] = sae.fit(X, y)
        return saes[name]

    return fit


@pytest.fixture(scope="module")
def sae_lens():
    return pytest.importorskip("sae_lens", reason="sae-lens is not installed")


def assert_close(actual, desired):
    """Equal to 1e-5 of the largest entry."""
    np.testing.assert_allclose(actual, desired, rtol=1e-5, atol=1e-5 * np.abs(desired).max())


def by_saelens(sae, X):
    import torch

    with torch.no_grad():
        activations = sae.encode(torch.from_numpy(X))
        return activations.numpy(), sae.decode(activations).numpy()


# SAELens


@pytest.mark.parametrize("name", FOR_SAELENS)
def test_saelens_gives_the_same_activations_and_reconstructions(fitted, sae_lens, X, tmp_path, name):
    sae = fitted(name)
    sae.to_saelens(tmp_path / "sae")
    assert sorted(os.listdir(tmp_path / "sae")) == sorted(OURS + SAELENS)
    theirs = sae_lens.SAE.load_from_disk(tmp_path / "sae")
    activations, rows = by_saelens(theirs, X)
    codes = sae.transform(X)
    assert codes.nnz > len(X)
    assert_close(activations, codes.toarray())
    assert_close(rows, sae.inverse_transform(codes))


def test_what_saelens_is_told(fitted, sae_lens, tmp_path):
    fitted("topk").to_saelens(tmp_path, model_name="gpt2", hook_name="blocks.5.hook_resid_post", prepend_bos=False)
    config = sae_lens.SAE.load_from_disk(tmp_path).cfg
    assert (config.k, config.d_in, config.d_sae, config.normalize_activations) == (4, 20, 32, "none")
    assert config.apply_b_dec_to_input
    assert config.metadata.model_name == "gpt2"
    assert config.metadata.hook_name == "blocks.5.hook_resid_post"
    assert config.metadata.prepend_bos is False


@pytest.mark.parametrize("name", FOR_SAELENS)
def test_the_loader_of_published_autoencoders_gives_the_same_activations(fitted, sae_lens, X, tmp_path, name):
    import torch

    from sklearn_sae.pretrained._load import load_sparse_encoder
    from sklearn_sae.pretrained._sparse_encoder import TorchEncoder

    fitted(name).to_saelens(tmp_path, model_name="gpt2", hook_name="blocks.5.hook_resid_post", prepend_bos=False)
    encoder = load_sparse_encoder(tmp_path)
    assert (encoder.layer, encoder.site, encoder.prepend_bos) == (5, "resid_post", False)
    rows, neurons, values = (part.numpy() for part in TorchEncoder(encoder, "cpu")(torch.from_numpy(X)))
    activations = np.zeros((len(X), 32), np.float32)
    activations[rows, neurons] = values
    assert_close(activations, fitted(name).transform(X).toarray())


@pytest.mark.parametrize(("name", "said"), [("pursuit", "encoder='matching_pursuit'"), ("signed", "signed=True")])
def test_saelens_has_no_form_for_a_pursuit_and_for_signed_activations(name, said, fitted, tmp_path):
    with pytest.raises(ValueError, match=rf"^SAELens has no form for {said}; [^\n]*$"):
        fitted(name).to_saelens(tmp_path / "sae")
    assert not (tmp_path / "sae").exists()


@pytest.mark.parametrize("normalization", ["none", "constant_norm_rescale", "layer_norm"])
def test_an_affine_step_is_folded_in(fitted, sae_lens, X, tmp_path, normalization):
    """An autoencoder of rows that are normalized, centered and scaled becomes one of the rows as they are."""
    rng = np.random.default_rng(0)
    center, scale = rng.normal(size=20), rng.uniform(0.2, 5, size=20)
    mean, spread = 0.0, 1.0
    if normalization == "layer_norm":
        mean, spread = X.mean(axis=1, keepdims=True), X.std(axis=1, ddof=1, keepdims=True)
    elif normalization == "constant_norm_rescale":
        spread = np.linalg.norm(X, axis=1, keepdims=True) / np.sqrt(20)
    eps = 1e-5 if normalization == "layer_norm" else 0
    scaled = (((X - mean) / (spread + eps) - center) * scale).astype(np.float32)
    sae = TopKSAETransformer(32, 4, max_epochs=2, random_state=0).fit(scaled)
    autoencoder = Autoencoder.of(sae, k=4, normalization=normalization)
    folded = fold_affine(autoencoder, center, scale)
    write_folder(tmp_path, folded, kind="Reader", facts={}, arrays={})
    activations, rows = by_saelens(sae_lens.SAE.load_from_disk(tmp_path), X)
    codes = sae.transform(scaled)
    assert_close(activations, codes.toarray())
    assert_close(rows, (sae.inverse_transform(codes) / scale + center) * spread + mean)
    for array, back in zip(autoencoder[:4], fold_affine(folded, -center * scale, 1 / scale)[:4], strict=True):
        assert_close(back, array)


# From a folder


@pytest.mark.parametrize("name", FOR_SAELENS)
def test_a_folder_gives_back_the_estimator(fitted, X, tmp_path, name):
    sae = fitted(name)
    sae.to_saelens(tmp_path)
    assert_same(TopKSAETransformer.from_pretrained(tmp_path), sae, X)


def assert_same(loaded, sae, X):
    assert loaded.get_params() == sae.get_params()
    fitted = {name for name in vars(sae) if name.endswith("_") and not name.startswith("_")}
    assert {name for name in vars(loaded) if name.endswith("_") and not name.startswith("_")} == fitted
    assert loaded.components_.flags.writeable == sae.components_.flags.writeable
    for name in fitted - {"history_"}:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(sae, name), err_msg=name)
        assert np.asarray(getattr(loaded, name)).dtype == np.asarray(getattr(sae, name)).dtype, name
    pd.testing.assert_frame_equal(pd.DataFrame(loaded.history_), pd.DataFrame(sae.history_))
    assert (loaded.transform(X) != sae.transform(X)).nnz == 0
    assert loaded.score(X) == sae.score(X)


def test_parameters_that_were_set_after_the_fit(fitted, X, tmp_path):
    sae = pickle.loads(pickle.dumps(fitted("topk"))).set_params(n_components=64, k=9, sparsity="batch_topk")
    sae.to_saelens(tmp_path)
    assert_same(TopKSAETransformer.from_pretrained(tmp_path), sae, X)


@pytest.mark.parametrize("name", ["topk", "target"])
def test_what_was_loaded_is_fitted_further(fitted, X, y, tmp_path, name):
    fitted(name).to_saelens(tmp_path)
    loaded, saved = TopKSAETransformer.from_pretrained(tmp_path), pickle.loads(pickle.dumps(fitted(name)))
    for sae in (loaded, saved):
        sae.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.components_, saved.components_)
    for sae in (loaded, saved):
        sae.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(loaded.components_, saved.components_)
    clone(loaded).fit(X, y)


@pytest.mark.parametrize("classes", [[False, True], [1, 2], ["a", "b", "c"], [1.5, 2.5, 3.5]], ids=str)
def test_names_of_features_and_kinds_of_targets(X, tmp_path, classes):
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(20)])
    y = np.array(classes)[np.arange(len(X)) % len(classes)]
    sae = TopKSAETransformer(8, 2, target_weight=1.0, max_epochs=1, validation_fraction=None, random_state=0)
    sae.fit(frame, y).to_saelens(tmp_path)
    loaded = TopKSAETransformer.from_pretrained(tmp_path)
    assert_same(loaded, sae, frame)


def test_what_is_of_the_machine_is_not_saved(X, tmp_path):
    sae = TopKSAETransformer(8, 2, max_epochs=1, device="cpu", checkpoint_dir=tmp_path / "secret", verbose=False)
    sae.set_params(random_state=np.random.RandomState(0)).fit(X).to_saelens(tmp_path / "sae")
    assert all(b"secret" not in file.read_bytes() for file in (tmp_path / "sae").iterdir())
    loaded = TopKSAETransformer.from_pretrained(tmp_path / "sae")
    assert (loaded.device, loaded.checkpoint_dir, loaded.random_state) == ("auto", None, None)


def test_a_folder_is_written_whole_or_not_at_all(fitted, X, tmp_path, monkeypatch):
    fitted("topk").to_saelens(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match=r"^The autoencoder cannot be written to .* \(No space left on device\)\.$"):
            fitted("batch_topk").to_saelens(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before

    with monkeypatch.context() as patch:  # killed between one file and the next
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="cannot be written"):
            fitted("batch_topk").to_saelens(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt", SAELENS[1], OURS[1]]
    with pytest.raises(FileNotFoundError, match=r"has no sklearn_sae\.json"):
        TopKSAETransformer.from_pretrained(tmp_path)
    fitted("batch_topk").to_saelens(tmp_path)
    assert_same(TopKSAETransformer.from_pretrained(tmp_path), fitted("batch_topk"), X)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made(fitted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^The autoencoder cannot be written to .*file.*\.$"):
        fitted("topk").to_saelens(tmp_path / "file")


def edit(folder, change):
    state = json.loads((folder / OURS[0]).read_text())
    change(state)
    (folder / OURS[0]).write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.update(format="another"), "is not an autoencoder that sklearn-sae saved"),
        (lambda state: state.update(format_version=2), "in a form that this version of sklearn-sae does not know"),
        (lambda state: state.update(estimator="ReaderSAETransformer"), "load it by ReaderSAETransformer"),
        (lambda state: state["autoencoder"].update(k=33), "is damaged, or was changed by hand"),
        (lambda state: state["autoencoder"].update(threshold=None), "is damaged, or was changed by hand"),
        (lambda state: state["facts"]["parameters"].update(unknown=1), "is damaged, or was changed by hand"),
        (lambda state: state["facts"]["parameters"].update(sparsity="none"), "is damaged, or was changed by hand"),
        (lambda state: state["facts"]["settings"].update(k="4"), "is damaged, or was changed by hand"),
        (lambda state: state["facts"]["settings"].update(k=5), "is damaged, or was changed by hand"),
        (lambda state: state["facts"].pop("history"), "is damaged, or was changed by hand"),
        (lambda state: state["facts"].update(feature_names=["x"]), "is damaged, or was changed by hand"),
    ],
    ids=[
        "format",
        "version",
        "kind",
        "k",
        "threshold",
        "parameter",
        "value",
        "setting",
        "contradiction",
        "history",
        "names",
    ],
)
def test_a_file_that_was_changed(fitted, tmp_path, change, message):
    fitted("topk").to_saelens(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(ValueError, match=rf"^The autoencoder '[^\n]*{message}[^\n]*$"):
        TopKSAETransformer.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", [*OURS, SAELENS[1]])
def test_a_damaged_file(fitted, tmp_path, name):
    fitted("target").to_saelens(tmp_path)
    content = (tmp_path / name).read_bytes()
    for damage in (content[: len(content) // 2], b"", pickle.dumps({"W_enc": 1})):
        (tmp_path / name).write_bytes(damage)
        with pytest.raises(ValueError, match=r"^The autoencoder '[^\n]*' is damaged, or was changed by hand [^\n]*$"):
            TopKSAETransformer.from_pretrained(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        TopKSAETransformer.from_pretrained(tmp_path)


def test_weights_that_do_not_fit(fitted, tmp_path):
    from safetensors.numpy import load_file, save_file

    fitted("topk").to_saelens(tmp_path)
    weights = load_file(tmp_path / SAELENS[1])
    for name, value in {"W_enc": weights["W_enc"][:, :5], "b_dec": weights["b_dec"] * np.nan}.items():
        save_file({**weights, name: np.ascontiguousarray(value)}, tmp_path / SAELENS[1])
        with pytest.raises(ValueError, match="is damaged, or was changed by hand"):
            read_folder(tmp_path, kind="TopKSAETransformer", what="The autoencoder")


def test_parameters_and_classes_that_no_file_can_hold(X, tmp_path):
    sae = TopKSAETransformer(8, 2, max_epochs=1, random_state=0).fit(X)
    sae.set_params(verbose=False, aux_weight=np.float32(0.5)).to_saelens(tmp_path)
    assert TopKSAETransformer.from_pretrained(tmp_path).aux_weight == 0.5
    sae.set_params(matryoshka_prefixes=pd.Series([4, 8]))
    with pytest.raises(TypeError, match="matryoshka_prefixes is a Series, which a file without code cannot hold"):
        sae.to_saelens(tmp_path)
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]").astype(object)
    sae._target_encoding = TargetEncoding("binary", days, 0.0, 1.0)
    sae.set_params(matryoshka_prefixes=None)
    with pytest.raises(TypeError, match="its classes are neither texts nor numbers"):
        sae.to_saelens(tmp_path)


# The hub


@pytest.mark.parametrize("name", SETTINGS)
def test_there_and_back(fitted, hub_server, X, name):
    url = fitted(name).push_to_hub("me/sae")
    assert url.startswith(f"{hub_server.endpoint}/me/sae/commit/")
    assert_same(TopKSAETransformer.from_pretrained("me/sae"), fitted(name), X)
    assert "README.md" not in hub_server.downloaded
    assert hub_server.messages == ["Save a TopKSAETransformer"]
    assert not hub_server.private


def test_saelens_loads_what_was_pushed(fitted, hub_server, sae_lens, X):
    from huggingface_hub import snapshot_download

    fitted("topk").push_to_hub("me/sae", private=True, commit_message="First")
    assert hub_server.private == {"me/sae"}
    assert hub_server.messages == ["First"]
    theirs = sae_lens.SAE.load_from_disk(snapshot_download("me/sae"))  # as the model card says
    assert_close(by_saelens(theirs, X)[0], fitted("topk").transform(X).toarray())


@pytest.mark.slow
def test_saelens_loads_a_repository_by_its_name(fitted, hub_server, sae_lens, X):
    fitted("batch_topk").push_to_hub("me/sae", hook_name="blocks.5.hook_resid_post")
    theirs = sae_lens.SAE.from_pretrained("me/sae", ".", device="cpu")
    assert_close(by_saelens(theirs, X)[0], fitted("batch_topk").transform(X).toarray())


def test_the_newest_is_loaded_and_an_older_one_by_its_revision(fitted, hub_server, X):
    fitted("topk").push_to_hub("me/sae")
    first = TopKSAETransformer.from_pretrained("me/sae")
    commit = fitted("batch_topk").push_to_hub("me/sae")
    assert_same(TopKSAETransformer.from_pretrained("me/sae"), fitted("batch_topk"), X)
    assert_same(TopKSAETransformer.from_pretrained("me/sae", revision=commit.split("/")[-1]), fitted("batch_topk"), X)
    assert_same(first, fitted("topk"), X)


def test_no_file_of_an_older_autoencoder_stays(fitted, hub_server, X):
    fitted("topk").push_to_hub("me/sae")
    hub_server.repositories["me/sae"][-1]["notes.txt"] = b"mine"
    fitted("pursuit").push_to_hub("me/sae")
    assert set(hub_server.files("me/sae")) == {".gitattributes", "README.md", "notes.txt", *OURS, SAELENS[1]}
    assert_same(TopKSAETransformer.from_pretrained("me/sae"), fitted("pursuit"), X)


def test_without_a_connection_what_was_downloaded_is_loaded(fitted, hub_server, monkeypatch, X):
    from huggingface_hub import constants

    fitted("topk").push_to_hub("me/sae")
    TopKSAETransformer.from_pretrained("me/sae")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert_same(TopKSAETransformer.from_pretrained("me/sae"), fitted("topk"), X)
    with pytest.raises(ConnectionError, match=r"^The autoencoder 'me/other' [^\n]*hub cannot be reached[^\n]*$"):
        TopKSAETransformer.from_pretrained("me/other")
    with pytest.raises(ConnectionError, match=r"^The repository 'me/sae'[^\n]*hub cannot be reached[^\n]*$"):
        fitted("topk").push_to_hub("me/sae")


def test_who_may_write(fitted, hub_server):
    hub_server.token = "hf_right"
    for token in (None, "hf_wrong"):
        with pytest.raises(PermissionError, match=r"^The repository 'me/sae' may not be written[^\n]*$") as raised:
            fitted("topk").push_to_hub("me/sae", token=token)
        assert "hf_" not in str(raised.value).replace("hf auth login", "")
    fitted("topk").push_to_hub("me/sae", token="hf_right")
    assert "me/sae" in hub_server.repositories


def test_what_the_hub_does_not_have(fitted, hub_server):
    fitted("topk").push_to_hub("me/sae")
    hub_server.repositories["me/other"] = [{"model.pkl": pickle.dumps(1), "cfg.json": b"{}"}]
    hub_server.repositories["me/gated"] = hub_server.repositories["me/sae"]
    hub_server.gated.add("me/gated")
    cases = [
        (Path("me/sae"), None, FileNotFoundError, "does not exist, or is no folder"),
        ("me/missing", None, FileNotFoundError, "is not on the Hugging Face hub, or is private"),
        ("no such/na me", None, FileNotFoundError, "is neither a folder on this machine nor a name"),
        ("me/gated", None, PermissionError, "is gated"),
        ("me/sae", "no-branch", FileNotFoundError, "has no such revision"),
        ("me/other", None, FileNotFoundError, r"has no sklearn_sae\.json"),
    ]
    for name, revision, kind, message in cases:
        with pytest.raises(kind, match=rf"^The autoencoder '{name}' {message}[^\n]*$"):
            TopKSAETransformer.from_pretrained(name, revision=revision)
    assert "model.pkl" not in hub_server.downloaded


def test_the_model_card(fitted, hub_server, X):
    yaml = pytest.importorskip("yaml")
    trained_on = "2,000 reviews | one\nvector each"
    fitted("target").push_to_hub("me/sae", trained_on=trained_on, model_name="owner/model", hook_name="its hook")
    card = hub_server.files("me/sae")["README.md"].decode()
    _, header, body = card.split("---\n", 2)
    header = yaml.safe_load(header)
    assert header["library_name"] == "sklearn-sae"
    assert header["base_model"] == "owner/model"
    assert set(header["tags"]) == {"sparse-autoencoder", "scikit-learn", "saelens"}
    rows = dict(
        row.strip("| ").split(" | ", 1) for row in body.splitlines() if row.startswith("| ") and row[2] not in "|-"
    )
    assert rows["Neurons (M)"] == "32"
    assert rows["Active neurons a row (K)"] == "at most 4"
    assert rows["Trained on"] == r"2,000 reviews \| one vector each"
    sae = fitted("target")
    active = next(float(value) for name, value in rows.items() if name.startswith("Neurons active in a row"))
    assert active == pytest.approx(sae.transform(X).nnz / len(X), rel=0.01)
    r2 = next(float(value) for name, value in rows.items() if name.startswith("R2 of the reconstruction"))
    assert r2 == pytest.approx(1 - min(row["validation_loss"] for row in sae.history_), rel=0.01)
    assert "TopKSAETransformer.from_pretrained('me/sae')" in body
    assert "SAE.load_from_disk" in body


def test_the_card_says_only_what_is_known(fitted):
    sae = TopKSAETransformer(8, 2, max_epochs=1, validation_fraction=None, random_state=0)
    sae.fit(np.random.default_rng(0).normal(size=(50, 5)))
    exchanged = sae._exchanged()
    assert not any("R2" in name for name in exchanged.figures)
    (r2,) = [name for name in fitted("matryoshka")._exchanged().figures if name.startswith("R2")]
    assert r2.endswith("the mean over the Matryoshka prefixes")
    assert fitted("batch_topk")._exchanged().figures["K, the average over a batch in training"] == 4
    pursuit = fitted("pursuit")._exchanged().autoencoder
    card = model_card("me/sae", pursuit, kind="TopKSAETransformer")
    assert "saelens" not in card.lower()
    assert "base_model" not in card
    assert "Trained on" not in card


# hypothesaes


@pytest.fixture
def peer(tmp_path):
    """``peer(**config)``: an autoencoder of hypothesaes with random weights, and the file that it saved."""
    module = pytest.importorskip("hypothesaes.sae", reason="hypothesaes is not installed")
    import torch

    def make(threshold=0.7, **config):
        torch.manual_seed(0)
        sae = module.SparseAutoencoder(20, 32, 4, device="cpu", **config)
        with torch.no_grad():
            for parameter in sae.parameters():
                parameter.normal_(std=0.5)
            sae.threshold.fill_(threshold)
        return sae, sae.save(str(tmp_path / "models" / "sae.pt"))

    return make


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"use_batch_topk": True},
        {"use_batch_topk": True, "threshold": -1.0},
        {"prefix_lengths": [8, 32]},
        {
            "prefix_lengths": [8, 32],
            "use_batch_topk": True,
            "aux_k": 3,
            "multi_k": 12,
            "dead_neuron_threshold_steps": 9,
        },
    ],
    ids=["topk", "batch_topk", "below 0", "matryoshka", "all"],
)
def test_hypothesaes_gives_the_same_activations(peer, X, config):
    import torch

    theirs, path = peer(**config)
    sae = TopKSAETransformer.from_hypothesaes(path)
    activations = theirs.get_activations(X, show_progress=False)
    codes = sae.transform(X)
    assert codes.nnz > len(X)
    assert_close(codes.toarray(), activations)
    with torch.no_grad():
        assert_close(sae.inverse_transform(codes), theirs(torch.from_numpy(X))[0].numpy())
    assert (sae.n_components, sae.k, sae.n_features_in_) == (32, 4, 20)
    assert sae.matryoshka_prefixes == config.get("prefix_lengths")
    assert sae.dead_after == config.get("dead_neuron_threshold_steps", 256)
    assert np.isnan(sae.density_).all()


def test_what_hypothesaes_saved_goes_everywhere(peer, fitted, sae_lens, X, tmp_path):
    sae = TopKSAETransformer.from_hypothesaes(peer(use_batch_topk=True)[1])
    sae.to_saelens(tmp_path / "sae")
    assert_close(by_saelens(sae_lens.SAE.load_from_disk(tmp_path / "sae"), X)[0], sae.transform(X).toarray())
    assert_same(TopKSAETransformer.from_pretrained(tmp_path / "sae"), sae, X)
    before = sae.score(X)
    assert sae.partial_fit(X).score(X) > before
    assert clone(sae).fit(X).score(X) > 0.3


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_file_with_code_is_not_run(tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"config": _Runs(), "state_dict": {}}, tmp_path / "sae.pt")
    with pytest.raises(ValueError, match=r"^The file \S*sae\.pt was not opened: [^\n]*$"):
        TopKSAETransformer.from_hypothesaes(tmp_path / "sae.pt")
    assert not (tmp_path / "ran").exists()


def _peer_file():
    import torch

    config = {
        "input_dim": 5,
        "m_total_neurons": 8,
        "k_active_neurons": 2,
        "aux_k": 4,
        "multi_k": None,
        "dead_neuron_threshold_steps": 256,
    }
    tensors = {
        "encoder.weight": torch.ones(8, 5),
        "decoder.weight": torch.ones(5, 8),
        "input_bias": torch.zeros(5),
        "neuron_bias": torch.zeros(8),
    }
    return {"config": config, "state_dict": tensors}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda file: file["config"].update(gated=True),
            "of a kind that TopKSAETransformer has not: its config says gated",
        ),
        (lambda file: file["state_dict"].update(gate=file["state_dict"]["input_bias"]), "it has the tensor gate"),
        (lambda file: file["config"].update(use_batch_topk=True), "lacks threshold"),
        (lambda file: file["config"].pop("aux_k"), "lacks aux_k"),
        (lambda file: file["state_dict"].pop("input_bias"), "lacks input_bias"),
        (lambda file: file["config"].update(input_dim=6), "is damaged: decoder.weight is of shape"),
        (lambda file: file["config"].update(k_active_neurons=9), "is damaged: it has 9 active neurons of 8"),
        (lambda file: file["config"].update(k_active_neurons="2"), "is damaged: it has '2' active neurons of 8"),
        (lambda file: file["state_dict"].update(input_bias=[0.0] * 5), "holds other things than tensors"),
        (lambda file: file["state_dict"]["input_bias"].fill_(np.nan), "is damaged: input_bias has numbers"),
        (lambda file: file.pop("config"), "was not saved by hypothesaes"),
    ],
    ids=[
        "config",
        "tensor",
        "threshold",
        "no config",
        "no tensor",
        "shape",
        "k",
        "kind of k",
        "list",
        "nan",
        "another",
    ],
)
def test_files_of_another_kind(tmp_path, change, message):
    import torch

    file = _peer_file()
    torch.save(file, tmp_path / "sae.pt")
    assert TopKSAETransformer.from_hypothesaes(tmp_path / "sae.pt").k_ == 2  # as its first versions saved it
    change(file)
    torch.save(file, tmp_path / "sae.pt")
    with pytest.raises(ValueError, match=rf"^The file \S*sae\.pt [^\n]*{message}[^\n]*$"):
        TopKSAETransformer.from_hypothesaes(tmp_path / "sae.pt")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        TopKSAETransformer.from_hypothesaes(tmp_path / "sae.pt")
    (tmp_path / "sae.pt").write_text("no tensors")
    with pytest.raises(ValueError, match="was not opened"):
        TopKSAETransformer.from_hypothesaes(tmp_path / "sae.pt")
