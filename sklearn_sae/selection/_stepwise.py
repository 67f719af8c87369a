"""Forward stepwise selection by least squares, with the Gram rows of chosen neurons only."""

import numpy as np
from scipy.linalg import solve_triangular

_TIE = 1e-9  # Two gains of a smaller relative difference are the same.
_COLLINEAR = 1e-9  # The chosen neurons must leave this share of the variance of another one unexplained.
_ROUNDING = 1e-18  # A smaller gain is a rounding error, because the targets have norm 1.


def stepwise_scores(design, correlations, n_steps):
    """Choose at each step the neuron that lowers the residual sum of squares most, given those chosen before.

    Each chosen neuron is made orthogonal to the earlier ones, which is one step of a pivoted Cholesky factorization
    of the Gram matrix. The sum of squares is over all targets. Ties go to the smaller index.

    Parameters
    ----------
    design : Standardized
    correlations : ndarray of shape (n_targets, n_neurons)
    n_steps : int

    Returns
    -------
    coef : ndarray of shape (n_targets, n_neurons)
        Coefficients of least squares on the chosen neurons, for standardized neurons and targets; 0 for the others.
    chosen : list of int
        The neurons in order of choice. They are fewer than `n_steps` if they explain the targets fully, or if all
        others are combinations of them.
    """
    n_targets, n_neurons = correlations.shape
    covariance = correlations.copy()  # of the neurons with the targets' residuals, (n_targets, n_neurons)
    unexplained = design.live.astype(np.float64)  # share of each neuron's variance beyond the chosen ones
    factor = np.empty((n_steps, n_neurons))  # covariances of the neurons with each orthogonal direction
    on_direction = np.empty((n_steps, n_targets))
    chosen = []
    for step in range(n_steps):
        free = unexplained > _COLLINEAR
        gains = np.divide((covariance**2).sum(axis=0), unexplained, out=np.zeros(n_neurons), where=free)
        if gains.max() <= _ROUNDING:
            break
        j = int(np.argmax(gains >= gains.max() * (1 - _TIE)))
        row = design.covariance(design.residual(j)) - factor[:step, j] @ factor[:step]
        factor[step] = row / np.sqrt(unexplained[j])
        on_direction[step] = covariance[:, j] / np.sqrt(unexplained[j])
        covariance -= np.outer(on_direction[step], factor[step])
        unexplained -= factor[step] ** 2
        unexplained[j] = 0.0
        chosen.append(j)

    coef = np.zeros_like(correlations)
    if chosen:
        n_chosen = len(chosen)
        coef[:, chosen] = solve_triangular(factor[:n_chosen, chosen], on_direction[:n_chosen]).T
    return coef, chosen
