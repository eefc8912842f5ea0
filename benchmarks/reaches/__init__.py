"""The parts of the reaching benchmark: what is learned by whom, and what is reported."""
