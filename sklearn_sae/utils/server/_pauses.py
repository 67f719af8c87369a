"""Pauses that a server asks for are shown, because a run that only waits looks like one that hangs."""

from datetime import datetime, timedelta

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.server._retry_after import in_words

_WORTH_A_WORD = 10  # seconds


class Pauses:
    """Tell, whenever it is called, of a pause that the server asked for.

    Parameters
    ----------
    rate_limiter : RateLimiter
    address : str
    verbose : bool
        Count down. False: one note for each pause.
    """

    def __init__(self, rate_limiter, address, *, verbose):
        self._rate_limiter = rate_limiter
        self._address = address
        self._verbose = verbose
        self._bar = None  # of the pause that lasts

    def __call__(self):
        """Begin, go on with or end what is shown."""
        left = self._rate_limiter.pause_left()
        if self._bar is None and left >= _WORTH_A_WORD:
            until = datetime.now() + timedelta(seconds=left)
            if not self._verbose:
                warn(
                    f"The server at {self._address} asks for a pause of {in_words(left)} (Retry-After). The run goes "
                    f"on by itself at {until:%H:%M}; Ctrl-C ends it, and what was answered is kept."
                )
            self._bar = progress(
                total=round(left), desc="pause that the server asks for", verbose=self._verbose, unit="s"
            )
        if self._bar is not None:
            self._bar.update(max(0, round(self._bar.total - left) - self._bar.n))
            if not left:
                self._bar.close()
                self._bar = None
