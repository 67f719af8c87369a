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
    r"^by has (\d+ value)": r"--by has \1",
    r"cut numbers into ranges \(pandas\.cut\)": "cut numbers into ranges",
    r'naming="quotes"': "--naming quotes",
    r"or pass embedder=, the name of another one or a transformer of texts to vectors": "or name another: --embedder",
    r"pass a model of many languages as embedder=": "name a model of many languages: --embedder",
    r"\b(its logarithm or ranks) may": r"\1 (--transform log1p or rank) may",
}


def in_options(sentence):
    """Return a sentence with options in the place of parameters.

    Parameters
    ----------
    sentence : str

    Examples
    --------
    >>> in_options('y has 3 values (0, 1, 2) and counts as a number; for classes pass task="multiclass".')
    'y has 3 values (0, 1, 2) and counts as a number; for classes pass --classes.'
    """
    for parameter, option in _OPTIONS.items():
        sentence = re.sub(parameter, option, sentence)
    return sentence
