"""Retention Loop: find opportunities, set strategy, act and collect feedback, evaluate and adjust."""
