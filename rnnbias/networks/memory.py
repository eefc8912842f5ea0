"""How much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available"]

_GROUP = Path("/sys/fs/cgroup")  # of a container whose memory is limited


def available() -> int:
    """Bytes that can be taken without touching the disk; where the system does not say, all that are built in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        limit, used = ((_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        found += [int(limit) - int(used)] if limit != "max" else []
    except OSError:
        pass
    return min(found, default=2**63)
