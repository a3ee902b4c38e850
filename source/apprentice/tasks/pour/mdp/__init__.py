"""Terms and sizes of pan, beads and bowl."""
