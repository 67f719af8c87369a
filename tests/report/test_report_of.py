"""What a report says, against the results that it is made of."""

import copy
import dataclasses
import pickle
import re
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae import (
    EmbeddingTransformer,
    HypothesisEvaluation,
    LLMHypothesisAnnotator,
    PairTransformer,
    ReaderSAETransformer,
    discover,
    evaluate_hypotheses,
)
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._excerpt import marked
from sklearn_sae.report._markdown import markdown_of
from sklearn_sae.report._report_of import report_of_discovery, report_of_evaluation, what_is_shown
from sklearn_sae.utils._minilm import has_minilm

SMALL = {"n_components": 16, "k": 4, "n_hypotheses": 4, "random_state": 0}
NO_MARKS = {"sentence": ("", ""), "word": ("", "")}


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(500, n_concepts=6, noise=0.3, random_state=0)
    return pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})


def quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return discover(*args, **options)


@pytest.fixture(scope="module")
def found(reviews):
    return quiet(reviews["review"], reviews["stars"], **SMALL)


@pytest.fixture(scope="module")
def verdicts(reviews):
    y = pd.cut(reviews["stars"], [-9, 2, 4, 99], labels=["bad", "middling", "good"]).astype(str).rename("verdict")
    return quiet(reviews["review"], y, **SMALL)


def assert_true(report, evaluation, factor=1, joint_factor=1):
    """Each number of the report is that of the table, whatever the order."""
    table = evaluation.table
    names = [" ".join(name.split()) for name in table["hypothesis"]]
    for one in report.hypotheses:
        for effect in one.effects:
            rows = table[[name == one.name for name in names]]
            row = (rows[rows["class"].astype(str) == effect.of] if effect.of else rows).iloc[0]
            assert effect.own.value == pytest.approx(factor * row["separation_score"], nan_ok=True)
            limits = sorted(factor * row[f"separation_ci_{end}"] for end in ("low", "high"))
            assert effect.own[1:3] == pytest.approx(limits, nan_ok=True)
            assert effect.joint.value == pytest.approx(joint_factor * row["regression_coef"], nan_ok=True)
            limits = sorted(joint_factor * row[f"regression_ci_{end}"] for end in ("low", "high"))
            assert effect.joint[1:3] == pytest.approx(limits, nan_ok=True)
            assert effect.own[3:] == pytest.approx((row["pvalue"], row["significant"]), nan_ok=True)
            assert effect.joint[3:] == pytest.approx((row["joint_pvalue"], row["significant_jointly"]), nan_ok=True)
        assert one.n_holds / one.n_answered == pytest.approx(row["prevalence"], nan_ok=True)
    assert sum(len(one.effects) for one in report.hypotheses) == len(table)
    assert [one.number for one in report.hypotheses] == list(range(1, len(report.hypotheses) + 1))


def rows_of(one):
    return [example.row for examples in one.examples.values() for example in examples]


def text_of(example, side=0):
    return marked(example.excerpts[side], NO_MARKS)


def test_a_discovery(reviews, found):
    report = report_of_discovery(found)
    assert_true(report, found.evaluation)
    assert [score.value for score in report.scores] == [0, *found.scores.values()]
    assert (report.metric, report.unit, report.noun) == ("R²", "stars", "reviews")
    assert report.title == "What in 500 reviews predicts stars"
    fidelity = found.table.set_index("hypothesis")["fidelity_f1"]
    assert [one.fidelity for one in report.hypotheses] == fidelity[[one.name for one in report.hypotheses]].tolist()
    values = [one.effects[0].own.value for one in report.hypotheses]
    assert values == sorted(values, reverse=True)
    annotations = pd.DataFrame(found.evaluation.annotations, columns=found.evaluation.table["hypothesis"])
    expected = annotations[[one.name for one in report.hypotheses]].corr()
    np.testing.assert_allclose(report.correlations, expected, atol=1e-12)


def test_the_sentence_of_an_effect_can_be_quoted(found):
    for one in report_of_discovery(found).hypotheses:
        (effect,) = one.effects
        said = re.match(
            r"Reviews that say this have ([\d.]+) stars (more|fewer) "
            r"\(95% interval (.+) to (.+)\); (\d+) of 100 reviews do\.",
            effect.sentence,
        )
        size, way, low, high, n = said.groups()
        sign = 1 if way == "more" else -1
        assert sign * float(size) == pytest.approx(effect.own.value, abs=0.006)
        if effect.own.low * effect.own.high > 0:
            assert sorted([sign * float(low), sign * float(high)]) == pytest.approx(effect.own[1:3], abs=0.006)
        assert int(n) == one.n_holds
        assert ("may be chance" in effect.sentence) == (not effect.own.significant)
        assert not any(f"{n} of 100" in fact for fact in one.facts)  # said once


