"""The command `discover`."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pandas as pd

from sklearn_sae._text_pairs import annotator_of, is_of_pairs
from sklearn_sae.cli._by import subgroups_of
from sklearn_sae.cli._files import check_files
from sklearn_sae.cli._options import in_options
from sklearn_sae.cli._progress import say
from sklearn_sae.cli._read import read_columns
from sklearn_sae.cli._read_folder import is_folder, read_folder
from sklearn_sae.utils._notes import noted, warn
from sklearn_sae.utils._validation import counted, listed, visible

_LLM_OPTIONS = (
    "interpreter",
    "annotator",
    "base_url",
    "server",
    "api_key_env",
    "instructions",
    "concepts_per_call",
    "batch",
    "max_requests",
    "prices",
)


def run(arguments):
    """Read the file, discover, and print and write what came out."""
    _check_together(arguments)
    say(arguments, f"Reading {'standard input' if arguments.file == '-' else arguments.file} …")
    columns = [*filter(None, (arguments.groups, arguments.weight, arguments.by, arguments.offset)), *arguments.control]
    pair = [arguments.prompt, arguments.text, arguments.text_b] if arguments.text_b is not None else [arguments.text]
    columns_of_text = list(filter(None, pair))
    with noted() as on_file:
        if is_folder(arguments.file):
            if len(columns_of_text) > 1:
                raise ValueError("--text-b is for a file; pairs of a folder are not read. Join its files into one.")
            texts, table = read_folder(arguments.file, arguments.text, arguments.target, columns)
        else:
            table = read_columns(
                arguments.file, columns_of_text, arguments.target, columns, encoding=arguments.encoding
            )
            texts = table[arguments.text] if len(columns_of_text) == 1 else table[columns_of_text].to_numpy()
    for note in on_file:
        warn(note)
    y, transform = table[arguments.target], None
    if arguments.transform is not None:
        from sklearn_sae.cli._transform import transform_target

        y, transform, notes = transform_target(y, arguments.transform)
        for note in notes:
            warn(note)
    groups = None if arguments.groups is None else _groups(table[arguments.groups])
    say(arguments, f"Read {counted(len(table), 'row')}. Loading the libraries …")
    discover(
        texts,
        y,
        arguments,
        embedder=_embedder(arguments),
        reader=arguments.reader,
        unit=arguments.unit,
        residual_rounds=arguments.residual_rounds,
        naming=_naming(arguments),
        groups=groups,
        controls=table[arguments.control] if arguments.control else None,
        control_length=arguments.control_length,
        sample_weight=None if arguments.weight is None else _numbers(table[arguments.weight], "weight"),
        by=None if arguments.by is None else subgroups_of(table[arguments.by], arguments.period),
        offset=None if arguments.offset is None else _numbers(table[arguments.offset], "offset"),
        task=arguments.task,
        n_seeds=arguments.seeds,
        transform=transform,
        about=_about(arguments, table, on_file),
    )


def discover(texts, y, arguments, *, transform=None, about=(), **options):
    """Say what will be done, do it, and print and write what came out."""
    from sklearn_sae import LLMHypothesisAnnotator
    from sklearn_sae._carry_out import carry_out
    from sklearn_sae._discovery import described, text_of
    from sklearn_sae._persistence import save_model
    from sklearn_sae._pipeline import autoencoder_of
    from sklearn_sae._plan_discovery import plan_discovery
    from sklearn_sae._spending import check_cost
    from sklearn_sae.cli._plan import in_words, print_cost
    from sklearn_sae.cli._write import write_discovery
    from sklearn_sae.report._report_of import report_of_discovery, what_is_shown
    from sklearn_sae.report._write import write_report
    from sklearn_sae.utils._tables import terminal_width

    plan = plan_discovery(
        texts,
        y,
        n_components=arguments.n_components,
        k=arguments.k,
        n_hypotheses=arguments.n_hypotheses,
        target_weight=arguments.target_weight,
        test_size=arguments.held_out,
        alpha=arguments.alpha,
        correction=arguments.correction,
        random_state=arguments.seed,
        **options,
    )
    width = terminal_width()
    description = "\n".join(described(plan.description, width))
    print(description, flush=True)
    annotator = annotator_of(plan.pipeline)
    arguments.asks = isinstance(annotator, LLMHypothesisAnnotator)
    print_cost(plan)
    if getattr(arguments, "dry_run", False):
        print("Nothing was asked, trained or written (--dry-run).")
        return
    check_cost(plan, getattr(arguments, "max_cost", None))
    autoencoder_of(annotator.encoder).set_params(verbose=arguments.verbose)
    does = "Reading" if "read" in annotator.encoder.named_steps else "Embedding"
    noun = "pair" if is_of_pairs(plan.pipeline) else "text"
    say(arguments, f"{does} {counted(len(plan.train), noun)}, then training, naming and testing …")
    discovery = carry_out(plan)
    discovery = replace(discovery, notes=[in_options(note) for note in discovery.notes])
    if getattr(arguments, "groups", None) is not None:
        discovery = replace(discovery, settings={**discovery.settings, "groups": arguments.groups})
    found = text_of(discovery, width, wide=arguments.wide, full=arguments.full, options=("--wide", "--full"))
    print(found.removeprefix(description).removeprefix("\n"))
    if arguments.asks:
        print(f"Used: {in_words(annotator.usage_)}", flush=True)
    if arguments.output is not None:
        write_discovery(discovery, arguments.output)
        print(f"Written to {arguments.output}.", flush=True)
    if arguments.save is not None:
        target = {"name": arguments.target if hasattr(arguments, "target") else y.name}
        save_model(discovery.pipeline, arguments.save, {**target, "transform": transform and transform._asdict()})
        print(f"Written to {arguments.save}.", flush=True)
    if arguments.report is not None:
        shown, rows = arguments.report_texts or "fragments", y.index[discovery.test]
        report = report_of_discovery(discovery, texts=shown, about=about, rows=rows)
        write_report(report, arguments.report)
        print(f"Written to {arguments.report}.")
        print(f"{arguments.report.name} {what_is_shown(report)}")


def keywords(arguments, **options):
    """Return the annotator that names by keywords."""
    from sklearn_sae import KeywordHypothesisAnnotator

    return KeywordHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose, **options)


def _check_together(arguments):
    if visible(arguments.text) == visible(arguments.target):
        raise ValueError(f"--text and --target name the same column, {arguments.text!r}.")
    for option in ("text", "target"):
        if arguments.groups is not None and visible(arguments.groups) == visible(getattr(arguments, option)):
            raise ValueError(
                f"--groups and --{option} name the same column, {arguments.groups!r}; --groups names what several rows "
                "have in common, such as their author."
            )
    given = [("control", column) for column in arguments.control]
    given += [(name, getattr(arguments, name)) for name in ("by", "offset") if getattr(arguments, name) is not None]
    for name, column in given:
        for option in ("text", "target"):
            if visible(column) == visible(getattr(arguments, option)):
                raise ValueError(f"--{name} and --{option} name the same column, {column!r}.")
    columns = {
        option: getattr(arguments, option.replace("-", "_")) for option in ("prompt", "text-b", "text", "target")
    }
    for (one, column), (other, same) in combinations(columns.items(), 2):
        if column is not None and same is not None and visible(column) == visible(same):
            raise ValueError(f"--{one} and --{other} name the same column, {column!r}.")
    if arguments.period is not None and arguments.by is None:
        raise ValueError("--period is for --by, which names the column of dates.")
    if arguments.text_b is None and arguments.prompt is not None:
        raise ValueError("--prompt is for pairs; --text-b names the column of the second texts.")
    if arguments.text_b is not None and arguments.save is not None:
        raise ValueError("--save is for single texts; a model of pairs can be kept by pickling what discover returns.")
    if arguments.text_b is not None and arguments.by is not None:
        raise ValueError("--by is for single texts.")
    if arguments.offset is not None and arguments.transform is not None:
        raise ValueError("--offset holds predictions of the target as it is; leave --transform out.")
    if arguments.naming != "llm":
        for name in (*_LLM_OPTIONS, "max_cost"):
            if getattr(arguments, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for --naming llm.")
    elif arguments.language is not None:
        raise ValueError("--language is for --naming keywords; a language model needs none.")
    if arguments.naming == "quotes" and arguments.language is not None:
        raise ValueError("--language is for --naming keywords; quotes need none.")
    if arguments.naming == "quotes" and arguments.embedder == "tfidf":
        raise ValueError("--naming quotes needs a sentence model; leave --embedder tfidf out, or name another one.")
    if arguments.reader is not None and arguments.embedder is not None:
        raise ValueError("--reader is in the place of --embedder; give one of them.")
    if arguments.reader is not None and arguments.unit != "auto":
        raise ValueError("--unit is for what an --embedder embeds; a --reader reads words.")
    for name in ("embedder_url", "embedder_key_env"):
        if getattr(arguments, name) is not None and arguments.embedder in (None, "tfidf"):
            raise ValueError(f"--{name.replace('_', '-')} is for an --embedder that a server has.")
    check_written(arguments, [arguments.file])


def check_written(arguments, read=()):
    """Refuse to write two things to one file or over one that is read, and options of a report without a report."""
    check_files(read, {f"--{name}": getattr(arguments, name) for name in ("output", "save", "report")})
    if arguments.report is None and arguments.report_texts is not None:
        raise ValueError("--report-texts is for --report.")


def _about(arguments, table, notes):
    """Return sentences on the file, for a report: which it is, what was read of it, and what was left out."""
    file = "standard input" if arguments.file == "-" else Path(arguments.file).name
    n_left = next((note for note in notes if note.startswith("Left out")), "No row was left out.")
    names = [name for name in (arguments.text, arguments.text_b, arguments.prompt) if name is not None]
    columns = f"column {names[0]!r}" if len(names) == 1 else f"columns {listed(list(map(repr, names)), 'and')}"
    read = f"The texts are the {columns} of {file}, the target is the column {arguments.target!r}."
    return (read, n_left, *(note for note in notes if not note.startswith("Left out")))


def _groups(values):
    """Return the group of each row; rows without one are groups of their own."""
    codes = pd.factorize(values)[0]
    missing = codes < 0
    if missing.any():
        have = "has" if missing.sum() == 1 else "have"
        warn(f"{missing.sum():,} of {len(codes):,} rows {have} no {values.name!r}; each counts as a group of its own.")
        codes[missing] = codes.max() + 1 + range(missing.sum())
    return codes


def _numbers(values, option):
    """Return the number of each row in the column of an option."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        row = numbers.index[numbers.isna()][0]
        raise ValueError(f"--{option} {values.name!r} has no number in row {row}; fill it in, or drop the row.")
    return numbers


