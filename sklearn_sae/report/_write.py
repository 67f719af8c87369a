"""The files that reports are written to."""

import os
from importlib.util import find_spec
from pathlib import Path

_ENDINGS = (".html", ".htm", ".md", ".xlsx")


def check_report_path(path):
    """Return the path of a report, if its ending tells what to write and a file can stand there.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    path : Path

    Raises
    ------
    ValueError, FileNotFoundError, ImportError
        If the ending is another, the folder does not exist, or a workbook needs a package that is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        raise ValueError(f"{path} must end in .html, .md or .xlsx, which say what kind of report to write.")
    if path.suffix.lower() == ".xlsx" and find_spec("openpyxl") is None:
        raise ImportError(
            f"{path} needs the package 'openpyxl': pip install 'sklearn-sae[excel]'; or write a .md file."
        )
    return check_folder(path)


def write_report(report, path):
    """Write a report as a page, as Markdown or as a workbook, by the ending of `path`.

    Parameters
    ----------
    report : Report
    path : str or path-like
        It ends in .html, .htm, .md or .xlsx.

    Returns
    -------
    path : Path
    """
    path = check_report_path(path)
    kind = path.suffix.lower()
    if kind == ".xlsx":
        from sklearn_sae.report._workbook import workbook_of

        return _write(workbook_of(report), path)
    if kind == ".md":
        from sklearn_sae.report._markdown import markdown_of

        return _write(markdown_of(report), path)
    return write_page(report, path)


def write_page(report, path):
    """Write the page of a report and return its path."""
    from sklearn_sae.report._page import page_of

    return _write(page_of(report), path)


def check_folder(path):
    """Return a path, if its folder exists and it is no folder itself."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; make it first.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file.")
    return path


def _write(content, path):
    """Write text or bytes aside and move them, so that the file is never there in part."""
    content = content.encode("utf-8", "replace") if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except OSError as error:  # It names the file aside, of which nobody knows.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        aside.unlink(missing_ok=True)
    return path
