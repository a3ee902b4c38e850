"""Terms that table-top tasks share. All of them work on all environments at once."""
