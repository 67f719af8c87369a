"""Models in files: the same predictions in another process, and no code from a file."""

import json
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from sklearn_sae import (
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    QuoteHypothesisAnnotator,
    make_hypothesis_pipeline,
)
from sklearn_sae._persistence import load_model, save_model
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._sentences import split_sentences

SIZES = {"n_components": 8, "k": 2, "n_hypotheses": 4, "random_state": 0}
LOAD = """
import json, sys
from sklearn_sae._persistence import load_model
pipeline, facts = load_model(sys.argv[1])
texts = json.load(open(sys.argv[2], encoding="utf-8"))
print(json.dumps([pipeline["hypotheses"].transform(texts).tolist(), pipeline.predict(texts).tolist(), facts]))
"""


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(200, n_concepts=5, random_state=0)


def targets(reviews):
    stars = pd.Series(reviews.target)
    return {
        "numbers": stars,
        "two classes": stars > 3,
        "three classes": pd.cut(stars, [-99, 2.5, 3.5, 99], labels=["bad", "fair", "good"]),
        "three numbers as classes": pd.Series(np.digitize(stars, [2.5, 3.5])).astype("category"),
    }


@pytest.fixture(scope="module")
def fitted(reviews):
    return make_hypothesis_pipeline(**SIZES).fit(reviews.data, reviews.target)


@pytest.fixture
def saved(fitted, tmp_path):
    save_model(fitted, tmp_path / "model.json", {"name": "stars"})
    return tmp_path / "model.json"


@pytest.mark.parametrize("kind", ["numbers", "two classes", "three classes", "three numbers as classes"])
def test_predictions_are_the_same(kind, reviews, tmp_path):
    pipeline = make_hypothesis_pipeline(**SIZES).fit(reviews.data, targets(reviews)[kind])
    save_model(pipeline, tmp_path / "model", {})
    again, _ = load_model(tmp_path / "model")
    unseen = [*reviews.data[::-1], "Nothing of the kind."]
    np.testing.assert_array_equal(again["hypotheses"].transform(unseen), pipeline["hypotheses"].transform(unseen))
    names = [one["hypotheses"].get_feature_names_out().tolist() for one in (again, pipeline)]
    assert names[0] == names[1]
    predictions = again.predict(unseen)
    np.testing.assert_array_equal(predictions, pipeline.predict(unseen))
    assert predictions.dtype == pipeline.predict(unseen).dtype
    if kind != "numbers":
        np.testing.assert_array_equal(again.predict_proba(unseen), pipeline.predict_proba(unseen))
        np.testing.assert_array_equal(again["model"].classes_, pipeline["model"].classes_)


@pytest.mark.slow
def test_predictions_are_the_same_in_another_process(fitted, saved, reviews, tmp_path):
    (tmp_path / "texts.json").write_text(json.dumps(reviews.data), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(saved), str(tmp_path / "texts.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    annotations, predictions, facts = json.loads(done.stdout)
    np.testing.assert_array_equal(annotations, fitted["hypotheses"].transform(reviews.data))
    np.testing.assert_array_equal(predictions, fitted.predict(reviews.data))
    assert facts == {"name": "stars"}


@pytest.mark.slow
def test_the_embedder_is_not_needed(reviews, tmp_path, tiny_sentence_transformer):
    pipeline = make_hypothesis_pipeline(tiny_sentence_transformer, **SIZES).fit(reviews.data, reviews.target)
    save_model(pipeline, tmp_path / "model", {})
    again, _ = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(reviews.data), pipeline.predict(reviews.data))


def test_parameters_of_annotation_are_kept(reviews, tmp_path):
    naming = KeywordHypothesisAnnotator(stop_words=["the", "a"], ngram_range=(1, 3), n_keywords=3, random_state=0)
    pipeline = make_hypothesis_pipeline(naming=naming, **SIZES).fit(reviews.data, reviews.target)
    save_model(pipeline, tmp_path / "model", {})
    again = load_model(tmp_path / "model")[0]["hypotheses"]
    assert (again.stop_words, again.ngram_range, again.n_keywords) == (["the", "a"], (1, 3), 3)
    pd.testing.assert_frame_equal(again.hypotheses_, pipeline["hypotheses"].hypotheses_)


def test_what_nearly_all_texts_share_is_left_out_again(reviews, tmp_path):
    intro = "Read the following friendly review of a restaurant with care: "
    texts = [intro + text for text in reviews.data]
    with pytest.warns(UserWarning, match="begin with the same"):
        pipeline = make_hypothesis_pipeline(**SIZES).fit(texts, reviews.target)
    save_model(pipeline, tmp_path / "model", {})
    again, _ = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again["hypotheses"].transform(texts), pipeline["hypotheses"].transform(texts))
    assert again["hypotheses"]._boilerplate == pipeline["hypotheses"]._boilerplate


