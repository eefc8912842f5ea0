"""Storage: files that are whole or absent, sealed with a checksum, and execute nothing.

netcdf       `write_netcdf`, `read_netcdf`: labelled Datasets in sealed netCDF files
checkpoint   networks in files: settings, parameters and digests, never the frozen matrices
bank         `Bank`: many named sets of parameters over one frozen network
"""

from rnnbias.storage.bank import Bank
from rnnbias.storage.netcdf import read_netcdf, write_netcdf

__all__ = ["Bank", "read_netcdf", "write_netcdf"]
