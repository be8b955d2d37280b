-- Files, for whoever looks at them and decides about those that are held.

-- name: files(source, state, most)
-- Files of all sources or one, in any state or one, the newest first.
SELECT
    file.file_id, source.name AS source, file.path, file.state, file.like_file_id, file.first_seen,
    position.byte_offset, position.records, position.legs, position.events, position.suspended,
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
    position.events, position.suspended, position.duplicates, position.unread_bytes, position.updated_at
FROM file
JOIN source USING (source_id)
JOIN position USING (file_id)
LEFT JOIN file AS its_like ON its_like.file_id = file.like_file_id
WHERE file.file_id = :file_id;

-- name: decide_file(file_id, state)
-- Ends the wait of a held file; no row when it is not held.
UPDATE file
SET state = :state, decided_at = now()
WHERE file_id = :file_id AND state = 'held'
RETURNING file_id;
