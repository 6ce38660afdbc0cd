"""The protocol as a model that Spin checks to the last state, and the code's changes held against it."""
