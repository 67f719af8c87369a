"""The commands and the exit status."""

import os
import shutil
import sys
import warnings
from textwrap import wrap

import pandas as pd

from sklearn_sae import EmbeddingTransformer, KeywordHypothesisAnnotator, LLMHypothesisAnnotator
from sklearn_sae._discover import carry_out, plan_discovery
from sklearn_sae._discovery import findings
from sklearn_sae.cli._arguments import make_parser
from sklearn_sae.cli._read import read_columns
from sklearn_sae.cli._write import write
from sklearn_sae.datasets import make_concept_texts

_LLM_OPTIONS = ("interpreter", "annotator", "base_url", "instructions", "concepts_per_call", "batch", "max_requests")


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = make_parser().parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # for terminals that lack a character
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"Note: {message}", file=sys.stderr)
        try:
            {"demo": _demo, "discover": _discover}[arguments.command](arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # A reader such as `head` has closed the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
            print(f"sklearn-sae: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("sklearn-sae: interrupted; answers already paid for are in the cache", file=sys.stderr)
            return 130
    return 0


def _discover(arguments):
    if arguments.naming != "llm":
        for name in _LLM_OPTIONS:
            if getattr(arguments, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for --naming llm.")
    texts, y = read_columns(arguments.file, arguments.text, arguments.target, classes=arguments.classes)
    embedder = None
    if arguments.embedder != "tfidf":
        embedder = EmbeddingTransformer(arguments.embedder, base_url=arguments.embedder_url, verbose=arguments.verbose)
    naming = _keywords(arguments)
    if arguments.naming == "llm":
        given = {name: getattr(arguments, name) for name in _LLM_OPTIONS if getattr(arguments, name) is not None}
        naming = LLMHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose, **given)
    _run(texts, pd.Series(y, name=arguments.target, dtype=y.dtype), arguments, embedder=embedder, naming=naming)


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
    y = pd.Series(reviews.target, name="score")
    _run(reviews.data, y, arguments, embedder=None, naming=_keywords(arguments))


def _keywords(arguments):
    return KeywordHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose)


def _run(texts, y, arguments, *, embedder, naming):
    """Say what will be done, do it, and print and write what came out."""
    plan = plan_discovery(
        texts,
        y,
        embedder=embedder,
        n_components=arguments.n_components,
        k=arguments.k,
        n_hypotheses=arguments.n_hypotheses,
        target_weight=arguments.target_weight,
        naming=naming,
        test_size=arguments.held_out,
        random_state=arguments.seed,
    )
    print(plan.description)
    annotator = plan.pipeline["hypotheses"]
    asks = isinstance(annotator, LLMHypothesisAnnotator)
    if asks:
        print(f"To be asked, if every reply can be read: {_counts(annotator.estimate_cost(len(texts)))}", flush=True)
    discovery = carry_out(plan)
    if arguments.output is not None:
        write(discovery, arguments.output)
    print(f"\n{findings(discovery, min(shutil.get_terminal_size().columns, 120))}")
    if asks:
        print(f"Used: {_counts(annotator.usage_)}")
    if arguments.output is not None:
        print(f"Written to {arguments.output}.")


def _counts(counts):
    return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items() if what != "price")
