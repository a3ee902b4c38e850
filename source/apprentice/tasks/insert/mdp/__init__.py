"""Terms of the insertion tasks. All of them work on all environments at once."""
