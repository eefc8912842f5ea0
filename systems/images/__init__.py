"""Labelled images: MNIST-format folders, scikit-learn's digits, OpenML, rendered numerals, or arrays of your own.

base       Images; get, available, read, digits, fetch
numerals   the digits of many scripts, drawn from fonts
"""

from systems.images import numerals
from systems.images.base import FOLDER, Images, available, digits, fetch, get, read, read_idx

__all__ = ["FOLDER", "Images", "available", "digits", "fetch", "get", "numerals", "read", "read_idx"]
