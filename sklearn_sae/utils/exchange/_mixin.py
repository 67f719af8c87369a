"""The methods by which estimators give their autoencoder away and take one in."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from sklearn.utils.validation import check_is_fitted

from sklearn_sae.utils._hub import download_folder, upload_folder
from sklearn_sae.utils.exchange._autoencoder import Autoencoder
from sklearn_sae.utils.exchange._card import model_card
from sklearn_sae.utils.exchange._folder import CARD, FILES, damaged, read_folder, write_folder


class Exchanged(NamedTuple):
    """What a fitted estimator gives away."""

    autoencoder: Autoencoder
    facts: dict  # the parameters and the rest of what was fitted, as JSON has it
    arrays: dict  # the rest of what was fitted, as arrays
    metadata: dict  # the metadata of SAELens that the estimator knows: model_name, hook_name, prepend_bos
    figures: dict  # what was measured, by its name in words


class ExchangeMixin:
    """Saves the autoencoder of an estimator for SAELens and the hub, and loads it.

    An estimator has the methods ``_exchanged(self)``, which returns an `Exchanged`, and
    ``_from_exchanged(cls, autoencoder, facts, arrays)``, which returns a fitted estimator.
    """

    def to_saelens(self, folder, *, model_name=None, hook_name=None, prepend_bos=None):
        """Save the autoencoder to a folder, from which SAELens and `from_pretrained` load it.

        `sae_lens.SAE.load_from_disk` gives the same activations and reconstructions. The folder holds no code. It has
        the parameters as well, the history, and where they were learned the names of the features and of the classes.

        Parameters
        ----------
        folder : path-like
            It is made if it does not exist. Files of an autoencoder that are there are replaced.
        model_name : str or None, default=None
            The language model whose states the rows are, as metadata for SAELens. None: as the estimator knows it.
        hook_name : str or None, default=None
            Which of its states, as in "blocks.5.hook_resid_post". `PretrainedSAETransformer` needs it.
        prepend_bos : bool or None, default=None
            Whether its texts begin with the token that marks a beginning.

        Raises
        ------
        ValueError
            If SAELens has no form for the autoencoder.
        TypeError
            If a parameter or a class is of a kind that a file without code cannot hold.
        OSError
            If the folder cannot be written.
        """
        check_is_fitted(self)
        exchanged = self._exchanged()
        if not exchanged.autoencoder.is_for_saelens:
            kind, other = ("encoder='matching_pursuit'", "encoder='linear'")
            if exchanged.autoencoder.signed:
                kind, other = "signed=True", "signed=False"
            raise ValueError(
                f"SAELens has no form for {kind}; share the autoencoder by push_to_hub, or fit one with {other}."
            )
        metadata = _told(exchanged.metadata, model_name, hook_name, prepend_bos)
        _write(folder, self, exchanged, metadata)

    def push_to_hub(
        self,
        repo_id,
        *,
        trained_on=None,
        model_name=None,
        hook_name=None,
        prepend_bos=None,
        private=None,
        revision=None,
        commit_message=None,
        token=None,
    ):
        """Put the autoencoder into a repository of the Hugging Face hub, with a model card.

        The repository holds what `to_saelens` writes, and a README.md that says what the autoencoder is, how to load it
        and what was measured. Such files that are there are replaced, all in one commit. SAELens has no form for
        ``encoder="matching_pursuit"`` or ``signed=True``; what is written then is for `from_pretrained` alone. An
        estimator with a `model` names it, and of its `model_kwargs` the `revision` and `subfolder`.

        Parameters
        ----------
        repo_id : str
            The name of the repository, "owner/name". It is made if it does not exist.
        trained_on : str or None, default=None
            What the rows were, in words, for the model card.
        model_name, hook_name, prepend_bos : optional
            As in `to_saelens`.
        private : bool or None, default=None
            Whether a repository that is made is private. None is the default of the owner.
        revision : str or None, default=None
            The branch to change. None is "main".
        commit_message : str or None, default=None
            The message of the commit.
        token : str, bool or None, default=None
            The token for the hub. None is that of the user who is logged in.

        Returns
        -------
        url : str
            The address of the commit.

        Raises
        ------
        TypeError
            If a parameter or a class is of a kind that a file without code cannot hold.
        ValueError
            If the parameter `model` is a folder, because others do not have it and its path may name you.
        PermissionError, ConnectionError, OSError
            If the hub does not take it.
        """
        check_is_fitted(self)
        exchanged, kind = self._exchanged(), type(self).__name__
        _check_not_a_folder(exchanged.facts["parameters"].get("model"))
        metadata = _told(exchanged.metadata, model_name, hook_name, prepend_bos)
        card = model_card(
            repo_id,
            exchanged.autoencoder,
            kind=kind,
            metadata=metadata,
            trained_on=trained_on,
            figures=exchanged.figures,
        )
        with tempfile.TemporaryDirectory() as folder:
            _write(folder, self, exchanged, metadata, card)
            return upload_folder(
                folder,
                repo_id,
                replaced=FILES,
                what=f"The repository {repo_id!r}",
                private=private,
                revision=revision,
                commit_message=commit_message or f"Save a {kind}",
                token=token,
            )

    @classmethod
    def from_pretrained(cls, name, *, revision=None, token=None):
        """Load an autoencoder that `push_to_hub` or `to_saelens` saved.

        Only tensors and JSON are read, and no code is run. The estimator gives the activations of the one that was
        saved, and can be fitted further; where `partial_fit` had come to is not saved.

        A file may name a language model. That model is loaded at the first `transform` and not before: look at `model`
        if you do not trust who saved it. Of `model_kwargs` only `revision` and `subfolder` are taken, so that no file
        can ask for the code of a model to be run.

        Parameters
        ----------
        name : str or path-like
            A folder, or else a repository of the Hugging Face hub, "owner/name". Where the hub cannot be reached, what
            was downloaded before is taken.
        revision : str or None, default=None
            The branch, tag or commit of the repository. None is "main".
        token : str, bool or None, default=None
            The token for the hub. None is that of the user who is logged in.

        Returns
        -------
        sae : estimator
            Fitted. Parameters of the machine, such as `device`, are the defaults.

        Raises
        ------
        FileNotFoundError
            If there is no such folder or repository, or a file is missing.
        PermissionError, ConnectionError, OSError
            If the hub does not give it.
        ValueError
            If a file is damaged, or of another estimator or a newer version.
        """
        what, folder = f"The autoencoder {str(name)!r}", Path(name).expanduser()
        if isinstance(name, os.PathLike) and not folder.is_dir():
            raise FileNotFoundError(f"{what} does not exist, or is no folder.")
        if not folder.is_dir():
            files = [file for file in FILES if file != CARD]
            folder = download_folder(str(name), files=files, what=what, revision=revision, token=token)
        autoencoder, facts, arrays = read_folder(folder, kind=cls.__name__, what=what)
        with damaged(what):
            return cls._from_exchanged(autoencoder, facts, arrays)


def _check_not_a_folder(model):
    """Refuse to publish a path, which may name its user."""
    path = None if model is None else os.path.expanduser(model)
    if path is not None and (os.path.isdir(path) or os.path.isabs(path)):
        raise ValueError(
            "model is a folder, which others do not have and whose path would be published; put the model on the hub "
            "and pass its name there by set_params(model=...), or save the autoencoder by to_saelens."
        )


def _told(known, model_name, hook_name, prepend_bos):
    told = {"model_name": model_name, "hook_name": hook_name, "prepend_bos": prepend_bos}
    return known | {name: value for name, value in told.items() if value is not None}


def _write(folder, estimator, exchanged, metadata, card=None):
    autoencoder, facts, arrays = exchanged[:3]
    kind = type(estimator).__name__
    write_folder(folder, autoencoder, kind=kind, facts=facts, arrays=arrays, metadata=metadata, card=card)
