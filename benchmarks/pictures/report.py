def publish(out, rows, command):
    """Stub."""
    return ""
