import warnings

import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

from sklearn_sae.utils import _literal  # noqa: E402


@pytest.fixture
def ax():
    yield pyplot.subplots(layout="constrained")[1]
    pyplot.close("all")


def test_no_word_is_a_formula(ax):
    words = "$x_1$ and $x^2$, \\frac{1}{2}"
    ax.plot([1, 2], label=words)
    ax.set(title=words, xlabel=words, ylabel=words)
    ax.set_title(words, loc="left")
    ax.text(1, 1, words)
    ax.set_yticks([1, 2], [words, words])
    ax.legend(title=words)
    _literal.draw_literally(ax)
    ax.figure.canvas.draw()
    texts = [text for text in ax.figure.findobj(matplotlib.text.Text) if text.get_text() == words]
    texts = [text for text in texts if text.get_visible()]  # ticks have labels on the right too, which are not
    assert len(texts) == 9
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts)


def test_a_font_is_found_that_has_the_characters(ax):
    with matplotlib.rc_context({"font.family": ["cmr10"]}):  # which has no Cyrillic
        text = ax.text(0.5, 0.5, "Привет")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _literal.draw_literally(ax)
            ax.figure.draw_without_rendering()
    assert text.get_fontfamily()[0] == "cmr10"
    assert any(name.startswith("DejaVu") for name in text.get_fontfamily()[1:])


@pytest.mark.parametrize("has_last_resort", [True, False])
def test_characters_that_no_font_has_are_boxes_after_one_warning(ax, has_last_resort, monkeypatch):
    if not has_last_resort:  # as with matplotlib before 3.11
        monkeypatch.setattr(_literal, "_LAST_RESORT", "no such font")
    manager = matplotlib.font_manager.fontManager
    here = [font for font in manager.ttflist if "DejaVu" in font.name or font.name == _literal._LAST_RESORT]
    monkeypatch.setattr(manager, "ttflist", here)
    if has_last_resort and not any(font.name == _literal._LAST_RESORT for font in here):
        pytest.skip("This matplotlib has no font of last resort.")
    texts = [ax.text(0.5, 0.5, "中文 and more"), ax.text(0.5, 0.7, "中国"), ax.text(0.5, 0.2, "plain")]
    ax.set_yticks([0, 1], ["中", "row"])
    with pytest.warns(UserWarning, match="No installed font has 3 of the characters of this picture") as said:
        _literal.draw_literally(ax)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.canvas.draw()
    assert texts[0].get_text() == ("中文 and more" if has_last_resort else "□□ and more")
    assert texts[2].get_text() == "plain"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["中" if has_last_resort else "□", "row"]


def test_numbers_along_an_axis_stay_as_matplotlib_writes_them(ax):
    ax.set_yscale("log")
    ax.plot([1, 1e6])
    _literal.draw_literally(ax)
    ax.figure.canvas.draw()
    assert any("mathdefault" in label.get_text() and label.get_parse_math() for label in ax.get_yticklabels())
