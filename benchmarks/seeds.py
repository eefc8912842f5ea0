"""Seeds of the simulated data: choices are made on some, what is reported is measured on others.

CHOICE, CHOICE_TEST     what defaults are chosen by: `levers.py`
TRAIN, TEST, FREE       what is reported: the ladder and `noise.py`; peers are tuned on the training trial
"""

__all__ = ["CHOICE", "CHOICE_TEST", "FREE", "TEST", "TRAIN"]

CHOICE, CHOICE_TEST = 0, 1
TRAIN, TEST, FREE = 100, 101, 102
