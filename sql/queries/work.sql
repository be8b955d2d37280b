-- What the stages still have to do.

-- name: add_work(stage, first, last)!
-- It waits from this moment on, not from the begin of a transaction that may have waited for the append
-- lock: else it would be past its deadline, and served undecided, before anybody could decide it.
INSERT INTO work (stage, first_acctid, last_acctid, stored_at)
VALUES (:stage, :first, :last, clock_timestamp());

-- name: wake(channel)
-- Tells every listening process that there is something to do.
SELECT pg_notify(:channel, '');

-- name: claim_work(stage, most_legs)
-- The oldest ranges that nobody else holds; held until the transaction ends.
SELECT first_acctid, last_acctid FROM claim_work(:stage, :most_legs);

-- name: prepare_to_decide()
-- What is known from here on: the newest committed leg and event, the PBXs that may have queue events, the
-- directory that is in force, and since when the oldest leg waits, our own among them.
-- Until the transaction ends, statements are planned anew, and rows are looked up one by one by index.
-- A partition that fills has no statistics yet: a plan made while it was empty, or one that takes a call
-- for a large part of it, would read the whole of it for each batch; so would one that believes a range of
-- acctids to hold next to nothing.
SELECT
    (SELECT value FROM counter WHERE name = 'acctid') AS seen_acctid,
    (SELECT value FROM counter WHERE name = 'directory') AS directory_version,
    (SELECT value FROM counter WHERE name = 'event') AS seen_event_id,
    ARRAY(SELECT DISTINCT pbx FROM source WHERE 'queue_event' = ANY(families)) AS queue_pbxs,
    clock_timestamp() AS known_at,
    (SELECT stored_at FROM work WHERE stage = 'enrich' ORDER BY first_acctid LIMIT 1) AS waits_since,
    set_config('plan_cache_mode', 'force_custom_plan', true) AS planned_anew,
    set_config('enable_seqscan', 'off', true) AS by_index,
    set_config('enable_hashjoin', 'off', true) AS one_by_one,
    set_config('enable_mergejoin', 'off', true) AS in_no_order,
    set_config('enable_material', 'off', true) AS from_the_index,
    set_config('enable_bitmapscan', 'off', true) AS not_the_range;

-- name: finish_work(stage, firsts, first, last)!
-- Claimed ranges are done; of the one that begins at `first` only up to `last`, and the rest waits on.
WITH shortened AS (
    UPDATE work
    SET first_acctid = :last + 1
    WHERE stage = :stage AND first_acctid = :first AND last_acctid > :last
)

-- One look into the index for each: a list of keys is no more than a filter to PostgreSQL before 17, which
-- then reads everything that waits. The rows are locked, so they stay where they are.
DELETE FROM work
WHERE ctid = ANY(ARRAY(
    SELECT claimed.place
    FROM unnest(:firsts::bigint[]) AS done (first_acctid)
    CROSS JOIN LATERAL (
        SELECT ctid AS place
        FROM work
        WHERE
            stage = :stage
            AND first_acctid = done.first_acctid
            AND NOT (first_acctid = :first AND last_acctid > :last)
        LIMIT 1
    ) AS claimed
));

-- name: waiting_work(stage)
-- How much waits: ranges, legs and the age in seconds of the oldest.
SELECT
    count(*) AS ranges,
    coalesce(sum(last_acctid - first_acctid + 1), 0)::bigint AS legs,
    coalesce(extract(epoch FROM now() - min(stored_at)), 0)::float8 AS oldest_seconds
FROM work
WHERE stage = :stage;
