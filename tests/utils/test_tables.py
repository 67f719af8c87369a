"""Printed tables show what matters of a long hypothesis."""

import wcwidth

from sklearn_sae.utils._tables import note_lines, percent, table_lines


def words(name):
    return ", ".join(f'"{name}{i}"' for i in range(80))


def printed(sentence):
    head, *lines = table_lines([("effect", ["+0.100"])], [sentence])
    assert head == "effect  hypothesis"
    assert max(map(len, lines)) <= 100
    return [line[8:] for line in lines]


def test_a_short_hypothesis_is_whole():
    assert printed("mentions more of a than of b") == ["mentions more of a than of b"]


def test_eight_words_are_whole_on_a_narrow_terminal():
    name = "mentions " + ", ".join(f'"disappointment{i}"' for i in range(8))
    lines = table_lines([("effect", ["+0.100"])], [name], width=48)[1:]
    assert 4 < len(lines) <= 6
    assert " ".join(line[8:] for line in lines) == name


def test_a_long_hypothesis_is_cut_at_its_end():
    lines = printed(f"mentions {words('good')}")
    assert len(lines) == 4
    assert lines[-1].endswith(" …")


def test_of_a_long_comparison_both_sides_are_seen():
    lines = printed(f"mentions more of {words('good')} than of {words('bad')}")
    assert len(lines) == 4
    assert lines[0].startswith('mentions more of "good0"')
    assert lines[1].endswith(" …")
    assert lines[2].startswith('than of "bad0"')
    assert lines[3].endswith(" …")
    assert len(printed(f"mentions more of {words('good')} than of a")) == 3
    speech = "speaks more warmly of " + "the staff and " * 40 + "the soup than most guests do"
    assert printed(speech)[-1] == "than most guests do"


def test_columns_line_up_with_wide_characters():
    names = ['mentions "服务员 态度" or "😀"', 'mentions "店員の態度が" or "冷めていた"', 'mentions "cafe\u0301"']
    lines = table_lines([("", ["服务", "ok", "e\u0301te\u0301"]), ("p", ["0.1", "0.02", "-"])], names, width=60)
    ends = {wcwidth.width(line[: line.index("mentions")]) for line in lines if "mentions" in line}
    assert len(ends) == 1
    assert max(map(wcwidth.width, lines)) <= 60


def test_names_stand_under_their_rows_where_that_takes_fewer_lines():
    columns = [("effect", ["+1.000", "-2.000"]), ("a wide heading", ["0.1", "0.2"])]
    assert table_lines(columns, ["short", "also short"], width=54) == [
        "effect  a wide heading  hypothesis",
        "+1.000             0.1  short",
        "-2.000             0.2  also short",
    ]
    long = "says something like " + "and so on " * 15
    of_a_name = [
        "        says something like and so on and so on and so",
        "        on and so on and so on and so on and so on and",
        "        so on and so on and so on and so on and so on",
        "        and so on and so on and so on",
    ]
    head = ["effect  a wide heading", "        hypothesis"]
    rows = ["+1.000             0.1", *of_a_name, "-2.000             0.2", *of_a_name]
    assert table_lines(columns, [long, long], width=54) == [*head, *rows]


def test_as_few_names_are_cut_as_must_be_for_a_number_of_lines():
    names = ["short", "says something like " + "and so on " * 15, "says something else " + "and so on " * 15]
    columns = [("effect", ["+1.000"] * 3)]
    assert len(table_lines(columns, names, width=80, n_lines=(7, 7))) == 8
    for n_lines, n_whole in ((7, 3), (6, 2), (4, 1), (1, 1)):
        lines = table_lines(columns, names, width=80, n_lines=(n_lines, n_lines))
        assert len(lines) - 1 == max(n_lines, 3)
        assert 3 - sum(line.endswith(" …") for line in lines) == n_whole


def test_a_comparison_that_is_cut_to_a_line_shows_both_sides():
    name = f"more of {words('good')} than of {words('bad')}"
    (line,) = table_lines([("effect", ["+0.100"])], [name], n_lines=(1, 1))[1:]
    assert len(line) <= 100
    assert line.count(" …") == 2
    assert 'more of "good0"' in line
    assert 'than of "bad0"' in line


def test_notes_have_what_is_left_of_a_page():
    notes = ["the first one " + "is long " * 20, "the second one", "the third one"]
    lines = note_lines(notes, 80, where="--full", n_taken=40)
    assert len(lines) == 1
    assert len(lines[0]) <= 80
    assert lines[0].endswith("… (all 3 notes: --full)")
    assert note_lines(notes, 80, where="--full", n_taken=25)[-2:] == ["Note: the second one", "Note: the third one"]
    assert note_lines(notes, 80, where="--full", n_taken=26)[-1] == "Note: 2 more; --full."
    assert len(note_lines(notes, 80, where="--full", n_taken=26)) == 4
    assert " ".join(note_lines(notes[:1], 80, where="--full", full=True)) == f"Note: {notes[0].strip()}"
    assert note_lines([], 80, where="--full") == []


def test_shares_that_are_rounded_to_nothing_are_not_nothing():
    assert [percent(share, 0) for share in (0, 0.004, 0.005, 0.52, 1)] == ["0%", "<1%", "0%", "52%", "100%"]
    assert percent(0.0004) == "<0.1%"
