"""Plays plans in all environments at once, judges each subtask, and keeps it or tries it again."""
