import itertools

import numpy as np
import pytest

import levers
import noise
import systems
from ladder.data import Protocol, Task

pytestmark = pytest.mark.usefixtures("short_transients")


def test_no_trial_serves_two_purposes(monkeypatch):
    """Choosing defaults, training (with tuning) and testing see other trials, by their seeds and by their samples."""
    seen = {}
    real = systems.System.simulate

    def simulate(self, *args, seed=0, **kwargs):
        seen.setdefault(purpose, set()).add(seed)
        return real(self, *args, seed=seed, **kwargs)

    monkeypatch.setattr(systems.System, "simulate", simulate)
    task = Task("lorenz63", Protocol(samples=300, windows=5, reach=1.0, runs=2, run_steps=20, settle=10))
    data = {}
    for purpose, make in {
        "levers": lambda: [each.trajectory for each in levers.trials(300, 5)],
        "training": lambda: [task.train.trajectory],
        "windows": lambda: [task.windows],
        "free runs": lambda: [task.free],
    }.items():
        data[purpose] = np.concatenate([each.values[:, 0] for each in make()])
    for one, other in itertools.combinations(seen, 2):
        assert not seen[one] & seen[other]
        assert np.abs(data[one][:, None] - data[other]).max(-1).min() > 1e-6


def test_the_noise_benchmark_trains_and_tests_on_the_trials_of_the_ladder():
    task = Task("lorenz63", Protocol(samples=300, windows=5, reach=1.0))
    train, test = noise.trials("lorenz63", 5, 300, 1.0)
    np.testing.assert_array_equal(train.values[:, 0], task.train.trajectory.values[:, 0])
    np.testing.assert_array_equal(test.values[:, 0], task.windows.values[:, 0])
