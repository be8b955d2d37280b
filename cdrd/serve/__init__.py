"""Programs and people read.

In comes an HTTP request of one of the dialects, each with its own error envelope, all on one port.
Out go only rows that the principal may see, up to the horizon below which every row is decided.
Promised: no path reads without a principal, a slow reader blocks nobody, and bad input is told what is wrong.
"""
