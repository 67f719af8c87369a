"""One parquet file, annotated batch by batch: its columns, and what was found beside them."""

import json
import os
from contextlib import suppress

from sklearn_sae.cli._read import are_blank, find_column
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._validation import unique_names, visible

_ROWS = 4096  # are in memory at a time
_BUFFER = 2**20  # bytes of each column that are read at a time
_KEY = b"sklearn-sae"


class UnreadableError(Exception):
    """What is wrong with a file where others may be right."""


def result_fields(pipeline):
    """Return the names and Arrow types of what is found: hypotheses, the prediction, and probabilities of classes."""
    import pyarrow as pa

    annotator, model = pipeline["hypotheses"], pipeline["model"]
    kind = pa.float64() if getattr(annotator, "output", "binary") == "probability" else pa.int64()
    fields = [(name, kind) for name in annotator.get_feature_names_out()]
    if not hasattr(model, "predict_proba"):
        return [*fields, ("prediction", pa.float64())]
    probabilities = [(f"probability of {label}", pa.float64()) for label in model.classes_]
    return [*fields, ("prediction", pa.array(model.classes_.tolist()).type), *probabilities]


def is_result(path):
    """Return whether a file was written by `annotate_file`."""
    import pyarrow.parquet as pq

    try:
        return _KEY in (pq.read_metadata(path).metadata or {})
    except (OSError, ValueError):  # it cannot be read, as will be said where it is
        return False


def is_finished(path, origin, fields):
    """Return whether a result was made from just this, and no answer is missing in it."""
    import pyarrow.parquet as pq

    try:
        facts = pq.read_metadata(path)
        if json.loads((facts.metadata or {})[_KEY]) != origin:
            return False
    except (OSError, ValueError, KeyError):  # there is none, or another program wrote it
        return False
    found = range(facts.num_columns - len(fields), facts.num_columns)  # the columns of what was found are the last
    columns = [facts.row_group(group).column(column) for group in range(facts.num_row_groups) for column in found]
    return all(column.statistics.null_count == 0 for column in columns)


def annotate_file(source, target, text, annotate, fields, origin):
    """Write the columns of a file and what its texts give; return how many texts it has.

    Parameters
    ----------
    source, target : Path
    text : str
        The column of texts. Rows without a text are left out.
    annotate : callable (list of str) -> DataFrame
    fields : list of (str, DataType)
        The columns that `annotate` returns.
    origin : dict
        What the result is made from.

    Raises
    ------
    UnreadableError
        If the source cannot be read, or has no such texts.
    OSError
        If the target cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    partial = target.with_name(f".{target.name}.partial")
    batches = _batches(source, text)
    n_rows = n_texts = 0
    try:
        kept, read = next(batches)
        names = unique_names(["row", *(visible(field.name) for field in read), *(name for name, _ in fields)])
        types = [pa.int64(), *(field.type for field in read), *(kind for _, kind in fields)]
        schema = pa.schema(list(zip(names, types, strict=True)), metadata={_KEY: json.dumps(origin)})
        with pq.ParquetWriter(partial, schema) as writer:
            for batch, texts in batches:
                chosen = ~are_blank(texts)
                rows = pa.array(range(n_rows + 1, n_rows + len(texts) + 1), type=pa.int64())
                n_rows += len(texts)
                n_texts += int(chosen.sum())
                if not chosen.any():
                    continue
                result = annotate([one for one, is_text in zip(texts, chosen, strict=True) if is_text])
                mask = pa.array(chosen)
                beside = [rows.filter(mask), *(batch.column(place).filter(mask) for place in kept)]
                found = [
                    pa.array(result.iloc[:, place], type=kind, from_pandas=True)
                    for place, (_, kind) in enumerate(fields)
                ]
                writer.write_table(pa.Table.from_arrays([*beside, *found], schema=schema))
        os.replace(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    if n_texts < n_rows:
        warn(f"Left out {n_rows - n_texts:,} of {n_rows:,} rows of {source}: they have no text.")
    return n_texts


def _batches(source, text):
    """Yield the places of the columns that are kept and their fields, and then batches with their texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER) as file:
            schema = file.schema_arrow
            kept = [place for place, name in enumerate(schema.names) if not name.startswith("__index_level_")]
            column = schema.names.index(find_column(schema.names, text, source))
            if not _holds_texts(schema.field(column).type):
                raise ValueError(
                    f"{source} has {schema.field(column).type} in the column {text!r}; --text names the column that "
                    "holds the texts."
                )
            yield kept, [schema.field(place) for place in kept]
            for batch in file.iter_batches(batch_size=_ROWS):
                yield batch, batch.column(column).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UnreadableError(f"{source} cannot be read as parquet: {why}") from None
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def _holds_texts(kind):
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _holds_texts(kind.value_type)
    return str(kind) in ("string", "large_string", "string_view", "null")  # null where all are missing
