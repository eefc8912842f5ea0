"""The parts of the image benchmark, `benchmarks/classify.py`.

learners       who learns: biases, masks, readout, everything
experiments    which rows answer which question
rows           a row: one fit and its scores
speed          an epoch of bias learning beside one of full training in plain PyTorch
report         the tables and the figures of a run
"""
