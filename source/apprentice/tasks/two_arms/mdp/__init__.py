"""Terms of the two-arm tasks. All of them work on all environments at once."""
