"""The HTTP client of the official client: past which proxy, with which certificates, and what it says of trouble.

This imports the official client, so it is imported where requests are sent.
"""

import re
import ssl
from functools import partial
from urllib.parse import parse_qsl, urlsplit
from urllib.request import getproxies, proxy_bypass

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from sklearn_sae.utils.server._key import is_openai, is_this_machine

_OF_OPENAI = ("openai-organization", "openai-project")


class _HttpClient(DefaultAsyncHttpxClient):
    """An httpx client that ends the run where trying again is of no use: a certificate that is not trusted."""

    async def send(self, request, **options):
        try:
            return await super().send(request, **options)
        except Exception as error:
            if (trouble := _trouble_with_tls(error, request.url.host)) is None:
                raise
        raise trouble


def open_client(connection, key, *, hooks=None, **options):
    """Return the official client for a connection.

    Parameters
    ----------
    connection : Connection
    key : Key
    hooks : dict or None
        Event hooks of httpx.
    **options
        Of `openai.AsyncOpenAI`.

    Raises
    ------
    ImportError
        The environment names a SOCKS proxy, and the package for it is not installed.
    ValueError
        The environment names a proxy that cannot be.
    """
    base_url, _, query = connection.base_url.partition("?")
    # The client adds the headers of OpenAI from the environment whoever is asked, and httpx follows redirects.
    first = partial(_set_headers, key.headers, is_openai(base_url))
    hooks = hooks or {}
    hooks = {**hooks, "request": [first, *hooks.get("request", [])]}
    try:
        http_client = _HttpClient(event_hooks=hooks, follow_redirects=not key.headers, **_direct(base_url))
    except ImportError as error:
        if "socks" not in str(error).lower():
            raise
        raise ImportError(
            f"The environment names the SOCKS proxy {_socks_proxy()}, which needs another package: pip install socksio"
        ) from None
    except ValueError:
        raise ValueError("The environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) names a proxy that cannot be.") from None
    return AsyncOpenAI(
        api_key=key.value,
        base_url=base_url,
        default_query=dict(parse_qsl(query, keep_blank_values=True)),
        http_client=http_client,
        **options,
    )


def proxy_of(base_url):
    """Return the address of the proxy by which a server is reached, without its password; None if there is none."""
    parts = urlsplit(base_url)
    if is_this_machine(base_url) or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return _without_password(proxies.get(parts.scheme) or proxies.get("all"))


def _direct(base_url):
    """Return the options of httpx for a server of this machine, which no proxy reaches."""
    if not is_this_machine(base_url):
        return {}
    # The environment is where httpx finds proxies. Python itself heeds SSL_CERT_FILE.
    tls = {"verify": ssl.create_default_context()} if base_url.startswith("https:") else {}
    return {"trust_env": False, **tls}


async def _set_headers(headers, is_openai, request):
    for name in () if is_openai else _OF_OPENAI:
        request.headers.pop(name, None)
    if headers:
        request.headers.pop("authorization", None)
        request.headers.update(headers)


def _trouble_with_tls(error, host):
    """Return what to say if an error, or one behind it, is of TLS and will come again; else None."""
    while error is not None:
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = re.search(r"verify failed: ([\w -]+)", text)
            because = f" ({why[1].strip()})" if why else ""
            return ConnectionError(
                f"The certificate of {host} is not trusted{because}: set the environment variable SSL_CERT_FILE to the "
                "file with the certificate of who issued it, which for a proxy of a company its administrators have."
            )
        if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text.lower():
            return ConnectionError(
                f"{host} does not speak TLS; base_url must begin with http:// and not with https://."
            )
        error = error.__cause__ or error.__context__
    return None


def _socks_proxy():
    return next((_without_password(url) for url in getproxies().values() if url.startswith("socks")), "")


def _without_password(url):
    if not url:
        return None
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else scheme.rpartition("@")[2]
