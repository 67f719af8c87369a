import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import wcwidth
from scipy import sparse
from sklearn import config_context
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    PretrainedSAETransformer,
    ReaderSAETransformer,
    TopKSAETransformer,
    discover,
    make_hypothesis_pipeline,
    show_neurons,
)
from sklearn_sae._persistence import load_model, save_model
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._as_text import text_of

WORDS = ["cold", "rude"]
ATTACKS = [
    "<script>alert(1)</script> The soup was cold.",
    "</td></div><img src=x onerror=alert(1)> cold & \"quoted\" 'single' &amp;",
    "الحساء بارد جدا cold اليوم",
    "寒い 😀 cold 👩‍👩‍👧 スープ",
    "line\nbreaks\tand \x1b[31mescapes\x1b[0m \x00 cold",
    "turned \u202eround cold",
    "No such thing.",
    "Nothing at all.",
]


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(400, n_concepts=4, random_state=0)


@pytest.fixture(scope="module")
def counts():
    """One neuron for each word; its activation is how often the word stands in the text."""
    return CountVectorizer(vocabulary=WORDS, dtype=np.float32)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.RandomState(0)
    fillers = ["We came on Monday.", "Table six.", "Dinner for two.", "It rained all day.", "My second visit."]
    out = []
    for i in range(60):
        parts = list(rng.choice(fillers, 3))
        parts += ["The soup was cold."] * (i % 3 == 0) + ["A rude, rude waiter."] * (i % 4 == 0)
        out.append(f"{' '.join(rng.permutation(parts))} Visit number {i}.")
    return out


def rows(view, kind, place=0):
    return [shown.row for shown in view.neurons[place].groups[kind]]


def assert_whole(view):
    """No line is too wide at any usual width, and nothing of what is shown at one width is missing at another."""
    said = {width: text_of(view, width) for width in (80, 100)}
    for width, text in said.items():
        assert max(wcwidth.width(line) for line in text.splitlines()) <= width
        for neuron in view.neurons:
            assert "".join(neuron.name.split()) in "".join(text.split())
    assert said[80].split() == said[100].split()


def test_rows_are_those_that_are_said(texts):
    activations = np.zeros((60, 2))
    activations[:20, 0] = np.arange(20) + 1
    view = show_neurons(activations, texts, n=2)
    assert rows(view, "most active") == [19, 18]
    assert rows(view, "strong, upper quartile") == [14, 13]
    assert all(row >= 20 for row in rows(view, "not active"))
    assert view.neurons[0].facts == ("active in 20 of 60 texts (33%)",)
    assert list(view.neurons[1].groups) == ["not active"]
    assert_whole(view)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix, pd.DataFrame])
def test_ready_activations(counts, texts, container):
    activations = container(counts.transform(texts).toarray())
    view = show_neurons(activations, texts, n=2)
    assert {neuron.name for neuron in view.neurons} == {"neuron 0", "neuron 1"} or container is pd.DataFrame
    assert not view.marked
    same = show_neurons(counts, texts, n=2)
    assert [neuron.column for neuron in view.neurons] == [neuron.column for neuron in same.neurons]
    assert rows(view, "active") == rows(same, "active")


def test_names_of_a_frame(counts, texts):
    activations = pd.DataFrame(counts.transform(texts).toarray(), columns=WORDS)
    assert {neuron.name for neuron in show_neurons(activations, texts).neurons} == set(WORDS)


def test_the_sentence_that_activates_is_marked_and_kept(counts, texts):
    long = [f"{text} {'And so on and so forth. ' * 40}" for text in texts]
    for view in (show_neurons(counts, long, n=1, neurons=[0]), show_neurons(ChunkTransformer(counts).fit(long), long)):
        (shown,) = view.neurons[0].groups["active"][:1]
        (one,) = shown.excerpts
        assert [part.text for parts in one.stretches for part in parts if part.in_sentence] == ["The soup was cold."]
        assert (one.n_shown, one.n_words) == (50, len(long[shown.row].split()))
    assert f"(50 of {one.n_words} words)" in text_of(view, 1000)
    assert "<<The soup was cold.>>" in text_of(view, 1000)
    assert "<mark>The soup was cold.</mark>" in view._repr_html_()


