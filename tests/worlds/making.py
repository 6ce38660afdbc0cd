"""From a seed to a world. Its theme says what goes wrong, and which oracles can be strict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random

from tests.worlds.plan import Gateway, Job, Latency, Trouble, World
from tests.worlds.replies import FORMS, SPOILT
from tests.worlds.web_jobs import web_jobs, web_losses, web_outage

_ROUNDS = 25
_CLOSING = 6 * 60 + 17  # 06:17 UTC
_CLOSES_AT = 13.5  # seconds of the plan: when the world's clocks show that
_CROWDED = 2.0  # seconds in which all jobs come
_IN_FILE = 0.15  # of the worlds have a real file for a ledger
_HOSTILE = (
    "no JSON",
    '{"job_id": "h", "recipients": "919876000001", "text": "x"}',
    '{"job_id": "h", "recipients": [], "text": "x"}',
    '{"recipients": ["919876000001"], "text": "x", "text": "y"}',
    '{"job_id": "h", "recipents": ["919876000001"], "text": "x"}',
    "[" * 5_000,
    '{"job_id": "\\ud800", "recipients": ["919876000001"], "text": "x"}',
    "",
)


def make(seed: int, theme: str = "") -> World:
    """Return the world of *seed*, of another *theme* if one is given."""
    chance = Random(seed)  # noqa: S311 - chance of a world, no secret
    drawn = chance.choices(list(_THEMES), weights=[weight for weight, _ in _THEMES.values()])[0]
    theme = theme or drawn
    world = _THEMES[theme][1](replace(World(seed, theme), gateway=_gateway(chance)), chance)
    if chance.random() < _IN_FILE:
        world = replace(world, store="sqlite")
    return world if any(job.after for job in world.jobs) else _without_ladder(world)


def _without_ladder(world: World) -> World:
    """Let the workers declare no queue for scheduled jobs: half of all steps, of worlds that have none."""
    return replace(world, settings=(*world.settings, ("WORKER_SEND_AFTER_LIMIT", "0")))


def _gateway(chance: Random) -> Gateway:
    return Gateway(send=_latency(chance), read=_latency(chance, brisk=True), form=chance.choice(FORMS))


def _latency(chance: Random, *, brisk: bool = False) -> Latency:
    kind, spread = chance.choice(
        (
            ("constant", 0.0),
            ("uniform", 0.8),
            ("lognormal", 0.5),
            ("bimodal", 0.05),
            ("rising", 0.02),
            ("stalls", 0.1),
        )
    )
    middle = chance.choice((0.02, 0.06, 0.12) if brisk else (0.02, 0.1, 0.25, 0.5))
    return Latency(kind, middle, spread)  # type: ignore[arg-type]


def _settings(chance: Random, **more: object) -> tuple[tuple[str, str], ...]:
    timeout = chance.choice((5, 10, 20))
    made = {"ITON_TIMEOUT": timeout, **more}
    if chance.random() < 0.3:
        made["WORKER_MAX_CALLS"], made["WORKER_URGENT_CALLS"] = chance.choice(((4, 1), (12, 2), (60, 10)))
    if chance.random() < 0.3:
        made["WORKER_SHARE_ABOVE"] = 100
    if chance.random() < 0.2:
        made["WORKER_COALESCE_SENDS"] = "true"
    return tuple((name, str(value)) for name, value in made.items())


def _mix(chance: Random, count: int, seconds: float) -> tuple[Job, ...]:
    """Return jobs of every kind, spread over so many seconds."""
    made: list[Job] = []
    for index in range(count):
        at = round(chance.uniform(0, seconds), 3)
        made += _some_job(chance, index, at)
    return tuple(sorted(made, key=lambda job: job.at))


def _some_job(chance: Random, index: int, at: float) -> list[Job]:
    dice = chance.random()
    if dice < 0.04:
        return [Job(at, f"h{index}", "hostile", raw=chance.choice(_HOSTILE))]
    if dice < 0.10:
        return [Job(at, f"s{index}", "status", first=index, recipients=chance.choice((1, 3, 100, 140)))]
    if dice < 0.13:
        return [Job(at, f"a{index}", "account")]
    job = _send(chance, index, at)
    return [job, *_about(job, chance, dice)]


def _about(job: Job, chance: Random, dice: float) -> list[Job]:
    """Repeats, conflicts and requests to stop it."""
    if dice < 0.20:
        return [replace(job, at=round(job.at + chance.uniform(0, 5), 3))]
    if dice < 0.22:
        return [replace(job, at=round(job.at + chance.uniform(0, 5), 3), text=job.text + 10_000)]
    if dice < 0.28:
        # In front of its target, behind it, or in the middle of its work; now and then asked for twice.
        at = round(max(0.0, job.at + chance.uniform(-2, 4)), 3)
        asked = Job(at, f"c{job.name}", "cancel", target=job.name)
        return [asked, *([replace(asked, at=asked.at + 1.0)] if dice < 0.24 else [])]
    return []


def _send(chance: Random, index: int, at: float) -> Job:
    size = chance.choices((1, 2, 5, 60, 100, 130, 340), weights=(70, 8, 6, 4, 4, 4, 2))[0]
    promotional = chance.random() < 0.5
    return Job(
        at,
        f"j{index}",
        urgent=chance.random() < 0.2,
        first=index * 1_000,
        recipients=size,
        odd=chance.choices((0, 1, 3), weights=(90, 7, 3))[0],
        text=index,
        sender=chance.choice(("", "", "AB-SHOP", "AB-BANK")),
        promotional=promotional,
        listed=chance.choice((0, 2, 5)) if promotional else 0,
        resend=chance.random() < 0.1,
        expires=chance.choice((0.0,) * 8 + (2.0, 40.0)),
    )


def _singles(count: int, chance: Random, *, promotional: float = 0.0) -> tuple[Job, ...]:
    return tuple(
        Job(0.0, f"j{i}", first=i * 10, text=i, promotional=chance.random() < promotional)
        for i in range(count)
    )


def _pace(world: World, chance: Random) -> World:
    """A backlog, and a gateway of some kind that is well: is it used?"""
    most, gateway = chance.choice((8, 16, 24)), world.gateway
    if chance.random() < 0.5:
        at_once = chance.choice((4, 8, 12))
        gateway = replace(gateway, connections=at_once, over=chance.choice(("queue", "429", "503")))
        most = chance.choice((at_once, at_once * 2, 60))
        wanted = at_once
    else:
        wanted = most
    if gateway.send.kind in {"rising", "stalls"} and gateway.connections:
        gateway = replace(gateway, send=replace(gateway.send, kind="lognormal", spread=0.5))
    settings: tuple[tuple[str, str], ...] = (("WORKER_MAX_CALLS", str(most)), ("WORKER_URGENT_CALLS", "0"))
    if chance.random() < 0.2:
        settings += (("ITON_RATE_LIMIT", str(chance.choice((5, 20)))),)
    promotional = chance.choice((0.0, 0.0, 0.3))
    return replace(
        world,
        gateway=gateway,
        settings=settings,
        jobs=_singles(wanted * _ROUNDS, chance, promotional=promotional),
    )


def _calm(world: World, chance: Random) -> World:
    """Nothing goes wrong."""
    return replace(
        world,
        workers=chance.choice((1, 1, 2)),
        jobs=_mix(chance, 40, 20),
        settings=_settings(chance),
        any_order=chance.random() < 0.5,
        delay=chance.choice((0.0005, 0.0005, 0.02)),
        ledger_delay=chance.choice((0.001, 0.001, 0.05)),
    )


def _own(world: World, chance: Random) -> World:
    """The gateway refuses one job, one number, one sender, one size, or one command is away."""
    jobs = _mix(chance, 50, 25)
    sends = [job for job in jobs if job.kind == "send"]
    victim = chance.choice(sends)
    targets = [
        f"text: {victim.text} ",  # a text is one: not also 12 where it is 2
        f"number:{919_876_000_000 + victim.first}",
        "sender:AB-SHOP",
        "size:50",
    ]
    target = chance.choice(targets)
    how = chance.choice(
        ("403", "429", "429 wait", "503", "credits", "header", "number", "400", "500", "template")
    )
    trouble = Trouble("own", 0.0, chance.choice((20.0, 4_000.0)), how, target)
    if chance.random() < 0.3:
        command = chance.choice(("check_DNDnumber", "message_status"))
        how = chance.choice(("503", "refuse", "500", "hang", "html"))
        trouble = Trouble("command", 2.0, chance.choice((15.0, 60.0)), how, command)
    return replace(world, jobs=jobs, troubles=(trouble,), settings=_settings(chance))


def _outage(world: World, chance: Random) -> World:
    """The gateway is away for a while."""
    kind = chance.choice(("gateway", "gateway", "account", "command"))
    ways = {
        "gateway": (
            "refuse",
            "unroutable",
            "hang",
            "hang",
            "503",
            "429",
            "500",
            "html",
            "reset",
            "empty",
            "502",
        ),
        "account": ("credentials", "401", "no credits"),
        "command": ("refuse", "503", "hang", "429 wait"),
    }
    target = "sendSMS" if kind == "command" else ""
    seconds = chance.choice((4.0, 12.0, 30.0, 75.0, 200.0))
    trouble = Trouble(kind, chance.uniform(1, 8), seconds, chance.choice(ways[kind]), target)
    settings = _settings(chance)
    workers = chance.choice((1, 1, 2))
    jobs = _mix(chance, 40, min(20 + seconds / 2, 60))
    return replace(world, workers=workers, jobs=jobs, troubles=(trouble,), settings=settings)


def _replies(world: World, chance: Random) -> World:
    """Some replies are lost, late, cut or odd."""
    hows = chance.sample(("hang", "late", *SPOILT), 2)
    troubles = tuple(Trouble("gateway", 0.0, 30.0, how, chance=chance.choice((0.05, 0.2))) for how in hows)
    return replace(world, jobs=_mix(chance, 40, 25), troubles=troubles, settings=_settings(chance))


def _kills(world: World, chance: Random) -> World:
    """Workers are killed, frozen and stopped."""
    workers = chance.choice((1, 2, 3, 4))
    troubles = [_kill(chance, workers) for _ in range(chance.choice((1, 2, 4)))]
    return replace(
        world,
        workers=workers,
        jobs=_mix(chance, 30, 15),
        troubles=tuple(troubles),
        settings=_settings(chance),
    )


def _kill(chance: Random, workers: int) -> Trouble:
    kind = chance.choices(("kill", "freeze", "stop"), weights=(5, 3, 2))[0]
    target, at = f"w{chance.randrange(workers)}", round(chance.uniform(0.2, 14), 3)
    if kind == "kill":
        moment = chance.choice(("", "", "write before", "write after", "call", "lookup", "result", "copy"))
        return Trouble(kind, at, chance.choice((0.5, 3.0)), moment, target)
    if kind == "freeze":
        moment = chance.choice(("", "call"))  # a call's reply comes when another has taken it over
        return Trouble(kind, at, chance.choice((2.0, 15.0, 35.0, 70.0)), moment, target)
    return Trouble(kind, at, 1.0, "", target)


def _cancels(world: World, chance: Random) -> World:
    """What workers do for a delivery is cancelled, at any await; one of them may be killed as well."""
    workers = chance.choice((1, 2))
    settings = dict(_settings(chance))
    if chance.random() < 0.7:  # many wait for leave to call
        settings |= {"WORKER_MAX_CALLS": "4", "WORKER_URGENT_CALLS": "1"}
    troubles = [Trouble("cancel", 0.0, 14.0, "", f"w{number}") for number in range(workers)]
    if chance.random() < 0.3:
        troubles.append(_kill(chance, workers))
    if chance.random() < 0.3:
        how = chance.choice(("hang", "late", *SPOILT))
        troubles.append(Trouble("gateway", 0.0, 15.0, how, chance=0.1))
    return replace(
        world,
        workers=workers,
        jobs=_mix(chance, 50, 12),
        troubles=tuple(troubles),
        settings=tuple(settings.items()),
    )


def _broker(world: World, chance: Random) -> World:
    """The broker, or the way to it, is not well."""
    hows = ("cut", "cut", "silence", "slow", "gone", "full", "alarm")
    troubles = [_broker_trouble(chance, chance.choice(hows)) for _ in range(chance.choice((1, 2, 3)))]
    if chance.random() < 0.4:  # what was acknowledged and is not published yet would be lost
        first = troubles[0]
        at = round(first.at + chance.uniform(0, first.seconds), 3)
        troubles.append(Trouble("kill", at, chance.choice((0.5, 3.0)), "", "w0"))
    return replace(
        world,
        workers=chance.choice((1, 2)),
        jobs=_mix(chance, 40, 20),
        troubles=tuple(troubles),
        settings=_settings(chance),
        any_order=chance.random() < 0.5,
    )


def _broker_trouble(chance: Random, how: str) -> Trouble:
    at, seconds = round(chance.uniform(0.5, 18), 3), chance.choice((1.0, 8.0, 40.0))
    targets = {
        "slow": "0.2",
        "full": chance.choice(("world.results", "iton.dead")),
        "cut": chance.choice(("", "w0")),
    }
    return Trouble("broker", at, seconds if how != "cut" else 0.0, how, targets.get(how, ""))


def _ledger(world: World, chance: Random) -> World:
    """The ledger's store is slow, away or forgets."""
    how = chance.choice(("away", "away", "2.2", "0.4", "forget", "short"))
    if how == "short":
        return _short_memory(world, chance)
    trouble = Trouble("ledger", round(chance.uniform(1, 15), 3), chance.choice((2.0, 12.0, 45.0)), how)
    jobs = _mix(chance, 40, 20)
    if how == "forget":  # who is asked again after that is sent to again
        names: set[str] = set()
        jobs = tuple(job for job in jobs if not (job.name in names or names.add(job.name)))  # type: ignore[func-returns-value]
    return replace(
        world, workers=chance.choice((1, 2)), jobs=jobs, troubles=(trouble,), settings=_settings(chance)
    )


