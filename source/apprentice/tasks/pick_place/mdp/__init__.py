"""Terms of picking and placing."""
