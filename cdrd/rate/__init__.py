"""A call learns what it costs.

Nothing is rated yet: this room is where tariffs, charges and invoices will live.
Derived rows will be keyed by acctid, as attributions are, and recomputable from legs, directory and tariffs.
"""
