"""Sentences that name parameters of Python, with the options of the command line instead."""

import re

_OPTIONS = {
    r'task="multiclass"': "--classes",
    r'task="ordinal"': "--ordinal",
    r"stop_words='(\w+)'": r"--language \1",
    r", \(y - y\.min\(\)\)\.dt\.days,|, y\.dt\.year|, in days say: y / pandas\.Timedelta\(days=1\)": "",
    r", after y = pandas\.to_datetime\(y[^)]*\)": "",
    r" \(In cross-validation .*\)": "",
    r"control_length=False": "--no-control-length",
    r"max_cost is for naming by a language model": "--max-cost is for --naming llm",
    r"max_cost needs prices, (.*); pass prices=\.": r"--max-cost needs prices, \1; pass --prices MODEL=P,C.",
    r"; ask=True asks the": "; --ask asks the",
    r"more than max_cost=": "more than --max-cost ",
    r'naming="quotes"': "--naming quotes",
    r"or pass embedder=, the name of another one or a transformer of texts to vectors": "or name another: --embedder",
    r"pass a model of many languages as embedder=": "name a model of many languages: --embedder",
    r"\b(its logarithm or ranks) may": r"\1 (--transform log1p or rank) may",
    r"cut numbers into ranges \(pandas\.cut\)": "cut numbers into ranges",
    r"pass periods, such as their months: by=pandas.*": "with the year first, --period month takes their months.",
    r"too large: n_neurons=(\d+) is": r"too large: \1 is",
    r"\bk=(?=\d)": "--k ",
    r"does not go with by;": "does not go with --by;",
    r"discover\(texts, y, offset=their out-of-fold predictions\)": "--offset with their out-of-fold predictions",
    r"\(offset\)": "(--offset)",
    r"^(by|groups|offset)(?= (has|have|holds|must|needs|and the|is for)\b)": r"--\1",
    r"^controls(?= (has|must)\b)": "--control",
    r"raise timeout, or check": "check",
    r"try a smaller min_df, fewer stop_words or another tokenizer": "see whether --text names the column of the texts",
    r"pass another cache_dir(, or None to do without)?": "name another folder in SKLEARN_SAE_CACHE_DIR",
}

# Names that are no words of a sentence. An option stands in their place wherever they are no value in quotes.
_NAMES = {
    "n_seeds": "--seeds",
    "residual_rounds": "--residual-rounds",
    "n_hypotheses": "--n-hypotheses",
    "n_components": "--n-components",
    "target_weight": "--target-weight",
    "sample_weight": "--weight",
    "test_size": "--held-out",
    "random_state": "--seed",
    "target_class": "--class",
    "max_requests": "--max-requests",
    "concepts_per_call": "--concepts-per-call",
    "base_url": "--base-url or --embedder-url",
    "api_key_env": "--api-key-env or --embedder-key-env",
}
_NAME = re.compile(rf"(?<![\w'\"./-])({'|'.join(_NAMES)})(?![\w'\"])(=?)")


def in_options(sentence):
    """Return a sentence with options in the place of parameters.

    Parameters
    ----------
    sentence : str

    Examples
    --------
    >>> in_options('y has 3 values (0, 1, 2) and counts as a number; for classes pass task="multiclass".')
    'y has 3 values (0, 1, 2) and counts as a number; for classes pass --classes.'
    >>> in_options("k=9 is larger than n_components=8; a row has at most so many active neurons.")
    '--k 9 is larger than --n-components 8; a row has at most so many active neurons.'
    """
    for parameter, option in _OPTIONS.items():
        sentence = re.sub(parameter, option, sentence)
    return _NAME.sub(lambda found: _NAMES[found[1]] + " " * len(found[2]), sentence)
