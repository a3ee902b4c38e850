"""Terms of the stacking tasks. All of them work on all environments at once."""
