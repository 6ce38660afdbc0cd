"""What lies below aio-pika: frames, the socket's stream, properties as bytes, the transport.

Messages and confirms are most of all frames. The client library spends three awaited reads, two queues and
four objects on each; a message consumed, published, confirmed and acknowledged costs four times as much by
its means as by these (docs/architecture.md has the figures). So they are taken off the socket before the
library sees them, and written beside its own frames; everything else (log-in, declarations, heartbeats,
closing) stays its business.

The seam: `transport.RawTransportFactory` is given to the library; `socket.FrameSocket` serves channels and
writes frames; `properties.Properties` are bytes that survive a copy. What this leans on inside the libraries
is named, item by item, in tests/contract/test_wire_internals.py, and their versions are bounded in
pyproject.toml to those that were tested.
"""
