"""Trainings on the nodes of a Ray cluster: what runs on the head (``executor``), on a node (``node``), and a cluster of our own (``own``).

Ray is an optional extra. Only a worker whose pool is ``ray`` imports this package, and with it Ray.
"""
