-- Records that became no leg.

-- name: waiting_suspense(source, after, most)
-- What waits for a decision, oldest first.
SELECT
    suspense_id, source.name AS source, file.path, line, byte_offset, reason, detail, suspended_at,
    length(raw) AS raw_bytes
FROM suspense
JOIN source USING (source_id)
LEFT JOIN file USING (file_id)
WHERE
    suspense.state = 'waiting'
    AND suspense_id > :after
    AND (:source::text IS NULL OR source.name = :source)
ORDER BY suspense_id
LIMIT :most;

-- name: suspended_record(suspense_id)
SELECT
    suspense_id, suspense.source_id, source.name AS source, file_id, file.path, file.header, line, byte_offset, raw,
    reason, detail, suspended_at, suspense.state, stored_as, closed_at
FROM suspense
JOIN source USING (source_id)
LEFT JOIN file USING (file_id)
WHERE suspense_id = :suspense_id;

-- name: hold_suspense(suspense_id)
-- Locks a waiting record for whoever decides about it; no row when somebody already did.
SELECT suspense_id FROM suspense WHERE suspense_id = :suspense_id AND state = 'waiting' FOR UPDATE;

-- name: close_suspense(suspense_id, state, stored_as)
UPDATE suspense
SET state = :state, stored_as = :stored_as, closed_at = now()
WHERE suspense_id = :suspense_id AND state = 'waiting'
RETURNING suspense_id;
