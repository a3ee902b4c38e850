"""Terms and sizes of nut and peg."""
