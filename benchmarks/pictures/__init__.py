"""The parts of the image benchmark, `benchmarks/classify.py`.

learners       who learns: biases, masks, readout, everything
experiments    which rows answer which question
rows           rows as files, so that a killed run goes on
speed          an epoch of bias learning beside one of full training in plain PyTorch
report         the tables and the figures of a run
"""
