"""The analyses behind `benchmarks/inside.py`.

analyses    the fit, the truth, and what is measured of both
report      tables and figures
"""
