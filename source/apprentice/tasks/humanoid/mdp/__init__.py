"""Terms of the humanoid tasks. All of them work on all environments at once."""
