"""The arguments of the command line."""

import argparse

from sklearn_sae import __version__
from sklearn_sae.cli._values import (
    PERIODS,
    encoding,
    file,
    language,
    positive,
    prices,
    report_file,
    share,
    size,
    table_file,
    table_file_or_folder,
    weight,
    whole,
)

_KINDS = ".csv, .tsv, .json, .jsonl (these also as .gz), .xlsx or .parquet file; - reads standard input"

_KEY = "OpenAI gets the key that is in OPENAI_API_KEY, and another server the one that --api-key-env names"


def make_parser():
    """Return the parser of the command line; what it parses has the name of the command as `command`."""
    parser = argparse.ArgumentParser(
        prog="sklearn-sae", description="Find out, in plain language, what in a text predicts an outcome."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        usage="sklearn-sae demo [options]",
        help="discover hypotheses planted in made-up reviews (no network, no key)",
        description="Make up reviews, print what was planted in them, and discover it. Needs no network and no key.",
    )
    _add_demo(demo)
    discover = commands.add_parser(
        "discover",
        usage="sklearn-sae discover FILE --text COLUMN --target COLUMN [options]",
        help="discover what in the texts of a file predicts a column",
        description="Discover what in the texts of a file predicts one of its columns, and test it on texts held out.",
    )
    _add_discover(discover)
    apply = commands.add_parser(
        "apply",
        usage="sklearn-sae apply MODEL FILE... --text COLUMN [options]",
        help="annotate new texts, and predict, with a model that discover saved",
        description=(
            "Annotate new texts with the hypotheses of a model that `discover --save` wrote, and predict. Writes the "
            "rows of FILE with one more column for each hypothesis, and one for the prediction. Several parquet files, "
            "a folder of them or a pattern give as many in the folder of --output; those that are finished are not "
            "done again."
        ),
    )
    _add_apply(apply)
    explain = commands.add_parser(
        "explain",
        usage="sklearn-sae explain MODEL TEXT [options]",
        help="say why a model that discover saved predicts what it predicts for a text",
        description="Print which hypotheses hold for a text, what each adds to the prediction, and what makes it hold.",
    )
    _add_explain(explain)
    _add_cache(commands)
    return parser


def _add_demo(parser):
    parser.add_argument(
        "--n-texts", type=positive, default=4000, metavar="N", help="how many reviews (default %(default)s)"
    )
    _add_hypotheses(parser.add_argument_group("hypotheses"), n_hypotheses=10)
    _add_test(parser.add_argument_group("test"))
    _add_output(parser.add_argument_group("output"))


