"""How often, in which form and after which others a question is asked, until its reply can be read."""

import asyncio

from sklearn_sae.annotation.llm._fields import reply_text
from sklearn_sae.annotation.llm._one_request import LimitReached
from sklearn_sae.utils.server import reason_of

UNREADABLE = "unreadable reply"
_MAX_UNREADABLE = 100  # replies without any answer before the first that has one
_MAX_THOUGHTS = 10  # the same, of thoughts, which are long
_PATIENCE = 10  # seconds


class Asking:
    """Ask questions, each in a request of its own, or several about a text in one.

    Parameters
    ----------
    run : the run whose questions these are
    """

    def __init__(self, run):
        self.run = run
        self.in_turn, self.is_patient = asyncio.Lock(), True
        self.with_room = asyncio.Lock()

    async def ask(self, client, group):
        """Ask the questions at some places.

        The first ones are asked in turn, until it is known in which form the model answers, because each of those in
        flight would else be asked twice. That takes a few requests; a server that is slower is not waited for.
        """
        from openai import OpenAIError

        if self.is_patient and self.run.one_request.is_unsure(group):
            try:
                await asyncio.wait_for(self.in_turn.acquire(), _PATIENCE)
            except TimeoutError:
                self.is_patient = False
            else:
                try:
                    if self.is_patient and self.run.one_request.is_unsure(group):
                        return await self.ask_in_forms(client, group)
                except OpenAIError:
                    self.is_patient = False
                    raise
                finally:
                    self.in_turn.release()
        return await self.ask_in_forms(client, group)

    async def ask_in_forms(self, client, group):
        """Ask the questions at some places, and in another form those that the reply does not answer."""
        if self.run.n_unreadable >= _MAX_UNREADABLE:  # this server answers something else
            self.run.failures[f"not asked after {_MAX_UNREADABLE} unreadable replies"] += len(group)
            return
        try:
            unreadable = await self.ask_twice(client, group) if self.run.one_request.is_able(group) else group
            # Each missing one is asked for alone, and so are all where the model never answers several at once.
            if len(group) > 1 and (len(unreadable) < len(group) or not self.run.one_request.is_able(group)):
                for place in unreadable:
                    await self.ask_twice(client, [place], is_again=True)
        except LimitReached:
            self.run.limit_reached = True

    async def ask_twice(self, client, group, *, is_again=False):
        """Ask the questions at some places, and once more if the reply answers none; return those to ask again."""
        first, second = self.run.one_request.forms(group)
        ask = self.ask_again if is_again else self.ask_once
        unreadable, was_said = await ask(client, group, is_plain=first)
        if len(unreadable) == len(group):
            unreadable, _ = await self.ask_again(client, group, is_plain=second if was_said else first)
        if len(unreadable) == len(group) and self.run.one_request.may_need_room():
            unreadable = await self.ask_with_room(client, group)
        return unreadable

    async def ask_with_room(self, client, group):
        """Ask one question without a limit of tokens, and others too if that one is answered; return as `ask_once`."""
        async with self.with_room:
            if not self.run.one_request.learned.had_room:
                return (await self.ask_again(client, group, is_limited=False))[0]
        return (await self.ask_again(client, group))[0] if self.run.one_request.learned.needs_room else group

    async def ask_again(self, client, group, **how):
        """Ask as `ask_once`, and count a request that fails."""
        from openai import OpenAIError

        try:
            return await self.ask_once(client, group, **how)
        except OpenAIError as error:
            self.run.failures[reason_of(error)] += len(group)
            return [], False

    async def ask_once(self, client, group, **how):
        """Ask the questions at some places.

        Returns
        -------
        unreadable : list of int
            The places for which it makes sense to ask again.
        was_said : bool
            Whether the model said anything.
        """
        data = await self.run.one_request.reply(client, group, **how)
        if isinstance(data, str) and not self.run.n_found:
            raise ValueError(
                f"The server at {self.run.requester.connection.address} answers with a page and not with JSON; check "
                "base_url, which for most servers ends in /v1."
            )
        unanswered = self.run.store_replies([(self.run.questions.keys(group), data)])
        self.run.one_request.learn(group, data, is_read=len(unanswered) < len(group), **how)
        if self.run.n_thoughts >= _MAX_THOUGHTS and self.run.n_unreadable > 0:
            raise only_thoughts(self.run.questions, self.run.requester.connection.api)
        self.run.failures.update(reason for reason in unanswered.values() if reason != UNREADABLE)
        was_said = bool(reply_text(data).strip())
        return [self.run.missing[key] for key, reason in unanswered.items() if reason == UNREADABLE], was_said


def only_thoughts(questions, api):
    """Return the error of a model that never came to an answer."""
    effort = '{"reasoning": {"effort": "low"}}' if api == "responses" else '{"reasoning_effort": "low"}'
    return ValueError(
        f"The replies of model {questions.model!r} hold thoughts and no answer. Pass {questions.params_name}={effort}, "
        "or what else shortens or ends this model's thoughts, and no limit of tokens that they use up."
    )
