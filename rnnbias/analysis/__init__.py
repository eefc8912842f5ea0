"""What learned networks do: labelled Datasets in, labelled Datasets out.

organisation    how units organise by task: `task_variance`, `clusters`, `correlation`, `switching`, `agreement`
"""

from rnnbias.analysis.organisation import agreement, clusters, correlation, switching, task_variance

__all__ = ["agreement", "clusters", "correlation", "switching", "task_variance"]
