"""The command `demo`."""

from textwrap import wrap

import pandas as pd

from sklearn_sae.cli._discover import check_written, discover, keywords
from sklearn_sae.datasets import make_concept_texts


def run(arguments):
    """Make up reviews, print what is planted in them, and discover it."""
    check_written(arguments)
    reviews = make_concept_texts(arguments.n_texts, random_state=arguments.seed)
    print("Made-up restaurant reviews, for example:")
    for text in reviews.data[:2]:
        print("\n".join(wrap(text, 100, initial_indent="  “", subsequent_indent="   ")) + "”")
    print("Planted in them, with the effect of each on the score:")
    for effect, concept in sorted(zip(reviews.coef, reviews.concept_names, strict=True)):
        if effect:
            print(f"  {effect:+.2f}  {concept}")
    print()
    y = pd.Series(reviews.target, name="score")
    texts = pd.Series(reviews.data, name="review")
    about = ("The reviews are made up, with concepts planted in them.",)
    discover(texts, y, arguments, embedder=None, naming=keywords(arguments), about=about)
