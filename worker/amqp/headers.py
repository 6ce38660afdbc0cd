"""Names of headers that the worker writes and reads."""

from typing import Final

FIRST_SEEN: Final = "x-iton-first-seen"
ROUTING_KEY: Final = "x-iton-routing-key"
EXPIRATION: Final = "x-iton-expiration"
REPLAY: Final = "x-iton-replay"
REPLAY_FORCE: Final = "x-iton-replay-force"
REPLAY_KNOWN_UNTIL: Final = "x-iton-replay-known-until"
# What an earlier round of ours was traced as; the producer's own header stays as it came.
TRACE: Final = "x-iton-traceparent"
# It was scheduled or held: it has been taken before, and that was no attempt.
WAITED: Final = "x-iton-waited"
USER_ID: Final = "x-iton-user-id"
# On every copy of a message; it tells returned copies apart that have no message id.
COPY_ID: Final = "x-iton-id"
