"""How long a server asks to be left alone."""

import math
from email.utils import parsedate_to_datetime
from time import time

LONGEST_PAUSE = 3600  # seconds; a run that is asked for more ends


def retry_after(headers):
    """Return the seconds of `Retry-After`, also if it is a date; 0 if there is none.

    Parameters
    ----------
    headers : mapping of str to str
        The headers of a response.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is not None:
            try:
                seconds = unit * float(value)
            except ValueError:
                seconds = _until(value)
            if math.isfinite(seconds) and seconds > 0:
                return seconds
    return 0.0


def in_words(seconds):
    """Return a time as people say it.

    Examples
    --------
    >>> in_words(45), in_words(300), in_words(5400)
    ('45 seconds', '5 minutes', '1.5 hours')
    """
    if seconds < 60:
        return f"{seconds:.0f} seconds"
    if seconds < 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def _until(date):
    try:
        return parsedate_to_datetime(date).timestamp() - time()
    except ValueError:
        return 0.0
