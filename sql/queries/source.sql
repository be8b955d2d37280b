-- Sources, their files and positions.

-- name: register_source(name, kind, pbx, families)
-- The id of a configured source, made on first sight.
INSERT INTO source (name, kind, pbx, families)
VALUES (:name, :kind, :pbx, :families::text[])
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, pbx = excluded.pbx, families = excluded.families
RETURNING source_id;

-- name: try_source_lock(source_id)
-- The session's own lock on a source: free again the moment its holder's connection ends.
SELECT pg_try_advisory_lock(1129202276, :source_id::integer);

-- name: unlock_source(source_id)
-- Lets another daemon have a source that this one collects from no more.
SELECT pg_advisory_unlock(1129202276, :source_id::integer);

-- name: claim_source(source_id, owner)
-- Raises the epoch, so that a batch of the former owner is refused. Waits for one that is committing.
UPDATE source
SET epoch = epoch + 1, owner = :owner, claimed_at = now()
WHERE source_id = :source_id
RETURNING epoch;

-- name: begin_forwarding(source_id, owner, quiet)
-- The same for a forwarder; no row while another one is heard, that is: has said something in so many seconds.
UPDATE source
SET epoch = epoch + 1, owner = :owner, claimed_at = now()
WHERE
    source_id = :source_id
    AND (
        owner = :owner
        OR NOT EXISTS (
            SELECT FROM source_report AS report
            WHERE
                report.source_id = source.source_id
                AND report.reported_at > now() - make_interval(secs => :quiet)
        )
    )
RETURNING epoch;

-- name: owner_of_source(source_id)
SELECT owner FROM source WHERE source_id = :source_id;

-- name: begun_since(source_id, physical, head_length, head_digest)
-- Whether a file in that place that begins like that was seen first since the source was claimed.
SELECT EXISTS (
    SELECT FROM file
    JOIN position USING (file_id)
    JOIN source USING (source_id)
    WHERE
        source_id = :source_id
        AND file.first_seen >= source.claimed_at
        AND (file.head_length, file.head_digest) = (:head_length, :head_digest)
        AND position.physical = :physical
);

-- name: positions(source_id)
-- Every file of a source and how far it is stored, the newest first.
SELECT
    file.file_id, file.path, position.physical, file.head_length, file.head_digest, position.tail,
    position.byte_offset, position.line, position.seen_size, position.seen_mtime_ns,
    position.unread_bytes, file.state, file.sha256, file.like_file_id
FROM file
JOIN position USING (file_id)
WHERE file.source_id = :source_id
ORDER BY file.file_id DESC;

-- name: create_file(source_id, epoch, keyed, path, head_length, head_digest, state, sha256, like_file_id, header)
-- A file of which something is about to be stored; no row when the claim is not ours any more, or when
-- the source's records must be recognised by now and the caller does not know it.
INSERT INTO file (source_id, path, head_length, head_digest, state, sha256, like_file_id, header)
SELECT source_id, :path, :head_length, :head_digest, :state, :sha256, :like_file_id, :header
FROM source
WHERE source_id = :source_id AND epoch = :epoch AND keyed <= :keyed::boolean
FOR SHARE OF source
RETURNING file_id;

-- name: create_position(file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes, records, legs, events, carrier_rows, suspended, duplicates)!
INSERT INTO position (
    file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes,
    records, legs, events, carrier_rows, suspended, duplicates
)
VALUES (
    :file_id, :physical, :byte_offset, :line, :tail, :seen_size, :seen_mtime_ns, :unread_bytes,
    :records, :legs, :events, :carrier_rows, :suspended, :duplicates
);

-- name: advance_position(source_id, epoch, keyed, expected, file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, unread_bytes, records, legs, events, carrier_rows, suspended, duplicates, path, state, sha256, header)
-- Moves a position on from where the caller believes it is; no row when it is not there, when the file is of
-- another source, or as above. And the path the file was last seen at, and what is known of it by now.
WITH moved AS (
    UPDATE position
    SET
        physical = :physical,
        byte_offset = :byte_offset,
        line = :line,
        tail = :tail,
        seen_size = :seen_size,
        seen_mtime_ns = :seen_mtime_ns,
        unread_bytes = :unread_bytes,
        records = position.records + :records,
        legs = position.legs + :legs,
        events = position.events + :events,
        carrier_rows = position.carrier_rows + :carrier_rows,
        suspended = position.suspended + :suspended,
        duplicates = position.duplicates + :duplicates,
        updated_at = now()
    FROM (
        SELECT source_id
        FROM source
        WHERE source_id = :source_id AND epoch = :epoch AND keyed <= :keyed::boolean
        FOR SHARE
    ) AS claim
    JOIN file USING (source_id)
    WHERE
        file.file_id = :file_id
        AND position.file_id = file.file_id
        AND position.byte_offset = :expected
    RETURNING position.file_id
),

noted AS (
    UPDATE file
    SET
        path = :path,
        state = :state,
        sha256 = coalesce(:sha256, sha256),
        header = coalesce(:header, header)
    FROM moved
    WHERE file.file_id = moved.file_id AND (path, state) IS DISTINCT FROM (:path, :state)
)

