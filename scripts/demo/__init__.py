"""``make demo``: the whole way of a campaign, on real processes, with a stand-in for the gateway."""
