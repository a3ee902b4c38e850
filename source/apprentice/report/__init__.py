"""Pages and plots, drawn from result files only."""

from apprentice.report.build import build_report

__all__ = ["build_report"]