SELECT file_id FROM moved;

-- name: correct_position(file_id, records, legs, events, carrier_rows, suspended, duplicates)!
-- What became of a file's records after all, as differences.
UPDATE position
SET
    records = records + :records,
    legs = legs + :legs,
    events = events + :events,
    carrier_rows = carrier_rows + :carrier_rows,
    suspended = suspended + :suspended,
    duplicates = duplicates + :duplicates
WHERE file_id = :file_id;

-- name: add_tally(source_id, records, legs, events, carrier_rows, suspended, duplicates)!
-- The same of what comes without a file.
INSERT INTO tally AS so_far (source_id, records, legs, events, carrier_rows, suspended, duplicates)
VALUES (:source_id, :records, :legs, :events, :carrier_rows, :suspended, :duplicates)
ON CONFLICT (source_id) DO UPDATE
SET
    records = so_far.records + excluded.records,
    legs = so_far.legs + excluded.legs,
    events = so_far.events + excluded.events,
    carrier_rows = so_far.carrier_rows + excluded.carrier_rows,
    suspended = so_far.suspended + excluded.suspended,
    duplicates = so_far.duplicates + excluded.duplicates,
    updated_at = now();

-- name: source_status()
-- What `cdrd status` shows of every source. Its records are those of its files and those without a file.
-- It is claimed while somebody holds its lock, or while its forwarder is heard.
SELECT
    source.source_id, source.name, source.kind, source.pbx, source.carrier, source.owner, source.claimed_at,
    source.keyed,
    EXISTS (
        SELECT FROM pg_locks
        WHERE
            locktype = 'advisory' AND granted AND objsubid = 2
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid = 1129202276 AND objid = source.source_id
    )
    OR coalesce(
        source.owner LIKE 'forwarder %' AND report.reported_at > now() - interval '30 seconds', false
    ) AS claimed,
    counted.files,
    counted.records + coalesce(tally.records, 0) AS records,
    counted.legs + coalesce(tally.legs, 0) AS legs,
    counted.events + coalesce(tally.events, 0) AS events,
    counted.carrier_rows + coalesce(tally.carrier_rows, 0) AS carrier_rows,
    counted.suspended + coalesce(tally.suspended, 0) AS suspended,
    counted.duplicates + coalesce(tally.duplicates, 0) AS duplicates,
    counted.unread_bytes, counted.held, counted.following,
    greatest(counted.updated_at, tally.updated_at) AS updated_at,
    (SELECT count(*) FROM suspense WHERE suspense.source_id = source.source_id AND state = 'waiting') AS waiting,
    report.lag_bytes,
    coalesce(extract(epoch FROM now() - report.behind_since), 0)::float8 AS lag_seconds,
    report.failing_since, report.last_error, report.last_error_at, report.blind_since, report.reported_at
FROM source
CROSS JOIN LATERAL (
    SELECT
        count(position.file_id) AS files,
        count(*) FILTER (WHERE file.state = 'held') AS held,
        count(*) FILTER (WHERE file.state = 'following') AS following,
        coalesce(sum(position.records), 0)::bigint AS records,
        coalesce(sum(position.legs), 0)::bigint AS legs,
        coalesce(sum(position.events), 0)::bigint AS events,
        coalesce(sum(position.carrier_rows), 0)::bigint AS carrier_rows,
        coalesce(sum(position.suspended), 0)::bigint AS suspended,
        coalesce(sum(position.duplicates), 0)::bigint AS duplicates,
        coalesce(sum(position.unread_bytes), 0)::bigint AS unread_bytes,
        max(position.updated_at) AS updated_at
    FROM file
    JOIN position USING (file_id)
    WHERE file.source_id = source.source_id
) AS counted
LEFT JOIN tally USING (source_id)
LEFT JOIN source_report AS report USING (source_id)
ORDER BY source.name;

-- name: report_source(source_id, lag_bytes, behind_since, failing_since, last_error, blind_since)!
-- How a source is doing now; the last error stays until another one comes.
INSERT INTO source_report AS before (
    source_id, lag_bytes, behind_since, failing_since, last_error, last_error_at, blind_since
)
VALUES (
    :source_id, :lag_bytes, :behind_since, :failing_since, :last_error,
    CASE WHEN :last_error::text IS NOT NULL THEN now() END, :blind_since
)
ON CONFLICT (source_id) DO UPDATE
SET
    reported_at = now(),
    lag_bytes = excluded.lag_bytes,
    behind_since = excluded.behind_since,
    failing_since = excluded.failing_since,
    last_error = coalesce(excluded.last_error, before.last_error),
    last_error_at = coalesce(excluded.last_error_at, before.last_error_at),
    blind_since = excluded.blind_since;

-- name: last_heard(source_id)
-- Since when nothing is heard; of whoever was still heard then: when anybody last said so.
SELECT coalesce(report.blind_since, greatest(report.reported_at, tally.updated_at))
FROM source
LEFT JOIN source_report AS report USING (source_id)
LEFT JOIN tally USING (source_id)
WHERE source_id = :source_id;
