"""From texts to tested hypotheses with nothing but a server: embeddings, names and annotations all come from it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from sklearn_sae import (
    EmbeddingTransformer,
    LLMHypothesisAnnotator,
    TopKSAETransformer,
    evaluate_hypotheses,
    make_hypothesis_pipeline,
)


@pytest.fixture
def pipeline(rule_server):
    return make_hypothesis_pipeline(
        EmbeddingTransformer("text-embedding-3-small", base_url=rule_server.base_url),
        unit="document",
        n_components=16,
        k=4,
        n_hypotheses=6,
        naming=LLMHypothesisAnnotator(
            base_url=rule_server.base_url, n_scoring_examples=20, concepts_per_call=6, random_state=0
        ),
        random_state=0,
    )


def test_texts_to_tested_hypotheses(pipeline, rule_server, planted):
    rule_server.embedding_dim = 32
    unseen, _, y_unseen = planted.make(80, seed=1)
    pipeline.fit(planted.texts, planted.y)
    assert pipeline.score(unseen, y_unseen) > 0.5
    annotator = pipeline["hypotheses"]
    result = evaluate_hypotheses(annotator.transform(unseen), y_unseen, hypotheses=annotator.get_feature_names_out())
    found = set(result.table.loc[result.table["significant_jointly"], "hypothesis"])
    assert any("rude" in name for name in found)
    assert {request["path"] for request in rule_server.requests} == {"/v1/embeddings", "/v1/chat/completions"}


def test_a_search_pays_for_nothing_twice(pipeline, rule_server, planted):
    scores = [
        cross_validate(clone(pipeline), planted.texts, planted.y, cv=2, scoring="r2", error_score="raise")["test_score"]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)
    embedded = [text for r in rule_server.requests if "embeddings" in r["path"] for text in r["body"]["input"]]
    assert len(embedded) == len(set(embedded)) == len(planted.texts)
    asked = [str(r["body"]) for r in rule_server.requests if "chat" in r["path"]]
    assert len(asked) == len(set(asked))


def test_the_responses_protocol(pipeline, rule_server, planted):
    pipeline.set_params(hypotheses__api="responses", hypotheses__encoder__sae=TopKSAETransformer(8, 2, random_state=0))
    pipeline.fit(planted.texts[:60], planted.y[:60])
    assert {request["path"] for request in rule_server.requests} == {"/v1/embeddings", "/v1/responses"}
