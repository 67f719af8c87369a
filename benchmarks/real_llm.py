"""A real model, SmolLM2-135M-Instruct, behind a real server on this machine: rate, readable replies and tokens.

``python -m benchmarks.real_llm [--server transformers|llama.cpp] [--model PATH] [--texts N]`` prints a markdown table,
one row a form of request. PATH is a folder (transformers) or a GGUF file (llama.cpp, whose ``llama-server`` is on the
PATH, or in xllamacpp). Texts are planted reviews (`make_concept_texts`). Answers are stored in a folder of their own.
"""

import argparse
import tempfile
import time
import warnings

import numpy as np

from benchmarks._report import machine, print_table
from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils.server import forget_servers

CONCEPTS = ["mentions a long wait", "praises the staff"]
FORMS = {
    "one a call": {},
    "two a call": {"concepts_per_call": 2},
    "P(yes)": {"output": "probability"},
    "three answers": {"answers": {"yes": 1, "no": 0, "cannot tell": float("nan")}},
    "with a reason": {"rationale": True},
}


def measure(texts, **parameters):
    """Return a row about one form of request."""
    forget_servers()
    with tempfile.TemporaryDirectory() as fresh, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        annotator = LLMHypothesisAnnotator(hypotheses=CONCEPTS, cache_dir=fresh, **parameters)
        start = time.perf_counter()
        try:
            annotations = annotator.transform(texts)
        except ValueError as error:  # no log-probabilities
            return {"annotations": str(error).partition(",")[0]}
        seconds = time.perf_counter() - start
    usage, n = annotator.usage_, annotations.size
    return {
        "annotations": f"{n:,}",
        "seconds": f"{seconds:.0f}",
        "an annotation, s": f"{seconds / n:.2f}",
        "answered": f"{1 - usage['failed'] / n:.0%}",
        "of these yes": f"{np.nanmean(annotations):.0%}" if np.isfinite(annotations).any() else "",
        "requests": f"{usage['requests']:,}",
        "prompt tokens an annotation": f"{usage['prompt_tokens'] / n:,.0f}",
        "completion tokens an annotation": f"{usage['completion_tokens'] / n:.1f}",
    }


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_llm", description=__doc__.partition("\n")[0])
    parser.add_argument("--server", default="transformers", choices=("transformers", "llama.cpp"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=FORMS)
    args = parser.parse_args()
    texts = list(make_concept_texts(args.texts, 20, random_state=0).data)
    served = {"server": args.server, "annotator": args.model}
    with tempfile.TemporaryDirectory() as fresh:  # the start of the server is not counted
        warm = LLMHypothesisAnnotator(hypotheses=["is a text"], cache_dir=fresh, on_error=0, **served)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warm.transform(["A text."])
    rows = [{"form": form, **measure(texts, **served, **FORMS[form])} for form in args.forms]
    columns = list(max(rows, key=len))
    print_table(
        f"SmolLM2-135M-Instruct behind {args.server}, {len(texts)} texts x {len(CONCEPTS)} concepts, defaults",
        [{column: row.get(column, "") for column in columns} for row in rows],
        "Answered: the share of annotations with an answer, after the second request for what could not be read.",
    )
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
