"""What a Redis URL may look like, in words; apart from what reads one, which loads the client library."""

ACCEPTED = (
    "redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://… or unix:///PATH?db=DB, where wanted with "
    "wait_replicas=N in the query"
)
