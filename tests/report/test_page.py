"""The page as text: what stands in it, and that texts of a corpus stand in it as texts."""

import re
from html.parser import HTMLParser

import pytest

from sklearn_sae.report._page import page_of

ATTACKS = [
    "<script>alert(1)</script> The soup was cold.",
    "</td></tr></table><h1>Not a title</h1> soup",
    '"><img src=x onerror="alert(1)"> soup',
    "{{ 7 * 7 }} {% for x in y %} soup",
    "</script><script>alert(2)</script> soup",
    "</style><style>body{display:none}</style> soup",
    "' onclick='alert(3)' soup",
    "<!-- --> <![CDATA[ ]]> &amp; &lt;b&gt; soup",
]
_VOID = {"meta", "br", "input", "line", "path", "rect", "circle"}


class Tree(HTMLParser):
    """Notes tags, attributes and texts, and that each tag that is opened is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.ids, self.open = [], [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in ("line", "path", "rect", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 1},
        {"n": 60},
        {"classes": ("bad", "good")},
        {"classes": ("a", "b", "c")},
        {"classes": tuple("abcdef")},
        {"pairs": True},
        {"n_examples": 0, "shown": "none"},
        {"shown": "fragments", "notes": (), "references": (), "bibtex": "", "marks": {}},
    ],
    ids=str,
)
def test_all_that_a_report_says_is_in_its_page(make_report, options):
    report = make_report(**options)
    tree = Tree(page_of(report))
    said = " ".join("".join(tree.text).split())
    for sentence in (report.title, *report.question, *report.answer, report.level, *report.notes, report.methods):
        assert " ".join(sentence.split()) in said
    for one in report.hypotheses:
        assert one.name in said
        assert all(effect.sentence in said for effect in one.effects)
        assert all(fact in said for fact in one.facts)
        for kind, examples in one.examples.items():
            assert kind[1:] in said
            assert all(f"row {example.row}" in said for example in examples)
    for score in report.scores:
        assert f"{score.value:.2f}" in said
    for name, value in (*report.parameters, *report.versions):
        assert name in said
        assert value in said
    assert len(set(tree.ids)) == len(tree.ids)


def test_a_page_loads_nothing_and_has_no_style_or_code_in_its_tags(make_report):
    page = page_of(make_report())
    tree = Tree(page)
    names = {name for name, _ in tree.attributes}
    assert not names & {"style", "src", "srcset", "data", "background", "poster", "action", "formaction"}
    assert not [name for name in names if name.startswith("on")]
    assert not set(tree.tags) & {"link", "img", "iframe", "object", "embed", "base"}
    links = [value for name, value in tree.attributes if name == "href"]
    assert all(link.startswith("#") or link == "https://arxiv.org/abs/1" for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(tree.ids)
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.parametrize("classes", [(), ("a", "b", "c")])
def test_twenty_hypotheses_with_long_texts_are_less_than_a_megabyte(make_report, classes):
    long = [f"{'word and more words ' * 40} soup" for _ in range(3)]
    page = page_of(make_report(20, classes, texts=long, max_words=None))
    assert 100_000 < len(page.encode()) < 1_000_000


def test_a_corpus_of_markup_is_text(make_report):
    hostile = make_report(
        8,
        names=ATTACKS,
        texts=ATTACKS,
        title=ATTACKS[0],
        question=ATTACKS,
        answer=ATTACKS,
        unit=ATTACKS[2],
        target=ATTACKS[6],
        noun=ATTACKS[1],
        level=ATTACKS[3],
        notes=ATTACKS,
        parameters=[(one, one) for one in ATTACKS],
        methods=ATTACKS[4],
        references=ATTACKS,
        bibtex=ATTACKS[4],
        marks={"sentence": ATTACKS[5], "word": ATTACKS[0]},
    )
    plain = make_report(
        8,
        names=["name"],
        texts=["The soup. It was cold."],
        bibtex="@",
        references=["one"] * 8,
        question=["one"] * 8,
        answer=["one"] * 8,
        notes=["one"] * 8,
        parameters=[("a", "b")] * 8,
    )
    page = page_of(hostile)
    for raw in ("<script>alert", "<img", "<h1>Not", "<style>body", "</td></tr></table><h1>", "<!-- -->", "<![CDATA["):
        assert raw not in page
    tree = Tree(page)
    expected = set(Tree(page_of(plain)).tags)
    assert set(tree.tags) <= expected
    assert tree.tags.count("script") == tree.tags.count("style") == 1
    assert not [name for name, _ in tree.attributes if name.startswith("on")]
    said = "".join(tree.text)
    for attack in ATTACKS:
        assert " ".join(attack.split()) in said
    assert re.search(r"\{\{ 7 \* 7 \}\}", said)
