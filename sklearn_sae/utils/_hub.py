"""Models and files of the Hugging Face hub, and one set of errors for when they cannot be had."""

import os
import pickle
import textwrap
from contextlib import contextmanager

_TIMEOUT = 10  # seconds that the hub has to say whether it has a model


class NotOnHubError(FileNotFoundError, ValueError):
    """The hub has no model or file of this name, or hides it from those who are not logged in.

    It is a ValueError, because a parameter has a wrong value, and an OSError, as the errors of other loaders are.
    """


@contextmanager
def hub_errors(what):
    """Replace an error of the hub within a `with` block by an error of one sentence.

    Parameters
    ----------
    what : str
        The subject of the sentence, as in "The model 'gpt2'".

    Raises
    ------
    NotOnHubError
        If the hub has nothing of this name.
    PermissionError
        If it is gated.
    ConnectionError
        If the hub cannot be reached.
    OSError
        If the hub refuses for another reason.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError:
        raise NotOnHubError(f"{what} is neither a folder on this machine nor a name that the hub can have.") from None
    except errors.GatedRepoError:
        raise PermissionError(
            f"{what} is gated: accept its terms on its page at huggingface.co, then log in with 'hf auth login'."
        ) from None
    except errors.RepositoryNotFoundError:
        raise NotOnHubError(
            f"{what} is not on the Hugging Face hub, or is private: check the name, or log in with 'hf auth login'."
        ) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError):
        raise ConnectionError(f"{what} is not on this machine, and the Hugging Face hub cannot be reached.") from None
    except errors.EntryNotFoundError:
        raise NotOnHubError(f"{what} lacks a file on the Hugging Face hub: check the name.") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        raise OSError(f"{what} was refused by the Hugging Face hub (status {status}); try again later.") from None


def download(repo_id, filename, *, what, repo_type="model"):
    """Return the local path of a file of the hub, which is downloaded if it is not here.

    Raises
    ------
    NotOnHubError, PermissionError, ConnectionError, OSError
        As `hub_errors`.
    """
    from huggingface_hub import hf_hub_download

    with hub_errors(what):
        return hf_hub_download(repo_id=repo_id, filename=filename, repo_type=repo_type)


def load_model(load, name, *, what, names=None, token=None):
    """Load a model from a folder, from files that were downloaded before, or from the hub.

    Parameters
    ----------
    load : callable
        Takes `name`, and ``local_files_only=True`` where the hub is not to be asked.
    name : str
        A folder or a hub id.
    what : str
        The subject of an error's sentence, as in "The model 'gpt2'".
    names : list of str or None, default=None
        The hub ids that `name` may stand for. None: `name` alone.
    token : str, bool or None, default=None
        The token for the hub. None: the one of the user who is logged in.

    Raises
    ------
    NotOnHubError, PermissionError, ConnectionError
        As `hub_errors`.
    OSError
        If the files cannot be loaded.
    """
    from huggingface_hub.errors import HfHubHTTPError

    if not os.path.isdir(name):
        unloadable = None  # why a model that is here does not load
        try:
            return load(name, local_files_only=True)
        except OSError:
            pass
        except ValueError as error:
            unloadable = textwrap.shorten(str(error), 200)
        try:
            _ask(names or [name], what, token)
        except ConnectionError:
            if unloadable is not None:
                raise OSError(f"{what} has files that cannot be loaded: {unloadable}") from None
            raise
    try:
        return load(name)
    except (OSError, ValueError, pickle.UnpicklingError) as error:
        with hub_errors(what):
            if isinstance(error.__cause__, HfHubHTTPError):
                raise error.__cause__ from None
        raise OSError(f"{what} has files that cannot be loaded: {textwrap.shorten(str(error), 200)}") from None


def _ask(names, what, token):
    """Raise an error if the hub has none of `names`.

    The hub is asked once for each name, because loading code repeats its requests for a minute where there is no
    network.
    """
    from huggingface_hub import HfApi

    for name in names:
        try:
            with hub_errors(what):
                HfApi().model_info(name, timeout=_TIMEOUT, token=token)
            return
        except NotOnHubError:
            if name == names[-1]:
                raise
        except OSError:
            raise
        except Exception as error:  # the hub's client raises errors of the HTTP library that it uses
            raise ConnectionError(
                f"{what} is not on this machine, and the Hugging Face hub cannot be reached ({type(error).__name__})."
            ) from None
