import pytest

from sklearn_sae.utils._plotting import COLORS, HATCHES, MARKERS, fill, style, wrap


@pytest.mark.parametrize(
    ("text", "width", "max_lines", "lines"),
    [
        ("aa bb cc", 20, 2, ["aa bb cc"]),
        ("aa bb cc dd ee ff", 5, 2, ["aa bb", "cc …"]),
        ("a" * 30, 10, 2, ["a" * 10, "a" * 9 + "…"]),
        ("中文" * 10, 10, 1, ["中文中文…"]),  # each is two columns wide
        ("one, two, three …", 15, 2, ["one, two,", "three\u00a0…"]),  # the ellipsis is not left alone
        ("a\x00b \u202e c\nd", 20, 2, ["a\ufffdb c d"]),
        ("", 5, 2, [""]),
        (("one", "+ other"), 20, 2, ["one", "+ other"]),
    ],
)
def test_wrapping(text, width, max_lines, lines):
    assert wrap(text, width, max_lines) == lines


def test_series_differ_in_more_than_colour():
    assert len({style(i)["marker"] for i in range(len(COLORS))}) == len(COLORS) == len(MARKERS) == len(HATCHES)
    assert len({fill(i)["hatch"] for i in range(len(COLORS))}) == len(COLORS)
