"""`LLMHypothesisAnnotator` beside `hypothesaes.annotate`, against a server of our own, in one run.

``python -m benchmarks.annotation [rate flight prompts cache crash] [--quick]`` prints a markdown table for each section
named, or for all. ``--quick`` takes one repeat and a tenth of the texts. Needs Linux and the extra ``benchmarks``; no
model, key or data.

The server is the tests' own (tests/openai_server.py), in a process of its own on this machine; it answers each request
after 100 ms. Texts are planted reviews (`make_concept_texts`), with its 20 concepts.
"""

import argparse
import json
import os
import random
import struct
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from benchmarks._llm_server import ServerProcess, replay
from benchmarks._measure import alone, in_turns
from benchmarks._peers import hypothesaes, quiet
from benchmarks._report import machine, median, print_table, ratio
from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae.annotation.llm._asking import connection_of
from sklearn_sae.annotation.llm._questions import AnnotationQuestions
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils.store import open_store

LATENCY = 0.1
MODEL_LATENCY, TURNS = 1.0, 6  # what a language model takes for a short reply
N_TEXTS, N_CONCEPTS = 200, 20
IN_FLIGHT = 30  # the peer's default
N_STORED, N_HITS = 1_000_000, 40_000
N_KILLS = 5
NOWHERE = "http://127.0.0.1:9/v1"  # part of the keys of answers; nothing is sent there


class Effort(NamedTuple):
    """How much to measure."""

    repeats: int
    share: float  # of the texts


# The two packages, as their users call them


def planted(n_texts):
    """Return made-up reviews and the concepts to look for in them."""
    reviews = make_concept_texts(n_texts, N_CONCEPTS, random_state=0)
    return list(reviews.data), list(reviews.concept_names)


def annotator(base_url, concepts, cache_dir, **parameters):
    return LLMHypothesisAnnotator(
        hypotheses=concepts, base_url=base_url, cache_dir=cache_dir, **{"max_concurrency": IN_FLIGHT} | parameters
    )


def ours(base_url, texts, concepts, cache_dir=None, **parameters):
    """Annotate; with no folder given, answers go to one of their own, since storing them is part of the work."""
    with tempfile.TemporaryDirectory() as fresh:
        annotations = annotator(base_url, concepts, cache_dir or fresh, **parameters).transform(texts)
    if np.isnan(annotations).any():
        raise RuntimeError("Annotations are missing.")


def theirs(base_url, texts, concepts, cache_path=None, **parameters):
    annotate = hypothesaes("annotate").annotate
    os.environ["OPENAI_BASE_URL"] = base_url
    tasks = [(text, concept) for text in texts for concept in concepts]
    with quiet():
        results = annotate(tasks, cache_path=cache_path, show_progress=False, **parameters)
    if sum(map(len, results.values())) != len(set(tasks)):
        raise RuntimeError("Annotations are missing.")


# The sections


