-- Files, for whoever looks at them and decides about those that are held.

-- name: files(source, state, most)
-- Files of all sources or one, in any state or one, the newest first.
SELECT
    file.file_id, source.name AS source, file.path, file.state, file.like_file_id, file.first_seen,
    position.byte_offset, position.records, position.legs, position.events, position.carrier_rows,
    position.suspended,
    position.duplicates, position.unread_bytes, position.updated_at
FROM file
JOIN source USING (source_id)
JOIN position USING (file_id)
WHERE
    (:source::text IS NULL OR source.name = :source)
    AND (:state::text IS NULL OR file.state = :state)
ORDER BY file.file_id DESC
LIMIT :most;

-- name: file_story(file_id)
-- Everything about one file, and the path of the one that it is like.
SELECT
    file.file_id, source.source_id, source.name AS source, source.kind, source.pbx, file.path, file.state,
    file.sha256, file.like_file_id, its_like.path AS like_path, file.first_seen, file.decided_at,
    position.seen_size, position.byte_offset, position.line, position.records, position.legs,
    position.events, position.carrier_rows, position.suspended, position.duplicates, position.unread_bytes, position.updated_at
FROM file
JOIN source USING (source_id)
JOIN position USING (file_id)
LEFT JOIN file AS its_like ON its_like.file_id = file.like_file_id
WHERE file.file_id = :file_id;

-- name: held_files(source_id)
-- How many files of a source wait for a decision.
SELECT count(*) FROM file WHERE source_id = :source_id AND state = 'held';

-- name: decide_file(file_id, state)
-- Ends the wait of a held file; no row when it is not held.
UPDATE file
SET state = :state, decided_at = now()
WHERE file_id = :file_id AND state = 'held'
RETURNING file_id;

-- name: replayable_files(source, file_id, path, since)
-- Files of which something is stored, the oldest first, with how far they are and what became of their records.
SELECT
    file.file_id, source.source_id, source.name AS source, file.path, file.head_length, file.head_digest,
    position.physical, position.tail, position.byte_offset, position.line, position.records,
    position.legs, position.events, position.carrier_rows, position.suspended, position.duplicates
FROM file
JOIN source USING (source_id)
JOIN position USING (file_id)
WHERE
    position.byte_offset > 0
    AND (:source::text IS NULL OR source.name = :source)
    AND (:file_id::bigint IS NULL OR file.file_id = :file_id)
    AND (:path::text IS NULL OR file.path = :path)
    AND (:since::timestamptz IS NULL OR position.updated_at >= :since)
ORDER BY file.file_id;

-- name: look_by_place()
-- Until the transaction ends, places are looked up by the index that there is for it, however small a
-- part of a table it promises to leave out.
SELECT set_config('enable_seqscan', 'off', true);

-- name: leg_places(file_id, first, upto)
-- Where in a file the records begin that are legs.
SELECT byte_offset FROM leg WHERE file_id = :file_id AND byte_offset >= :first AND byte_offset < :upto;

-- name: cel_event_places(file_id, first, upto)
SELECT byte_offset FROM cel_event WHERE file_id = :file_id AND byte_offset >= :first AND byte_offset < :upto;

-- name: queue_event_places(file_id, first, upto)
SELECT byte_offset FROM queue_event WHERE file_id = :file_id AND byte_offset >= :first AND byte_offset < :upto;

-- name: suspense_places(file_id, first, upto)
-- Where in a file the records begin that were suspended, and whether they became something after all.
SELECT byte_offset, state = 'retried' AS retried
FROM suspense
WHERE file_id = :file_id AND byte_offset >= :first AND byte_offset < :upto;

-- name: hold_position(file_id)
-- Nobody else stores of this file until the transaction ends.
SELECT byte_offset FROM position WHERE file_id = :file_id FOR UPDATE;
