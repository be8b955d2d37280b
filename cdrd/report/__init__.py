"""Many calls become a table, a picture, a mail.

Nothing is reported yet: this room is where call reports will live, as functions from calls to tables.
"""
