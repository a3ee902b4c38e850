"""The operator's page: one server, one origin, for keyboards, gamepads, headsets, the live view and cameras."""
