"""The edge to RabbitMQ. Nothing else knows AMQP.

Rooms, each of which knows only those below it: `dead` and `consume`; `publish`; `topology`; `connection`;
`wire`, which lies below the client library.
"""
