"""Tables as markdown, and the machine that they were measured on."""

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

PACKAGES = ["torch", "numpy", "scipy", "scikit-learn", "openai", "hypothesaes", "sae-lens", "sklearn-sae"]


def print_table(title, rows, note):
    """Print a section: a heading, a table of rows that map columns to cells, and what one must know to judge it.

    Rows of an iterator are printed as they come, so that those of a run that is stopped are not lost.
    """
    print(f"\n## {title}\n")
    for number, row in enumerate(rows):
        lines = [row.values()] if number else [row, ["---"] * len(row), row.values()]
        for line in lines:
            print(f"| {' | '.join(map(str, line))} |", flush=True)
    print(f"\n{note}", flush=True)


def median(values, form=",.0f"):
    """Return the median and the range of repeats, as text."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def mean(values, form=".3f"):
    """Return the mean and the standard deviation over seeds, as text."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{np.mean(values):{form}} ± {np.std(values):{form}}"


def ratio(more, less):
    """Return how many times the one is the other, by their medians, as text."""
    return f"{np.median(more) / np.median(less):.1f}"


def machine():
    """Return the processor, the threads, the versions and the date in a line."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {device}; "
        f"Python {platform.python_version()}, {versions}; {datetime.date.today()}."
    )


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor():
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
