"""Labels of published latents."""

import json

import numpy as np
import pytest

from sklearn_sae.pretrained._labels import load_feature_labels
from sklearn_sae.pretrained._sparse_encoder import SparseEncoder

MODEL = "meta-llama/Llama-3.1-8B-Instruct"


def encoder(n_latents=4, **facts):
    fields = {"bias": np.zeros(n_latents, np.float32), "source": "release/id", **facts}
    return SparseEncoder(**{**dict.fromkeys(SparseEncoder._fields), **fields})


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "labels.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_a_mapping():
    assert load_feature_labels({2: "two", 0: "zero"}, encoder()) == {0: "zero", 2: "two"}
    assert list(load_feature_labels({2: "two", 0: "zero"}, encoder())) == [0, 2]
    assert load_feature_labels({"3": "three", np.int64(1): "one", 2: None}, encoder()) == {1: "one", 3: "three"}
    assert load_feature_labels({}, encoder()) == {}


def test_a_file(write):
    assert load_feature_labels(write({"1": "über", "3": "three"}), encoder()) == {1: "über", 3: "three"}
    assert load_feature_labels(str(write(["a", "b", None, "d"])), encoder()) == {0: "a", 1: "b", 3: "d"}


def test_an_export_of_neuronpedia(write):
    records = [
        {"modelId": "gpt2-small", "layer": "8-res-jb", "index": "2", "description": " dates"},
        {"modelId": "gpt2-small", "layer": "8-res-jb", "index": 0, "description": "names"},
        {"modelId": "gpt2-small", "layer": "8-res-jb", "index": "2", "description": "a second explanation"},
    ]
    path = write(records)
    for neuronpedia_id in ("gpt2-small/8-res-jb", None):
        assert load_feature_labels(path, encoder(neuronpedia_id=neuronpedia_id)) == {0: "names", 2: " dates"}
    with pytest.raises(ValueError, match="other latents: those of 'gpt2-small/8-res-jb' at Neuronpedia"):
        load_feature_labels(path, encoder(neuronpedia_id="gpt2-small/9-res-jb"))
    with pytest.raises(ValueError, match="has no 'description'"):
        load_feature_labels(write([{"index": 3}]), encoder())


def test_goodfires_own_come_from_the_hub(hub, write):
    hub("nickjiang/feature_labels", f"goodfire/{MODEL}.json", write({"1": "one"}), repo_type="dataset")
    assert load_feature_labels("auto", encoder(labels_file=f"goodfire/{MODEL}.json")) == {1: "one"}


def test_none_and_those_that_nobody_made(hub):
    assert load_feature_labels("auto", encoder()) == {}
    assert load_feature_labels(None, encoder(labels_file=f"goodfire/{MODEL}.json")) == {}


def test_no_connection_is_a_warning(hub):
    message = "There are no labels: The data set 'nickjiang/feature_labels' is not on this machine"
    with pytest.warns(RuntimeWarning, match=message):
        assert load_feature_labels("auto", encoder(labels_file=f"goodfire/{MODEL}.json")) == {}


@pytest.mark.parametrize("latent", [4, "65535", -1])
def test_labels_for_other_latents(write, latent):
    message = f"labels for other latents: one is for latent {latent}, but the SAE release/id has latents 0 to 3"
    with pytest.raises(ValueError, match=message):
        load_feature_labels({latent: "x"}, encoder())
    with pytest.raises(ValueError, match=message):
        load_feature_labels(write({str(latent): "x"}), encoder())


def test_bad_labels(write, tmp_path):
    with pytest.raises(ValueError, match="labels for other latents: 3 in a list, but the SAE release/id has 4"):
        load_feature_labels(write(["a", "b", "c"]), encoder())
    with pytest.raises(ValueError, match="the key 'first' where the number of a latent is needed"):
        load_feature_labels({"first": "x"}, encoder())
    with pytest.raises(ValueError, match=r"the key 1\.5 where"):
        load_feature_labels({1.5: "x"}, encoder())
    with pytest.raises(TypeError, match="label of latent 1 is of type int; it must be a str"):
        load_feature_labels({1: 7}, encoder())
    with pytest.raises(ValueError, match="must be a mapping"):
        load_feature_labels(write("3"), encoder())
    with pytest.raises(ValueError, match=r"labels\.json is not JSON"):
        load_feature_labels(write("{"), encoder())
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_feature_labels(tmp_path / "none.json", encoder())
    with pytest.raises(TypeError, match="must be 'auto', a mapping, a path or None, not list"):
        load_feature_labels(["a"], encoder())
