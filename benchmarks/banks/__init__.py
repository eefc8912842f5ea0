"""Parts of the bank benchmark.

experiments   what an experiment is
data          trials of the flows of dysts, simulated and kept
family        a system at parameters that it was not learned at
fields        nine vector fields, learned from random states
flows         all flows of dysts, learned together
"""

from banks.family import FAMILY
from banks.fields import FIELDS
from banks.flows import FLOWS

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {"family": FAMILY, "fields": FIELDS, "flows": FLOWS}
