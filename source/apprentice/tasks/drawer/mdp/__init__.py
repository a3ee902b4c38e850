"""Terms and sizes of cube, cabinet and drawer."""
