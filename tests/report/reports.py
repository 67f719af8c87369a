"""Makes reports by hand, so that a page can be looked at without fitting anything."""

import re

import numpy as np

from sklearn_sae.report._content import Effect, Estimate, Example, Hypothesis, Report, Score
from sklearn_sae.report._excerpt import Marks, excerpt

_WORDS = [
    "soup",
    "friendly",
    "noisy",
    "cold",
    "birthday",
    "waiter",
    "refund",
    "again",
    "parking",
    "terrace",
    "garlic",
    "rude",
    "manager",
    "bread",
    "playlist",
    "children",
    "early",
    "overpriced",
    "tender",
    "lukewarm",
    "window",
    "queue",
    "dessert",
    "fork",
    "neighbours",
    "sauce",
]
_TEXT = "We sat outside for an hour. The {} was what we remember, and the {} too. It rained all day, but never mind."


def make_report(
    n=12,
    classes=(),
    *,
    pairs=False,
    names=None,
    texts=None,
    n_examples=2,
    scale=1.0,
    max_words=50,
    shown="all",
    **changes,
):
    """Return a `Report`.

    Parameters
    ----------
    n : int
        Hypotheses.
    classes : sequence of str
        None: a target of numbers; two: effects on the second; more: effects on each.
    names, texts : sequence of str, default=None
        What to take in turn in place of names and texts that are made up.
    changes
        Of the fields of the report.
    """
    rng = np.random.default_rng(0)
    correlations = np.corrcoef(rng.normal(size=(n, 30)) + np.repeat(rng.normal(size=(-(-n // 3), 30)), 3, axis=0)[:n])
    metric = "AUC" if classes else "R²"
    fields = {
        "title": "What in 2,000 reviews predicts stars",
        "question": (
            "The file yelp.jsonl has 2,000 rows; the text is in “text” and the target, stars, in “target”.",
            "Hypotheses were found on 1,600 reviews and tested on the other 400.",
        ),
        "answer": (
            f"Of {n} hypotheses, 6 hold on reviews that they were not found on, and 4 add to what all the others say.",
            "The strongest is “mentions soup” (+1.03 stars).",
            "Together they predict 33% of the differences in stars; 12 words alone predict 25%.",
        ),
        "metric": metric,
        "scores": tuple(
            Score(label, value / (1 if not classes else 2) + (0.5 if classes else 0), of)
            for label, value, of in (
                ("nothing", 0.0, "nothing"),
                ("12 words chosen by lasso", 0.246, "words"),
                (f"these {n} hypotheses", 0.329, "hypotheses"),
                ("58 words, as many as the names have", 0.441, "as many words"),
                ("the embedding (ridge regression)", 0.467, "embedding"),
            )
        ),
        "unit": "points" if classes else "stars",
        "confidence": 0.95,
        "level": "An effect is called significant where its p-value, times the number of hypotheses, is below 0.05.",
        "hypotheses": tuple(
            _hypothesis(i, n, classes, pairs, names, texts, n_examples, scale, max_words, rng) for i in range(n)
        ),
        "correlations": np.atleast_2d(correlations),
        "notes": ("Two names were passed over because they say nearly the same as another.",),
        "parameters": tuple((name, "auto") for name in ("n_components", "k", "naming", "random_state", "test_size")),
        "versions": (("python", "3.13.1"), ("sklearn-sae", "0.1.0"), ("scikit-learn", "1.9.1")),
        "methods": "Hypotheses were found with sparse autoencoders (Movva et al., 2025) on 1,600 of 2,000 reviews.",
        "references": ("Movva et al. (2025). Sparse autoencoders for hypothesis generation. https://arxiv.org/abs/1",),
        "bibtex": "@article{movva2025,\n  title = {Sparse Autoencoders for Hypothesis Generation}\n}",
        "texts": shown,
        "marks": {"sentence": "a sentence that tells", "word": "what the name looks for"},
        "noun": "pairs" if pairs else "reviews",
        "target": "class" if classes else "stars",
    }
    return Report(**{**fields, **changes})


def _hypothesis(i, n, classes, pairs, names, texts, n_examples, scale, max_words, rng):
    words = [_WORDS[(7 * i + j) % len(_WORDS)] for j in range(1 + i % 8)]
    name = "mentions " + " or ".join(f'"{word}"' for word in words) if names is None else names[i % len(names)]
    holds = int(rng.integers(3, 200))
    of = ("",) if len(classes) < 3 else classes
    kinds = ("holds for the first", "holds for the second") if pairs else ("holds, high", "holds, low", "does not hold")
    kinds = tuple(f"holds, “{one}”" for one in classes) if len(classes) > 2 else kinds
    examples = {
        kind: tuple(
            _example(5 * i + j, words, texts, pairs, max_words) for j in range(k * n_examples, (k + 1) * n_examples)
        )
        for k, kind in enumerate(kinds)
        if n_examples
    }
    return Hypothesis(
        number=i + 1,
        name=name,
        short=name if len(name) < 60 else name[:50] + " …",
        effects=tuple(
            Effect(
                one,
                _estimate(rng, scale * (20 if classes else 1), holds),
                _estimate(rng, 0.7 * scale, holds),
                f"Reviews that say this have 1.3 stars fewer (95% interval 1.0 to 1.6); {holds} of 400 do.",
            )
            for one in of
        ),
        n_holds=holds,
        n_answered=400,
        fidelity=float(rng.uniform(0.4, 1)),
        facts=("Beside all the other hypotheses: +0.4 stars.", "It goes together with hypothesis 3 (+0.31)."),
        examples=examples,
    )


def _estimate(rng, scale, n_holds):
    value, half = scale * rng.normal(), 6 * scale / np.sqrt(n_holds) * rng.uniform(0.5, 1)
    significant = bool(abs(value) > 1.4 * half)
    pvalue = float(10 ** (-1.3 * (value / half) ** 2))
    return Estimate(float(value), float(value - half), float(value + half), pvalue, significant)


def _example(row, words, texts, pairs, max_words):
    return Example(
        row,
        str(1 + row % 5),
        tuple(
            _excerpt(
                _TEXT.format(words[0], words[-1]) if texts is None else texts[(row + side) % len(texts)],
                words,
                max_words,
            )
            for side in range(1 + pairs)
        ),
    )


def _excerpt(text, words, max_words):
    sentence = re.search(r"[^.]+\.", text[1:])
    spans = tuple(match.span() for word in words for match in re.finditer(word, text))
    return excerpt(
        text, Marks(() if sentence is None else ((1 + sentence.start(), 1 + sentence.end()),), spans), max_words
    )
