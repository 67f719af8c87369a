"""What was learned of a model on a server: which parts of a request it refuses."""

from collections import Counter


class Learned:
    """Parts of a request that a model is found to take or to refuse, such as a schema.

    Attributes
    ----------
    taken, refused : set of str
    """

    def __init__(self):
        self.taken = set()
        self.refused = set()
        self._doubts = Counter()

    def doubt(self, part, *, weight=1):
        """Note that a request was answered without a part, and had not been with it; two doubts are a refusal.

        Parameters
        ----------
        part : str
        weight : int, default=1
            2: the server said so. 1: it may have failed by chance.
        """
        self._doubts[part] += weight
        if self._doubts[part] >= 2 and part not in self.taken:
            self.refused.add(part)
