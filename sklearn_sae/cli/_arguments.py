"""The arguments of the command line."""

import argparse
import math
import os
from pathlib import Path

from sklearn_sae import __version__


def make_parser():
    """Return the parser of the command line; what it parses has the name of the command as `command`."""
    parser = argparse.ArgumentParser(
        prog="sklearn-sae", description="Find out, in plain language, what in a text predicts an outcome."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="discover hypotheses planted in made-up reviews (no network, no key)")
    demo.add_argument("--n-texts", type=_positive, default=4000, metavar="N", help="how many reviews (default 4000)")

    discover = commands.add_parser("discover", help="discover what in the texts of a file predicts a column")
    discover.add_argument("file", type=Path, metavar="FILE", help="a .csv, .tsv, .jsonl or .parquet file")
    discover.add_argument("--text", required=True, metavar="COLUMN", help="the column of texts")
    discover.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    discover.add_argument("--classes", action="store_true", help="read a target of numbers as classes")

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
    # A file that cannot be written is refused before the work and not after it.
    path = Path(value)
    if path.suffix.lower() not in (".csv", ".json"):
        raise argparse.ArgumentTypeError(f"{value} ends neither in .csv nor in .json")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{value} cannot be written")
    return path