def test_an_annotator_that_asks(reviews, tmp_path, openai_server, monkeypatch):
    """Its file holds no key, no folder of this machine and no text; its answers are kept for both."""
    openai_server.reply = lambda body: (
        f"mentions the staff {len(str(body))} times"
        if body["model"] == "gpt-5.2"
        else ("yes" if "staff" in str(body).partition("mentions")[0] else "no")
    )
    prompt = tmp_path / "judge.txt"
    prompt.write_text("{text} mentions {properties}? {form}", "utf-8")
    naming = LLMHypothesisAnnotator(
        base_url=openai_server.base_url,
        instructions="Reviews.",
        annotator_prompt=prompt,
        max_words=99,
        cache_dir=str(tmp_path / "here"),
    )
    texts = reviews.data[:60]
    pipeline = make_hypothesis_pipeline(naming=naming, **SIZES).fit(texts, reviews.target[:60])
    save_model(pipeline, tmp_path / "model", {})
    written = (tmp_path / "model").read_text("utf-8")
    assert "sk-test" not in written
    assert str(tmp_path) not in written
    assert not any(text in written for text in texts)
    expected = pipeline.predict(texts)
    prompt.unlink()
    again, _ = load_model(tmp_path / "model")
    assert again["hypotheses"].annotator_prompt == "{text} mentions {properties}? {form}"
    assert (again["hypotheses"].instructions, again["hypotheses"].max_words) == ("Reviews.", 99)
    np.testing.assert_array_equal(again.predict(texts), expected)


def test_quotes_are_kept_with_their_vectors(reviews, tmp_path, tiny_sentence_transformer):
    """Of the texts, only the quotes are in the file; nothing in it can name a server or let code be run."""
    pipeline = make_hypothesis_pipeline(tiny_sentence_transformer, naming="quotes", **SIZES)
    pipeline.fit(reviews.data, reviews.target)
    save_model(pipeline, tmp_path / "model", {})
    again, _ = load_model(tmp_path / "model")
    unseen = [*reviews.data[::-1], "Nothing of the kind."]
    annotations = pipeline["hypotheses"].transform(unseen)
    assert 0 < annotations.mean() < 1
    np.testing.assert_array_equal(again["hypotheses"].transform(unseen), annotations)
    np.testing.assert_array_equal(again.predict(unseen), pipeline.predict(unseen))
    written = (tmp_path / "model").read_text("utf-8")
    assert not any(text in written for text in reviews.data if len(split_sentences(text)) > 1)
    content = json.loads(written)
    embedder = content["annotator"]["quotes"]["embedder"]
    embedder.update(trust_remote_code=True, base_url="https://example.org/v1", model_kwargs={"a": 1})
    (tmp_path / "model").write_text(json.dumps(content), encoding="utf-8")
    loaded = load_model(tmp_path / "model")[0]["hypotheses"].embedder_
    assert (loaded.trust_remote_code, loaded.base_url, loaded.model_kwargs) == (False, None, None)
    del content["annotator"]["quotes"]["rules"][again["hypotheses"].get_feature_names_out()[0]]
    (tmp_path / "model").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match="damaged, or was changed by hand"):
        load_model(tmp_path / "model")


def test_quotes_that_cannot_be_saved(reviews, tmp_path, tiny_sentence_transformer):
    pipeline = make_hypothesis_pipeline(tiny_sentence_transformer, naming="quotes", **SIZES)
    pipeline.fit(reviews.data, reviews.target)
    pipeline["hypotheses"].embedder_.set_params(trust_remote_code=True)
    with pytest.raises(TypeError, match="whose embedder has trust_remote_code cannot be saved"):
        save_model(pipeline, tmp_path / "model", {})
    pipeline["hypotheses"].embedder_ = TruncatedSVD(2)
    with pytest.raises(TypeError, match="compared by a TruncatedSVD cannot be saved"):
        save_model(pipeline, tmp_path / "model", {})


