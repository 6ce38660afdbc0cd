"""What the ledger's entries tell: the protocol is kept to, and who is known is called no more."""

from collections.abc import Iterator

from tests.worlds import jobs
from tests.worlds.history import History
from tests.worlds.oracles.safety import was_frozen

_SETTLED = 5.0  # seconds from a claim to its call at the most: an id may come in between


def follows_the_model(history: History) -> Iterator[str]:
    """Each change of a ledger entry is one that the model of the protocol knows."""
    yield from history.changes.wrong


def called_no_more(history: History) -> Iterator[str]:
    """Nobody is called again whose id the ledger had before that, also where the job asked for a repeat."""
    if any(each.how == "forget" for each in history.world.troubles):
        return
    resent = {jobs.text(job) for job in history.world.jobs if job.resend}
    known: dict[tuple[str, str], float] = {}
    for call in history.sends():
        if call.text not in resent:
            continue
        for number in call.numbers:
            at = known.get((call.text, number), call.at)
            if at < call.at - _SETTLED and not was_frozen(history, call):
                yield f"{number} was called {call.at - at:.1f} s after its id was in the ledger"
        for number, name in call.told.items():
            if at_last := _written(history, name.encode()):
                known.setdefault((call.text, number), at_last)


def _written(history: History, name: bytes) -> float | None:
    return next((at for at, _, state in history.written if name in state), None)


LEDGER = (follows_the_model, called_no_more)