def test_the_answer_of_a_discovery(found):
    metrics = found.evaluation.metrics
    how_many, strongest, score = report_of_discovery(found).answer
    n = metrics["n_significant"]
    begin = "All 4 hypotheses hold" if n == 4 else f"Of 4 hypotheses, {n} hold{'s' * (n == 1)}"
    assert how_many.startswith(f"{begin} on reviews that they were not found on")
    assert f"{metrics['n_significant_jointly']} add" in how_many
    together, of_words = (f"{found.scores[name]:.0%}" for name in ("r2", "r2_words"))
    assert f"Together they predict {together} of the differences in stars" in score
    assert f"4 words alone predict {'as much' if of_words == together else of_words}" in score
    best = found.table.loc[found.table["separation_score"].abs().idxmax()]
    assert best["short"].replace('"', "'") in strongest


@pytest.mark.parametrize(
    ("of_words", "said"),
    [
        (0.19, "predict 19%."),
        (0.212, "predict as much."),
        (0.23, "predict 23%, which is more."),
        (-1, "predict nothing."),
        (0.003, "predict nothing."),
    ],
)
def test_the_answer_compares_what_it_shows_with_words(found, of_words, said):
    scored = dataclasses.replace(found, scores={**found.scores, "r2": 0.208, "r2_words": of_words})
    assert report_of_discovery(scored).answer[2].endswith(f"; 4 words alone {said}")


def test_examples_show_what_holds_and_what_does_not(reviews, found):
    report = report_of_discovery(found, texts="all")
    for one in report.hypotheses:
        annotation = found.evaluation.annotations[:, found.evaluation.table["hypothesis"].tolist().index(one.name)]
        holds = dict(zip(found.test.tolist(), annotation >= 0.5, strict=True))
        assert list(one.examples) == ["holds, high stars", "holds, low stars", "does not hold"]
        rows = rows_of(one)
        assert len(set(rows)) == 6
        for kind, examples in one.examples.items():
            for example in examples:
                assert holds[example.row] == (kind != "does not hold")
                assert text_of(example) == " ".join(reviews["review"][example.row].split())
                assert float(example.target) == reviews["stars"][example.row]
                parts = [part for stretch in example.excerpts[0].stretches for part in stretch if part.is_word]
                assert bool(parts) == holds[example.row]
                assert all(f'"{part.text.lower()}' in one.name or len(part.text) > 3 for part in parts)
        high, low = ([float(e.target) for e in one.examples[f"holds, {way} stars"]] for way in ("high", "low"))
        assert min(high) > reviews["stars"][found.test].mean() >= max(low)


def test_fragments_are_short_and_none_shows_no_text(reviews, found):
    fragments = report_of_discovery(found)
    excerpts = [e for one in fragments.hypotheses for some in one.examples.values() for x in some for e in x.excerpts]
    assert max(excerpt.n_shown for excerpt in excerpts) == 30
    assert re.fullmatch(r"shows up to 30 words of \d+ of the reviews held out\.", what_is_shown(fragments))
    none = report_of_discovery(found, texts="none")
    assert what_is_shown(none) == "shows no text."
    assert all(one.examples == {} for one in none.hypotheses)
    without = {"hypotheses": (), "correlations": 0, "texts": "", "marks": {}, "explained": ()}
    assert none._replace(**without) == fragments._replace(**without)
    assert not runs(markdown_of(none)) & runs(*reviews["review"])
    assert runs(markdown_of(fragments)) & runs(*reviews["review"])
    with pytest.raises(ValueError, match=r"^texts must be \"all\", \"fragments\" or \"none\"; got 'some'\.$"):
        report_of_discovery(found, texts="some")


def runs(*texts):
    """Return every run of four words."""
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    return {tuple(some[i : i + 4]) for some in words for i in range(len(some) - 3)}


