"""Vectorised rollouts of a policy, and statistics that say how far their result can be trusted."""
