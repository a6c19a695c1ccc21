"""Audit of certification logs, other people's and ours: what is wrong in them, what follows, and what they can't tell.

No torch: a log is text or a table of votes, and an auditor has no model.
"""
