"""Step 1, find opportunities: who is at risk, and by which signs."""
