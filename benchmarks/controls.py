"""How often hypotheses that say nothing are called significant: beyond a confounder, by subgroup, with clusters.

``python -m benchmarks.controls [--quick]`` prints a markdown table. The annotations are made up, so that it is known
what is true: 20 hypotheses for 600 texts and 50 draws each (10 with ``--quick``).

- *confounder*: the target depends on the length of the text and its topic (30 of them) and on 3 hypotheses; 10 others
  go with length or topic and say nothing beyond them. Shown is the share of false ones among those called significant.
- *subgroup*: one hypothesis has the effect 0.5 in one half of the texts and -0.5 in the other, or none has any.
- *subgroup, found in texts*: of 4,000 made-up reviews with six concepts, one has the effect 1 in one town and -1 in the
  other, three the effect 1 in both, beside noise of standard deviation 1; or the first has none. Shown is how often
  `discover` with `by` calls one of its own hypotheses different that goes with the concept (correlation above 0.2), and
  any where there is none. 10 and 20 draws (2 and 2 with ``--quick``).
- *clusters*: ten texts an author share most of the target, and annotations go with the author; no hypothesis says
  anything.
"""

import argparse

import numpy as np
import pandas as pd

from benchmarks._report import print_table
from sklearn_sae import discover, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts

N, N_HYPOTHESES, N_TRUE, N_CONFOUNDED, N_TOPICS = 600, 20, 3, 10, 30
N_REVIEWS = 4000


def confounded(rng, *, binary=False):
    """Return annotations, a target and its confounders."""
    length, topic = rng.gamma(2, size=N), rng.integers(0, N_TOPICS, size=N)
    of_topic = rng.normal(size=N_TOPICS)[topic]
    latent = rng.normal(size=(N, N_HYPOTHESES))
    latent[:, N_TRUE : N_TRUE + N_CONFOUNDED // 2] += length[:, None]
    latent[:, N_TRUE + N_CONFOUNDED // 2 : N_TRUE + N_CONFOUNDED] += of_topic[:, None]
    A = latent > np.quantile(latent, 0.7, axis=0)
    y = A[:, :N_TRUE].sum(axis=1) + length + of_topic + rng.normal(size=N)
    y = y > np.median(y) if binary else y
    return A.astype(float), y, pd.DataFrame({"length": length, "topic": [f"topic {i}" for i in topic]})


def with_subgroups(rng, effect=0.5):
    """Return annotations, a target and the subgroup in which the first has one effect, elsewhere the opposite one."""
    A, half = (rng.random((N, N_HYPOTHESES)) < 0.4).astype(float), rng.integers(0, 2, size=N)
    return A, effect * A[:, 0] * np.where(half, 1, -1) + rng.normal(size=N), half


def clustered(rng, size=10):
    """Return annotations and a target that say nothing of each other, but both go with the author, and the author."""
    author = np.arange(N) // size
    of_author = rng.normal(size=(N // size, N_HYPOTHESES))[author]
    A = of_author + rng.normal(size=(N, N_HYPOTHESES)) > 0.6
    return A.astype(float), rng.normal(size=N // size)[author] + rng.normal(size=N), author


def false_among_called(n_draws, *, controlled, binary=False):
    """Return the share of hypotheses called significant that are false, and how many true ones are called a draw."""
    n_false = n_called = 0
    for seed in range(n_draws):
        A, y, controls = confounded(np.random.default_rng(seed), binary=binary)
        table = evaluate_hypotheses(A, y, controls=controls).table
        called = table["significant_controlled" if controlled else "significant"]
        n_false, n_called = n_false + called[N_TRUE:].sum(), n_called + called.sum()
    return n_false / max(n_called, 1), (n_called - n_false) / n_draws


def share_of_draws(n_draws, draw, test):
    """Return the share of draws in which something is called significant that should not be, or should be."""
    return np.mean([test(*draw(np.random.default_rng(1000 + seed))) for seed in range(n_draws)])


def differs(A, y, half):
    """Return whether the first hypothesis is found to differ between the halves."""
    return evaluate_hypotheses(A, y, by=half).table["significant_interaction"][0]


def any_differs(A, y, half):
    """Return whether any hypothesis is."""
    return evaluate_hypotheses(A, y, by=half).table["significant_interaction"].any()


def reviews_of_two_towns(seed, effect):
    """Return reviews, a target, the town, and whether the concept is there whose effect cancels on the whole."""
    reviews, rng = make_concept_texts(N_REVIEWS, n_concepts=6, random_state=seed), np.random.default_rng(seed)
    town, concept = rng.choice(["Trier", "Ulm"], size=N_REVIEWS), reviews.concepts[:, 0]
    stars = reviews.concepts[:, 1:4].sum(axis=1) + effect * np.where(town == "Ulm", 1, -1) * concept
    return reviews.data, stars + rng.normal(size=N_REVIEWS), town, concept


def called_by_discover(seed, *, effect):
    """Return the correlations with the concept of the hypotheses that `discover` calls different between the towns."""
    texts, stars, town, concept = reviews_of_two_towns(seed, effect)
    found = discover(texts, stars, by=town, random_state=seed)
    called = found.evaluation.table["significant_interaction"].to_numpy()
    annotations = np.nan_to_num(found.evaluation.annotations[:, called])
    return [abs(np.corrcoef(column, concept[found.test])[0, 1]) for column in annotations.T]


def share_called(A, y, author, *, with_groups):
    """Return the share of hypotheses with a p-value below 5 %."""
    return (evaluate_hypotheses(A, y, groups=author if with_groups else None).table["pvalue"] < 0.05).mean()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 draws, not 50")
    n_draws = 10 if parser.parse_args().quick else 50
    rows = []
    for kind, binary in (("numbers", False), ("two classes", True)):
        for controlled in (False, True):
            share, n_true = false_among_called(n_draws, controlled=controlled, binary=binary)
            how = "with" if controlled else "without"
            rows.append([f"confounder, {kind}, {how} controls: false among significant", f"{share:.1%}"])
            rows.append([f"the same: true ones found, of {N_TRUE}", f"{n_true:.1f}"])
    found = share_of_draws(n_draws, with_subgroups, differs)
    rows.append(["subgroup: the effect that cancels is found", f"{found:.0%}"])
    false = share_of_draws(n_draws, lambda rng: with_subgroups(rng, 0), any_differs)
    rows.append(["subgroup, null: draws in which any is called", f"{false:.0%}"])
    n_found, n_null = (2, 2) if n_draws == 10 else (10, 20)
    found = [max(called_by_discover(seed, effect=1.0), default=0.0) > 0.2 for seed in range(n_found)]
    rows.append([f"subgroup, found in texts, of {n_found} draws", str(sum(found))])
    false = [len(called_by_discover(100 + seed, effect=0.0)) > 0 for seed in range(n_null)]
    rows.append([f"the same, null: draws of {n_null} in which any is called", str(sum(false))])
    for with_groups in (False, True):
        share = share_of_draws(n_draws, clustered, lambda *data, g=with_groups: share_called(*data, with_groups=g))
        rows.append([f"clusters, null, {'with' if with_groups else 'without'} groups: called at 5 %", f"{share:.1%}"])
    note = "Goals: under 5 % with controls; 90 % and at most 5 %; 9 of 10, and none in 19 of 20; 5 %."
    print_table(f"{n_draws} draws", [{"figure": figure, "measured": measured} for figure, measured in rows], note)


if __name__ == "__main__":
    main()
