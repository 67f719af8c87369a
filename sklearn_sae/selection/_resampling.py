"""Random halves of the rows, in complementary pairs."""


def complementary_halves(n_samples, n_halves, random_state):
    """Yield the row numbers of random halves, of which every second one complements the one before.

    Parameters
    ----------
    n_samples : int
    n_halves : int
    random_state : RandomState

    Yields
    ------
    rows : ndarray of shape (n_samples // 2,)
    """
    size = n_samples // 2
    for half in range(n_halves):
        if half % 2 == 0:
            order = random_state.permutation(n_samples)
            yield order[:size]
        else:
            yield order[size : 2 * size]
