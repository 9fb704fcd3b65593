"""Where in the user's text an answer comes from. Pure functions over texts and values: no I/O, no provider.

sources     the user's texts of a call
tokens      a text as tokens: what is compared, and where it stands in the original
words       words that have a meaning for comparison
values      numbers, dates and amounts of money as the token sequences that mean the same
matching    all places of one value
leaves      the values of an item, by path
assign      which place belongs to which item
grounding   all of it, for the items of one call
evidence    what the user gets
"""
