"""The questions of insight, one subject a file."""

from services.insight.views import bulletin, export, flaws, loads, people, requests, tables, targets, trend, watch

__all__ = ["bulletin", "export", "flaws", "loads", "people", "requests", "tables", "targets", "trend", "watch"]