@pytest.mark.parametrize("y", ["numbers", "two", "three"])
def test_effects(counts, texts, y):
    has = counts.transform(texts).toarray()[:, 0] > 0
    target = {
        "numbers": pd.Series(np.where(has, np.arange(60) % 2, 4.0), name="stars"),
        "two": np.where(has, "bad", "good"),
        "three": np.where(has, "bad", np.where(np.arange(60) % 2, "good", "fair")),
    }[y]
    expected = {
        "numbers": "mean stars 0.5 where active, 4 elsewhere (-3.5)",
        "two": "y is good in 0% where active, 100% elsewhere (-100 points)",
        "three": "y is bad in 100% where active, 0% elsewhere (+100 points)",
    }[y]
    view = show_neurons(counts, texts, target, n=1)
    assert view.neurons[0].column == 0  # the strongest effect first
    assert expected in view.neurons[0].facts
    assert re.search("row [0-9]+, stars [01]: " if y == "numbers" else "row [0-9]+, y bad: ", str(view))


def test_any_source_of_the_same_annotator_shows_the_same(reviews):
    pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0).fit(reviews.data, reviews.target)
    view = show_neurons(pipeline, reviews.data, reviews.target)
    names = pipeline["hypotheses"].get_feature_names_out()
    assert {neuron.name for neuron in view.neurons} == set(names)
    assert view.marked == ["sentence", "word"]
    assert all(re.search(r"F1 of the name 0\.\d\d", " ".join(neuron.facts)) for neuron in view.neurons)
    assert_whole(view)
    for source in (pipeline["hypotheses"], FrozenEstimator(pipeline)):
        assert str(show_neurons(source, reviews.data, reviews.target)) == str(view)
    search = GridSearchCV(pipeline, {"model": [LinearRegression(), Ridge()]}, cv=2).fit(reviews.data, reviews.target)
    assert len(show_neurons(search, reviews.data).neurons) == 3
    scored = show_neurons(pipeline, reviews.data)
    assert all("selection score" in " ".join(neuron.facts) for neuron in scored.neurons)


def test_of_a_discovery(reviews):
    found = discover(reviews.data, reviews.target, n_hypotheses=3, random_state=0)
    assert str(show_neurons(found, reviews.data)) == str(show_neurons(found.pipeline, reviews.data))


def test_a_model_that_was_loaded_shows_what_it_annotates(reviews, tmp_path):
    pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0).fit(reviews.data, reviews.target)
    save_model(pipeline, tmp_path / "model.json", {})
    loaded, _ = load_model(tmp_path / "model.json")
    view = show_neurons(loaded, reviews.data)
    holds = pipeline["hypotheses"].transform(reviews.data)
    assert len(view.neurons) == holds.shape[1]
    for neuron in view.neurons:
        assert neuron.facts[0].startswith(f"active in {holds[:, neuron.column].sum():.0f} of 400 texts")
    assert view.marked == ["word"]


def test_words_of_the_name_are_marked_in_all_texts(counts, texts):
    annotator = KeywordHypothesisAnnotator(counts, random_state=0).fit(texts)
    view = show_neurons(annotator, ["RUDE staff, said Rudeness.", "Nothing.", "cold, rude!"], neurons=[1])
    assert "*RUDE* staff, said Rudeness." in str(view)
    assert "cold, *rude*!" in str(view)


def test_a_short_name_is_the_title_of_a_long_one(counts, texts):
    annotator = KeywordHypothesisAnnotator(counts, random_state=0).fit(texts)
    assert '[0] mentions "cold"\n    active' in str(show_neurons(annotator, texts, n=1))
    long = "complains of the soup, the bread, the coffee and all the other things that were cold"
    annotator.hypotheses_["interpretation"] = [long, 'mentions "rude"']
    annotator.hypotheses_["short"] = ["cold things", "rude staff"]
    view = show_neurons(annotator, texts, n=1)
    assert f"[0] cold things\n    {long[:40]}" in str(view)
    assert f'<span class="name">cold things</span></summary><p>{long}</p>' in view._repr_html_()


def test_ready_embeddings(reviews):
    embed = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=0))
    embeddings = embed.fit_transform(reviews.data)
    encoder = make_pipeline(TopKSAETransformer(32, 4, random_state=0), NeuronSelector(3))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0)
    annotator.fit(embeddings, reviews.target, texts=reviews.data)
    with config_context(enable_metadata_routing=True):
        straight = make_pipeline(*(step for _, step in encoder.steps), KeywordHypothesisAnnotator(random_state=0))
        straight.fit(embeddings, reviews.target, texts=reviews.data)
    view = show_neurons(annotator, reviews.data, X=embeddings)
    assert str(show_neurons(straight, reviews.data, X=embeddings)) == str(view)
    facts = [" · ".join(neuron.facts) for neuron in view.neurons]
    assert all("selection score" in line and "topksaetransformer" in line for line in facts)
    assert view.marked == ["word"]
    unnamed = show_neurons(encoder.fit(embeddings, reviews.target), reviews.data, X=embeddings)
    assert [neuron.name for neuron in unnamed.neurons] == [neuron.feature for neuron in view.neurons]
    with pytest.raises(ValueError, match="X is missing"):
        show_neurons(straight[-1], reviews.data)


