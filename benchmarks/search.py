"""What a search over M and K costs on Dask beside joblib's own processes: 12 candidates x 3 folds on two workers.

``python -m benchmarks.search [--repeats 3] [--texts 600]`` prints a markdown table. Joblib's processes, Dask as
it comes and Dask with the settings of docs/cluster.md take turns, with their workers already started. Texts are
embedded by TF-IDF in each fit, so nothing is stored. The ratio is that of each turn.
"""

import argparse
import contextlib
import os

import dask
import joblib
from dask.distributed import Client
from sklearn.model_selection import GridSearchCV, KFold

from benchmarks._measure import in_turns
from sklearn_sae import make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

SETTINGS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.worker.profile.enabled": False,
}
GRID = {
    "hypotheses__encoder__sae__n_components": [16, 32, 64],
    "hypotheses__encoder__sae__k": [2, 4],
    "hypotheses__encoder__sae__target_weight": [0.0, 0.2],
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--texts", type=int, default=600)
    given = arguments.parse_args()
    reviews = make_concept_texts(given.texts, random_state=0)
    texts, target = reviews.data, reviews.target
    pipeline = make_hypothesis_pipeline(n_hypotheses=5, random_state=0)
    folds = [(train.tolist(), test.tolist()) for train, test in KFold(3).split(texts)]
    scores = {}

    def search(name, backend, **options):
        def run():
            with joblib.parallel_config(backend, n_jobs=2, **options):
                found = GridSearchCV(pipeline, GRID, cv=folds, scoring="r2", error_score="raise", refit=False)
                scores[name] = found.fit(texts, target).cv_results_["mean_test_score"].tolist()

        return run

    calls = {"joblib": search("joblib", "loky")}
    calls["joblib"]()  # starts the processes and imports the package there
    with contextlib.ExitStack() as clusters:
        # Dask as it comes is started last, because it leaves its variables in the environment of this process.
        for name, settings in (("Dask with the settings", SETTINGS), ("Dask as it comes", {})):
            with dask.config.set(settings):
                client = Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
            clusters.enter_context(client)
            client.amm.stop()
            calls[name] = search(name, "dask", client=client, scatter=[texts, target])
            calls[name]()
        taken = in_turns(calls, given.repeats)
    print(f"12 candidates x 3 folds, {len(texts)} texts, keywords; two workers; load {os.getloadavg()[0]:.1f}\n")
    print("| | seconds, each turn | quickest | beside joblib, each turn | of the quickest |")
    print("| --- | --- | --- | --- | --- |")
    for name, seconds in taken.items():
        ratios = [one / own for one, own in zip(seconds, taken["joblib"], strict=True)]
        print(
            f"| {name} | {', '.join(f'{s:.1f}' for s in seconds)} | {min(seconds):.1f} "
            f"| {', '.join(f'{r:.2f}' for r in ratios)} | {min(seconds) / min(taken['joblib']):.2f} |"
        )
    assert all(found == scores["joblib"] for found in scores.values()), "the scores differ"


if __name__ == "__main__":
    main()
