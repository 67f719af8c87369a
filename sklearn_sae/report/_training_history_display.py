"""The training of an autoencoder, epoch by epoch, as a picture."""

import numpy as np

from sklearn_sae.report._inside import autoencoder_in
from sklearn_sae.utils._literal import draw_literally
from sklearn_sae.utils._plotting import GREY, new_panels, style


class TrainingHistoryDisplay:
    """Losses and the share of dead neurons of an autoencoder, epoch by epoch.

    A training has converged if both losses lie flat. A validation loss that rises while the other falls says that it
    went on for too long; neurons that are dead, that they are too many. A dotted line marks the epoch of the lowest
    validation loss, whose weights are kept.

    Make it by `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
    train_loss : array-like of shape (n_epochs,)
    validation_loss : array-like of shape (n_epochs,), default=None
        NaN, or None altogether, where nothing was held back.
    dead_fraction : array-like of shape (n_epochs,), default=None

    Attributes
    ----------
    ax_ : matplotlib Axes
        Those of the losses.
    axes_ : ndarray of Axes
        Those of the losses and, beneath, of the dead neurons.
    figure_ : matplotlib Figure
    lines_ : list of Line2D
        The loss in training, that in validation if there was one, and the share of dead neurons.

    See Also
    --------
    TopKSAETransformer : Has the numbers in its `history_`.
    SizeSearchDisplay : Shows which sizes predict best.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import TopKSAETransformer, TrainingHistoryDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 8))
    >>> sae = TopKSAETransformer(16, 2, max_epochs=4, random_state=0).fit(X)
    >>> display = TrainingHistoryDisplay.from_estimator(sae)
    >>> display.epochs.tolist(), [line.get_label() for line in display.lines_]
    ([1, 2, 3, 4], ['training', 'validation', 'dead neurons'])
    """

    def __init__(self, *, epochs, train_loss, validation_loss=None, dead_fraction=None):
        self.epochs = epochs
        self.train_loss = train_loss
        self.validation_loss = validation_loss
        self.dead_fraction = dead_fraction

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the history of a fitted autoencoder.

        Parameters
        ----------
        estimator : TopKSAETransformer or estimator
            Fitted; or what holds one: a pipeline, an annotator, a search, a `ReaderSAETransformer`, a `Discovery`.
        ax : matplotlib Axes, default=None
            As of `plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        history = autoencoder_in(estimator).history_
        if not history:
            raise ValueError("The autoencoder has no history, because it was not trained here but taken over.")
        columns = {name: np.array([row[name] for row in history]) for name in history[0]}
        display = cls(
            epochs=columns["epoch"],
            train_loss=columns["train_loss"],
            validation_loss=columns["validation_loss"],
            dead_fraction=columns["dead_fraction"],
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw the history.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, divided for the dead neurons; None makes a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        has_dead = self.dead_fraction is not None
        options = {"sharex": True, "height_ratios": [3, 1]} if has_dead else {}
        axes = new_panels(ax, 1 + has_dead, 1, height=4.5 if has_dead else 3.5, width=6, **options).ravel()
        epochs, losses = np.asarray(self.epochs), {"training": np.asarray(self.train_loss, dtype=float)}
        if self.validation_loss is not None and np.isfinite(np.asarray(self.validation_loss, dtype=float)).any():
            losses["validation"] = np.asarray(self.validation_loss, dtype=float)
        often = {"markersize": 5, "markevery": max(1, len(epochs) // 15)}
        self.lines_ = []
        for i, (label, loss) in enumerate(losses.items()):
            self.lines_ += axes[0].plot(epochs, loss, linestyle=["-", "--"][i], label=label, **often, **style(i))
        axes[0].set_ylabel("loss")
        if has_dead:
            share = 100 * np.asarray(self.dead_fraction, dtype=float)
            self.lines_ += axes[1].plot(epochs, share, label="dead neurons", **often, **style(2))
            axes[1].set_ylim(-4, max(10, 1.15 * np.nanmax(share, initial=0)))
            axes[1].set_ylabel("dead\nneurons, %")
        if "validation" in losses:
            best = epochs[np.nanargmin(losses["validation"])]
            for panel in axes:
                label = f"lowest validation loss: epoch {best}"
                panel.axvline(best, color=GREY, linestyle=":", linewidth=1.2, label=label, zorder=1)
        _frame(axes, losses, epochs)
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
        draw_literally(*axes)
        return self


def _frame(axes, losses, epochs):
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
    values = np.concatenate(list(losses.values()))
    values = values[np.isfinite(values)]
    size = np.abs(values).max(initial=0)
    if len(values) and np.ptp(values) < 1e-9 * max(size, 1e-3):  # else noise of rounding would fill the picture
        axes[0].set_ylim(*((0.9 * size, 1.1 * size) if size > 1e-3 else (-0.1, 1)))
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    if len(epochs) == 1:
        axes[-1].set_xlim(epochs[0] - 1, epochs[0] + 1)
    axes[0].legend(frameon=False, fontsize="small")
