"""The command `apply`."""

import sys
from functools import partial

import numpy as np
import pandas as pd

from sklearn_sae.cli._files import check_files
from sklearn_sae.cli._partition import result_fields
from sklearn_sae.cli._partitions import annotate_partitions, are_partitions, find_partitions
from sklearn_sae.cli._progress import say
from sklearn_sae.cli._read import read_columns
from sklearn_sae.utils._validation import counted, unique_names
from sklearn_sae.utils._write_table import write_table


def run(arguments):
    """Annotate the texts of files, predict, and write their rows with what was found."""
    if are_partitions(arguments.files, arguments.output):
        if arguments.encoding is not None:
            raise ValueError("Parquet files are no text files; leave --encoding out.")
        pairs = find_partitions(arguments.files, arguments.output)
    else:
        pairs, (file,) = None, arguments.files
        check_files([file, arguments.model], {"--output": arguments.output})
    say(arguments, f"Reading {arguments.model} …")
    from sklearn_sae._persistence import load_model
    from sklearn_sae.cli._transform import Transform

    pipeline, facts = load_model(arguments.model)
    transform = facts.get("transform") and Transform(**facts["transform"])
    annotator = pipeline["hypotheses"].set_params(verbose=arguments.verbose)
    check_server(annotator, arguments)
    hypotheses = counted(len(annotator.hypotheses_), "hypothesis", "hypotheses")
    if pairs is not None:
        annotate = partial(_annotate, pipeline, transform=transform)
        counts = annotate_partitions(pairs, arguments, annotate, result_fields(pipeline))
        print(_in_sentence(counts, pairs, hypotheses, arguments.output))
        return
    say(arguments, f"Reading {'standard input' if file == '-' else file} …")
    table = read_columns(file, arguments.text, others=None, encoding=arguments.encoding)
    say(arguments, f"Annotating {counted(len(table), 'text')} by {hypotheses} …")
    result = _annotate(pipeline, table[arguments.text].tolist(), transform)
    result.index = table.index
    names = unique_names(["row", *map(str, table.columns), *result.columns])
    written = pd.concat([table.index.to_series(), table, result], axis=1).set_axis(names, axis=1)
    if arguments.output is None:
        written.to_csv(sys.stdout, index=False, lineterminator="\n")  # the output ends lines as the system does
    else:
        write_table(written, arguments.output)
        print(f"{counted(len(table), 'text')}, annotated by {hypotheses}: {arguments.output}")


def _in_sentence(counts, pairs, hypotheses, output):
    """Return what was done with files, and what was left because it was finished or is another process's."""
    n_now = len(pairs) - counts.finished - counts.elsewhere
    parts = [f"{counted(counts.texts, 'text')} of {counted(n_now, 'file')}, annotated by {hypotheses}: {output}"]
    if counts.finished:
        parts.append(f"{counted(counts.finished, 'file was', 'files were')} finished before")
    if counts.elsewhere:
        parts.append(f"another process works on {counted(counts.elsewhere, 'file')}")
    return "; ".join(parts)


def _annotate(pipeline, texts, transform):
    """Return a column for each hypothesis, the prediction and the probability of each class."""
    annotator = pipeline["hypotheses"]
    annotations = annotator.transform(texts)
    result = pd.DataFrame(annotations, columns=annotator.get_feature_names_out())
    if np.isin(annotations[~np.isnan(annotations)], (0, 1)).all():
        result = result.astype("Int64")  # 1, and not 1.0
    predictions = pipeline[1:].predict(annotations)
    result["prediction"] = predictions if transform is None else transform.undo(predictions)
    model = pipeline["model"]
    if hasattr(model, "predict_proba"):
        for label, column in zip(model.classes_, pipeline[1:].predict_proba(annotations).T, strict=True):
            result[f"probability of {label}"] = column
    return result


def check_server(annotator, arguments):
    """Refuse to send texts, and the key, to a server that only the file of the model names; note if one is asked."""
    if not hasattr(annotator, "base_url"):
        for option in ("base_url", "server", "api_key_env", "max_requests"):
            if getattr(arguments, option) is not None:
                raise ValueError(f"--{option.replace('_', '-')} is for a model whose annotator is a language model.")
        return
    arguments.asks = True
    from sklearn_sae.utils.server import find_key, is_this_machine, resolve_base_url

    annotator.set_params(max_requests=arguments.max_requests, api_key_env=arguments.api_key_env)
    if arguments.server is not None:
        annotator.set_params(server=arguments.server, base_url=None)
        return
    named = annotator.base_url
    if arguments.base_url is not None:
        annotator.set_params(base_url=arguments.base_url)
    elif named is not None and named.rstrip("/") != resolve_base_url(None) and not is_this_machine(named):
        raise ValueError(
            f"{arguments.model} was made with the server {named}; to send the texts there, say so: --base-url {named}"
        )
    find_key(resolve_base_url(annotator.base_url), annotator.api_key_env)
