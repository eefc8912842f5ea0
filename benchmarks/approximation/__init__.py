"""The rooms of `approximate.py`: what is learned, what is constructed, and the report on both."""