def _short_memory(world: World, chance: Random) -> World:
    """Jobs come and go for longer than their entries are kept: their results find no room."""
    full = Trouble("broker", round(chance.uniform(1, 8), 3), 240.0, "full", "world.results")
    return replace(world, retention=150.0, jobs=_mix(chance, 12, 10), troubles=(full,))


def _times(world: World, chance: Random) -> World:
    """Jobs that are sent later, in the hours alone, and followed: these end and begin again once."""
    workers, seconds = chance.choice((1, 1, 2, 3)), chance.choice((1, 2))
    closing, opening = _CLOSES_AT, _CLOSES_AT + 60 * seconds
    wishes: dict[str, _Wishes] = {}
    made = [*_mix(chance, 30, 25), *_at_the_end_of_the_hours(chance, closing)]
    jobs = [_wishing(job, wishes, chance, opening) for job in made]
    # Somebody comes when they have begun.
    jobs.append(Job(opening + 5.0, "late", first=900_000, text=9_000, promotional=True))
    delays, limit = chance.choice((("3,6,12", 70), ("5", 60), ("2,4,30,10", 120)))
    settings = dict(_settings(chance, WORKER_TRACK_DELAYS=delays, WORKER_TRACK_LIMIT=limit))
    if chance.random() < 0.5:  # some wait for leave to call when the hours end
        settings |= {"WORKER_MAX_CALLS": "4", "WORKER_URGENT_CALLS": "1"}
    if chance.random() < 0.75:
        settings |= _hours(chance, seconds)
    return replace(
        world,
        workers=workers,
        jobs=tuple(sorted(jobs, key=lambda job: job.at)),
        troubles=_at_times(chance, workers, closing, opening),
        settings=tuple(settings.items()),
    )


