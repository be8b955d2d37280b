"""The only place that knows PostgreSQL.

In come the types of `cdrd.records`, `beside`, `calls` and `owners`; out come these, or pages of JSON that
PostgreSQL itself built.
Every statement has a name in sql/queries; driver errors end here and leave as those of `cdrd.errors`.
Promised: legs, suspense, the new position and the work that follows from them are one transaction.
"""
