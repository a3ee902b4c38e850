"""Recording demos: the episode state machine, the recorder, annotation and replay."""
