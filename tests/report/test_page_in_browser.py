"""The page in a real browser: sorts, filters, opens, prints, and is accessible, at every width and in both colours."""

import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from sklearn_sae.report._page import page_of

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ATTACKS = [
    "<script>window.ran = 1; alert(1)</script> The soup was cold.",
    '"><img src=x onerror="window.ran = 1; alert(1)"> soup',
    "</td></tr></tbody></table></main><h1>Not a title</h1> soup",
    "{{ 7 * 7 }} {% raw %} ${7 * 7} soup",
    "</script><script>window.ran = 1; alert(2)</script> soup",
    "</style><style>body{display:none}</style> soup",
    "' onclick='window.ran = 1' javascript:alert(3) soup",
]
_SCRIPTS = [
    "كان الحساء باردا جدا. انتظرنا ساعة كاملة ولم يأت أحد.",
    "המרק היה קר מאוד. חיכינו שעה שלמה.",
    "スープは冷たかった。一時間も待たされました。",
    "汤是冷的。我们等了一个小时,没有人来。",
    "👩‍👩‍👧 🍜🥶 soup 🏴󠁧󠁢󠁳󠁣󠁴󠁿. 👍🏽👍🏽",
    "turned \u202e around",
    "a\x00b\x1b[31mc",
    "unbroken" * 60,
    "long words and more of them " * 180,
]


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error:
            pytest.skip("needs a browser: apt-get install chromium, or playwright install chromium")
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens the page of a report, and in the end expects that nothing was said, asked for or run."""
    contexts, heard = [], []

    def open_page(report, *, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        path = tmp_path / f"{len(contexts)}.html"
        page.on("request", lambda request: request.url == path.as_uri() or heard.append(request.url))
        path.write_text(page_of(report), "utf-8")
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not heard


def numbers(page):
    """Return the numbers of the hypotheses that are seen, in order."""
    rows = page.locator("#table > tbody:visible .no").all_inner_texts()
    return [int(number) for number in rows]


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def assert_no_scroll(page):
    """Expect that the page is no wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def assert_accessible(page):
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
    violations = found.response["violations"]
    assert not violations, [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in violations]


def test_headings_sort(make_report, opened):
    report = make_report(12)
    page = opened(report)
    assert numbers(page) == list(range(1, 13))
    head = page.locator("#table thead th").nth(1)
    assert head.inner_text().startswith("On its own")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    by_effect = sorted(report.hypotheses, key=lambda one: -one.effects[0].own.value)
    assert numbers(page) == [one.number for one in by_effect]
    head.get_by_role("button").press("Enter")  # by the keyboard
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(page) == [one.number for one in reversed(by_effect)]
    page.get_by_role("button", name="p on its own").click()
    assert numbers(page)[0] == min(report.hypotheses, key=lambda one: one.effects[0].own.pvalue).number
    assert page.locator("[aria-sort]").count() == 1
    page.get_by_role("button", name="Hypothesis").click()
    assert numbers(page) == list(range(1, 13))


def test_what_is_not_known_is_sorted_last(make_report, opened):
    report = make_report(3)
    first = report.hypotheses[0]._replace(fidelity=float("nan"))
    page = opened(report._replace(hypotheses=(first, *report.hypotheses[1:])))
    for _ in range(2):
        page.get_by_role("button", name="Name fits").click()
        assert numbers(page)[-1] == 1


def test_filters(make_report, opened):
    report = make_report(12)
    page = opened(report)
    status = page.get_by_role("status").first
    assert status.inner_text() == "All 12 shown"
    page.get_by_label("With the words").fill("RUDE man")
    expected = [one.number for one in report.hypotheses if "rude" in one.name and "man" in one.name]
    assert 0 < len(expected) < 12
    assert numbers(page) == expected
    assert status.inner_text() == f"{len(expected)} of 12 shown"
    page.get_by_label("With the words").fill("")
    page.get_by_label("Direction").select_option("down")
    down = [one.number for one in report.hypotheses if one.effects[0].own.value < 0]
    assert numbers(page) == down
    page.get_by_label("Significant").select_option("joint")
    joint = [one.number for one in report.hypotheses if one.effects[0].joint.significant]
    assert numbers(page) == [number for number in down if number in joint]
    page.get_by_label("Direction").select_option("")
    page.get_by_label("Significant").select_option("neither")
    neither = {one.number for one in report.hypotheses if one.effects[0].own.significant}.union(joint)
    assert numbers(page) == [number for number in range(1, 13) if number not in neither]


