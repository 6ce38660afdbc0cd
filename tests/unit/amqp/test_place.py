"""Where a broker is, for people."""

import pytest

from worker.amqp.connection.reasons import place_of


class TestPlaceOf:
    """`place_of`."""

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("amqp://user:sesame@broker/vhost", "broker:5672"),
            ("amqps://user:sesame@broker", "broker:5671"),
            ("amqp://broker:5673/", "broker:5673"),
            ("amqp://user:p%40ss@127.0.0.1:1/?heartbeat=5", "127.0.0.1:1"),
        ],
    )
    def test_it_is_host_and_port(self, url: str, place: str) -> None:
        """The port is the scheme's own unless it is given; no credential is in it."""
        assert place == place_of(url)
