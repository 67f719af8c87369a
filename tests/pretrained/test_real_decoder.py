"""A real decoder, SmolLM2-135M-Instruct, as the reader of an autoencoder that is trained here, and of a loaded one."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_sae import PretrainedSAETransformer, ReaderSAETransformer

pytestmark = pytest.mark.slow

FOOTBALL = [
    "The striker scored {} before half time.",
    "Arsenal lost {} to nil away from home.",
    "The goalkeeper saved {} late penalties.",
    "The referee showed {} red cards in the second half.",
]
FOOD = [
    "We ordered {} pizzas and a salad.",
    "The soup came with {} slices of bread.",
    "I had {} pancakes with maple syrup.",
    "Dessert was {} scoops of ice cream.",
]
COUNTS = ["two", "three", "four", "five"]
TEXTS = [sentence.format(count) for sentence in FOOTBALL + FOOD for count in COUNTS]
IS_FOOD = np.repeat([0, 1], len(TEXTS) // 2)


@pytest.fixture(scope="module")
def read(smollm2, tmp_path_factory):
    """The fitted transformer."""
    reader = ReaderSAETransformer(smollm2, n_components=32, k=4, cache_dir=None, random_state=0)
    return reader.fit(TEXTS)


def test_latents_tell_what_sentences_are_about(read):
    """A sentence of the other half is of a pattern that the model of the latents has not seen."""
    latents = read.transform(TEXTS).toarray()
    seen = np.repeat(np.arange(8) % 2 == 0, len(COUNTS))
    model = LogisticRegression().fit(latents[seen], IS_FOOD[seen])
    assert roc_auc_score(IS_FOOD[~seen], model.decision_function(latents[~seen])) > 0.8
    (table,) = read.token_activations(TEXTS[:1], int(latents[0].argmax()))
    assert table["activation"].max() == pytest.approx(latents[0].max(), rel=1e-4)


def test_what_saelens_would_load_reads_the_same_model(read, smollm2, tmp_path):
    pytest.importorskip("sae_lens", reason="sae-lens is not installed")
    read.to_saelens(tmp_path / "sae")
    loaded = PretrainedSAETransformer(tmp_path / "sae", model=smollm2, cache_dir=None).fit(TEXTS)
    latents = loaded.transform(TEXTS)
    assert latents.shape == (len(TEXTS), 32)
    seen = np.repeat(np.arange(8) % 2 == 0, len(COUNTS))
    model = LogisticRegression().fit(latents[seen], IS_FOOD[seen])
    assert roc_auc_score(IS_FOOD[~seen], model.decision_function(latents[~seen])) > 0.8
