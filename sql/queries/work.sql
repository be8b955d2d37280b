-- What the stages still have to do.

-- name: add_work(stage, first, last)!
INSERT INTO work (stage, first_acctid, last_acctid) VALUES (:stage, :first, :last);

-- name: wake(channel)
-- Tells every listening process that there is something to do.
SELECT pg_notify(:channel, '');

-- name: claim_work(stage, most_legs)
-- The oldest ranges that nobody else holds; held until the transaction ends.
SELECT first_acctid, last_acctid FROM claim_work(:stage, :most_legs);

-- name: finish_work(stage, firsts)!
DELETE FROM work WHERE stage = :stage AND first_acctid = ANY(:firsts::bigint[]);

-- name: waiting_work(stage)
-- How much waits: ranges, legs and the age in seconds of the oldest.
SELECT
    count(*) AS ranges,
    coalesce(sum(last_acctid - first_acctid + 1), 0)::bigint AS legs,
    coalesce(extract(epoch FROM now() - min(stored_at)), 0)::float8 AS oldest_seconds
FROM work
WHERE stage = :stage;