def test_pairs(counts):
    pairs = [
        ("The soup was cold. We left.", "It was fine."),
        ("Good.", "It was wet. A rude man. A day."),
        ("One.", "Two."),
    ] * 5
    pairs = [(f"{a} No {i}.", f"{b} No {i}.") for i, (a, b) in enumerate(pairs)]
    y = pd.Series([1, -1, 0] * 5, name="lead")
    annotator = KeywordHypothesisAnnotator(counts, random_state=0)
    for source in (PairTransformer(annotator).fit(pairs, y), PairTransformer(counts).fit(pairs, y)):
        for form in (pairs, np.array(pairs), pd.DataFrame(pairs)):
            view = show_neurons(source, form, y, neurons=[0, 1], n=2)
            assert rows(view, "stronger in the first", 0) == [0, 3]
            assert rows(view, "stronger in the second", 1) == [1, 4]
            assert rows(view, "alike in both", 0)
            assert "more in the first of 5 pairs, in the second of 0, of 15" in view.neurons[0].facts
            marked = [re.sub(r"\*", "", one) for one in re.findall("<<(.*?)>>", text_of(view, 1000))]
            assert set(marked) - {"sentence"} == {"The soup was cold.", "A rude man."}
    ready = sparse.csr_array(PairTransformer(counts).fit(pairs).transform(pairs))
    assert rows(show_neurons(ready, pairs, neurons=[0], n=2), "stronger in the first") == [0, 3]
    assert 'first: </span><bdi dir="auto">' in view._repr_html_()


def test_pairs_say_what_the_target_does(counts):
    pairs = [("cold one", "a"), ("b", "cold two"), ("c", "cold three"), ("cold four", "d")]
    pairs = [(f"{a} {i}", f"{b} {i}") for i, (a, b) in enumerate(pairs)]
    view = show_neurons(PairTransformer(counts).fit(pairs), pairs, [1, 0, 0, 1], neurons=[0])
    assert "y is 1 in 100% where the first has more, 0% where the second has (+100 points)" in view.neurons[0].facts


def test_an_annotator_in_chunks(counts, texts):
    chunks = ChunkTransformer(KeywordHypothesisAnnotator(counts, random_state=0), max_words=10).fit(texts)
    view = show_neurons(chunks, texts, neurons=[0], n=2)
    assert view.neurons[0].name == 'mentions "cold"'
    assert "<<The soup was *cold*.>>" in str(view)


@pytest.mark.parametrize("kind", ["trained", "published"])
def test_words_on_which_a_reader_is_active_are_marked(texts, gpt2_reader, make_goodfire_file, kind):
    if kind == "trained":
        reader = ReaderSAETransformer(gpt2_reader, n_components=8, k=1, random_state=0).fit(texts)
    else:
        sae = make_goodfire_file(32, name="tiny-l2.pt")
        reader = PretrainedSAETransformer(sae, model=gpt2_reader, feature_labels={0: "cold food"}).fit(texts)
    view = show_neurons(reader, texts, neurons=1, n=1, max_words=None)
    neuron = view.neurons[0]
    shown = neuron.groups["most active"][0]
    table = reader.token_activations(texts[shown.row], neuron.column)
    tokens = "".join(table["token"][table["activation"] > 0])
    parts = [part for parts in shown.excerpts[0].stretches for part in parts]
    assert "".join(tokens.split()) == "".join("".join(part.text for part in parts if part.is_word).split())
    assert view.marked == ["word"]
    assert "what the neuron is active on" in " ".join(str(view).split())
    again = show_neurons(make_pipeline(reader, SelectKBest(k=1)).fit(texts, np.arange(60) % 2), texts, n=1)
    assert again.marked == ["word"]


