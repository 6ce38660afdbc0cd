"""What the chart's files must know of the worker and of each other, written from the sources."""
