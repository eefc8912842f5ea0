"""The rungs of the forecast benchmark, `benchmarks/forecast.py`.

data        what all rows share: the protocol, and the trials of a system
learners    who learns: floors, baselines, networks, ceilings
scores      what a row says of a learner
rows        a row, and all rows as one Dataset
report      the table and the figures of a run
"""
