"""Series of metrics as a test of an alert makes them up, and what such a test consists of.

Values are in promtool's notation, one a step: ``0+5x30`` begins at 0 and rises by 5 thirty times.
"""

from dataclasses import dataclass

from tests.support.promtool import Series

WHERE = 'namespace="sms",job="worker"'


@dataclass(frozen=True, slots=True)
class Case:
    """One alert.

    Attributes:
        fires: series, by name and labels, with which one of it fires after *steps*.
        also: more of these.
        quiet: series with which it does not, each set for a reason of its own.
        step: minutes.
    """

    alert: str
    fires: Series
    quiet: tuple[Series, ...]
    steps: int = 40
    step: int = 1
    also: tuple[Series, ...] = ()


def one(name: str, values: str, **labels: str) -> Series:
    """A series of one worker; ``class_`` stands for the label that Python reserves."""
    pairs = "".join(f',{label.rstrip("_")}="{value}"' for label, value in labels.items())
    return {f'iton_worker_{name}{{{WHERE},instance="a:8080"{pairs}}}': values}


def flat(value: float) -> str:
    """The same all the time."""
    return f"{value:g}+0x150"


def rising(step: float) -> str:
    """A counter that rises by *step* a minute."""
    return f"0+{step:g}x150"


def bill(*, predicted: str, spent: str, uncertain: str = "0+0x150", asked: str = "0+1x150") -> Series:
    """What texts should have cost, what was paid, and how often the balance was asked for."""
    return {
        **one("credits_spent_predicted_total", predicted),
        **one("credits_spent_uncertain_total", uncertain),
        **one("credits_spent_total", spent),
        **one("credits_added_total", "0+0x150"),
        **one("gateway_calls_total", asked, command="account", class_="ok"),
    }


def histogram(name: str, slow: float, fast: float, *, bound: str, **labels: str) -> Series:
    """Observations a minute: *fast* ones below *bound* and *slow* ones in the next bucket."""
    return {
        **one(f"{name}_bucket", rising(fast), le=bound, **labels),
        **one(f"{name}_bucket", rising(fast + slow), le=f"{4 * float(bound):g}", **labels),
        **one(f"{name}_bucket", rising(fast + slow), le="+Inf", **labels),
    }


def paused(alert: str, reason: str) -> Case:
    """An alert on one reason of the pause."""
    other = "ledger" if reason != "ledger" else "credits"
    blip = "0+0x39 1 0+0x10"
    return Case(
        alert,
        one("intake_paused", flat(1), reason=reason),
        (one("intake_paused", flat(1), reason=other), one("intake_paused", blip, reason=reason)),
    )


def uncertain(alert: str, few: float, many: float, *quiet: Series) -> Case:
    """An alert on the share of uncertain ones among a hundred recipients a minute; *quiet* is more of it."""
    accepted = one("recipients_total", rising(100), outcome="accepted")
    return Case(
        alert,
        {**accepted, **one("recipients_total", rising(many), outcome="uncertain")},
        (
            {**accepted, **one("recipients_total", rising(few), outcome="uncertain")},
            one("recipients_total", flat(0), outcome="uncertain"),
            *quiet,
        ),
    )


def uncertain_few(count: int) -> Series:
    """*count* uncertain recipients of three times as many, in the last minutes."""
    return {
        **one("recipients_total", f"0+0x32 {2 * count}+0x20", outcome="accepted"),
        **one("recipients_total", f"0+0x32 {count}+0x20", outcome="uncertain"),
    }


def beside(series: Series) -> Series:
    """The same of a second deployment in the namespace."""
    return {name.replace('job="worker"', 'job="worker-b"'): values for name, values in series.items()}


def second(series: Series) -> Series:
    """The same of a second worker of the deployment."""
    return {name.replace('"a:8080"', '"b:8080"'): values for name, values in series.items()}


def calls(*, limit: str, in_flight: str, floor: float) -> Series:
    """Calls under way, how many may be, and the least to which that falls."""
    return {
        **one("gateway_calls_limit", limit),
        **one("gateway_calls_in_flight", in_flight),
        **one("gateway_calls_floor", flat(floor)),
    }
