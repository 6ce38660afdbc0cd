"""The stand-in itself: an account, its messages and the four commands. No I/O.

Read from the gateway's public page (ITON API, HTTPS API COMMANDS). What the page does not say follows
similar gateways: an error is a line of text with HTTP 200.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from zlib import crc32

from worker.simulator import renderings, wire
from worker.simulator.numbers import PENDING, Listed, ends_in, fate, spell
from worker.simulator.options import ReplyForm, SimulatorOptions
from worker.simulator.segments import count_segments, garble
from worker.simulator.sends import Send, SendLog
from worker.simulator.tally import Tally
from worker.simulator.wire import Call, Command, RefusedError, Reply

_NAMED = frozenset({"cmd", "username", "password", "to", "uniCode", "sender", "ids", "phoneNumbers"})
_MAX_SENDER = 20
_DEFAULT_SENDER = "ITONSM"


class SimulatedGateway:
    """One account. Not safe for threads; every method returns at once.

    Attributes:
        options: what holds now; replace it to change it.
        balance: credits left.
        log: the newest sends.
        tally: how often each number got each text.
        answers: replies by ``ok`` or code of refusal.
        segments: credits spent.
        sent_messages: messages (one a number) ever sent.
        sent_calls: sendSMS calls ever carried out.
        garbled: messages of them that lost characters.
    """

    def __init__(self, options: SimulatorOptions, now: Callable[[], float] = time.time) -> None:
        self.options = options
        self.now = now
        self.balance = options.balance
        self.log = SendLog(options.remember)
        self.tally = Tally(options.remember_pairs)
        self.answers: Counter[str] = Counter()
        self.segments = 0
        self.sent_messages = 0
        self.sent_calls = 0
        self.garbled = 0
        self._commands: Mapping[Command, Callable[[Call], Reply]] = {
            Command.SEND: self._send,
            Command.ACCOUNT: self._account,
            Command.STATUS: self._status,
            Command.DND: self._check_dnd,
        }

    def answer(self, call: Call) -> Reply:
        """Carry out *call* and return its reply."""
        try:
            self._authenticate(call)
            reply = self._carry_out(call)
        except RefusedError as refused:
            self.answers[refused.code] += 1
            return renderings.text(refused.text, self.options)
        self.answers["ok"] += 1
        return reply

    def _carry_out(self, call: Call) -> Reply:
        command = self._commands.get(call.command)
        if command is None:
            raise RefusedError(*wire.COMMAND)
        return command(call)

    def _authenticate(self, call: Call) -> None:
        options = self.options
        known = (
            call.params.get("username") == options.username
            and call.params.get("password") == options.password
            and (not options.token or call.authorization == f"ITON {options.token}")
        )
        if not known:
            raise RefusedError(*wire.CREDENTIALS)

    def _send(self, call: Call) -> Reply:
        sender = self._sender(call.params.get("sender", ""))
        unicode = _reads_unicode(call.params.get("uniCode", "0"))
        message = call.params.get(self.options.text_parameter, "")
        if not message.strip():
            raise RefusedError(*wire.BLANK)
        delivered = message if unicode else garble(message)
        segments = count_segments(delivered, unicode=unicode)
        if segments > self.options.max_segments:
            raise RefusedError(*wire.TOO_LONG)
        numbers = _numbers(call.params.get("to", ""))
        to = numbers.valid
        self._charge(segments * len(to))
        send = Send(
            seq=self.sent_calls + 1,
            at=self.now(),
            to=to,
            message=message,
            delivered_text=delivered,
            unicode=unicode,
            segments=segments,
            sender=sender,
            ids=self.log.draw_ids(len(to), self._numbers_per_id(len(to))),
            invalid=numbers.invalid,
            params=self._further(call.params),
        )
        self._record(send, numbers.digits)
        return renderings.sent(send, self.options)

    def _account(self, _call: Call) -> Reply:
        return renderings.balance(self.balance, self.options)

    def _status(self, call: Call) -> Reply:
        ids = _listed(call.params.get("ids", ""))
        if not ids:
            raise RefusedError(*wire.IDS)
        if len(ids) > wire.MAX_IDS:
            raise RefusedError(*wire.TOO_MANY_IDS)
        found = {message_id: send for message_id in ids if (send := self.log.find(message_id))}
        reports = {
            message_id: renderings.report(send, self._statuses(send, message_id), self.options)
            for message_id, send in found.items()
        }
        return renderings.json_reply(reports, self.options)

    def _check_dnd(self, call: Call) -> Reply:
        numbers = _numbers(call.params.get("phoneNumbers", "")).valid
        options = self.options
        listed = {
            spell(number, options.spelling): ends_in(number, options.dnd_endings)
            for number in numbers
            if not ends_in(number, options.unverified_endings)
        }
        return renderings.json_reply(listed, options)

    def _sender(self, sender: str) -> str:
        allowed = self.options.senders
        if len(sender) > _MAX_SENDER or (allowed and sender not in allowed):
            raise RefusedError(*wire.SENDER)
        return sender or _DEFAULT_SENDER

    def _charge(self, credits_needed: int) -> None:
        if credits_needed > self.balance:
            raise RefusedError(*wire.CREDITS)
        self.balance -= credits_needed
        self.segments += credits_needed

    def _numbers_per_id(self, count: int) -> int:
        if self.options.reply_form is ReplyForm.TEXT:
            return count
        return 1 if self.options.reply_form in _ONE_NUMBER_AN_ID else self.options.numbers_per_id

    def _record(self, send: Send, digits: tuple[str, ...]) -> None:
        self.sent_calls += 1
        self.sent_messages += len(send.to)
        self.garbled += len(send.to) if send.garbled else 0
        self.log.add(send)
        self.tally.add(digits, send.message)

    def _statuses(self, send: Send, message_id: str) -> dict[str, str]:
        age = self.now() - send.at
        return {
            spell(number, self.options.spelling): fate(number)
            if age >= self._ripe_after(message_id, number)
            else PENDING
            for number, its_id in zip(send.to, send.ids, strict=True)
            if its_id == message_id
        }

    def _ripe_after(self, message_id: str, number: str) -> float:
        """Return the age at which a status is final: by chance, and the same each time it is asked for."""
        after, spread = self.options.ripen_after, self.options.ripen_spread
        return after + spread * (crc32(f"{message_id}/{number}".encode()) / 2**32) if spread else after

    def _further(self, params: Mapping[str, str]) -> dict[str, str]:
        known = _NAMED | {self.options.text_parameter}
        return {name: value for name, value in params.items() if name not in known}


_ONE_NUMBER_AN_ID = frozenset({ReplyForm.MAP, ReplyForm.BARE})


def _reads_unicode(uni_code: str) -> bool:
    if uni_code not in {"0", "2"}:
        raise RefusedError(*wire.UNICODE)
    return uni_code == "2"


def _listed(joined: str) -> list[str]:
    return joined.split(",") if joined else []


def _numbers(joined: str) -> Listed:
    listed = _listed(joined)
    if len(listed) > wire.MAX_NUMBERS:
        raise RefusedError(*wire.TOO_MANY_NUMBERS)
    numbers = Listed.read(listed)
    if not numbers.valid:
        raise RefusedError(*wire.NUMBERS)
    return numbers
