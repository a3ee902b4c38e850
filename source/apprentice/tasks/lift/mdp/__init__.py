"""Terms of lifting."""
