"""The command line: find and test hypotheses in a file of texts, or in planted data."""

import argparse
import json
import math
import os
import shutil
import sys
import warnings
from pathlib import Path
from textwrap import fill, wrap

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    __version__,
    evaluate_hypotheses,
    make_hypothesis_pipeline,
)
from sklearn_sae._auto_linear_model import AutoLinearModel
from sklearn_sae.cli._read import read_columns
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.evaluation._class_table import class_columns, class_lines
from sklearn_sae.sae._sizes import suggest_size
from sklearn_sae.utils._tables import numbers, percent, pvalue, table_lines
from sklearn_sae.utils._validation import check_target, check_target_varies, text_identity
from sklearn_sae.utils._words import TOKEN_PATTERN
from sklearn_sae.utils.server._openai import api_key, resolve_base_url

_LLM_OPTIONS = ("interpreter", "annotator", "base_url", "instructions", "concepts_per_call", "batch", "max_requests")
_FEW_TEXTS = 200


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to stop
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"Note: {message}", file=sys.stderr)
        try:
            arguments.run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read along, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
            print(f"sklearn-sae: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("sklearn-sae: interrupted; answers already paid for are in the cache", file=sys.stderr)
            return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="sklearn-sae", description="Find out, in plain language, what in a text predicts an outcome."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="discover hypotheses planted in made-up reviews (no network, no key)")
    demo.add_argument("--n-texts", type=_positive, default=4000, metavar="N", help="how many reviews (default 4000)")
    demo.set_defaults(run=_demo)

    discover = commands.add_parser("discover", help="discover what in the texts of a file predicts a column")
    discover.add_argument("file", type=Path, metavar="FILE", help="a .csv, .tsv, .jsonl or .parquet file")
    discover.add_argument("--text", required=True, metavar="COLUMN", help="the column of texts")
    discover.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    discover.add_argument("--classes", action="store_true", help="read a target of numbers as classes")
    discover.set_defaults(run=_discover)

    for command, n_hypotheses in ((demo, 10), (discover, 20)):
        command.add_argument("-M", "--n-components", type=_size, default="auto", metavar="M", help="neurons")
        command.add_argument("-K", "--k", type=_size, default="auto", metavar="K", help="neurons active per text")
        command.add_argument(
            "--n-hypotheses",
            type=_positive,
            default=n_hypotheses,
            metavar="N",
            help="how many (default %(default)s)",
        )
        command.add_argument(
            "--target-weight",
            type=_weight,
            default=0.2,
            metavar="W",
            help="how much training heeds the target; 0 ignores it (default %(default)s)",
        )
        command.add_argument(
            "--held-out", type=_share, default=0.2, metavar="SHARE", help="share of texts kept to test on (default 0.2)"
        )
        command.add_argument("--output", type=_output, metavar="FILE", help="write the table to a .csv or .json file")
        command.add_argument("--seed", type=int, default=0, metavar="N", help="(default 0)")
        command.add_argument("--verbose", action="store_true", help="show progress")
    discover.add_argument(
        "--embedder",
        default="tfidf",
        metavar="MODEL",
        help="tfidf (default, offline), a sentence-transformers id or path, or an OpenAI embedding model",
    )
    discover.add_argument("--embedder-url", metavar="URL", help="an OpenAI-compatible server that has the embedder")
    discover.add_argument("--naming", choices=["keywords", "llm"], default="keywords", help="(default keywords)")
    llm = discover.add_argument_group("with --naming llm", "the key is read from OPENAI_API_KEY")
    llm.add_argument("--interpreter", metavar="MODEL", help="names the neurons")
    llm.add_argument("--annotator", metavar="MODEL", help="says which texts a name fits")
    llm.add_argument("--base-url", metavar="URL", help="any OpenAI-compatible server")
    llm.add_argument("--instructions", metavar="TEXT", help="what the texts are, and what to look for in them")
    llm.add_argument(
        "--concepts-per-call", type=_positive, metavar="N", help="names asked about in one request (default 1)"
    )
    llm.add_argument(
        "--batch",
        action="store_true",
        default=None,
        help="through the provider's batch endpoint: half the price, up to a day a step",
    )
    llm.add_argument("--max-requests", type=_positive, metavar="N", help="stop before sending more than N requests")
    return parser