@pytest.mark.parametrize("again", [lambda found: pickle.loads(pickle.dumps(found)), copy.copy, copy.deepcopy])
def test_no_pickle_and_no_copy_has_a_text(again, reviews, found):
    pickled = pickle.dumps(found)
    assert not any(text.encode() in pickled for text in reviews["review"])
    assert not any(text in repr(found) for text in reviews["review"])
    loaded = again(found)
    assert loaded.texts is None
    assert len(found.texts) == 100
    none = report_of_discovery(loaded, texts="none")
    assert markdown_of(none) == markdown_of(report_of_discovery(found, texts="none"))
    with pytest.raises(ValueError, match=r'^this discovery has no texts, because .*; pass texts="none"\.$'):
        report_of_discovery(loaded)


def test_three_classes(verdicts):
    report = report_of_discovery(verdicts)
    assert_true(report, verdicts.evaluation, factor=100)
    assert (report.metric, report.unit) == ("AUC", "points")
    y = verdicts.evaluation.target
    for one in report.hypotheses:
        holds = verdicts.evaluation.annotations[:, verdicts.evaluation.table["hypothesis"].tolist().index(one.name)] > 0
        for effect in one.effects:
            is_class = y.values == y.classes.tolist().index(effect.of)
            high, low = is_class[holds].mean(), is_class[~holds].mean()
            assert effect.sentence.startswith(
                f"{high:.0%} of the reviews that say this are “{effect.of}”, {low:.0%} of the others ("
            )
        for kind, examples in one.examples.items():
            if kind != "does not hold":
                assert {f"holds, “{example.target}”" for example in examples} == {kind}


def test_the_strongest_of_two_classes_may_be_the_same():
    y = pd.Series(np.repeat(["bad", "middling", "good"], 40), name="verdict")
    annotations = np.column_stack([y == "bad", np.arange(120) % 2 == 0]).astype(float)
    evaluation = evaluate_hypotheses(annotations, y, hypotheses=['mentions "cold"', 'mentions "table"'])
    how_many, strongest, _ = report_of_evaluation(evaluation).answer
    assert how_many.startswith("Of 2 hypotheses, 1 holds for one class or more on these texts, and ")
    assert re.search(r"^The strongest is “cold” .*; the strongest for another class is the same \(−", strongest)
    none = report_of_evaluation(evaluate_hypotheses(annotations[:, 1:], y)).answer[0]
    assert none == "The one hypothesis does not hold for any class on these texts."


def test_large_numbers_are_written_out(reviews):
    price = (1e5 + 3e4 * reviews["stars"]).rename("price")
    report = report_of_discovery(quiet(reviews["review"], price, **SMALL))
    said = markdown_of(report)
    assert not re.search(r"\de\+\d", said.partition("## How it was made")[0])
    assert f"numbers from {price.min():,.0f} to {price.max():,.0f}" in said
    assert re.search(r"Beside all the other hypotheses: [+−][\d,]+, 95% interval", said)


def test_a_target_that_texts_do_not_tell(reviews):
    y = pd.Series(np.random.default_rng(1).normal(size=len(reviews)), name="score")
    report = report_of_discovery(quiet(reviews["review"], y, **SMALL))
    assert not any(effect.own.significant for one in report.hypotheses for effect in one.effects)
    assert report.answer[0].startswith("None of 4 hypotheses holds on reviews that they were not found on")
    assert "may be chance (p = " in report.answer[1]
    assert "predict nothing of the differences in the score" in report.answer[2]


