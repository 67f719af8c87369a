"""The command line: find and test hypotheses in a file of texts, or in planted data."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
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
from sklearn_sae._optional import require
from sklearn_sae._validation import check_target, check_target_varies, check_texts
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.evaluation._hypothesis_evaluation import numbers, pvalue, table_lines


def _read_parquet(path):
    require("pyarrow", extra="parquet", purpose="Reading a parquet file")
    return pd.read_parquet(path)


def _read_jsonl(path):
    with path.open(encoding="utf-8") as lines:
        return pd.DataFrame([json.loads(line) for line in lines if line.strip()])


def _read_tsv(path):
    return pd.read_csv(path, sep="\t")


_READERS = {
    ".csv": pd.read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        print(f"sklearn-sae: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sklearn-sae: interrupted; answers already paid for are in the cache", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="sklearn-sae", description=__import__("sklearn_sae").__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="discover hypotheses planted in made-up reviews (no network, no key)")
    demo.add_argument("--n-texts", type=_positive, default=2000, metavar="N", help="how many reviews (default 2000)")
    demo.set_defaults(run=_demo)

    discover = commands.add_parser("discover", help="discover what in the texts of a file predicts a column")
    discover.add_argument("file", type=Path, metavar="FILE", help="a .csv, .tsv, .jsonl or .parquet file")
    discover.add_argument("--text", required=True, metavar="COLUMN", help="the column of texts")
    discover.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    discover.add_argument("--classes", action="store_true", help="read a target of numbers as classes")
    discover.set_defaults(run=_discover)

    for command in (demo, discover):
        command.add_argument("-M", "--n-components", type=_size, default="auto", metavar="M", help="neurons")
        command.add_argument("-K", "--k", type=_size, default="auto", metavar="K", help="neurons active per text")
        command.add_argument(
            "--n-hypotheses", type=_positive, default=20, metavar="N", help="how many to find (default 20)"
        )
        command.add_argument(
            "--target-weight",
            type=float,
            default=1.0,
            metavar="W",
            help="how much training heeds the target; 0 ignores it (default 1)",
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
    discover.add_argument("--naming", choices=["keywords", "llm"], default="keywords", help="(default keywords)")
    llm = discover.add_argument_group("naming by an LLM", "the key is read from OPENAI_API_KEY")
    llm.add_argument("--interpreter", metavar="MODEL", help="names the neurons")
    llm.add_argument("--annotator", metavar="MODEL", help="says which texts a name fits")
    llm.add_argument("--base-url", metavar="URL", help="any OpenAI-compatible server")
    llm.add_argument("--instructions", metavar="TEXT", help="what the texts are, and what to look for in them")
    llm.add_argument("--max-requests", type=_positive, metavar="N", help="stop before sending more than N requests")
    return parser


def _positive(value):
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive whole number")
    return number


def _size(value):
    return value if value == "auto" else _positive(value)


def _share(value):
    number = float(value)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 1")
    return number


def _output(value):
    # Refused now, not after an hour of work.
    path = Path(value)
    if path.suffix.lower() not in (".csv", ".json"):
        raise argparse.ArgumentTypeError(f"{value} ends neither in .csv nor in .json")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist")
    return path


def _discover(arguments):
    texts, y = _read(arguments.file, arguments.text, arguments.target)
    texts = check_texts(texts, name=f"the column {arguments.text!r}")
    _run(texts, y.astype(str) if arguments.classes else y, arguments, name=arguments.target)


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


def _read(path, text, target):
    """Return the texts and the targets of a file, without the rows that lack either."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is not one of {', '.join(_READERS)}; convert it, or rename it to what it is.")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    try:
        table = reader(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from None
    for column in (text, target):
        if column not in table.columns:
            columns = ", ".join(map(repr, map(str, table.columns[:20])))
            raise ValueError(f"{path} has no column {column!r}; it has {columns}.")
    no_text = table[text].isna() | (table[text].astype(str).str.strip() == "")
    no_target = table[target].isna()
    if (no_text | no_target).any():
        print(
            f"Left out {(no_text | no_target).sum():,} of {len(table):,} rows: {no_text.sum():,} without a text, "
            f"{(no_target & ~no_text).sum():,} without a target.",
            file=sys.stderr,
        )
    table = table[~(no_text | no_target)]
    if table.empty:
        raise ValueError(f"{path} has no row with both a text and a target.")
    return table[text].tolist(), table[target].to_numpy()


def _split(texts, held_out, seed):
    """Return the rows to find hypotheses on and the rows to test them on; equal texts stay together."""
    if len(set(texts)) < 2:
        raise ValueError(f"found {len(set(texts))} distinct texts; at least 2 are needed to hold some out.")
    splitter = GroupShuffleSplit(1, test_size=held_out, random_state=seed)
    return next(splitter.split(texts, groups=pd.factorize(np.array(texts, dtype=object))[0]))


def _run(texts, y, arguments, *, name):
    """Find hypotheses on some rows, test them on the others, print and write what came out."""
    target = check_target(y, name=f"the target {name!r}")
    check_target_varies(target, name=f"the target {name!r}")
    texts = np.array(texts, dtype=object)
    train, test = _split(texts, arguments.held_out, arguments.seed)
    for rows, where in ((train, "found"), (test, "tested")):
        check_target_varies(check_target(y[rows]), name=f"the target {name!r}, where hypotheses are {where},")
    print(_describe(target, name, len(train), len(test)))

    pipeline = _pipeline(arguments)
    annotator = pipeline["hypotheses"]
    if arguments.naming == "llm":
        print("To be asked, at most:", annotator.estimate_cost(len(test)))
    pipeline.fit(texts[train], y[train])
    annotations = annotator.transform(texts[test])
    evaluation = evaluate_hypotheses(
        annotations, y[test], hypotheses=annotator.get_feature_names_out(), task=target.task
    )
    scores = {
        f"these {annotations.shape[1]} hypotheses": _held_out_score(pipeline[1:], annotations, y[test], target),
        f"{arguments.n_hypotheses} words chosen by lasso": _lasso_words_score(texts, y, train, test, target, arguments),
    }
    metric = "R2" if target.task == "regression" else "AUC"
    table = evaluation.table.merge(_fidelities(annotator), on="hypothesis")
    table = table.sort_values("separation_score", ascending=False, na_position="last", ignore_index=True)
    print()
    _print_table(table)
    for note in evaluation.notes:
        print(f"Note: {note}")
    print(
        f"{evaluation.metrics['n_significant']} of {len(table)} significant "
        f"({evaluation.correction}, p < {evaluation.metrics['threshold']:.2g})"
    )
    print(f"\nHeld-out {metric}, fitted on the {len(train):,} texts and scored on the other {len(test):,}:")
    for what, score in scores.items():
        print(f"  {score:6.3f}  {what}")
    if arguments.naming == "llm":
        print("Used:", ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in annotator.usage_.items()))
    if arguments.output is not None:
        _write(arguments.output, table, evaluation.metrics, {f"held_out_{metric.lower()}": scores})
        print(f"Written to {arguments.output}.")