def _positive(value):
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive whole number")
    return int(value)


def _size(value):
    return value if value == "auto" else _positive(value)


def _weight(value):
    number = _number(value)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number from 0 on")
    return number


def _share(value):
    number = _number(value)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0 and 1")
    return number


def _number(value):
    try:
        return float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None


def _output(value):
    # Refused now, not after an hour of work.
    path = Path(value)
    if path.suffix.lower() not in (".csv", ".json"):
        raise argparse.ArgumentTypeError(f"{value} ends neither in .csv nor in .json")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{value} cannot be written")
    return path


def _discover(arguments):
    if arguments.naming != "llm":
        for name in _LLM_OPTIONS:
            if getattr(arguments, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for --naming llm.")
    texts, y = read_columns(arguments.file, arguments.text, arguments.target, classes=arguments.classes)
    _run(texts, y, arguments, name=arguments.target)


def _demo(arguments):
    reviews = make_concept_texts(arguments.n_texts, random_state=arguments.seed)
    print("Made-up restaurant reviews, for example:")
    for text in reviews.data[:2]:
        print("\n".join(wrap(text, 100, initial_indent="  “", subsequent_indent="   ")) + "”")
    print("Planted in them, with the effect of each on the score:")
    for effect, concept in sorted(zip(reviews.coef, reviews.concept_names, strict=True)):
        if effect:
            print(f"  {effect:+.2f}  {concept}")
    print()
    settings = argparse.Namespace(embedder="tfidf", naming="keywords", **vars(arguments))
    _run(reviews.data, reviews.target, settings, name="score")


def _run(texts, y, arguments, *, name):
    """Find hypotheses on some rows, test them on the others, print and write what came out."""
    target = _check_target(y, name)
    texts = np.array(texts, dtype=object)
    train, test = _split(texts, target, arguments.held_out, arguments.seed, name)
    print(_describe(target, name, len(train), len(test)))

    words_score = _lasso_words_score(texts, y, train, test, target, arguments)
    pipeline = _pipeline(arguments, len(train))
    annotator = pipeline["hypotheses"]
    if arguments.naming == "llm":
        api_key(resolve_base_url(arguments.base_url))  # if it is missing, say so before the work
        print(f"To be asked, if every reply can be read: {_counts(annotator.estimate_cost(len(texts)))}", flush=True)
    pipeline.fit(texts[train], y[train])
    annotations = annotator.transform(texts[test])
    names = annotator.get_feature_names_out()
    evaluation = evaluate_hypotheses(annotations, y[test], hypotheses=names, task=target.task)
    scores = {
        f"these {annotations.shape[1]} hypotheses": _held_out_score(pipeline[1:], annotations, y[test], target),
        f"{arguments.n_hypotheses} words chosen by lasso": words_score,
    }
    metric = "R2" if target.task == "regression" else "AUC"
    table = evaluation.table.merge(annotator.hypotheses_.assign(hypothesis=names), on="hypothesis")
    order = ["class", "separation_score"] if "class" in table else ["separation_score"]
    table = table.sort_values(order, ascending=[True, False][-len(order) :], ignore_index=True)
    if arguments.output is not None:
        _write(arguments.output, table, evaluation, {f"held_out_{metric.lower()}": scores})

    print()
    _print_table(table, evaluation.class_metrics)
    for note in evaluation.notes:
        print(fill(f"Note: {note}", min(shutil.get_terminal_size().columns, 120)))
    print(
        f"{evaluation.metrics['n_significant']} of {len(table)} significant "
        f"({evaluation.correction}, p < {evaluation.metrics['threshold']:.2g})"
    )
    print(f"\nHeld-out {metric}, fitted on the {len(train):,} texts and scored on the other {len(test):,}:")
    for what, score in scores.items():
        print(f"  {score:6.3f}  {what}")
    if arguments.naming == "llm":
        print(f"Used: {_counts(annotator.usage_)}")
    if arguments.output is not None:
        print(f"Written to {arguments.output}.")


def _check_target(y, name):
    target = check_target(y, name=f"the target {name!r}")
    check_target_varies(target, name=f"the target {name!r}")
    if target.classes is not None and len(target.classes) > max(2, len(y) / 5):
        raise ValueError(
            f"the target {name!r} has {len(target.classes):,} different values in {len(y):,} rows and they are not "
            "numbers; it must be a number or one of a few classes."
        )
    return target


def _split(texts, target, held_out, seed, name):
    """Return the rows to find hypotheses on and the rows to test them on.

    Copies of a text stay together; classes keep their shares.
    """
    alike = pd.factorize(np.array([text_identity(text) for text in texts], dtype=object))[0]
    first = np.unique(alike, return_index=True)[1]
    labels = None if target.classes is None else target.values[first]
    if labels is not None:
        counts = np.bincount(labels, minlength=len(target.classes))
        if counts.min() < 2:
            rare = target.classes[counts.argmin()]
            raise ValueError(f"the target {name!r} has fewer than 2 texts of class {rare!r}; leave such classes out.")
    n_test = math.ceil(held_out * len(first))
    least = 2 if labels is None else len(target.classes)
    if min(n_test, len(first) - n_test) < least:
        raise ValueError(
            f"{len(first)} different texts are too few to hold out a share of {held_out:g}: "
            f"both parts need at least {least}."
        )
    in_test = np.zeros(len(first), dtype=bool)
    in_test[train_test_split(np.arange(len(first)), test_size=n_test, stratify=labels, random_state=seed)[1]] = True
    train, test = np.flatnonzero(~in_test[alike]), np.flatnonzero(in_test[alike])
    for rows, what in ((train, "found"), (test, "tested")):
        part = target._replace(values=target.values[rows])
        check_target_varies(part, name=f"the target {name!r}, where hypotheses are {what},")
    return train, test


def _describe(target, name, n_train, n_test):
    y = target.values
    if target.task == "regression":
        what = f"numbers from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.3g}"
    elif target.task == "binary":
        what = f"{target.classes[1]!s} (effects are on its share, {y.mean():.0%}) or {target.classes[0]!s}"
    else:
        what = f"{len(target.classes)} classes, each against the rest"
    few = "\nThese are few: expect chance findings and an unsure score." if n_train + n_test < _FEW_TEXTS else ""
    return (
        f"{n_train + n_test:,} texts; the target {name!r} is {what}.\n"
        f"Hypotheses are found on {n_train:,} texts and tested on the other {n_test:,}.{few}"
    )


def _pipeline(arguments, n_texts):
    naming = KeywordHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose)
    if arguments.naming == "llm":
        given = {name: getattr(arguments, name) for name in _LLM_OPTIONS if getattr(arguments, name) is not None}
        naming = LLMHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose, **given)
    embedder = None
    if arguments.embedder != "tfidf":
        embedder = EmbeddingTransformer(arguments.embedder, base_url=arguments.embedder_url, verbose=arguments.verbose)
    n_components = arguments.n_components
    if n_components == "auto" and arguments.n_hypotheses > suggest_size(n_texts)[0]:
        n_components = arguments.n_hypotheses
    return make_hypothesis_pipeline(
        embedder,
        n_components=n_components,
        k=arguments.k,
        n_hypotheses=arguments.n_hypotheses,
        target_weight=arguments.target_weight,
        naming=naming,
        random_state=arguments.seed,
    )


