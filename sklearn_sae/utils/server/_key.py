"""The key of a server: which environment variable holds it, and to whom it may go."""

import os
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

_VARIABLE = "OPENAI_API_KEY"
_HEADER = re.compile(r"[A-Za-z0-9-]+:[ \t]*[^\s].*")


@dataclass(frozen=True)
class Key:
    """What a server is told of who asks. It is made when it is needed, and kept nowhere.

    Parameters
    ----------
    variable : str or None
        The environment variable that holds the key. None: the server gets no key.
    value : str, default="none"
        The key; local servers want some key and ignore which.
    headers : dict of str to str
        What is sent in the place of the usual header, if the variable holds headers.
    """

    variable: str | None
    value: str = field(default="none", repr=False)
    headers: dict = field(default_factory=dict, repr=False)


def find_key(base_url, api_key_env=None):
    """Return the `Key` for a server.

    The key in OPENAI_API_KEY goes to OpenAI, and to the server that OPENAI_BASE_URL names. Any other server gets the
    one in `api_key_env`, or none.

    Parameters
    ----------
    base_url : str
        As `resolve_base_url` returns it.
    api_key_env : str or None, default=None
        The environment variable that holds the key, or headers in its place, one on each line: "api-key: ...".

    Raises
    ------
    ValueError
        If `api_key_env` is not set, OpenAI is to be asked without a key, or a variable holds what cannot be sent.
    """
    held = os.environ.get(api_key_env or _VARIABLE, "").strip()
    if api_key_env is not None and not held:
        raise ValueError(f"No API key: api_key_env names the environment variable {api_key_env}, which is not set.")
    if api_key_env is None and not is_openai(base_url):
        named = os.environ.get("OPENAI_BASE_URL")
        if not held or not named or _origin(named) != _origin(base_url):
            return Key(None)
    if not held:
        raise ValueError(
            "No API key: set the environment variable OPENAI_API_KEY, or base_url to a server that needs none."
        )
    variable = api_key_env or _VARIABLE
    lines = held.splitlines()
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError(f"{variable} holds characters that no key has; set it again.")
    if all(map(_HEADER.fullmatch, lines)):
        pairs = (line.split(":", 1) for line in lines)
        return Key(variable, headers={name: value.strip() for name, value in pairs})
    if len(lines) > 1:
        raise ValueError(f"{variable} holds characters that no key has; set it again.")
    return Key(variable, held)


def is_openai(base_url):
    """Return whether a server is OpenAI's own."""
    host = urlsplit(base_url).hostname
    return host == "openai.com" or host.endswith(".openai.com")


def is_this_machine(base_url):
    """Return whether a server runs on this machine."""
    host = urlsplit(base_url).hostname
    try:
        address = ip_address(host)
        return address.is_loopback or address.is_unspecified
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")


def _origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
