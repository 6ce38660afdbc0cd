"""Worlds in which the worker once failed, shrunk. Each is told by what went wrong in it."""

from tests.worlds.judge import judge
from tests.worlds.plan import Gateway, Job, Latency, Trouble, World


def singles(count: int, *, every: float = 0.0, promotional: bool = False) -> tuple[Job, ...]:
    """Return jobs of one recipient each."""
    return tuple(
        Job(round(i * every, 3), f"j{i}", first=i * 10, text=i, promotional=promotional) for i in range(count)
    )


def few_calls(most: int, **more: str) -> tuple[tuple[str, str], ...]:
    """Return settings with which so many bulk calls may be made at once."""
    return (("WORKER_MAX_CALLS", str(most)), ("WORKER_URGENT_CALLS", "0"), *more.items())


def test_what_is_refused_of_one_slows_nobody() -> None:
    """One 403 paused all, and the account was blamed."""
    jobs = (*singles(20, every=0.5), Job(0.2, "own", first=500, text=99, sender="AB-SHOP"))
    trouble = Trouble("own", 0.0, 4_000.0, "403", "text:3 ")
    assert [] == judge(World(2, "own", jobs=jobs, troubles=(trouble,)))[1]


def test_an_outage_is_over_within_ten_seconds() -> None:
    """A gateway that hung cost 23 s, for a probe had the whole time of a call; and hands were full."""
    world = World(3, "outage", jobs=singles(30, every=0.5), troubles=(Trouble("gateway", 2, 12, "hang"),))
    assert [] == judge(world)[1]


def test_a_killed_workers_calls_are_settled_in_an_outage() -> None:
    """The survivor's hands were full for up to 600 s."""
    gateway = Gateway(send=Latency("constant", 3.0))
    troubles = (Trouble("gateway", 3.0, 120.0, "refuse"), Trouble("kill", 2.5, 200.0, target="w0"))
    world = World(5, "kills", workers=2, gateway=gateway, jobs=singles(40, every=0.1), troubles=troubles)
    assert [] == judge(world)[1]


def test_a_full_queue_gets_few_copies() -> None:
    """A result that the broker refused was published 119 times in 40 s, the topology declared each time."""
    full = Trouble("broker", 1.0, 40.0, "full", "world.results")
    world = World(7, "broker", jobs=singles(20, every=0.2), troubles=(full,))
    assert [] == judge(world)[1]


def test_a_reply_in_hand_survives_a_ledger_that_forgot() -> None:
    """The job was given back and its text went out again; the ids were lost."""
    gateway = Gateway(send=Latency("constant", 2.0))
    forgets = tuple(Trouble("ledger", at, 0.0, "forget") for at in (1.3, 2.1, 3.4))
    world = World(8, "ledger", gateway=gateway, jobs=singles(20, every=0.2), troubles=forgets)
    assert [] == judge(world)[1]


def test_no_wait_is_too_short_for_the_clock() -> None:
    """A tenth of a femtosecond was left until the next token."""
    world = World(9, "pace", jobs=singles(120), settings=few_calls(16, ITON_RATE_LIMIT="5"))
    assert [] == judge(world)[1]


def test_a_swallowed_lookup_is_asked_anew() -> None:
    """A job whose own question hung waited for the whole time limit, long after the outage."""
    jobs = (Job(3.5, "j1", promotional=True), Job(3.6, "s1", "status"))
    trouble = Trouble("gateway", 3.0, 4.0, "hang")
    assert [] == judge(World(212, "outage", jobs=jobs, troubles=(trouble,)))[1]


def test_a_command_that_fails_alone_is_tried_now_and_then() -> None:
    """The account answered, so sendSMS was tried each second, and every job handed out as often."""
    trouble = Trouble("command", 4.931, 75.0, "503", "sendSMS")
    jobs = (*singles(3, every=0.5), Job(18.726, "k1", first=900, text=98, promotional=True))
    assert [] == judge(World(172, "outage", jobs=jobs, troubles=(trouble,)))[1]


def test_a_command_that_hangs_keeps_no_room_from_others() -> None:
    """Its calls had all of the few that may be made, each for the whole time limit."""
    hangs = Trouble("command", 2.0, 15.0, "hang", "check_DNDnumber")
    asking = (Job(at, f"d{at}", first=int(at * 1000), text=int(at), promotional=True) for at in (11, 12, 13))
    jobs = (*asking, Job(13.4, "s39", "status", first=39, recipients=3))
    assert [] == judge(World(208, "own", jobs=jobs, troubles=(hangs,), settings=few_calls(3)))[1]


def test_a_gateway_that_refuses_large_calls_slows_nobody() -> None:
    """One after the other failed, and that was taken for an outage: 200 calls for each, pauses for all."""
    large = tuple(Job(at, f"l{at}", first=at * 1000, text=100 + at, recipients=60) for at in range(1, 8))
    trouble = Trouble("own", 0.0, 4_000.0, "503", "size:50")
    world = World(169, "own", jobs=(*singles(12, every=0.7), *large), troubles=(trouble,))
    assert [] == judge(world)[1]


def test_a_job_whose_result_finds_no_room_is_known_for_all_that_time() -> None:
    """It stayed in hand for longer than its entry, and was sent again when it was published again."""
    jobs = (Job(2.0, "j1", promotional=True), Job(4.0, "j1", promotional=True))
    full = Trouble("broker", 1.0, 240.0, "full", "world.results")
    assert [] == judge(World(2, "ledger", jobs=jobs, troubles=(full,), retention=150.0))[1]


def test_a_refused_call_makes_no_room_for_another() -> None:
    """Who waited was let in before the limit fell, was refused as well, and took one more of it along."""
    gateway = Gateway(
        Latency("uniform", 0.1, 0.8), Latency("stalls", 0.12, 0.1), connections=4, over="503", form="gaps"
    )
    jobs = singles(100)
    assert [] == judge(World(100_070, "pace", gateway=gateway, jobs=jobs, settings=few_calls(8)))[1]
