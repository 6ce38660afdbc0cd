"""Cancel jobs: a send job is stopped by a mark in its entry."""
