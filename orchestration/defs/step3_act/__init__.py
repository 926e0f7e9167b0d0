"""Step 3, act: the work orders and lists that leave the house."""
