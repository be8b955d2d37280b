-- Sources, their files and positions.

-- name: register_source(name, kind, pbx)
-- The id of a configured source, made on first sight.
INSERT INTO source (name, kind, pbx)
VALUES (:name, :kind, :pbx)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, pbx = excluded.pbx
RETURNING source_id;

-- name: try_source_lock(source_id)
-- The session's own lock on a source: free again the moment its holder's connection ends.
SELECT pg_try_advisory_lock(1129202276, :source_id::integer);

-- name: claim_source(source_id, owner)
-- Raises the epoch, so that a batch of the former owner is refused. Waits for one that is committing.
UPDATE source
SET epoch = epoch + 1, owner = :owner, claimed_at = now()
WHERE source_id = :source_id
RETURNING epoch;

-- name: positions(source_id)
-- Every file of a source and how far it is stored, the newest first.
SELECT
    file.file_id, file.path, position.physical, file.head_length, file.head_digest, position.tail,
    position.byte_offset, position.line, position.seen_size, position.seen_mtime_ns,
    position.unread_bytes
FROM file
JOIN position USING (file_id)
WHERE file.source_id = :source_id
ORDER BY file.file_id DESC;

-- name: create_file(source_id, epoch, path, head_length, head_digest)
-- A file of which something is about to be stored; no row when the claim is not ours any more.
INSERT INTO file (source_id, path, head_length, head_digest)
SELECT source_id, :path, :head_length, :head_digest
FROM source
WHERE source_id = :source_id AND epoch = :epoch
FOR SHARE OF source
RETURNING file_id;

-- name: create_position(file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes, legs, suspended)!
INSERT INTO position (
    file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes, legs, suspended
)
VALUES (
    :file_id, :physical, :byte_offset, :line, :tail, :seen_size, :seen_mtime_ns, :unread_bytes,
    :legs, :suspended
);

-- name: advance_position(source_id, epoch, expected, file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes, legs, suspended)
-- Moves a position on from where the caller believes it is; no row when it is not there, or the claim is not ours.
UPDATE position
SET
    physical = :physical,
    byte_offset = :byte_offset,
    line = :line,
    tail = :tail,
    seen_size = :seen_size,
    seen_mtime_ns = :seen_mtime_ns,
    unread_bytes = :unread_bytes,
    legs = position.legs + :legs,
    suspended = position.suspended + :suspended,
    updated_at = now()
FROM (SELECT source_id FROM source WHERE source_id = :source_id AND epoch = :epoch FOR SHARE) AS claim
WHERE position.file_id = :file_id AND position.byte_offset = :expected
RETURNING position.file_id;

-- name: note_path(file_id, path)!
-- The path a file was last seen at.
UPDATE file SET path = :path WHERE file_id = :file_id AND path <> :path;

-- name: source_status()
-- What `cdrd status` shows of every source.
SELECT
    source.source_id, source.name, source.kind, source.pbx, source.owner, source.claimed_at,
    count(position.file_id) AS files,
    coalesce(sum(position.legs), 0)::bigint AS legs,
    coalesce(sum(position.suspended), 0)::bigint AS suspended,
    coalesce(sum(position.unread_bytes), 0)::bigint AS unread_bytes,
    max(position.updated_at) AS updated_at,
    (SELECT count(*) FROM suspense WHERE suspense.source_id = source.source_id AND state = 'waiting') AS waiting
FROM source
LEFT JOIN file USING (source_id)
LEFT JOIN position USING (file_id)
GROUP BY source.source_id
ORDER BY source.name;