def _add_discover(parser):
    also = "; or a folder of .parquet files, which need not fit in memory"
    _add_file(parser, "the column of texts, or of the first texts of pairs", also=also)
    parser.add_argument("--text-b", metavar="COLUMN", help="of pairs, the column of the second texts")
    parser.add_argument("--prompt", metavar="COLUMN", help="of pairs, the column of what both texts answer")
    parser.add_argument(
        "--target", required=True, metavar="COLUMN", help="the column to predict; of pairs, which one wins"
    )

    target = parser.add_argument_group(
        "how the target is read", "by default, what all spells numbers is numbers, and all else is classes"
    )
    kind = target.add_mutually_exclusive_group()
    kind.add_argument(
        "--classes",
        dest="task",
        action="store_const",
        const="multiclass",
        default="auto",
        help="numbers are names of classes",
    )
    kind.add_argument(
        "--ordinal",
        dest="task",
        action="store_const",
        const="ordinal",
        help="classes are places on a scale, from never to always say, and count as 1, 2, ...",
    )
    kind.add_argument(
        "--transform", choices=["log1p", "rank"], help="predict log(1 + number), or its rank from 0 to 1, instead"
    )

    hypotheses = parser.add_argument_group("hypotheses")
    _add_hypotheses(hypotheses, n_hypotheses="auto")
    hypotheses.add_argument(
        "--residual-rounds",
        type=whole,
        default=0,
        metavar="N",
        help="further rounds, each for what the hypotheses before leave of the target (default %(default)s)",
    )
    hypotheses.add_argument(
        "--embedder",
        metavar="MODEL",
        help="tfidf (default, offline; with --naming quotes all-MiniLM-L6-v2 of the extra minilm), a "
        "sentence-transformers id or path, or an OpenAI embedding model",
    )
    hypotheses.add_argument("--embedder-url", metavar="URL", help="an OpenAI-compatible server that has the embedder")
    hypotheses.add_argument(
        "--embedder-key-env", metavar="VARIABLE", help="the environment variable that holds the key of --embedder-url"
    )
    hypotheses.add_argument(
        "--reader",
        metavar="MODEL",
        help="in place of an embedder: train on words in context, as a model reads them: all-MiniLM-L6-v2 (the extra "
        "minilm), or an id or path",
    )
    hypotheses.add_argument(
        "--unit",
        choices=["auto", "document", "sentence"],
        default="auto",
        help="what is embedded (default %(default)s: sentences, with a sentence model and texts of several)",
    )
    hypotheses.add_argument(
        "--naming",
        choices=["keywords", "quotes", "llm"],
        default="keywords",
        help="(default %(default)s); quotes are fragments of the texts, and need a sentence model",
    )
    hypotheses.add_argument(
        "--language",
        type=language,
        metavar="LANG",
        help="of the texts, whose function words are no keywords (default english)",
    )

    llm = parser.add_argument_group("with --naming llm", _KEY)
    llm.add_argument("--interpreter", metavar="MODEL", help="names the neurons")
    llm.add_argument("--annotator", metavar="MODEL", help="says which texts a name fits")
    llm.add_argument("--base-url", metavar="URL", help="any OpenAI-compatible server")
    _add_server(llm)
    _add_key(llm)
    llm.add_argument("--instructions", metavar="TEXT", help="what the texts are, and what to look for in them")
    llm.add_argument(
        "--concepts-per-call", type=positive, metavar="N", help="names asked about in one request (default 1)"
    )
    llm.add_argument(
        "--batch",
        action="store_true",
        default=None,
        help="through the provider's batch endpoint: half the price, up to a day a step",
    )
    llm.add_argument("--max-requests", type=positive, metavar="N", help="stop before sending more than N requests")
    llm.add_argument(
        "--prices",
        type=prices,
        action="append",
        metavar="MODEL=P,C",
        help="dollars for a million prompt tokens and for a million completion tokens; may be given again",
    )
    llm.add_argument(
        "--max-cost",
        type=weight,
        metavar="DOLLARS",
        help="do not begin what shall cost more (needs --prices)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be done and asked; ask, train and write nothing"
    )

    test = parser.add_argument_group("test")
    _add_test(test)
    test.add_argument(
        "--groups",
        metavar="COLUMN",
        help="what rows have in common (author, thread, product): never on both sides of the split, and heeded by "
        "the tests",
    )
    test.add_argument(
        "--control",
        action="append",
        default=[],
        metavar="COLUMN",
        help="what else may explain the target (length, topic, age): effects are found and tested beyond "
        "it; may be given several times",
    )
    test.add_argument(
        "--control-length",
        action=argparse.BooleanOptionalAction,
        default="auto",
        help="the length of the text, too, or the difference in length of a pair (default: of pairs)",
    )
    test.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="find hypotheses with N seeds, and say in how many of the others each comes back",
    )
    test.add_argument("--weight", metavar="COLUMN", help="how much each row counts, as in a survey")
    test.add_argument(
        "--by",
        metavar="COLUMN",
        help="subgroups (region, party): look also for what holds in one of them only, and test where effects differ",
    )
    test.add_argument(
        "--period",
        choices=list(PERIODS),
        help="take the dates of --by as periods, and test whether effects change over time",
    )
    test.add_argument(
        "--offset",
        metavar="COLUMN",
        help="out-of-fold predictions of a model of yours (of two classes the probability of the second): find and "
        "test what it misses",
    )
    _add_output(parser.add_argument_group("output"))


def _add_apply(parser):
    parser.add_argument("model", metavar="MODEL", help="a file that `discover --save` wrote")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help=f"a {_KINDS}; or parquet files, a folder of them or 'in/*.parquet'"
    )
    _add_text(parser)
    parser.add_argument(
        "--output",
        type=table_file_or_folder,
        metavar="FILE",
        help="a .csv, .json or .xlsx file, or the folder for several results; without it, csv to standard output",
    )
    _add_asked(parser)


def _add_explain(parser):
    parser.add_argument("model", metavar="MODEL", help="a file that `discover --save` wrote")
    parser.add_argument("text", metavar="TEXT", help="the text; - reads standard input")
    parser.add_argument(
        "--class", dest="label", metavar="CLASS", help="the class to explain (default: of two the second)"
    )
    _add_asked(parser).add_argument("--ask", action="store_true", help="ask it; without, only stored answers are taken")