def test_keywords_in_the_place_of_quotes_need_no_embedder(reviews, tmp_path):
    pipeline = make_hypothesis_pipeline(naming=QuoteHypothesisAnnotator(quote=False, random_state=0), **SIZES)
    pipeline.fit(reviews.data, reviews.target)
    save_model(pipeline, tmp_path / "model", {})
    again, _ = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(reviews.data), pipeline.predict(reviews.data))


def test_what_is_loaded_cannot_be_fitted(saved, reviews):
    pipeline, _ = load_model(saved)
    with pytest.raises(ValueError, match="loaded from a file, which has no encoder"):
        pipeline.fit(reviews.data, reviews.target)


def test_another_version_is_said(saved):
    saved.write_text(re.sub(r'"sklearn_sae": "[^"]+"', '"sklearn_sae": "0.0.1"', saved.read_text("utf-8")))
    with pytest.warns(UserWarning, match=r"was saved by sklearn-sae 0\.0\.1 and is loaded by"):
        load_model(saved)


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_of_another_kind_runs_no_code(tmp_path):
    sprung = tmp_path / "sprung"
    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap(sprung)))
    (tmp_path / "readable pickle").write_bytes(pickle.dumps(Trap(sprung), protocol=0))
    with zipfile.ZipFile(tmp_path / "skops", "w") as file:
        file.writestr("schema.json", '{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}')
    (tmp_path / "json").write_text('{"format": "another"}')
    (tmp_path / "list").write_text("[1]")
    (tmp_path / "deep").write_text("[" * 100_000)
    for name in ("pickle", "readable pickle", "skops", "json", "list", "deep"):
        with pytest.raises(ValueError, match="is not a model that sklearn-sae saved"):
            load_model(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_model(tmp_path / "none")
    assert not sprung.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["annotator"].update(kind="os.system"),
        lambda content: content["annotator"]["parameters"].update(tokenizer="os.system"),
        lambda content: content["annotator"]["parameters"].update(unknown=1),
        lambda content: content["annotator"]["hypotheses"].pop("interpretation"),
        lambda content: content["annotator"]["hypotheses"].update(interpretation=[1, 2, 3, 4]),
        lambda content: content["annotator"].pop("boilerplate"),
        lambda content: content["model"].update(coef=[[1.0]]),
        lambda content: content["model"].update(intercept=["a"]),
        lambda content: content["model"].update(classes=["a", ["b"]], dtype="|O"),
        lambda content: content["model"].update(classes=["a", "b"], dtype="V8"),
        lambda content: content.pop("facts"),
    ],
)
def test_a_file_that_was_changed_is_one_sentence(change, saved):
    content = json.loads(saved.read_text("utf-8"))
    change(content)
    saved.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="is damaged, or was changed by hand") as error:
        load_model(saved)
    assert "\n" not in str(error.value)


def test_a_newer_form_is_said(saved):
    saved.write_text(saved.read_text("utf-8").replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(ValueError, match=r"saved in a form that sklearn-sae .* does not know"):
        load_model(saved)


def test_what_cannot_be_saved_is_refused(reviews, fitted, tmp_path):
    with pytest.raises(TypeError, match="tokenizer of the KeywordHypothesisAnnotator is a function, and a file"):
        save_model(
            make_hypothesis_pipeline(naming=KeywordHypothesisAnnotator(tokenizer=str.split), **SIZES).fit(
                reviews.data, reviews.target
            ),
            tmp_path / "model",
            {},
        )
    with pytest.raises(TypeError, match="whose model is LinearRegression or LogisticRegression"):
        save_model(
            make_hypothesis_pipeline(model=Ridge(), **SIZES).fit(reviews.data, reviews.target), tmp_path / "model", {}
        )
    odd = pickle.loads(pickle.dumps(fitted))
    odd["hypotheses"].unheard_of_ = 1
    with pytest.raises(TypeError, match="with unheard_of_ cannot be saved"):
        save_model(odd, tmp_path / "model", {})
    assert not (tmp_path / "model").exists()
