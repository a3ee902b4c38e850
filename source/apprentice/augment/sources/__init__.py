"""Source demos: read, cut into segments, the contact-rich part told from free transit, handed from arm to arm."""
