"""Names cut to the width of a column."""

MOST_CHARACTERS = 40
_OPENINGS = ("mentions ", "says something like ")  # by which a hypothesis is known, and its short name is not
_CUT, _NOT = " …", " not "


def short_names(sentences):
    """Return names of at most 40 characters, each another, made of whole words of the hypotheses.

    Of a hypothesis made of words these are its first words, without quotation marks, and of one that compares the first
    of either side. What is left out is marked by an ellipsis.

    Parameters
    ----------
    sentences : sequence of str

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> short_names(['mentions "rude", "never again" or "slow"', "praises the staff, the kitchen and all the others"])
    ['rude, never again, slow', 'praises the staff, the kitchen and all …']
    """
    names, taken = [], set()
    for sentence in sentences:
        name, n = _shortened(sentence, MOST_CHARACTERS), 1
        while name in taken:
            n += 1
            name = f"{_shortened(sentence, MOST_CHARACTERS - len(f' ({n})'))} ({n})"
        taken.add(name)
        names.append(name)
    return names


def _shortened(sentence, room):
    sentence = " ".join(sentence.split())
    if sentence.startswith('mentions "'):
        return _cut(_terms(sentence), ", ", room)
    if sentence.startswith('mentions more of "'):
        more, _, less = sentence.partition(" than of ")
        less = _cut(_terms(less), ", ", room // 2 - len(_NOT))
        return f"{_cut(_terms(more), ', ', room - len(less) - len(_NOT))}{_NOT}{less}"
    for opening in _OPENINGS:
        sentence = sentence.removeprefix(opening)
    return _cut(sentence.split(" "), " ", room)


def _terms(listed):
    return listed.split('"')[1::2]


def _cut(parts, between, room):
    """Return as many whole parts as there is room for; of a first one that is too long as many words or characters."""
    whole = between.join(parts)
    if len(whole) <= room:
        return whole
    room -= len(_CUT)
    n = next(n for n in range(len(parts), -1, -1) if len(between.join(parts[:n])) <= room)
    if n:
        return between.join(parts[:n]).rstrip(" ,;:") + _CUT
    words = parts[0].split(" ")
    return _cut(words, " ", room + len(_CUT)) if len(words) > 1 else parts[0][:room] + _CUT
