"""The rules once more, slowly: an independent reading over the files as delivered.

Here: plain Python, one small function a rule, so that a reader can hold it against the text of
the rules line by line; and its own tests. Not here: anything of the platform (its SQL must agree
with this, so nothing of it is imported), and nothing planted by the simulator.
"""
