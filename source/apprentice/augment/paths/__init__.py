"""Ways for the hand: a segment moved to where its object is now, and a bridge to it that the arm can go."""
