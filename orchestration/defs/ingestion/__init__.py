"""Feeds come in: one asset a feed, and the account of what arrived."""
