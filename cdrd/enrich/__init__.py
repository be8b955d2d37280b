"""A leg learns whose it is and who pays.

In come stored legs in the order of their acctid, looked at together with the other legs and the events of
their calls, and the directory of companies; out goes one attribution a leg, with the rule that decided each
property, and one row a call.
Promised: nothing is decided silently, a late leg or event re-decides its call, and one poison leg stops
nobody.
"""
