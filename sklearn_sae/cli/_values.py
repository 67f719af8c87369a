"""What options of the command line may hold: from what was typed to a value, or a sentence on why not."""

import argparse
import codecs
import difflib
import math
import os
from importlib.util import find_spec
from pathlib import Path

PERIODS = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}  # as pandas calls them


def positive(value):
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive whole number")
    return int(value)


def whole(value):
    return 0 if value == "0" else positive(value)


def size(value):
    return value if value == "auto" else positive(value)


def weight(value):
    given = number(value)
    if not 0 <= given < math.inf:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number from 0 on")
    return given


def prices(value):
    model, _, pair = value.rpartition("=")
    numbers = pair.split(",")
    if not model or len(numbers) != 2:
        raise argparse.ArgumentTypeError(f"{value!r} is not of the form MODEL=P,C, such as gpt-5-mini=0.25,2")
    return model, tuple(map(weight, numbers))


def share(value):
    given = number(value)
    if not 0 < given < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0 and 1")
    return given


def number(value):
    try:
        return float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None


def encoding(value):
    try:
        "".encode(value)  # `codecs.lookup` also knows what is no encoding of text, such as zip
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(f"there is no encoding {value!r}") from None
    return codecs.lookup(value).name


def language(value):
    from sklearn_sae.utils._languages import LANGUAGES  # loads the words of all languages

    if value.lower() not in LANGUAGES:
        near = difflib.get_close_matches(value.lower(), LANGUAGES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(LANGUAGES)}"
        raise argparse.ArgumentTypeError(f"no function words of {value!r} are known; {hint}")
    return value.lower()


def table_file(value):
    kind = Path(value).suffix.lower()
    if kind not in (".csv", ".json", ".xlsx"):
        raise argparse.ArgumentTypeError(f"{value} ends neither in .csv nor in .json nor in .xlsx")
    if kind == ".xlsx" and find_spec("openpyxl") is None:
        raise argparse.ArgumentTypeError(
            f"{value} needs the package 'openpyxl': pip install 'sklearn-sae[excel]'; or write a .csv file"
        )
    return file(value)


def table_file_or_folder(value):
    if Path(value).suffix and not Path(value).is_dir():
        return table_file(value)
    if not Path(value).absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {Path(value).parent} does not exist")
    return Path(value)


def report_file(value):
    from sklearn_sae.report._write import check_report_path

    try:
        check_report_path(value)
    except (ValueError, OSError, ImportError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return file(value)


def file(value):
    # A file that cannot be written is refused before the work and not after it.
    path = Path(value)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{value} cannot be written")
    return path
