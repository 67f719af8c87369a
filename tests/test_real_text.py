"""The main job on real reviews: bounds on held-out scores that must not get worse."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline

from sklearn_sae import EmbeddingTransformer, NeuronSelector, TopKSAETransformer
from sklearn_sae.__main__ import main


class MiniLM:
    """Ready embeddings of known texts, with a note of each text asked for."""

    cache_key = "minilm"

    def __init__(self, texts, embeddings, log):
        self.vector = dict(zip(texts, embeddings, strict=True))
        self.row = {text: i for i, text in enumerate(self.vector)}
        self.log = log

    def __call__(self, texts):
        with self.log.open("a") as log:
            log.writelines(f"{self.row[text]}\n" for text in texts)
        return np.array([self.vector[text] for text in texts])


@pytest.mark.slow
def test_twenty_neurons_of_an_unsupervised_autoencoder_predict_the_stars(yelp, tmp_path):
    """M and K chosen inside each training fold; the peer reaches 0.40."""
    texts, stars, embeddings = yelp
    pipeline = Pipeline(
        [
            ("embed", EmbeddingTransformer(MiniLM(texts, embeddings, tmp_path / "asked"), cache_dir=tmp_path)),
            ("sae", TopKSAETransformer(random_state=0)),
            ("select", NeuronSelector(20)),
            ("model", LinearRegression()),
        ]
    )
    sizes = [(32, 8), (64, 4), (64, 8)]
    grid = [{"sae__n_components": [m], "sae__k": [k]} for m, k in sizes]
    search = GridSearchCV(pipeline, grid, scoring="r2", cv=3, n_jobs=2, error_score="raise")
    folds = KFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(search, texts, stars, cv=folds, scoring="r2", error_score="raise")
    assert scores.mean() >= 0.40
    asked = (tmp_path / "asked").read_text().split()
    assert len(asked) == len(set(asked)) == len(set(texts))


def test_keyword_hypotheses_found_offline_predict_the_stars(data_dir, tmp_path, capsys):
    """Twenty single words chosen by lasso reach 0.335 over five folds."""
    arguments = ["--text", "text", "--target", "target", "--output", str(tmp_path / "found.json")]
    assert main(["discover", str(data_dir / "yelp.jsonl"), *arguments]) == 0
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    scores = found["held_out_r2"]
    assert scores["these 20 hypotheses"] >= 0.28
    printed = capsys.readouterr().out
    for what, score in scores.items():
        assert f"{score:.2f} " in printed.partition("Held-out R²: ")[2], what
    assert len(found["hypotheses"]) == 20
