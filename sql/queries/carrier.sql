-- What carriers billed us, and whose files they are.

-- name: reserve_carrier_row_ids(count)
-- The append lock: the last of `count` new ids. Held until commit, as that of legs.
UPDATE counter SET value = value + :count WHERE name = 'carrier_row' RETURNING value;

-- name: name_carrier(source_id, carrier)!
-- Whose files a source has.
UPDATE source SET carrier = :carrier WHERE source_id = :source_id AND carrier IS DISTINCT FROM :carrier;

-- name: positions_of_carrier(source_id)
-- Every file of the carrier whose files a source has, and how far it is stored, the newest first; also those
-- of its other sources, which hold the same when a file comes by two ways.
SELECT
    file.file_id, file.path, position.physical, file.head_length, file.head_digest, position.tail,
    position.byte_offset, position.line, position.seen_size, position.seen_mtime_ns,
    position.unread_bytes, file.state, file.sha256, file.like_file_id,
    file.source_id <> this.source_id AS elsewhere
FROM source AS this
JOIN source ON source.carrier = this.carrier
JOIN file ON file.source_id = source.source_id
JOIN position USING (file_id)
WHERE this.source_id = :source_id
ORDER BY file.file_id DESC;

-- name: lock_carrier(source_id)
-- One at a time begins a file of a carrier, until the transaction ends.
SELECT pg_advisory_xact_lock(1129202278, hashtext(carrier)) FROM source WHERE source_id = :source_id;

-- name: is_begun_elsewhere(source_id, head_length, head_digest)
-- Whether another source of the carrier has a file that begins so: whoever is about to begin one that looks
-- new came second. A few bytes without a newline say too little.
SELECT EXISTS (
    SELECT
    FROM source AS this
    JOIN source AS other ON other.carrier = this.carrier AND other.source_id <> this.source_id
    JOIN file ON file.source_id = other.source_id
    JOIN position USING (file_id)
    WHERE
        this.source_id = :source_id
        AND file.head_length = :head_length
        AND file.head_digest = :head_digest
        AND (position.byte_offset >= 64 OR right(encode(position.tail, 'hex'), 2) IN ('', '0a'))
);

-- name: carrier_row_places(file_id, first, upto)
-- Where in a file the records begin that are stored.
SELECT byte_offset FROM carrier_row WHERE file_id = :file_id AND byte_offset >= :first AND byte_offset < :upto;

-- name: carrier_rows_outside_partitions()
-- Whether a row ever missed its partition: must be false.
SELECT EXISTS (SELECT FROM carrier_row_default);
