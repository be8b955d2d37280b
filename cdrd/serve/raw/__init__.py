"""The raw CDR dialect: /rest/call/read and /rest/auth.

In comes a JSON body (or query parameters) with a scope, out go legs with their properties.
Promised: always ordered by acctid, and whoever polls by minID gets each row once and need not look back.
"""
