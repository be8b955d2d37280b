-- Is the database there, and is it one that can be written to?

-- name: alive()
SELECT NOT pg_is_in_recovery();