def _held_out_score(model, X, y, target):
    """Return R², or the AUC averaged over the classes (of the positive one, if there are two)."""
    if target.task == "regression":
        return float(r2_score(y, model.predict(X)))
    probabilities = model.predict_proba(X)
    if target.task == "binary":
        return float(roc_auc_score(y == target.classes[1], probabilities[:, 1]))
    held_out = [(y == label, column) for label, column in zip(model.classes_, probabilities.T, strict=True)]
    return float(np.mean([roc_auc_score(truth, column) for truth, column in held_out if 0 < truth.mean() < 1]))


def _lasso_words_score(texts, y, train, test, target, arguments):
    """Score what is to be had without any of this: a few single words chosen by lasso."""
    words = CountVectorizer(binary=True, token_pattern=TOKEN_PATTERN)
    n_words = words.fit_transform(texts[train]).shape[1]
    model = make_pipeline(words, NeuronSelector(min(arguments.n_hypotheses, n_words)), AutoLinearModel())
    return _held_out_score(model.fit(texts[train], y[train]), texts[test], y[test], target)


def _counts(counts):
    return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items() if what != "price")


def _print_table(table, class_metrics):
    width = min(shutil.get_terminal_size().columns, 120)
    if class_metrics is not None:
        table = _by_best_class(table)
    texts = [percent(share, 0) for share in table["prevalence"]]
    fidelity = ["-" if np.isnan(f1) else f"{f1:.2f}" for f1 in table["fidelity_f1"]]
    if class_metrics is not None:
        more = {"texts": texts, "fidelity": fidelity}
        lines = class_lines(class_columns(table, class_metrics, more, names=("effect", "adds")), width=width)
        effect = "share of the class where the hypothesis holds, minus where it does not"
    else:
        stars = np.where(table["significant"], "*", " ")
        columns = [
            ("effect", numbers(table["separation_score"])),
            ("p", [pvalue(p) for p in table["separation_pvalue"]]),
            ("adds", numbers(table["regression_coef"])),
            ("p", [f"{pvalue(p)} {star}" for p, star in zip(table["regression_pvalue"], stars, strict=True)]),
            ("texts", texts),
            ("fidelity", fidelity),
        ]
        lines = table_lines(columns, table["hypothesis"], width=width)
        effect = "mean target where the hypothesis holds, minus where it does not, and its p-value"
    print(*lines, sep="\n")
    print(
        fill(
            f"effect: {effect}. adds: the same beside all other hypotheses at once (those that go together share it), "
            "in log-odds for classes; * significant. texts: share in which it holds. fidelity: F1 of the name against "
            "its neuron, on texts held back from the naming.",
            width,
        )
    )


def _by_best_class(table):
    """Return the table with the hypotheses that speak most for the first class first, then for the second..."""
    best = table.sort_values("separation_score", ascending=False, kind="stable").drop_duplicates("hypothesis")
    order = pd.Series(range(len(best)), index=best.sort_values("class", kind="stable")["hypothesis"])
    return table.sort_values("hypothesis", key=lambda names: names.map(order), kind="stable")


def _write(path, table, evaluation, scores):
    if path.suffix.lower() == ".csv":
        table.to_csv(path, index=False)
    else:
        metrics, classes = evaluation.metrics, evaluation.class_metrics
        content = {
            **scores,
            "joint_regression_in_sample": _jsonable({k: v for k, v in metrics.items() if not k.endswith("_cv")}),
            "joint_regression_cross_fitted": _jsonable({k: v for k, v in metrics.items() if k.endswith("_cv")}),
            **({} if classes is None else {"classes": _records(classes)}),
            "hypotheses": _records(table),
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _records(table):
    return json.loads(table.to_json(orient="records"))


def _jsonable(metrics):
    return json.loads(pd.Series(metrics, dtype=object).to_json())  # NaN to null


if __name__ == "__main__":
    sys.exit(main())
