"""Files of the Hugging Face hub, and what is said when they cannot be had."""

from contextlib import contextmanager


@contextmanager
def hub_errors(what):
    """Turn the hub's errors inside into one sentence each; `what` is asked for, as in "The model 'gpt2'".

    Raises
    ------
    OSError
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise OSError(
            f"{what} is gated: accept its terms on its page at huggingface.co, then log in with 'hf auth login'."
        ) from None
    except errors.RepositoryNotFoundError:
        raise OSError(
            f"{what} is not on the Hugging Face hub, or is private: check the name, or log in with 'hf auth login'."
        ) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError):
        raise OSError(f"{what} is not on this machine, and the Hugging Face hub cannot be reached.") from None
    except errors.EntryNotFoundError:
        raise OSError(f"{what} lacks a file on the Hugging Face hub: check the name.") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        raise OSError(f"{what} was refused by the Hugging Face hub (status {status}); try again later.") from None


def download(repo_id, filename, *, what, repo_type="model"):
    """Return the local path of a file of the hub."""
    from huggingface_hub import hf_hub_download

    with hub_errors(what):
        return hf_hub_download(repo_id=repo_id, filename=filename, repo_type=repo_type)