def test_classes_are_directions(make_report, opened):
    report = make_report(8, ("business", "sport", "film"))
    page = opened(report)
    page.get_by_label("Direction").select_option(label="more often “sport”")
    assert numbers(page) == [one.number for one in report.hypotheses if one.effects[1].own.value > 0]
    page.get_by_role("columnheader", name="“film”").last.get_by_role("button").click()
    values = {one.number: one.effects[2].own.value for one in report.hypotheses}
    shown = [values[number] for number in numbers(page)]
    assert shown == sorted(shown, reverse=True)


def test_rows_open_and_plots_link_to_them(make_report, opened):
    page = opened(make_report(12))
    row = page.locator("#h3")
    assert not row.locator(".text").first.is_visible()
    row.locator("summary").press("Enter")
    assert row.locator(".text").first.is_visible()
    assert row.locator("mark").first.is_visible()
    page.get_by_label("With the words").fill("nowhere")
    assert numbers(page) == []
    page.locator('.forest a[href="#h7"]').click()
    page.wait_for_function("document.querySelector('#h7 details').open")
    assert page.locator("#h7 .text").first.is_visible()
    assert len(numbers(page)) == 12


def test_the_reference_is_copied_or_selected(make_report, opened):
    report = make_report(2)
    page = opened(report)
    open_all(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Selected; copy it with the keyboard").wait_for()
    assert page.evaluate("getSelection().toString()").strip() == report.bibtex
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("window.copied") == report.bibtex


def test_without_scripts_all_is_there_but_what_sorts_and_filters(make_report, opened):
    page = opened(make_report(5), java_script_enabled=False)
    assert not page.locator("#filters").is_visible()
    assert page.get_by_role("button").count() == 0
    page.locator("#h2 summary").click()
    assert page.locator("#h2 .text").first.is_visible()


_KINDS = {
    "numbers": {},
    "two classes": {"classes": ("bad", "good")},
    "three classes": {"classes": ("a", "b", "c")},
    "six classes": {"classes": tuple("abcdef")},
    "pairs": {"pairs": True},
    "scripts": {"names": _SCRIPTS, "texts": _SCRIPTS},
    "no texts": {"n_examples": 0, "shown": "none"},
}


@pytest.mark.parametrize("colour", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "numbers" else pytest.mark.slow) for kind in _KINDS]
)
def test_it_is_accessible_and_no_wider_than_a_phone(make_report, opened, kind, width, colour):
    page = opened(make_report(4, **{"n_examples": 1, **_KINDS[kind]}), width=width, color_scheme=colour)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(22, 24, 27)") == (colour == "dark")
    open_all(page)
    assert_no_scroll(page)
    assert_accessible(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_numbers_along_an_axis_stand_apart(make_report, opened, width):
    page = opened(make_report(4, scale=30_000), width=width)
    boxes = [one.bounding_box() for one in page.locator(".scale text").all() if one.is_visible()]
    assert len(boxes) >= 3
    for left, right in pairwise(boxes):
        assert left["x"] + left["width"] + 4 <= right["x"]


def test_pairs_stand_side_by_side_where_there_is_room(make_report, opened):
    for width in (1280, 390):
        page = opened(make_report(4, pairs=True), width=width)
        open_all(page)
        assert_no_scroll(page)
        first, second = (page.locator("#h1 .sides > div").nth(i).bounding_box() for i in range(2))
        assert (first["y"] == second["y"]) == (width == 1280)


def _pages(path):
    return path.read_bytes().count(b"/Type /Page\n")


def test_it_prints_with_all_rows_open_or_closed(make_report, opened, tmp_path):
    page = opened(make_report(12))
    page.emulate_media(media="print")
    assert page.locator("#h3 .text").first.is_visible()
    assert not page.locator("nav").is_visible()
    page.pdf(path=tmp_path / "open.pdf")
    page.emulate_media(media="screen")
    page.get_by_label("Print with every row open").uncheck()
    page.emulate_media(media="print")
    assert not page.locator("#h3 .text").first.is_visible()
    page.pdf(path=tmp_path / "closed.pdf")
    assert 1 < _pages(tmp_path / "closed.pdf") < _pages(tmp_path / "open.pdf")


def test_a_corpus_of_markup_runs_nothing(make_report, opened):
    page = opened(
        make_report(
            7,
            names=_ATTACKS,
            texts=_ATTACKS,
            title=_ATTACKS[0],
            answer=_ATTACKS,
            target=_ATTACKS[1],
            unit=_ATTACKS[6],
            notes=_ATTACKS,
            methods=_ATTACKS[4],
            references=_ATTACKS,
            bibtex=_ATTACKS[4],
        )
    )
    open_all(page)
    page.get_by_label("With the words").fill("soup")
    page.get_by_role("button", name="Holds in").click()
    assert len(numbers(page)) == 7
    assert page.evaluate("window.ran") is None
    assert page.locator("h1").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator("h1").inner_text() == _ATTACKS[0]
    assert page.locator("#bibtex").text_content() == _ATTACKS[4]
    assert "{{ 7 * 7 }} {% raw %} ${7 * 7}" in page.locator("#h4 .name").inner_text()
    assert page.evaluate("getComputedStyle(document.body).display") == "block"


def test_nothing_runs_even_if_markup_came_through(make_report, browser, tmp_path):
    """The policy is a second lock: code that would stand in the page as such does not run."""
    html = page_of(make_report(1)).replace("<main", "<script>window.ran = 1</script><img src=x onerror='ran=1'><main")
    (tmp_path / "page.html").write_text(html, "utf-8")
    page = browser.new_page()
    asked = []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("window.ran") is None
    assert page.locator("#filters").is_visible()  # its own script runs
    assert asked == [(tmp_path / "page.html").as_uri()]
    page.close()


def test_any_script_is_set_in_its_direction_and_fits(make_report, opened):
    for width in (1280, 390):
        page = opened(make_report(9, names=_SCRIPTS, texts=_SCRIPTS, max_words=None, n_examples=3), width=width)
        open_all(page)
        assert_no_scroll(page)
        texts = page.locator(".text").all()
        arabic = next(text for text in texts if "الحساء" in text.inner_text())
        assert arabic.evaluate("(one) => getComputedStyle(one).direction") == "rtl"
        said = page.locator("main").inner_text()
        assert all(one in said for one in ("スープは冷たかった。", "👩‍👩‍👧", "汤是冷的"))


@pytest.mark.slow
def test_a_thousand_hypotheses_remain_usable(make_report, opened):
    page = opened(make_report(1000, n_examples=1))
    assert page.locator(".forest tbody tr").count() == 40
    assert "960 more" in page.locator(".forest caption").inner_text()
    assert page.locator(".matrix").count() == 0
    page.get_by_label("With the words").fill("rude")
    assert 0 < len(numbers(page)) < 1000
    assert "of 1,000 shown" in page.get_by_role("status").first.inner_text()
    page.get_by_role("button", name="Holds in").click()
    assert not page.get_by_label("Print with every row open").is_checked()
    page.set_viewport_size({"width": 390, "height": 900})
    assert_no_scroll(page)


@pytest.mark.slow
def test_a_page_by_month_and_one_of_corrected_effects_are_accessible(opened):
    from sklearn_sae import correct_annotations, evaluate_hypotheses
    from sklearn_sae.report._report_of import report_of_evaluation

    rng = np.random.default_rng(0)
    A = (rng.random((400, 3)) < 0.3).astype(float)
    y = pd.Series(np.linspace(0, 3, 400) * A[:, 2] + rng.normal(size=400), name="stars")
    month = pd.Series(pd.date_range("2025-01-01", periods=400, freq="20h"), name="month").dt.to_period("M")
    labels = np.where(rng.random((400, 1)) < 0.3, A, np.nan)
    for evaluation in (
        evaluate_hypotheses(A, y, by=month),
        evaluate_hypotheses(A, y, by=np.array(["Trier", "Ulm"])[rng.integers(0, 2, 400)]),
        correct_annotations(A, labels, np.full(400, 0.3), y),
    ):
        for width, scheme in ((1280, "light"), (390, "dark")):
            page = opened(report_of_evaluation(evaluation), width=width, color_scheme=scheme)
            open_all(page)
            assert_no_scroll(page)
            assert_accessible(page)
