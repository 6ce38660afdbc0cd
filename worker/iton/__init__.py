"""The gateway: what is said to ITON and how its replies are read.

``protocol``, ``readings``, ``replies``, ``rules`` and ``words`` know no socket; ``client`` and ``transport``
do the talking.
"""
