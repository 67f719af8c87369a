"""The command `explain`."""

import sys
from dataclasses import replace

from sklearn_sae.cli._apply import check_server
from sklearn_sae.cli._options import in_options
from sklearn_sae.cli._progress import say
from sklearn_sae.utils._validation import visible


def run(arguments):
    """Print which hypotheses of a model hold for a text, and what each adds to the prediction."""
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    if not visible(text):
        raise ValueError("TEXT is empty; there is nothing to explain.")
    say(arguments, f"Reading {arguments.model} …")
    from sklearn_sae._persistence import load_model
    from sklearn_sae.report import explain

    pipeline, facts = load_model(arguments.model)
    if arguments.ask or not hasattr(pipeline["hypotheses"], "base_url"):
        check_server(pipeline["hypotheses"], arguments)
    explained = explain(pipeline, text, target_class=_label(pipeline, arguments.label), ask=arguments.ask)
    name, transform = facts.get("name"), facts.get("transform")
    if name is not None:
        print(f"The target is {name if transform is None else transform['name'] + ' of ' + name}.")
    print(replace(explained, notes=tuple(map(in_options, explained.notes))))


def _label(pipeline, written):
    """Return the class of the model that is written so; the model may have numbers or truth values."""
    labels = [] if written is None else getattr(pipeline["model"], "classes_", [])
    return next((label for label in labels if str(label) == written), written)
