"""Where frames come from: people's devices, a scripted operator, an earlier session."""
