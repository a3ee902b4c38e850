"""Terms and sizes of mug and stand."""