def rate(effort):
    """Annotations per second, one concept a call and twenty."""
    texts, concepts = planted(int(N_TEXTS * effort.share))
    n_annotations = len(texts) * len(concepts)
    settings = [(IN_FLIGHT, 1, "285"), (64, 1, "544"), (IN_FLIGHT, N_CONCEPTS, "10 times the peer")]
    with ServerProcess(LATENCY) as server:
        theirs(server.base_url, texts[:3], concepts)
        calls = {
            ("theirs", n): partial(theirs, server.base_url, texts, concepts, n_workers=n)
            for n in sorted({in_flight for in_flight, _, _ in settings})
        }
        for in_flight, size, _ in settings:
            parameters = {"max_concurrency": in_flight, "concepts_per_call": size}
            server.take()
            ours(server.base_url, texts[:3], concepts, **parameters)  # imports openai as well
            bodies = server.take()
            bodies *= -(-n_annotations // size // len(bodies))
            calls["ours", in_flight, size] = partial(ours, server.base_url, texts, concepts, **parameters)
            calls["floor", in_flight, size] = partial(
                replay, bodies[: n_annotations // size], server.base_url, in_flight
            )
        taken = {name: n_annotations / np.array(times) for name, times in in_turns(calls, effort.repeats).items()}
    rows = []
    for in_flight, size, goal in settings:
        own = taken["ours", in_flight, size]
        turns = -(-n_annotations // size // in_flight)  # of `in_flight` requests at once
        limit = n_annotations / (turns * LATENCY)
        rows.append(
            {
                "what": f"{in_flight} in flight, {size} a call",
                "ours": median(own),
                "goal": goal,
                "bare sockets": median(taken["floor", in_flight, size]),
                "latency allows": f"{limit:,.0f}",
                "ours / allowed": f"{np.median(own) / limit:.0%}",
                "hypothesaes, as many threads": median(taken["theirs", in_flight]),
                f"hypothesaes, its default of {IN_FLIGHT}": median(taken["theirs", IN_FLIGHT]),
                "times its default": ratio(own, taken["theirs", IN_FLIGHT]),
            }
        )
    print_table(
        f"Annotations per second, {len(texts)} texts x {len(concepts)} concepts, {1e3 * LATENCY:.0f} ms, median "
        f"(range), repeats: {effort.repeats}",
        rows,
        "hypothesaes asks one concept a call, and here without a cache, its default; runs shown twice are the same "
        "ones. Ours with an empty cache on disk, and with all that `transform` does. Bare sockets: one event loop that "
        "sends the bodies of our requests over as many connections and reads the replies, with no client, cache or "
        "parsing. What the latency allows: all requests in the fewest turns.",
    )


def flight(effort):
    """Requests per second and the CPU time of the one process that sends them, with hundreds in flight."""
    table = []
    for size in (1, N_CONCEPTS):
        for in_flight in (32, 128, 512):
            n_requests = int(TURNS * in_flight * (effort.share if effort.share == 1 else 0.5))
            texts, concepts = planted(n_requests * size // N_CONCEPTS)
            with ServerProcess(MODEL_LATENCY) as server:
                parameters = {"max_concurrency": in_flight, "concepts_per_call": size}
                ours(server.base_url, texts[:1], concepts, **parameters)  # imports openai as well
                started, cpu = time.perf_counter(), time.process_time()
                ours(server.base_url, texts, concepts, **parameters)
                elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
            n_requests = len(texts) * N_CONCEPTS / size
            limit = n_requests / (-(-n_requests // in_flight) * MODEL_LATENCY)
            table.append(
                {
                    "what": f"{in_flight} in flight, {size} a call",
                    "requests/s": f"{n_requests / elapsed:,.0f}",
                    "latency allows": f"{limit:,.0f}",
                    "share": f"{n_requests / elapsed / limit:.0%}",
                    "answers/s": f"{size * n_requests / elapsed:,.0f}",
                    "CPU, ms a request": f"{1e3 * cpu / n_requests:.2f}",
                    "of one core": f"{cpu / elapsed:.0%}",
                }
            )
    print_table(
        f"One process with hundreds in flight, {MODEL_LATENCY:.0f} s a reply",
        table,
        f"{TURNS} turns of requests. CPU is that of the annotating process; the server is another one. The cache on "
        "disk is empty, and all that `transform` does is included.",
    )


def prompts(effort):
    """Requests sent, and characters in them, by what the server received."""
    texts, concepts = planted(int(N_TEXTS * effort.share))
    calls = {
        "ours, one concept a call": (ours, {}, "under 1,200"),
        f"ours, {N_CONCEPTS} a call": (ours, {"concepts_per_call": N_CONCEPTS}, "under 150"),
        "hypothesaes": (theirs, {}, ""),
    }
    n_annotations = len(texts) * len(concepts)
    rows = []
    with ServerProcess(latency=0) as server:
        for name, (annotate, parameters, goal) in calls.items():
            annotate(server.base_url, texts, concepts, **parameters)
            bodies = server.take()
            said = [_said(body) for body in bodies]
            schemas = sum(len(json.dumps(body["response_format"])) for body in bodies if "response_format" in body)
            characters = sum(map(len, said))
            beyond = characters - len(said) // len(texts) * sum(map(len, texts))  # each text as often as any other
            rows.append(
                {
                    "what": name,
                    "requests": f"{len(said):,}",
                    "distinct": f"{len(set(said)):,}",
                    "prompt characters an annotation, beyond the text": f"{beyond / n_annotations:,.0f}",
                    "goal": goal,
                    "with the text": f"{characters / n_annotations:,.0f}",
                    "and with the schema": f"{(characters + schemas) / n_annotations:,.0f}",
                }
            )
    print_table(
        f"Requests for {n_annotations:,} annotations ({len(texts)} texts x {len(concepts)} concepts)",
        rows,
        "Counted from what the server received: the system and user parts (`messages`, or `instructions` and `input`). "
        f"A text has {np.mean([*map(len, texts)]):,.0f} characters on average and is sent whole, once a request. "
        "Schema: the JSON that holds a reply about several concepts to its form (`response_format`).",
    )


def _said(body):
    if "messages" in body:
        return "".join(message["content"] for message in body["messages"])
    return (body.get("instructions") or "") + body["input"]


def cache(effort):
    """Seconds and memory to find 40,000 of a million stored annotations."""
    n_stored, n_hits = (int(effort.share * n) for n in (N_STORED, N_HITS))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        texts, concepts = _numbered(range(n_stored // N_CONCEPTS))
        start = time.perf_counter()
        _store_ours(folder / "all", texts, concepts)
        seconds_to_store = time.perf_counter() - start
        _store_ours(folder / "hits", *_hits(n_hits))
        _store_theirs(folder / "all.json", texts, concepts)
        sizes = [sum(path.stat().st_size for path in folder.glob(glob)) / 1e6 for glob in ("all/*", "all.json")]
        del texts
        works = {
            f"ours: look-up in {n_stored:,}": ((_prepare_look_up, _look_up, folder / "all", n_hits), "under 1 s"),
            f"ours: look-up in {n_hits:,}": ((_prepare_look_up, _look_up, folder / "hits", n_hits), ""),
            f"ours: `transform`, {n_stored:,}": (
                (_prepare_ours, _transform, folder / "all", n_hits),
                "under 1 s, flat",
            ),
            f"ours: `transform`, {n_hits:,}": ((_prepare_ours, _transform, folder / "hits", n_hits), ""),
            f"hypothesaes: loading {n_stored:,}": ((_prepare_theirs, _load, folder / "all.json", n_hits), ""),
            f"hypothesaes: `annotate`, {n_stored:,}": ((_prepare_theirs, _annotate, folder / "all.json", n_hits), ""),
        }
        measured = {name: [] for name in works}
        for _ in range(effort.repeats):
            for name, (work, _) in works.items():
                measured[name].append(alone(*work))
    rows = [
        {
            "what": name,
            "seconds": median([run.seconds for run in measured[name]], ".2f"),
            "goal": goal,
            "growth of memory, MB": median([run.peak_bytes / 1e6 for run in measured[name]]),
        }
        for name, (_, goal) in works.items()
    ]
    print_table(
        f"{n_hits:,} annotations from a cache of {n_stored:,} (repeats: {effort.repeats})",
        rows,
        "Each in a fresh process, imports and a first look-up not counted; memory is the peak of RssAnon above that. "
        "Look-up opens the store and asks for the keys; `transform` also makes the keys from the texts, and the array. "
        "The peer's `annotate` loads its JSON, looks up, and writes the whole again. Files: "
        f"{sizes[0]:,.0f} MB (ours, {seconds_to_store:.0f} s to fill) and {sizes[1]:,.0f} MB, in the page cache.",
    )


def _numbered(numbers):
    texts, concepts = planted(1000)
    return [f"{texts[number % len(texts)]} Visit number {number}." for number in numbers], concepts


def _hits(n_hits):
    return _numbered(range(0, N_STORED // N_HITS * n_hits // N_CONCEPTS, N_STORED // N_HITS))  # spread over all


def _keys(own, texts):
    questions = AnnotationQuestions(
        texts, own.hypotheses, None, model=own.annotator, params=None, connection=connection_of(own)
    )
    return questions.keys(questions.places)


def _store_ours(folder, texts, concepts):
    """Store made-up answers under the keys that the annotator will look for."""
    own = annotator(NOWHERE, concepts, folder)
    rng = random.Random(0)
    answers = [struct.pack("<d", 0.0), struct.pack("<d", 1.0)]
    with open_store(folder, "annotations") as store:
        for start in range(0, len(texts), 5000):
            store.put([(key, rng.choice(answers)) for key in _keys(own, texts[start : start + 5000])])


def _prepare_look_up(folder, n_hits):
    texts, concepts = _hits(n_hits)
    keys = _keys(annotator(NOWHERE, concepts, folder), texts)
    _look_up((folder, keys[:1]))
    return folder, keys


def _look_up(prepared):
    folder, keys = prepared
    with open_store(folder, "annotations") as store:
        if len(store.get(keys)) != len(keys):
            raise RuntimeError("Answers are missing.")


def _prepare_ours(folder, n_hits):
    texts, concepts = _hits(n_hits)
    own = annotator(NOWHERE, concepts, folder, max_requests=0)  # a miss raises
    _transform((own, texts[:1]))
    return own, texts


def _transform(prepared):
    own, texts = prepared
    own.transform(texts)


def _store_theirs(path, texts, concepts):
    module = hypothesaes("annotate")
    rng = random.Random(0)
    answers = {module.generate_cache_key(concept, text): rng.randrange(2) for text in texts for concept in concepts}
    if len(answers) != len(texts) * len(concepts):
        raise RuntimeError("Keys of different texts are the same.")
    module.save_annotation_cache(str(path), answers)


def _prepare_theirs(path, n_hits):
    texts, concepts = _hits(n_hits)
    return hypothesaes("annotate"), str(path), [(text, concept) for text in texts for concept in concepts]


def _load(prepared):
    module, path, _ = prepared
    return len(module.get_annotation_cache(path))


def _annotate(prepared):
    module, path, tasks = prepared
    with quiet():
        found = module.annotate(tasks, cache_path=path, show_progress=False, max_retries=0)  # a miss fails unasked
    if sum(map(len, found.values())) != len(tasks):
        raise RuntimeError("Answers are missing.")


def crash(effort):
    """What is paid for again after kill -9."""
    texts, concepts = planted(int(N_TEXTS // 2 * effort.share))
    n_annotations = len(texts) * len(concepts)
    rng = random.Random(0)
    moments = [rng.randrange(1, n_annotations * 4 // 5 // N_KILLS) for _ in range(N_KILLS)]
    rows = []
    with ServerProcess(LATENCY) as server, tempfile.TemporaryDirectory() as folder:
        for name, annotate, place, goal in [
            ("ours", ours, folder, f"{IN_FLIGHT} at most"),
            ("hypothesaes", theirs, str(Path(folder, "theirs.json")), ""),
        ]:
            received = [
                Counter(_run(server, annotate, (server.base_url, texts, concepts, place), moment, rng))
                for moment in [*moments, None]
            ]
            again = [
                sum(((before & after) for after in received[i + 1 :]), Counter()).keys()
                for i, before in enumerate(received[:-1])
            ]
            n_sent = sum(run.total() for run in received)
            rows.append(
                {
                    "what": name,
                    "requests before each kill": _listed(run.total() for run in received[:-1]),
                    "of these asked again": _listed(map(len, again)),
                    "goal": goal,
                    "requests in all": f"{n_sent:,}",
                    "more than needed": f"{n_sent - n_annotations:,}",
                }
            )
    print_table(
        f"{n_annotations:,} annotations, {N_KILLS} times killed by kill -9 and run again, {IN_FLIGHT} in flight",
        rows,
        "Counted from what the server received, the requests whose answers nobody waited for included. Each run is "
        f"killed after a random number of requests, the same for both, and up to {1e3 * LATENCY:.0f} ms; the last one "
        "goes to the end. hypothesaes is called as `annotate(tasks, cache_path=...)`, which writes its cache when it "
        "returns.",
    )


def _run(server, annotate, arguments, moment, rng):
    """Annotate in a process; kill it after `moment` requests, if any. Return the prompts the server received."""
    process = get_context("spawn").Process(target=_annotate_until_killed, args=(annotate, *arguments))
    process.start()
    if moment is not None:
        while server.count() < moment and process.is_alive():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, LATENCY))
        process.kill()
    process.join()
    if process.exitcode != (0 if moment is None else -9):
        raise RuntimeError(f"A run ended with {process.exitcode}.")
    time.sleep(3 * LATENCY)  # the server reads what was on its way
    return [_said(body) for body in server.take()]


def _annotate_until_killed(annotate, *arguments):
    tqdm.set_lock(threading.RLock())  # its own, between processes, would be reported as leaked
    annotate(*arguments)


def _listed(numbers):
    return ", ".join(f"{number:,}" for number in numbers)


SECTIONS = {section.__name__: section for section in (rate, flight, prompts, cache, crash)}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.annotation", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="one repeat, a tenth of the texts")
    args = parser.parse_args()
    if unknown := set(args.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    effort = Effort(repeats=1, share=0.1) if args.quick else Effort(repeats=3, share=1.0)
    for name, section in SECTIONS.items():
        if name in (args.sections or SECTIONS):
            section(effort)
    print(f"\nMeasured on {machine()}")


if __name__ == "__main__":
    main()
