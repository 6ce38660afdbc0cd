"""A world as plain values: printed when it fails, shrunk by leaving things out, run again as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

Commands = Literal["sendSMS", "check_DNDnumber", "message_status", "account"]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a gateway takes to answer.

    Attributes:
        kind: of the distribution. ``rising``: grows with the calls in flight; ``stalls``: now and then all
            answers wait for the end of a stall.
        middle: seconds; the mean of a constant or uniform one, the median of the others.
        spread: of uniform: half its width over its middle; of lognormal: sigma; of bimodal: the share of
            slow answers, which take 15 times as long; of rising: how much each call in flight adds, over the
            middle; of stalls: the share of time that is stalled.
    """

    kind: Literal["constant", "uniform", "lognormal", "bimodal", "rising", "stalls"] = "constant"
    middle: float = 0.1
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the gateway is like when it is well.

    Attributes:
        send: how long a sendSMS takes.
        read: how long the other commands take.
        connections: calls that it works on at once; 0: any number.
        over: what becomes of a call over that: ``queue``, ``429`` or ``503``.
        rate: calls a second that it takes; more are answered with 429. 0: any number.
        form: of its replies.
    """

    send: Latency = field(default_factory=Latency)
    read: Latency = field(default_factory=Latency)
    connections: int = 0
    over: Literal["queue", "429", "503"] = "queue"
    rate: float = 0.0
    form: str = "map"


@dataclass(frozen=True, slots=True)
class Job:
    """One message of a producer.

    Attributes:
        at: seconds after the beginning.
        kind: ``send``, ``status``, ``account``, ``cancel``, ``api`` or ``hostile``.
        name: its job id; several with one name are repeats, or a conflict where they differ.
        first: its numbers are so many, counted from here.
        odd: recipients of these are no numbers.
        text: jobs of one number have one text.
        listed: every so many-th number is on the DND list; 0: none.
        expires: seconds after it was published; 0: never.
        raw: the body of a hostile one.
        target: the job that a request stops.
        after: seconds after the beginning before which it is not sent; 0: at once.
        track: what becomes of its messages is followed.
        explicit: of the category that hours apply to and the DND list does not.
        method: of an ``api`` job.
    """

    at: float
    name: str
    kind: Literal["send", "status", "account", "cancel", "api", "hostile"] = "send"
    urgent: bool = False
    first: int = 0
    recipients: int = 1
    odd: int = 0
    text: int = 0
    sender: str = ""
    promotional: bool = False
    listed: int = 0
    resend: bool = False
    expires: float = 0.0
    reply_to: str = ""
    raw: str = ""
    target: str = ""
    after: float = 0.0
    track: bool = False
    explicit: bool = False
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong for a while.

    Attributes:
        kind: where: see `tests.worlds.troubles`.
        at: seconds after the beginning.
        seconds: how long.
        how: what happens.
        target: to whom: a command, a text, a number, a sender, a size, a worker.
        chance: of each call.
    """

    kind: str
    at: float
    seconds: float
    how: str = ""
    target: str = ""
    chance: float = 1.0

    @property
    def end(self) -> float:
        """When it is over."""
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class World:
    """Everything that decides a run.

    Attributes:
        theme: what it is about; decides which oracles of progress hold.
        delay: seconds that bytes take to or from the broker, one way.
        ledger_delay: seconds of each call of the ledger.
        store: what keeps the ledger's entries; of ``sqlite`` the statements are the product's.
        any_order: what is given back comes again anywhere in its queue.
        retention: seconds that the store keeps an entry; 0: as the settings say.
        settings: environment variables of the workers.
    """

    seed: int
    theme: str
    workers: int = 1
    gateway: Gateway = field(default_factory=Gateway)
    jobs: tuple[Job, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    delay: float = 0.0005
    ledger_delay: float = 0.001
    store: Literal["memory", "sqlite"] = "memory"
    any_order: bool = False
    retention: float = 0.0
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings by name."""
        return dict(self.settings)

    @property
    def timeout(self) -> float:
        """Seconds that one call may take."""
        return float(self.environment.get("ITON_TIMEOUT", "20"))

    @property
    def is_about_own_trouble(self) -> bool:
        """Whether what goes wrong is one job's, one command's or the Web API's: nobody else's."""
        if self.theme == "own":
            return True
        return bool(self.troubles) and all(trouble.kind == "web" for trouble in self.troubles)

    @property
    def trouble_ends(self) -> float:
        """When nothing goes wrong any more, in seconds after the beginning."""
        return max((trouble.end for trouble in self.troubles), default=0.0)

    @property
    def comes_until(self) -> float:
        """When nothing new comes any more. What befalls some jobs alone comes with them."""
        troubles = (trouble.end for trouble in self.troubles if trouble.kind != "own")
        return max((self.work_ends, *troubles))

    @property
    def work_ends(self) -> float:
        """When the last job comes, or its time."""
        return max((max(job.at, job.after) for job in self.jobs), default=0.0)


def differences(plan: object) -> str:
    """Write what of *plan* is not as by default, as Python."""
    if isinstance(plan, tuple):
        return "(" + "".join(f"{differences(each)}, " for each in plan).rstrip() + ")"
    if not hasattr(type(plan), "__dataclass_fields__"):
        return repr(plan)
    shown = []
    for each in fields(plan):  # type: ignore[arg-type]
        value = getattr(plan, each.name)
        default = each.default_factory() if callable(each.default_factory) else each.default
        if value != default:
            shown.append(f"{each.name}={differences(value)}")
    return f"{type(plan).__name__}({', '.join(shown)})"
