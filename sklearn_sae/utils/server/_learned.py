"""What was learned of a model on a server: which parts of a request it refuses, and how it replies."""

from collections import Counter


class Learned:
    """What a model is found to do with what it is asked.

    Attributes
    ----------
    taken, refused : set of str
        Parts of a request, such as a schema.
    needs_room : bool
        Whether it thinks before it answers, or says much, so that no limit of tokens may end its replies.
    read, unread : Counter
        How many replies to each form of a question held an answer, and how many none.
    was_cut, had_room : bool
        Whether a reply ended at the limit of tokens without an answer, and whether one was asked for without a limit.
    """

    def __init__(self):
        self.needs_room = self.was_cut = self.had_room = False
        self.read, self.unread = Counter(), Counter()
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
