"""Makes the pictures of the report that the README and docs/report.md show.

``python -m benchmarks.screenshots`` writes them to docs/. It needs the extra ``test``, and chromium from the system or
from ``playwright install chromium``. The reviews and hypotheses are those of ``sklearn-sae demo``, so that anyone gets
the same pictures.
"""

import shutil
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image
from playwright.sync_api import sync_playwright

from sklearn_sae import discover
from sklearn_sae.datasets import make_concept_texts

DOCS = Path(__file__).parents[1] / "docs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
N_COLOURS = 256  # of a picture, so that it is small


def main():
    reviews = make_concept_texts(4000, random_state=0)
    texts, stars = pd.Series(reviews.data, name="review"), pd.Series(reviews.target, name="stars")
    found = discover(texts, stars, n_hypotheses=10, random_state=0)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = found.to_html(Path(folder) / "report.html").as_uri()
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        wide = browser.new_page(viewport={"width": 1280, "height": 1300})
        wide.goto(url)
        picture(wide, "report.png")
        wide.locator("#h1 summary").click()
        picture(wide, "report_row.png", of=["#filters", "#table > thead", "#h1", "#h2"])
        picture(wide, "report_together.png", of=["#together"])
        phone = browser.new_page(viewport={"width": 390, "height": 1300}, color_scheme="dark")
        phone.goto(url)
        picture(phone, "report_phone.png")
        browser.close()


def picture(page, name, of=()):
    """Save what a window shows of a page, or the part of it where some elements stand."""
    path = DOCS / name
    options = {}
    if of:
        boxes = [page.locator(one).first.bounding_box() for one in of]
        top, bottom = min(box["y"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
        top += page.evaluate("scrollY")
        bottom += page.evaluate("scrollY")
        clip = {"x": 80, "y": top - 20, "width": 1120, "height": bottom - top + 40}
        options = {"clip": clip, "full_page": True}
    page.screenshot(path=path, **options)
    Image.open(path).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
