"""What a run is estimated to ask, beside what a server then receives."""

import pytest

from sklearn_sae.annotation.llm._cost import estimate
from sklearn_sae.annotation.llm._tokens import count_tokens

REVIEWS = {
    "English": "We waited for an hour and the soup was cold, visit number {}.",
    "Chinese": "我们等了一个小时,汤是凉的,服务员的态度也不好。第{}次来。",
    "Arabic": "انتظرنا ساعة كاملة وكان الحساء باردا. الزيارة رقم {}.",
}


def received(server):
    """Return how many requests a server has received, and about how many tokens."""
    bodies = [request["body"] for request in server.requests if request["method"] == "POST"]
    said = [message["content"] for body in bodies for message in body["messages"]]
    return len(bodies), sum(map(count_tokens, said))


@pytest.mark.parametrize("review", REVIEWS.values(), ids=REVIEWS)
@pytest.mark.parametrize("concepts_per_call", [1, 2])
def test_given_hypotheses(given, rule_server, review, concepts_per_call):
    texts = [review.format(i) * (1 + i % 4) for i in range(30)]
    given.set_params(concepts_per_call=concepts_per_call)
    cost = given.estimate_cost([*texts, *texts[:10]])  # equal texts are asked about once
    assert not rule_server.requests
    given.transform([*texts, *texts[:10]])
    n_requests, n_tokens = received(rule_server)
    assert cost["requests"] == n_requests == 60 // concepts_per_call
    assert cost["prompt_tokens"] == pytest.approx(n_tokens, rel=0.25)


def test_naming_scoring_and_annotating(annotator, rule_server, planted, tmp_path):
    annotator.set_params(cache_dir=tmp_path)
    cost = estimate(annotator, None, texts=planted.texts, n_neurons=4, fits_on_texts=True)
    annotator.fit(planted.texts)
    n_naming = received(rule_server)[0]
    scoring = annotator.estimate_cost(0, n_neurons=4)
    assert n_naming == scoring["requests"] == 4 + 4 * 6
    annotator.transform(planted.texts)
    n_requests, n_tokens = received(rule_server)
    assert cost["requests"] == n_requests == 4 + 4 * 120
    assert cost["prompt_tokens"] == pytest.approx(n_tokens, rel=0.25)
    assert annotator.estimate_cost(planted.texts, n_neurons=4)["requests"] == n_requests + 4 * 6  # of other texts


def test_long_texts_count_as_they_are_cut(given, rule_server):
    texts = [f"Visit {i}. " + "The soup was cold. " * 100 for i in range(10)]
    given.set_params(max_words=50)
    cost = given.estimate_cost(texts)
    with pytest.warns(UserWarning, match="are cut"):
        given.transform(texts)
    assert cost["prompt_tokens"] == pytest.approx(received(rule_server)[1], rel=0.25)
    assert given.set_params(max_words=None).estimate_cost(texts)["prompt_tokens"] > 2 * cost["prompt_tokens"]


def test_a_number_of_texts_is_english(given):
    texts = [REVIEWS["English"].format(i) for i in range(100)]
    counted = given.estimate_cost(100, words_per_text=12)
    assert given.estimate_cost(texts)["prompt_tokens"] == pytest.approx(counted["prompt_tokens"], rel=0.1)
    with pytest.raises(ValueError, match="words_per_text goes with a number of texts"):
        given.estimate_cost(texts, words_per_text=12)
    with pytest.raises(TypeError, match="str"):
        given.estimate_cost("a text")
    with pytest.raises(ValueError, match="empty"):
        given.estimate_cost(["a text", ""])
    assert given.estimate_cost(0)["requests"] == 0
