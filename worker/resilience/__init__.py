"""What keeps an outage from burning jobs. Knows neither the gateway's protocol nor the broker's."""
