"""Terms and sizes of hook, cube and bay."""
