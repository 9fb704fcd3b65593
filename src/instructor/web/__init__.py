"""The page of `instructor play`: watch an extraction live. It needs the extra `web`.

A run is a resource: a request starts it, and it goes on in this process whether or not a page looks at it. What happens
in it is an append-only list of numbered events (`events.py`), which any number of pages follow.
"""
