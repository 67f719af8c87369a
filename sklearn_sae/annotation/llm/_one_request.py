"""One request to a language model and its reply; what the server refuses of it is left out, and remembered."""

import json

from sklearn_sae.annotation.llm._fields import NoLogprobsError, only_thought, reply_text, reply_tokens, was_refused
from sklearn_sae.annotation.llm._questions import request_body
from sklearn_sae.utils.server import Decision, refusal_by
from sklearn_sae.utils.server._refusals import is_page

SCHEMA = "schema"
_OF_THE_SCHEMA = ("response_format", "text", None)  # parameters that a refusal of it may name
_BAD = (400, 422)
_BROKEN = (500, 501)  # as some servers answer to a schema


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

    def uses_schema(self, group):
        """Return whether the reply to a group is to be held to a schema."""
        return len(group) > 1 and SCHEMA not in self.learned.refused

    async def reply(self, client, group):
        """Return the reply to a group as JSON data, None if it is none.

        While it is not known whether the server takes a schema, the client does not repeat a request with one, because
        a server that answers 500 to every schema would cost a minute each time.
        """
        from openai import APIStatusError, OpenAIError

        if not self.uses_schema(group):
            return await self.post(client, group)
        is_known = SCHEMA in self.learned.taken
        try:
            data = await self.post(client, group, use_schema=True, **({} if is_known else {"max_retries": 0}))
        except OpenAIError as error:
            has_status = isinstance(error, APIStatusError)
            if not has_status or not self.may_be_the_schema(error, is_known):
                if is_known or (has_status and self.refusal(error).decision is not Decision.WAIT):
                    raise
                return await self.post(client, group, use_schema=True)
            weight = 1 if error.status_code in _BROKEN else 2
        else:
            is_empty = not (reply_text(data).strip() or was_refused(data) or only_thought(data))
            if is_known or not is_empty:
                self.learned.taken.add(SCHEMA)
                return data
            self.requester.count(data, self.questions.model)
            weight = 1
        data = await self.post(client, group)
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
        """Return what a refusal means."""
        return refusal_by(error, self.requester.connection, self.questions.model)

    async def post(self, client, group, *, use_schema=False, **options):
        """Send one request and return the reply as JSON data, None if it is none."""
        from openai import APIStatusError

        if not self.requester.n_allowed(1):
            raise LimitReached
        self.requester.usage["requests"] += 1
        # `create` would check each body against the client's types, which takes a third of the time. `cast_to=str`
        # makes a reply that is no JSON one unreadable reply, where the client would raise.
        path, body = self.requester.connection.path, self.body(group, use_schema=use_schema)
        try:
            reply = await client.post(path, body=body, cast_to=str, options=options)
        except APIStatusError as error:
            if self.questions.logprobs and "logprob" in str(error).lower():  # OpenAI says so with 403, others with 400
                raise NoLogprobsError from None
            raise
        try:
            data = json.loads(reply)
        except (ValueError, RecursionError):
            return reply if is_page(reply) else None
        self.requester.rate_limiter.count_tokens(reply_tokens(data)[1])
        return data

    def body(self, group, *, use_schema):
        """Return the JSON body of the request for the questions at some places."""
        return request_body(
            self.requester.connection.api,
            self.questions.prompt(group),
            model=self.questions.model,
            n_answers=len(group) if use_schema else None,
            answers=self.questions.answers,
            rationale=self.questions.rationale,
            logprobs=self.questions.logprobs,
            params=self.questions.params,
        )


class LimitReached(Exception):
    """`max_requests` is used up."""