def _describe(target, name, n_train, n_test):
    y = target.values
    if target.task == "regression":
        what = f"numbers from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.3g}"
    elif target.task == "binary":
        what = f"{target.classes[1]!s} (effects are on its share, {y.mean():.0%}) or {target.classes[0]!s}"
    else:
        what = f"{len(target.classes)} classes, each against the rest"
    return (
        f"{n_train + n_test:,} texts; the target {name!r} is {what}.\n"
        f"Hypotheses are found on {n_train:,} texts and tested on the other {n_test:,}."
    )


def _pipeline(arguments):
    naming = KeywordHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose)
    if arguments.naming == "llm":
        names = ("interpreter", "annotator", "base_url", "instructions", "max_requests")
        given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
        naming = LLMHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose, **given)
    embedder = None
    if arguments.embedder != "tfidf":
        embedder = EmbeddingTransformer(arguments.embedder, verbose=arguments.verbose)
    return make_hypothesis_pipeline(
        embedder,
        n_components=arguments.n_components,
        k=arguments.k,
        n_hypotheses=arguments.n_hypotheses,
        target_weight=arguments.target_weight,
        naming=naming,
        random_state=arguments.seed,
    )


def _held_out_score(model, X, y, target):
    """Return R², or the AUC averaged over the classes (of the positive one, if there are two)."""
    if target.task == "regression":
        return r2_score(y, model.predict(X))
    probabilities = model.predict_proba(X)
    if target.task == "binary":
        return roc_auc_score(y == target.classes[1], probabilities[:, 1])
    held_out = [(y == label, column) for label, column in zip(target.classes, probabilities.T, strict=True)]
    return np.mean([roc_auc_score(truth, column) for truth, column in held_out if 0 < truth.mean() < 1])


def _lasso_words_score(texts, y, train, test, target, arguments):
    """Score what is to be had without any of this: a few single words chosen by lasso."""
    words = CountVectorizer(binary=True, min_df=2)
    n_words = words.fit_transform(texts[train]).shape[1]
    model = make_pipeline(words, NeuronSelector(min(arguments.n_hypotheses, n_words)), AutoLinearModel())
    return _held_out_score(model.fit(texts[train], y[train]), texts[test], y[test], target)


def _fidelities(annotator):
    """Return what is known of each hypothesis from the texts it was found on."""
    found = annotator.hypotheses_.drop(columns="interpretation")
    return found.assign(hypothesis=annotator.get_feature_names_out())


def _print_table(table):
    found = set(table.loc[table["significant"], "regression_pvalue"])
    columns = {"class": table["class"].astype(str)} if "class" in table else {}
    columns |= {
        "effect": numbers(table["separation_score"]),
        "p": [f"{pvalue(p)} {'*' if p in found else ' '}" for p in table["regression_pvalue"]],
        "texts": [f"{share:.0%}" for share in table["prevalence"]],
        "fidelity": [f"{f1:.2f}" for f1 in table["fidelity_f1"]],
    }
    print(*table_lines(columns, table["hypothesis"], width=min(shutil.get_terminal_size().columns, 120)), sep="\n")
    print(
        "effect: mean target where the hypothesis holds, minus where it does not. p: of its coefficient beside all\n"
        "others; * significant. texts: share in which it holds. fidelity: F1 of the name against its neuron, on texts\n"
        "held back from the naming."
    )


def _write(path, table, metrics, scores):
    if path.suffix.lower() == ".csv":
        table.to_csv(path, index=False)
    else:
        metrics = json.loads(pd.Series(metrics, dtype=object).to_json())  # NaN to null, as in the table
        content = {"metrics": metrics, **scores, "hypotheses": json.loads(table.to_json(orient="records"))}
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