def test_an_ordinal_target_and_groups(reviews):
    scale = ["never", "rarely", "sometimes", "often", "always"]
    y = pd.cut(reviews["stars"], [-9, 1.5, 2.5, 3.5, 4.5, 99], labels=scale).astype(str).rename("returns")
    groups = pd.Series(np.arange(len(reviews)) // 4, name="author")
    found = quiet(reviews["review"], y, task="ordinal", groups=groups, **SMALL)
    report = report_of_discovery(found)
    assert_true(report, found.evaluation)
    assert report.unit == "places"
    assert all("on the scale from never to always" in one.effects[0].sentence for one in report.hypotheses)
    assert {x.target for one in report.hypotheses for some in one.examples.values() for x in some} <= set(scale)
    assert "texts of one group (author) were never on both sides" in report.methods
    assert "cluster-robust t-test (Cameron & Miller, 2015)" in report.methods
    assert "Welch" not in "".join([report.methods, *report.references, report.bibtex])


def test_pairs(reviews):
    """The text that has what sells wins, whatever the target calls that."""
    texts, stars = reviews["review"].to_numpy(), reviews["stars"].to_numpy()
    pairs = [(texts[i], texts[i + 250]) for i in range(250)]
    wins = stars[:250] > stars[250:]
    annotations = np.sign(stars[:250] - stars[250:]) * (np.arange(250) % 3 > 0)
    annotations[::9] *= -1
    for y, sign in ((np.where(wins, "first", "second"), 1), (wins.astype(int), 1)):
        evaluation = evaluate_hypotheses(annotations[:, None], y, hypotheses=["mentions what sells"])
        report = report_of_evaluation(evaluation, pairs)
        assert_true(report, evaluation, factor=100 * sign, joint_factor=sign)
        (one,) = report.hypotheses
        share = float(
            re.search(r"^Where only one of the two texts says this, it wins in ([\d.]+)%", one.effects[0].sentence)[1]
        )
        both = (wins[annotations > 0].mean() + 1 - wins[annotations < 0].mean()) / 2
        assert share == pytest.approx(100 * both, abs=0.51)
        assert list(one.examples) == ["holds for the first", "holds for the second", "alike in both"]
        for sign_of, kind in ((1, "holds for the first"), (-1, "holds for the second")):
            assert all(annotations[row] == sign_of for row in (example.row for example in one.examples[kind]))
        example = one.examples["alike in both"][0]
        assert [text_of(example, side).split()[0] for side in (0, 1)] == [
            text.split()[0] for text in pairs[example.row]
        ]
    lead = pd.Series(stars[:250] - stars[250:], name="lead")
    report = report_of_evaluation(evaluate_hypotheses(annotations[:, None], lead, hypotheses=["is better"]))
    assert re.match(
        r"Where only one of the two texts is so, it leads the other by [\d.]+ \(the lead\) ",
        report.hypotheses[0].effects[0].sentence,
    )
    with pytest.raises(ValueError, match=r"^the annotations are of pairs; pass pairs of texts, a row each\.$"):
        report_of_evaluation(evaluation, texts[:250])


def test_pairs_annotated_by_a_pair_transformer(reviews):
    texts, stars = reviews["review"].to_numpy(), reviews["stars"].to_numpy()
    pairs = list(zip(texts[:250], texts[250:], strict=True))
    encoder = quiet(reviews["review"], reviews["stars"], **SMALL).pipeline["hypotheses"]
    pair = PairTransformer(encoder).fit(pairs, stars[:250] > stars[250:])
    evaluation = evaluate_hypotheses(
        pair.transform(pairs), stars[:250] > stars[250:], hypotheses=pair.get_feature_names_out()
    )
    report = report_of_evaluation(evaluation, pairs, source=pair)
    assert report.marks == {"word": "what the name looks for"}
    assert not np.isnan([one.fidelity for one in report.hypotheses]).any()
    others = evaluate_hypotheses(pair.transform(pairs), stars[:250] > stars[250:])
    for source in (pair, CountVectorizer().fit(texts)):
        with pytest.raises(ValueError, match=r"^source must be the annotator whose hypotheses were evaluated"):
            report_of_evaluation(others, pairs, source=source)


@pytest.mark.parametrize(
    ("name", "noun"),
    [("review", "reviews"), ("Stories", "stories"), ("essay", "essays"), ("speech", "speeches"), ("x", "texts")],
)
def test_rows_are_called_by_their_column(name, noun):
    texts = pd.Series([f"Text {i}" for i in range(30)], name=name)
    evaluation = evaluate_hypotheses((np.arange(30) % 2)[:, None], np.arange(30.0))
    assert report_of_evaluation(evaluation, texts).noun == noun


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("stars", [1, 2, 5], "stars"),
        ("Star_Rating", [0, 3, 10], "stars"),
        ("rating", [0, 50, 100], "rating"),
        ("likes", [1, 2, 3], "likes"),
        ("n_retweets", [1, 2, 3], "retweets"),
        ("score", [1, 2, 3], "score"),
        ("bias", [1, 2, 3], "bias"),
        ("status", [1, 2, 3], "status"),
        ("bus", [1, 2, 3], "bus"),
        (None, [1, 2, 3], "target"),
    ],
)
def test_the_unit_is_told_by_the_name(name, values, unit):
    evaluation = evaluate_hypotheses((np.arange(30) % 2)[:, None], pd.Series(np.tile(values, 10), name=name))
    report = report_of_evaluation(evaluation)
    assert report.unit == unit
    assert report.target == (name or "target")


