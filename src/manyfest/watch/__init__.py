"""``manyfest watch``: is each version complete, for each platform, everywhere, and since when.

Observations go in at one end, decisions are pure, and what follows from them is kept before
anybody is told.
"""