def _at_the_end_of_the_hours(chance: Random, closing: float) -> Iterator[Job]:
    """Jobs, some of them large, that are under way when the hours end."""
    for index in range(40, 46):
        at = round(closing - chance.uniform(0, 0.8), 3)
        size = chance.choice((1, 1, 1, 340, 700))
        yield Job(at, f"j{index}", first=index * 1_000, recipients=size, text=index, promotional=True)


_Wishes = tuple[float, bool, bool]


def _wishing(job: Job, wishes: dict[str, _Wishes], chance: Random, opening: float) -> Job:
    """Have a send job wait, be followed or both; a repeat asks for the same."""
    if job.kind != "send":
        return job
    if job.name not in wishes:
        after = round(chance.uniform(0.0, chance.choice((12.0, opening + 10.0))), 3)
        scheduled = chance.random() < 0.4
        wishes[job.name] = (
            after if scheduled else 0.0,
            chance.random() < 0.5,
            not job.promotional and chance.random() < 0.3,
        )
    after, track, explicit = wishes[job.name]
    expires = job.expires + max(after - job.at, 0.0) if job.expires and after else job.expires
    return replace(job, after=after, track=track, explicit=explicit, expires=expires)


def _hours(chance: Random, minutes: int) -> dict[str, str]:
    """Return settings with which they are open, but for so many minutes."""
    name, ahead = chance.choice((("Asia/Kolkata", 330), ("UTC", 0), ("Europe/Berlin", 60)))
    end = _CLOSING + ahead
    begin = end + minutes
    hours = f"{_clock(begin)}-{_clock(end)}"
    if chance.random() < 0.3:
        hours = f"{_clock(begin)}-23:00,01:00-{_clock(end)}"
    return {"WORKER_PROMOTIONAL_HOURS": hours, "WORKER_HOURS_TIMEZONE": name}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _at_times(chance: Random, workers: int, closing: float, opening: float) -> tuple[Trouble, ...]:
    """Return what goes wrong, if anything does: best of all when the hours end or begin."""
    dice = chance.random()
    if dice < 0.35:
        return ()
    at = round(max(0.2, chance.choice((closing, opening, 20.0)) + chance.uniform(-4, 6)), 3)
    if dice < 0.65:
        return tuple(replace(_kill(chance, workers), at=at) for at in (at, at + chance.choice((0.5, 9.0))))
    if dice < 0.80:
        kind, target = chance.choice(
            (("gateway", ""), ("account", ""), ("command", "sendSMS"), ("command", "message_status"))
        )
        how = chance.choice(("credentials", "no credits") if kind == "account" else ("refuse", "503", "hang"))
        return (Trouble(kind, at, chance.choice((4.0, 12.0, 45.0)), how, target),)
    if dice < 0.88:
        how = chance.choice(("hang", "late", *SPOILT))
        return (Trouble("gateway", 0.0, opening + 40, how, chance=0.1),)
    if dice < 0.94:
        return (Trouble("ledger", at, chance.choice((2.0, 12.0)), "away"),)
    return (replace(_broker_trouble(chance, chance.choice(("cut", "silence", "gone", "alarm"))), at=at),)


