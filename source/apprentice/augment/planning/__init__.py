"""What to do next: which segment is played, where, with what noise, and together with which other hand."""