def _embedder(arguments):
    if arguments.embedder == "tfidf":
        return None
    if arguments.embedder is None:
        if arguments.naming != "quotes" or arguments.reader is not None:
            return None
        from sklearn_sae._pipeline import sentence_model

        return sentence_model().set_params(verbose=arguments.verbose)
    from sklearn_sae import EmbeddingTransformer

    return EmbeddingTransformer(
        arguments.embedder,
        base_url=arguments.embedder_url,
        api_key_env=arguments.embedder_key_env,
        verbose=arguments.verbose,
    )


def _naming(arguments):
    if arguments.naming == "keywords":
        return keywords(arguments, **({} if arguments.language is None else {"stop_words": arguments.language}))
    if arguments.naming == "quotes":
        from sklearn_sae import QuoteHypothesisAnnotator

        return QuoteHypothesisAnnotator(random_state=arguments.seed, verbose=arguments.verbose)
    from sklearn_sae import LLMHypothesisAnnotator

    given = {name: getattr(arguments, name) for name in _LLM_OPTIONS if getattr(arguments, name) is not None}
    if "prices" in given:
        given["prices"] = dict(given["prices"])
    # What is only planned needs no key.
    return LLMHypothesisAnnotator(
        random_state=arguments.seed, verbose=arguments.verbose, cached_only=arguments.dry_run, **given
    )
