"""One request to a language model and its reply; what the server refuses of it is left out, and remembered."""

import json

from sklearn_sae.annotation.llm._fields import (
    NoLogprobsError,
    has_thoughts,
    only_thought,
    reply_text,
    reply_tokens,
    was_cut,
    was_refused,
)
from sklearn_sae.annotation.llm._questions import request_body
from sklearn_sae.utils.server import REFUSED, Decision
from sklearn_sae.utils.server._key import is_openai
from sklearn_sae.utils.server._refusals import Place, is_page, refusal_of

SCHEMA = "schema"
_OF_THE_SCHEMA = ("response_format", "text", None)  # parameters that a refusal of it may name
_BAD = (400, 422)
_BROKEN = (500, 501)  # as some servers answer to a schema
# The names of a limit of tokens, the one that most servers know first.
_LIMITS = {"chat": ("max_tokens", "max_completion_tokens"), "responses": ("max_output_tokens",)}
_LIMITS_OF_SERVERS = {*_LIMITS["chat"], *_LIMITS["responses"], "max_new_tokens", "n_predict"}
_SOME_UNREAD = 2  # replies


class OneRequest:
    """Send the questions of one group at a time.

    Parameters
    ----------
    requester : Requester
    questions : InterpretationQuestions or AnnotationQuestions
    """

    def __init__(self, requester, questions):
        self.requester = requester
        self.questions = questions
        self.learned = requester.connection.learned(questions.model)

    def form(self, group, *, is_plain=False):
        """Name the form of a question, to count replies by; one in which a model answers says nothing of others."""
        return self.questions.noun, self.questions.has_plain_form, len(group) > 1, is_plain

    def forms(self, group):
        """Return whether to ask a group in the plain form, for the first and for the second time."""
        if len(group) > 1 or not self.questions.has_plain_form:
            return False, False
        form = self.form(group)
        n_read, n_unread = self.learned.read[form], self.learned.unread[form]
        is_plain = n_unread >= _SOME_UNREAD and n_unread > n_read
        return is_plain, not is_plain

    def uses_schema(self, group, *, is_plain=False):
        """Return whether the reply to a group is to be held to a schema: several answers, or one in the plain form."""
        return (len(group) > 1 or is_plain) and SCHEMA not in self.learned.refused

    def is_unsure(self, group):
        """Return whether it is not known yet in which form, and within which limit, the model answers."""
        learned, form = self.learned, self.form(group)
        return bool(self.limit(group)) and not learned.read[form] and learned.unread[form] < _SOME_UNREAD

    def is_able(self, group):
        """Return whether the model may answer as many questions at once."""
        form = self.form(group)
        return len(group) == 1 or self.learned.read[form] > 0 or self.learned.unread[form] < _SOME_UNREAD

    def may_need_room(self):
        """Return whether no reply held an answer yet, and the limit of tokens has ended some."""
        learned = self.learned
        return bool(self.limit([0])) and learned.was_cut and not (learned.read or learned.needs_room)

    def learn(self, group, data, *, is_read, is_plain=False, is_limited=True):
        """Remember how the model has replied to a group."""
        learned = self.learned
        if not is_limited:
            learned.needs_room |= is_read and not was_cut(data)
        elif reply_text(data).strip():
            (learned.read if is_read else learned.unread)[self.form(group, is_plain=is_plain)] += 1
            learned.was_cut |= was_cut(data) and not is_read

    def limit(self, group, *, is_plain=False):
        """Return the limit of tokens for the reply to a group, as a part of the body.

        In the plain form there is room for the JSON around an answer that is held to a schema.

        A model that never stops by itself would else write on and on. OpenAI's own models do stop, and most of them
        think before they answer.
        """
        requester, api = self.requester, self.requester.connection.api
        is_set = _LIMITS_OF_SERVERS.intersection(self.questions.params or ())
        if is_set or self.learned.needs_room or requester.batch or is_openai(requester.connection.base_url):
            return {}
        names = [name for name in _LIMITS[api] if name not in self.learned.refused]
        return {name: (1 + is_plain) * self.questions.n_tokens(len(group)) for name in names[:1]}

    async def reply(self, client, group, *, is_plain=False, is_limited=True):
        """Return the reply to a group as JSON data, None if it is none.

        A reply that a limit of tokens ends before the model has done thinking is asked for once more, without the
        limit. From then on the model has room.
        """
        limit = self.limit(group, is_plain=is_plain) if is_limited else {}
        self.learned.had_room |= not is_limited
        options = {} if is_limited else {"max_retries": 0}  # because a model that never ends must not be asked again
        data = await self.reply_to_schema(client, group, limit=limit, is_plain=is_plain, options=options)
        is_unfinished = bool(limit) and was_cut(data) and only_thought(data) and not was_refused(data)
        self.learned.needs_room |= is_unfinished or has_thoughts(data)
        if not is_unfinished:
            return data
        self.requester.count(data, self.questions.model)
        return await self.reply_to_schema(client, group, limit={}, is_plain=is_plain)

    async def reply_to_schema(self, client, group, **how):
        """Return the reply to a group, held to a schema where that is of use and the server takes it.

        While it is not known whether the server takes a schema, the client does not repeat a request with one, because
        a server that answers 500 to every schema would cost a minute each time.
        """
        from openai import APIStatusError, OpenAIError

        if not self.uses_schema(group, is_plain=how["is_plain"]):
            return await self.post(client, group, **how)
        is_known = SCHEMA in self.learned.taken
        try:
            first = how if is_known else how | {"options": {"max_retries": 0}}
            data = await self.post(client, group, use_schema=True, **first)
        except OpenAIError as error:
            has_status = isinstance(error, APIStatusError)
            if not has_status or not self.may_be_the_schema(error, is_known):
                is_final = has_status and self.refusal(error).decision is not Decision.WAIT
                if is_known or is_final or how.get("options"):
                    raise
                return await self.post(client, group, use_schema=True, **how)
            weight = 1 if error.status_code in _BROKEN else 2
        else:
            is_empty = not (reply_text(data).strip() or was_refused(data) or only_thought(data))
            if is_known or not is_empty:
                self.learned.taken.add(SCHEMA)
                return data
            self.requester.count(data, self.questions.model)
            weight = 1
        data = await self.post(client, group, **how)
        if reply_text(data).strip():
            self.learned.doubt(SCHEMA, weight=weight)
        return data

    def may_be_the_schema(self, error, is_known):
        """Return whether a request could be answered without its schema."""
        refusal = self.refusal(error)
        if error.status_code in _BROKEN:
            return refusal.decision is Decision.WAIT and not is_known
        is_bad = refusal.decision is Decision.FIRST and error.status_code in _BAD
        return (is_bad or refusal.decision is Decision.PART) and refusal.part in _OF_THE_SCHEMA

    def refusal(self, error):
        """Return what a refusal means; its sentence, which names nobody, is not for users."""
        return refusal_of(error, Place())

    async def post(self, client, group, *, limit, is_plain, use_schema=False, options=None):
        """Send one request and return the reply as JSON data, None if it is none.

        If the server refuses the limit of tokens by one name, it is sent by another, or left out.
        """
        from openai import APIStatusError

        if not self.requester.n_allowed(1):
            raise LimitReached
        self.requester.usage["requests"] += 1
        # `create` would check each body against the client's types, which takes a third of the time. `cast_to=str`
        # makes a reply that is no JSON one unreadable reply, where the client would raise.
        path, body = self.requester.connection.path, self.body(group, use_schema=use_schema, is_plain=is_plain)
        try:
            reply = await client.post(path, body=body | limit, cast_to=str, options=options or {})
        except APIStatusError as error:
            if self.refusal(error).reason == REFUSED:
                self.questions.refused.update(group)
            if error.status_code in _BAD and self.refusal(error).part in limit:
                self.learned.refused.update(limit)
                limit = self.limit(group, is_plain=is_plain)
                return await self.post(
                    client, group, limit=limit, is_plain=is_plain, use_schema=use_schema, options=options
                )
            if self.questions.logprobs and "logprob" in str(error).lower():  # OpenAI says so with 403, others with 400
                raise NoLogprobsError from None
            raise
        try:
            data = json.loads(reply.removeprefix("\ufeff"))  # some gateways put a byte-order mark first
        except (ValueError, RecursionError):
            return reply if is_page(reply) else None
        self.requester.rate_limiter.count_tokens(reply_tokens(data)[1])
        return data

    def body(self, group, *, use_schema, is_plain=False):
        """Return the JSON body of the request for the questions at some places, but for the limit of tokens."""
        return request_body(
            self.requester.connection.api,
            self.questions.prompt(group, **({"is_plain": True} if is_plain else {})),
            model=self.questions.model,
            n_answers=len(group) if use_schema else None,
            answers=self.questions.answers,
            rationale=self.questions.rationale,
            logprobs=self.questions.logprobs,
            params=self.questions.params,
        )


class LimitReached(Exception):
    """`max_requests` is used up."""
