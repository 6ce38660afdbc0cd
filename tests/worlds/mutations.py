"""Faults that are planted, one at a time, to see whether worlds find them: the table."""

from dataclasses import dataclass

_PART = "worker.handlers.send.part_work"
_RECORD = "worker.handlers.send.record"
_ADMISSION = "worker.admission.admission"
_STANDING = "worker.admission.standing"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault.

    Attributes:
        module: whose source is changed.
        old: is there exactly once.
        found_by: the oracles of which one must speak.
        theme: of the worlds that are likely to show it first.
    """

    name: str
    module: str
    old: str
    new: str
    found_by: tuple[str, ...]
    theme: str


MUTATIONS = (
    Mutation(
        "the Web API is called before the claim is written",
        "worker.handlers.api.work",
        "            self.version = await ports.entries.write(ready, claim.entry, token=claim.token)\n",
        "            self.version = claim\n",
        ("called_once",),
        "web",
    ),
    Mutation(
        "a call of the Web API whose reply is lost is made again, whatever it does",
        "worker.handlers.api.work",
        'self._repeatable = job.method == "GET"',
        "self._repeatable = True",
        ("called_once",),
        "web",
    ),
    Mutation(
        "the reply to an api job is let go when the ledger forgot",
        "worker.handlers.api.work",
        "            base = found or Version(mine.key, None, ApiEntry(mine.entry.fingerprint))\n",
        "            if (base := found) is None:\n"
        '                raise UnavailableError("ledger_entry_lost", "it is gone")\n',
        ("called_once",),
        "web",
    ),
    Mutation(
        "a request to stop a job that is still to come leaves no mark",
        "worker.handlers.cancel.marking",
        'Entry("", cancelled=by))',
        'Entry(""))',
        ("stays_stopped",),
        "calm",
    ),
    Mutation(
        "the claim is written after the call",
        "worker.handlers.send.calls",
        "await self.entries.write_many([(member.record.version, claim) for member, claim in claims])",
        '[__import__("dataclasses").replace(one.record.version, entry=claim) for one, claim in claims]',
        ("no_double",),
        "kills",
    ),
    Mutation(
        "acknowledged before the result is confirmed",
        "worker.handlers.send.completion",
        "            await self.ports.publisher.publish_result(message)\n",
        "            asyncio.ensure_future(self.ports.publisher.publish_result(message))\n",
        ("nothing_lost",),
        "broker",
    ),
    Mutation(
        "no lease: a call under way is taken over at once",
        _PART,
        "until = clock.elapsed() + min(max(lease - age, 0.0), lease)",
        "until = clock.elapsed() + 0 * age",
        ("not_hasty",),
        "kills",
    ),
    Mutation(
        "a late reply is dropped",
        _RECORD,
        "                await self._agree(known, lambda found: self._ended(found, begun, change, known))\n",
        "                self.unrecorded = None\n                raise LostRaceError\n",
        ("every_id_published",),
        "kills",
    ),
    Mutation(
        "a reply is let go when the ledger forgot",
        _RECORD,
        "            return await self._tried(lambda: entries.load(key)) or Version(key, None, known)\n",
        "            if (found := await self._tried(lambda: entries.load(key))) is not None:\n"
        "                return found\n            self.unrecorded = None\n            raise LostRaceError\n",
        ("no_double", "every_id_published", "nothing_lost", "nothing_unhandled"),
        "ledger",
    ),
    Mutation(
        "a cancelled waiter leaks its leave to call",
        _ADMISSION,
        "            if leave.granted:\n                if self._limiter:",
        "            if leave.granted and leave.urgent is None:\n                if self._limiter:",
        ("nothing_left", "it_ends"),
        "everything",
    ),
    Mutation(
        "a mean over the all-time minimum is taken for a queue",
        "worker.admission.call_limit",
        "        seen = _quartiles(self.recent)\n        self.recent.clear()\n"
        "        self.best = tuple(map(min, self.best or seen, seen))\n",
        "        seen = (sum(self.recent) / len(self.recent),)\n"
        "        self.best = (min(*self.best, *self.recent),)\n        self.recent.clear()\n",
        ("keeps_pace",),
        "pace",
    ),
    Mutation(
        "one refusal pauses everybody",
        _STANDING,
        "        if others_served or (answer.answered and trouble is None):\n",
        "        if others_served and trouble is answer:\n",
        ("nobody_is_blamed", "slows_nobody"),
        "own",
    ),
    Mutation(
        "jobs are kept in hand for as long as an outage lasts",
        _ADMISSION,
        "        if self._standing.is_away(leave.command):\n",
        "        if self._standing.is_away(leave.command) and self._stopped:\n",
        ("gentle_in_an_outage", "is_taken_over"),
        "outage",
    ),
    Mutation(
        "given back without a pause",
        "worker.amqp.consume.settlement",
        "        await self._sleep(self._requeue_pause)\n",
        "",
        ("few_copies", "little_to_do", "it_ends"),
        "ledger",
    ),
    Mutation(
        "a probe may take as long as a call",
        "worker.probes",
        "_PATIENCE = 3.0",
        "_PATIENCE = 60.0",
        ("goes_on_after_an_outage",),
        "outage",
    ),
    Mutation(
        "the last part of a large job is not handed out",
        "worker.handlers.send.large_jobs",
        "        await parallel.each(publish, numbers, limit=_AT_ONCE)\n",
        "        await parallel.each(publish, list(numbers)[:-1], limit=_AT_ONCE)\n",
        ("nothing_lost",),
        "calm",
    ),
    Mutation(
        "a number that the DND endpoint does not name is sent to",
        "worker.handlers.send.planning",
        "if dnd.get(name) is False]",
        "if dnd.get(name) is not True]",
        ("nobody_listed",),
        "calm",
    ),
    Mutation(
        "a changed outcome keeps its revision",
        "worker.domain.merging",
        "    raised = found.revision + (told != revised)\n",
        "    raised = found.revision\n",
        ("one_outcome",),
        "kills",
    ),
    Mutation(
        "a connection that was reset is taken for one that never was",
        "worker.iton.exchange",
        "_NOT_SENT = (",
        "_NOT_SENT = (httpx.ReadError, ",
        ("no_double",),
        "replies",
    ),
    Mutation(
        "the end of a job's time is not looked at",
        "worker.domain.expiry",
        "now >= expires_at",
        "now is None",
        ("in_time",),
        "outage",
    ),
    Mutation(
        "other content under a known id is taken for a repeat",
        "worker.handlers.send.handler",
        "    if found.entry.fingerprint != head.fingerprint:\n",
        "    if found.entry.fingerprint is None:\n",
        ("nothing_lost",),
        "calm",
    ),
    Mutation(
        "whoever waits for a job's lock is passed over",
        "worker.resilience.keyed_lock",
        "            if not turn.done():\n                turn.set_result(None)",
        "            if turn.done():\n                turn.set_result(None)",
        ("it_ends",),
        "calm",
    ),
    Mutation(
        "a publish that the broker refused counts as confirmed",
        "worker.amqp.publish.window",
        'waiting.fail(RefusedError("the broker refused the message"))',
        "waiting.confirmed.set_result(None)",
        ("nothing_lost",),
        "broker",
    ),
    Mutation(
        "a shared question that fails is not answered",
        "worker.resilience.batcher",
        "            asker.fail(error)\n",
        "            continue\n",
        ("it_ends", "goes_on_after_an_outage", "nothing_left"),
        "outage",
    ),
    Mutation(
        "no pause between two tries",
        "worker.resilience.retry",
        "        return self._random.uniform(0, min(bound, self._backoff.longest))\n",
        "        return 0.0 * bound\n",
        ("pauses_between_tries",),
        "own",
    ),
    Mutation(
        "rounds are not counted",
        "worker.amqp.publish.copies",
        "delivery.attempts + wait.counts",
        "delivery.attempts",
        ("it_ends", "victims_end"),
        "own",
    ),
    Mutation(
        "the store swaps whatever is there",
        "worker.ledger.memory",
        "        if token != expected:\n",
        "        if token is expected is self:\n",
        ("no_double", "one_outcome", "nothing_lost"),
        "kills",
    ),
    Mutation(
        "an entry expires under a job that comes and goes",
        "worker.ledger.memory",
        "return [self._renew(key, self._clock.elapsed()) for key in keys]",
        "return [False for _ in keys]",
        ("no_double", "one_outcome"),
        "ledger",
    ),
    Mutation(
        "a stop cuts calls that are under way",
        "worker.amqp.consume.consumer",
        "            await asyncio.wait(set(working.values()), timeout=seconds)\n",
        "            await asyncio.wait(set(working.values()), timeout=0.01)\n",
        ("no_call_cut",),
        "kills",
    ),
    Mutation(
        "a text in the log",
        _PART,
        "code=error.code, detail=error.for_log)",
        "code=error.code, detail=self.order.message.text)",
        ("nothing_told",),
        "replies",
    ),
    Mutation(
        "the rate limit is not kept",
        _ADMISSION,
        "            if self._limiter and not self._limiter.take():\n",
        "            if self._limiter and not self._limiter.take() and self._stopped:\n",
        ("within_rate",),
        "pace",
    ),
    Mutation(
        "right before the call nobody looks whether it may go out already, or still",
        "worker.handlers.send.completion",
        "times = self.timing.times(head) if head.send_after is not None or head.in_hours else None",
        "times = None",
        ("within_hours", "not_too_early"),
        "times",
    ),
    Mutation(
        "after the first look at tracked messages no other is brought",
        "worker.handlers.track.following",
        "        if unit.open:\n            await",
        "        if unit.open and look == 1:\n            await",
        ("told_once",),
        "times",
    ),
    Mutation(
        "a part's second tracked result has the number of its first",
        "worker.domain.tracking",
        "            results=self.results + len(told),\n",
        "            results=self.results,\n",
        ("same_again",),
        "times",
    ),
)
