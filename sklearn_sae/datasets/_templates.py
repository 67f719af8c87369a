"""Sentences from templates such as ``"The {soup|{fish}} {was|came out} cold."``.

A template is parsed to a tree: a sequence (tuple) of literal strings and choices (lists of sequences).
"""

import re

_TOKEN = re.compile(r"[{}|]|[^{}|]+")


def parse(template, slots):
    """Return the tree of `template`; ``{name}`` stands for the alternatives in ``slots[name]``."""
    return _parse_options(iter([*_TOKEN.findall(template), "}"]), slots)[0]


def _parse_options(tokens, slots):
    options, sequence = [], []
    for token in tokens:
        if token == "{":
            choice = _parse_options(tokens, slots)
            if len(choice) == 1:  # A single alternative is the name of a slot.
                choice = [parse(option, slots) for option in slots[choice[0][0]].split("|")]
            sequence.append(choice)
        elif token in "|}":
            options.append(tuple(sequence))
            sequence = []
            if token == "}":
                break
        else:
            sequence.append(token)
    return options


def spell(tree, draw):
    """Return one sentence of `tree`; `draw()` gives the next number in [0, 1)."""
    sentence = "".join(_pieces(tree, draw))
    return sentence[0].upper() + sentence[1:]


def _pieces(sequence, draw):
    for part in sequence:
        if isinstance(part, str):
            yield part
        else:
            yield from _pieces(part[int(draw() * len(part))], draw)
