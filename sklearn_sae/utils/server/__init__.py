"""The one way to a server that speaks the OpenAI protocol."""

from sklearn_sae.utils.server._openai import api_key, ask_all, check_base_url, resolve_base_url
from sklearn_sae.utils.server._throttle import Throttle

__all__ = ["Throttle", "api_key", "ask_all", "check_base_url", "resolve_base_url"]
