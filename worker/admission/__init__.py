"""The one door to the gateway: when a call may be made, and whose trouble a refusal is.

One line of waiters, one leave to call that its owner gives back, one limit on calls, one rate limit, and for
each command one circuit. The decisions are in `call_limit` and `circuit`, which know no waiting.
"""
