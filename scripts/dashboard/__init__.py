"""The Grafana dashboard: what its panels ask and show, and how that becomes JSON."""