def _add_asked(parser):
    parser.add_argument("--verbose", action="store_true", help="show progress also where that is no terminal")
    llm = parser.add_argument_group("if a language model annotates", _KEY)
    llm.add_argument("--base-url", metavar="URL", help="the OpenAI-compatible server to ask")
    _add_server(llm)
    _add_key(llm)
    llm.add_argument("--max-requests", type=positive, metavar="N", help="stop before sending more than N requests")
    return llm


def _add_cache(commands):
    cache = commands.add_parser(
        "cache",
        usage="sklearn-sae cache info|prune [options]",
        help="say what the store of answers and embeddings holds, or remove some of it",
        description="Say what the store on disk holds (answers, embeddings, activations), or remove some of it.",
    )
    actions = cache.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    info = actions.add_parser("info", help="where it is, how large, of which models and from when")
    prune = actions.add_parser(
        "prune",
        help="remove some of it and give the room back to the disk",
        description="Remove what --model and --older-than say (of both: what is both), after it was printed. With "
        "--max-size, of that only the oldest, until the files are at most so large.",
    )
    prune.add_argument("--model", metavar="NAME", help="only what is of this model, as `cache info` names it")
    prune.add_argument("--older-than", type=weight, metavar="DAYS", help="only what was written before")
    prune.add_argument("--max-size", type=weight, metavar="MB", help="only the oldest, until so much is left")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    for action in (info, prune):
        action.add_argument(
            "--cache-dir",
            default="auto",
            metavar="DIR",
            help="the folder (by default that of SKLEARN_SAE_CACHE_DIR, or the user's cache folder)",
        )
        action.set_defaults(verbose=False)


def _add_server(group):
    group.add_argument(
        "--server",
        choices=("transformers", "vllm", "llama.cpp"),
        help="start this server here, of models that are folders, files or names on the Hugging Face hub",
    )


def _add_key(group):
    group.add_argument("--api-key-env", metavar="VARIABLE", help="the environment variable that holds the key")


def _add_file(parser, text="the column of texts", also=""):
    parser.add_argument("file", metavar="FILE", help=f"a {_KINDS}{also}")
    _add_text(parser, text)


def _add_text(parser, text="the column of texts"):
    parser.add_argument("--text", required=True, metavar="COLUMN", help=text)
    parser.add_argument(
        "--encoding", type=encoding, metavar="E", help="of the characters in FILE, such as cp1252; told or guessed"
    )


def _add_hypotheses(group, *, n_hypotheses):
    group.add_argument(
        "--n-hypotheses",
        type=size,
        default=n_hypotheses,
        metavar="N",
        help="how many (default %(default)s: 20, or fewer where few texts test them)"
        if n_hypotheses == "auto"
        else "how many (default %(default)s)",
    )
    group.add_argument(
        "-M",
        "--n-components",
        type=size,
        default="auto",
        metavar="M",
        help="neurons of the autoencoder (by default, by the number of texts)",
    )
    group.add_argument("-K", "--k", type=size, default="auto", metavar="K", help="neurons active per text")
    group.add_argument(
        "--target-weight",
        type=weight,
        default=0.2,
        metavar="W",
        help="how much training heeds the target; 0 ignores it (default %(default)s)",
    )


def _add_test(group):
    group.add_argument(
        "--held-out",
        type=share,
        default=0.2,
        metavar="SHARE",
        help="share of texts kept to test on (default %(default)s)",
    )
    group.add_argument(
        "--alpha", type=share, default=0.05, metavar="A", help="level of significance (default %(default)s)"
    )
    group.add_argument(
        "--correction",
        choices=["bonferroni", "holm", "fdr_bh"],
        default="bonferroni",
        help="for testing many hypotheses (default %(default)s)",
    )


def _add_output(group):
    group.add_argument(
        "--wide", action="store_true", help="print also p-values, what each hypothesis adds to the others, and fidelity"
    )
    group.add_argument("--full", action="store_true", help="print all that --wide does, all names whole, and all notes")
    group.add_argument(
        "--output", type=table_file, metavar="FILE", help="write the table to a .csv, .json or .xlsx file"
    )
    group.add_argument(
        "--report",
        type=report_file,
        metavar="FILE",
        help="write what one hands on, with example texts: a .html page, .md or .xlsx",
    )
    group.add_argument(
        "--report-texts",
        choices=["all", "fragments", "none"],
        help="what the report shows of the texts: all of a few, some 30 words around what tells (default), or none",
    )
    group.add_argument("--save", type=file, metavar="MODEL", help="keep the model in a file, for `sklearn-sae apply`")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default %(default)s)")
    group.add_argument("--verbose", action="store_true", help="show progress also where that is no terminal")