def _web(world: World, chance: Random) -> World:
    """Calls of the Web API among sends: it is in trouble alone, or workers, broker or ledger are."""
    workers, dice = chance.choice((1, 1, 2, 3)), chance.random()
    troubles: list[Trouble] = [web_outage(chance)] if chance.random() < 0.4 else [web_losses(chance)]
    settings = dict(_settings(chance))
    if dice < 0.35:
        settings |= {"WORKER_MAX_CALLS": "4", "WORKER_URGENT_CALLS": "1"}
    elif dice < 0.65:
        kills = [_kill(chance, workers) for _ in range(chance.choice((1, 2, 4)))]
        moments = [replace(each, how="web" if each.how == "call" else each.how) for each in kills]
        troubles = [*moments, *troubles[: chance.choice((0, 1))]]
    elif dice < 0.75:
        troubles += [Trouble("cancel", 0.0, 14.0, "", f"w{number}") for number in range(workers)]
    elif dice < 0.90:
        how = chance.choice(("away", "2.2", "forget"))
        at = chance.uniform(0.2, _CROWDED) if how == "forget" else chance.uniform(1, 12)
        troubles.append(Trouble("ledger", round(at, 3), chance.choice((2.0, 12.0)), how))
    else:
        troubles.append(_broker_trouble(chance, chance.choice(("cut", "silence", "gone", "alarm"))))
    # Who is asked again after the ledger forgot is called again.
    forgets = any(each.how == "forget" for each in troubles)
    sends = () if forgets else _mix(chance, 15, 15)
    seconds = _CROWDED if forgets else 15  # calls are under way when it does
    jobs = [*sends, *web_jobs(chance, chance.choice((8, 20)), seconds, repeats=not forgets)]
    return replace(
        world,
        workers=workers,
        jobs=tuple(sorted(jobs, key=lambda job: job.at)),
        troubles=tuple(troubles),
        settings=tuple(settings.items()),
        any_order=chance.random() < 0.5,
    )


def _everything(world: World, chance: Random) -> World:
    """Several things go wrong at once."""
    workers = chance.choice((1, 2, 3))
    troubles: list[Trouble] = [_kill(chance, workers)]
    for part in chance.sample((_outage, _replies, _broker, _ledger, _kills), 2):
        troubles += [each for each in part(world, chance).troubles if each.how != "forget"]
    if chance.random() < 0.3:
        troubles.append(Trouble("clock", chance.uniform(0, 10), 20.0, chance.choice(("3600", "-3600")), "w0"))
    return replace(
        world,
        workers=workers,
        jobs=_mix(chance, 40, 25),
        troubles=tuple(troubles),
        settings=_settings(chance),
        any_order=chance.random() < 0.5,
    )


_THEMES: Mapping[str, tuple[int, Callable[[World, Random], World]]] = {
    "pace": (3, _pace),
    "calm": (2, _calm),
    "own": (4, _own),
    "outage": (5, _outage),
    "replies": (2, _replies),
    "kills": (4, _kills),
    "cancels": (2, _cancels),
    "broker": (3, _broker),
    "ledger": (2, _ledger),
    "times": (2, _times),
    "web": (2, _web),
    "everything": (3, _everything),
}
THEMES = tuple(_THEMES)