def test_an_evaluation_alone(reviews):
    planted = make_concept_texts(300, n_concepts=4, random_state=1)
    annotations = pd.DataFrame(planted.concepts, columns=planted.concept_names)
    y = pd.Series(np.where(planted.target > 3, "yes", "no"), name="recommended")
    evaluation = evaluate_hypotheses(annotations, y, correction="fdr_bh", robust=True, confidence=0.9)
    report = report_of_evaluation(evaluation, planted.data, max_words=12)
    assert_true(report, evaluation, factor=100)
    assert [score.value for score in report.scores] == [0.5, evaluation.metrics["auc_cv"]]
    n_add = evaluation.metrics["n_significant_jointly"]
    assert n_add > 1
    assert report.answer[0].endswith(f" on these texts, and {n_add} add to what all the others say.")
    assert "“recommended = yes”" in report.hypotheses[0].effects[0].sentence
    assert "90% interval" in report.hypotheses[0].effects[0].sentence
    for cited in ("Benjamini & Hochberg, 1995", "Long & Ervin, 2000", "Welch, 1947"):
        assert cited in report.methods
    assert "movva2025" not in report.bibtex
    assert (
        max(e.n_shown for one in report.hypotheses for some in one.examples.values() for x in some for e in x.excerpts)
        == 12
    )
    none = report_of_evaluation(evaluation)
    assert (none.texts, none.hypotheses[0].examples) == ("none", {})
    whole = report_of_evaluation(evaluation, planted.data, max_words=None)
    assert whole.texts == "all"
    with pytest.raises(ValueError, match=r"^texts has 5 rows, and 300 were annotated; pass the texts of these rows\.$"):
        report_of_evaluation(evaluation, planted.data[:5])
    with pytest.raises(ValueError, match=r"^max_words=0 must be an integer, at least 1, or None\.$"):
        report_of_evaluation(evaluation, planted.data, max_words=0)


