"""What learned networks do: maps, fits and labelled Datasets in, labelled Datasets out.

lyapunov        how chaotic: `lyapunov_spectrum`, `system_spectrum`, `kaplan_yorke`
jacobians       local dynamics: `jacobians`, `eigenvalues`, `before_after`
fixed_points    where it stays: `fixed_points`, `with_input`
attractors      long runs: `return_map`, `power_spectrum`, `floors`
dimension       subspaces: `principal_components`, `alignment`
biases          what was learned: `bias_histogram`, `bias_distance`, `unit_activity`, `interpolate`
robustness      what they bear, and whether they shape anything: `robustness`, `linearised`
uncertainty     how well recordings determine a circuit: `uncertainty`, `record_next`, `greedy_choice`
surgery         which units matter: `transplant`, `lesion`
organisation    how units organise by task: `task_variance`, `clusters`, `correlation`, `switching`, `agreement`
"""

from rnnbias.analysis.attractors import floors, power_spectrum, return_map
from rnnbias.analysis.biases import bias_distance, bias_histogram, interpolate, unit_activity
from rnnbias.analysis.dimension import alignment, principal_components
from rnnbias.analysis.fixed_points import fixed_points, with_input
from rnnbias.analysis.jacobians import before_after, eigenvalues, jacobians, untrained
from rnnbias.analysis.lyapunov import kaplan_yorke, lyapunov_spectrum, system_spectrum
from rnnbias.analysis.organisation import agreement, clusters, correlation, switching, task_variance
from rnnbias.analysis.robustness import linearised, robustness
from rnnbias.analysis.surgery import lesion, transplant
from rnnbias.analysis.uncertainty import greedy_choice, record_next, uncertainty

__all__ = [
    "agreement",
    "alignment",
    "before_after",
    "bias_distance",
    "bias_histogram",
    "clusters",
    "correlation",
    "eigenvalues",
    "fixed_points",
    "floors",
    "greedy_choice",
    "interpolate",
    "jacobians",
    "kaplan_yorke",
    "lesion",
    "linearised",
    "lyapunov_spectrum",
    "power_spectrum",
    "principal_components",
    "record_next",
    "return_map",
    "robustness",
    "switching",
    "system_spectrum",
    "task_variance",
    "transplant",
    "uncertainty",
    "unit_activity",
    "untrained",
    "with_input",
]
