"""Parts of the connectome benchmark.

cells         what rows are called, and how well one circuit does what another does
teachers      circuits that learned a task
students      biases and gains found from recordings of them
ranks         gains of circuits of rank two
worms         biases over C. elegans' wiring, its shuffles, and settings drawn at random
choices       which neurons to record next
sizes         how large a circuit may be
"""

from circuits.choices import CHOICES, LINEAR
from circuits.ranks import RANKS
from circuits.sizes import SIZES
from circuits.students import STUDENTS
from circuits.worms import SETTINGS, WORM

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {
    "students": STUDENTS, "rank": RANKS, "worm": WORM, "settings": SETTINGS, "next": CHOICES, "linear": LINEAR,
    "size": SIZES,
}  # fmt: skip
