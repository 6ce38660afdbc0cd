"""The composition root: the one place that names every concrete class of a running worker.

Nothing is imported here: a short command needs the rules of a job, and not all that a worker is made of.
"""