def test_answers_that_are_missing_and_hypotheses_that_never_hold():
    rng = np.random.default_rng(0)
    annotations = rng.integers(0, 2, size=(60, 3)).astype(float)
    annotations[:, 2] = 0
    annotations[:10, 0] = np.nan
    annotations[5] = np.nan
    y = pd.Series(np.nan_to_num(annotations[:, 1]) + rng.normal(size=60), name="likes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        evaluation = evaluate_hypotheses(annotations, y, hypotheses=["is short", "is rude", "is never"])
    report = report_of_evaluation(evaluation, [f"Text number {i}." for i in range(60)])
    assert_true(report, evaluation)
    last = report.hypotheses[-1]
    assert last.name == "is never"
    assert last.effects[0].sentence == "It holds for none of the 59 texts, so there is nothing to compare."
    short = next(one for one in report.hypotheses if one.name == "is short")
    assert short.n_answered == 50
    assert "Texts for which this holds have" in short.effects[0].sentence
    assert "likes" in short.effects[0].sentence
    assert 5 not in rows_of(short)
    assert "nan" not in markdown_of(report)


def test_one_hypothesis():
    annotation = np.arange(60) % 2
    evaluation = evaluate_hypotheses(annotation[:, None], annotation + np.arange(60) / 100, hypotheses=["is odd"])
    report = report_of_evaluation(evaluation)
    assert report.answer[0] == "The one hypothesis holds on these texts."
    assert report.scores[1].label == "this hypothesis, cross-fitted"


def test_quotes(reviews):
    if not has_minilm():
        pytest.skip("needs the extra minilm")
    found = quiet(reviews["review"], reviews["stars"], naming="quotes", n_hypotheses=3, random_state=0)
    report = report_of_discovery(found, texts="all")
    assert_true(report, found.evaluation)
    assert report.marks == {"sentence": "the sentence that comes closest to the quotes"}
    for one in report.hypotheses:
        for kind, examples in one.examples.items():
            for example in examples:
                is_marked = [part.in_sentence for stretch in example.excerpts[0].stretches for part in stretch]
                assert any(is_marked) == kind.startswith("holds")
    assert "(Reimers & Gurevych, 2019; Wang et al., 2020)" in report.methods
    none = report_of_discovery(found, texts="none")
    assert none.notes[-1].startswith("No text is shown, but the names of the hypotheses are quotes")
    assert what_is_shown(none).endswith("but the names of the hypotheses are quotes, which are fragments of texts.")


def test_a_language_model(reviews, openai_server, monkeypatch):
    def reply(body):
        if body["model"] == "gpt-5.2":
            return f"mentions thing number {len(str(body))}"
        return "yes" if len(str(body)) % 2 else "no"

    openai_server.reply = reply
    naming = LLMHypothesisAnnotator(
        base_url=openai_server.base_url,
        instructions="These are secret reviews of restaurants in Vienna.",
        interpreter_params={"user": "top-secret"},
        n_scoring_examples=4,
        random_state=0,
    )
    found = quiet(reviews["review"][:120], reviews["stars"][:120], naming=naming, **SMALL)
    n_asked = len(openai_server.requests)
    report = report_of_discovery(found)
    assert len(openai_server.requests) == n_asked  # a report asks nobody
    assert_true(report, found.evaluation)
    assert "The language model gpt-5.2 named each neuron" in report.methods
    said = markdown_of(report)
    for secret in ("Vienna", "top-secret", "sk-test-0123456789"):
        assert secret not in said
    assert dict(report.parameters)["hypotheses__instructions"] == "set"
    assert set(report.marks) <= {"sentence"}


def test_a_reader(reviews, gpt2_reader):
    reader = ReaderSAETransformer(gpt2_reader, layer=2, overlap=8, sae_params={"max_epochs": 5})
    found = quiet(reviews["review"][:120], reviews["stars"][:120], reader=reader, n_hypotheses=3, random_state=0)
    report = report_of_discovery(found)
    assert_true(report, found.evaluation)
    assert "InterpEmbed (Jiang et al., 2025)" in report.methods
    assert any("arXiv:2512.10092" in one for one in report.references)
    assert gpt2_reader not in markdown_of(report)


def test_an_embedder_of_a_model(reviews, tiny_sentence_transformer):
    embedder = EmbeddingTransformer(tiny_sentence_transformer, cache_dir=None)
    found = quiet(reviews["review"][:120], reviews["stars"][:120], embedder=embedder, **SMALL)
    report = report_of_discovery(found)
    assert tiny_sentence_transformer not in markdown_of(report)
    assert "embedded by the model model (Reimers & Gurevych, 2019)" in report.methods


def test_bibtex_has_what_is_cited(found, verdicts):
    for one in (found, verdicts):
        report = report_of_discovery(one)
        keys = re.findall(r"^@\w+\{([a-z]+\d+),", report.bibtex, re.MULTILINE)
        cited = re.findall(r"([A-Z]\w+)(?: et al\.| & \w+)?, (\d{4})", report.methods)
        assert sorted(keys) == sorted({f"{name.lower()}{year}" for name, year in cited})
        assert len(report.references) == len(keys) + 1
        assert report.bibtex.count("{") == report.bibtex.count("}")


def test_the_name_of_a_class_may_be_markup():
    y = np.where(np.arange(80) % 2, "<b>*x*</b>", "a | b")
    evaluation = evaluate_hypotheses((np.arange(80) % 4 > 1)[:, None].astype(int), y, hypotheses=["`<script>` | *a*"])
    said = markdown_of(report_of_evaluation(evaluation, [f"Text {i}" for i in range(80)]))
    assert "<" not in said.split("```")[0]


def test_a_report_of_many_texts_is_made_soon():
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(2000)])
    texts = [" ".join(words[rng.integers(0, 2000, 60)]) + "." for _ in range(10_000)]
    names = [f'mentions "word{i}", "word{i + 1}" or "word{i + 2}"' for i in range(0, 150, 3)]
    annotations = np.array(
        [[any(f"{word} " in text for word in name.split('"')[1::2]) for name in names] for text in texts]
    )
    evaluation = evaluate_hypotheses(annotations.astype(float), rng.normal(size=10_000), hypotheses=names)
    start = time.perf_counter()
    report = report_of_evaluation(evaluation, texts)
    markdown_of(report)
    assert time.perf_counter() - start < 20  # 1.5 s where nothing else runs
    assert len(report.hypotheses) == 50


def test_an_evaluation_made_by_hand_has_no_report(found):
    evaluation = found.evaluation
    by_hand = HypothesisEvaluation(evaluation.table, evaluation.metrics, "regression", "holm", 0.05)
    with pytest.raises(ValueError, match="has no annotations and no target, so it was made by hand"):
        report_of_evaluation(by_hand)
