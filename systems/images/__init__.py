"""Labelled images, to be told apart.

    get, available      a data set by name; what there is here

base        Images: make your own; read: an MNIST-format folder; digits: scikit-learn's; fetch: from OpenML
numerals    the digits of many scripts, rendered from fonts and deformed: nothing to download

>>> get("digits")
<Images 'digits': 1438 training and 359 test images of 8 x 8, 10 classes>
"""

from systems.images import numerals
from systems.images.base import FOLDER, Images, available, digits, fetch, get, read, read_idx

__all__ = ["FOLDER", "Images", "available", "digits", "fetch", "get", "numerals", "read", "read_idx"]
