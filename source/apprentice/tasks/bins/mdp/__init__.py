"""Terms and sizes of sorting."""
