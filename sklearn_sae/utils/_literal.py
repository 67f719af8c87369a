"""Texts of a picture, drawn literally and in fonts that have their characters."""

from functools import lru_cache

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._optional import require

_LAST_RESORT = "Last Resort High-Efficiency"  # a font of matplotlib 3.11 with a box for any character
_BOX = "\N{WHITE SQUARE}"
_NO_GLYPH = set("\n\t\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f")  # a font may lack these without a gap


def draw_literally(*several):
    """Have all words of some axes drawn as they stand, none as a formula, with fonts that have their characters.

    It warns, in one sentence, of characters that no installed font has. Those are drawn as boxes.

    Parameters
    ----------
    *several : matplotlib Axes
    """
    texts = [text for ax in several for text in _texts(ax)]
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
    without_glyph = _choose_fonts(texts)
    if without_glyph:
        boxes = {ord(character): _BOX for character in without_glyph}
        for ax in several:
            _replace(ax, boxes)


def _texts(ax):
    """Return all texts of axes but the numbers along them."""
    text = require("matplotlib.text", extra="plot", purpose="A plot")
    found = [child for child in ax.get_children() if isinstance(child, text.Text)]
    found += [ax.xaxis.label, ax.yaxis.label]
    for legend in [ax.get_legend()] * (ax.get_legend() is not None):
        found += [*legend.get_texts(), legend.get_title()]
    return found + [label for axis in _named(ax) for label in axis.get_ticklabels()]


def _named(ax):
    """Return the axes of the two whose ticks have names and no numbers."""
    ticker = require("matplotlib.ticker", extra="plot", purpose="A plot")
    return [axis for axis in (ax.xaxis, ax.yaxis) if isinstance(axis.get_major_locator(), ticker.FixedLocator)]


def _choose_fonts(texts):
    """Give texts fonts that have their characters; return those that not even a font of last resort draws."""
    manager = require("matplotlib.font_manager", extra="plot", purpose="A plot")
    lacking = {}  # texts by the characters that their font lacks
    for text in texts:
        missing = set(text.get_text()) - _NO_GLYPH - _characters(manager.findfont(text.get_fontproperties()))
        if missing:
            lacking[text] = missing
    missing = set().union(*lacking.values())
    if not missing:
        return set()
    families, missing = _families_with(missing)
    if missing:
        some = ", ".join(map(repr, sorted(missing)[:3]))
        warn(
            f"No installed font has {len(missing)} of the characters of this picture, such as {some}; they are drawn "
            "as boxes. Install a font that has them, such as Noto Sans of that script, and start Python anew.",
            UserWarning,
        )
        if _LAST_RESORT in manager.get_font_names():
            families, missing = [*families, _LAST_RESORT], set()
    for text in lacking:
        text.set_fontfamily([*text.get_fontfamily(), *families])
    return missing


def _replace(ax, characters):
    """Replace characters in all words of axes."""
    ticker = require("matplotlib.ticker", extra="plot", purpose="A plot")
    for axis in _named(ax):
        labels = [label.get_text().translate(characters) for label in axis.get_ticklabels()]
        axis.set_major_formatter(ticker.FixedFormatter(labels))
    for text in _texts(ax):
        text.set_text(text.get_text().translate(characters))


def _families_with(missing):
    """Return the names of the fewest installed fonts that have some characters, and the characters that none has."""
    manager = require("matplotlib.font_manager", extra="plot", purpose="A plot")
    fonts = {font.name: font.fname for font in manager.fontManager.ttflist if font.name != _LAST_RESORT}
    families = []
    while missing:
        best = max(sorted(fonts), key=lambda name: len(missing & _characters(fonts[name])))
        if not missing & _characters(fonts[best]):
            break
        families.append(best)
        missing = missing - _characters(fonts[best])
    return families, missing


@lru_cache(maxsize=512)
def _characters(path):
    """Return the characters that a font has, empty if it cannot be read."""
    manager = require("matplotlib.font_manager", extra="plot", purpose="A plot")
    try:
        return frozenset(map(chr, manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