def test_hypotheses_of_a_person(openai_server):
    openai_server.reply = lambda body: "Yes" if "soup was cold" in str(body) else "No"
    own = LLMHypothesisAnnotator(hypotheses=["complains of low temperature"], base_url=openai_server.base_url)
    view = show_neurons(own, ["The soup was cold.", "It was hot.", "Nice."])
    assert rows(view, "active") == [0]
    assert view.neurons[0].name == "complains of low temperature"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.open = set(), []

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_texts_are_text(counts):
    view = show_neurons(counts, ATTACKS, pd.Series(range(8), name="<b>y</b>"), n=6)
    html = view._repr_html_()
    tags = Tags()
    tags.feed(html)
    assert not tags.open
    assert not tags.seen & {"script", "img", "td", "src", "onerror", "table"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "http" not in html  # nothing is loaded
    for said in (str(view), html):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", said)
        assert "الحساء بارد" in said
        assert "👩‍👩‍👧" in said
    assert_whole(view)


def test_names_are_text():
    activations = pd.DataFrame({"<i>soup</i>": [1.0, 0.0]})
    view = show_neurons(activations, ["One text.", "Another text."])
    assert "<i>" not in view._repr_html_()


def test_copies_are_shown_once(counts):
    view = show_neurons(counts, ["A cold soup.", "a cold  SOUP.", "cold", "Fine.", "fine. "], neurons=[0])
    assert rows(view, "active") == [0, 2]
    assert rows(view, "not active") == [3]
    assert view.neurons[0].facts[0] == "active in 3 of 5 texts (60%)"


def test_annotations_without_an_answer_are_neither(texts):
    view = show_neurons(np.array([[1.0], [np.nan], [0.0]]), texts[:3])
    assert (rows(view, "active"), rows(view, "not active")) == ([0], [2])
    assert view.neurons[0].facts == ("active in 1 of 2 texts (50%)",)


def test_which_neurons(texts):
    activations = sparse.random_array((60, 30), density=0.2, rng=np.random.default_rng(0))
    assert len(show_neurons(activations, texts).neurons) == 20
    assert len(show_neurons(activations, texts, neurons="all").neurons) == 30
    assert [neuron.column for neuron in show_neurons(activations, texts, neurons=[7, 3]).neurons] == [7, 3]
    counts = np.diff(activations.tocsc().indptr)
    assert show_neurons(activations, texts, neurons=1).neurons[0].column == counts.argmax()
    y = activations.toarray()[:, 4] > 0
    assert show_neurons(activations, texts, y, neurons=1).neurons[0].column == 4


def test_named_neurons_without_effects(counts, texts):
    annotator = KeywordHypothesisAnnotator(counts, random_state=0).fit(texts)
    assert [neuron.column for neuron in show_neurons(annotator, texts).neurons] == [0, 1]
    rude = ["A rude man.", "Rude again.", "A cold day.", "Nothing."]
    assert [neuron.column for neuron in show_neurons(annotator, rude, neurons=1).neurons] == [1]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"n": 0}, ValueError, "n=0 must be"),
        ({"max_words": 0}, ValueError, "max_words=0 must be"),
        ({"neurons": "some"}, ValueError, 'neurons must be "all"'),
        ({"neurons": 0}, ValueError, "neurons=0 must be"),
        ({"neurons": [2]}, ValueError, "outside 0 to 1"),
        ({"texts": ["one", ""]}, ValueError, "texts has an empty text in row 1"),
        ({"texts": "one"}, TypeError, "texts is a single string"),
        ({"texts": ["one"]}, ValueError, "inconsistent numbers of samples"),
        ({"texts": [("one", "two"), ("one", None)]}, ValueError, "column 1 of texts has a missing text"),
        ({"y": [1]}, ValueError, "1 value for 2 rows"),
        ({"source": np.array([[np.inf], [1]])}, ValueError, "infinity"),
        ({"X": np.eye(2)}, ValueError, "here source is an array"),
        ({"source": KeywordHypothesisAnnotator(CountVectorizer())}, NotFittedError, "not fitted"),
        ({"source": KeywordHypothesisAnnotator()}, NotFittedError, "not fitted"),
        ({"source": make_pipeline(CountVectorizer(), SelectKBest(f_regression))}, NotFittedError, "not fitted"),
    ],
)
def test_what_is_wrong_is_said(change, kind, message):
    arguments = {"source": np.eye(2), "texts": ["one", "two"], **change}
    with pytest.raises(kind, match=message):
        show_neurons(**arguments)


@pytest.mark.parametrize(("classes", "said"), [([1.0, 4.0], "y is 4 in"), ([True, False], "y is True in")])
def test_classes_that_are_no_text(counts, texts, classes, said):
    y = np.where(np.arange(60) % 2, *classes)
    assert said in show_neurons(counts, texts, y).neurons[0].facts[1]


def test_real_reviews(yelp):
    texts, stars, embeddings = yelp
    encoder = make_pipeline(TopKSAETransformer(64, 4, random_state=0), NeuronSelector(20))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(embeddings, stars, texts=texts)
    view = show_neurons(annotator, texts, stars, X=embeddings)
    assert len(view.neurons) == 20
    assert_whole(view)
    most = view.neurons[0]
    assert sum(map(len, most.groups.values())) == 9
