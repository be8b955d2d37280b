-- What came without a file: pushes and what a manager interface sends.

-- name: answered(source_id, key)
-- What a delivery was answered when it came the first time.
SELECT answer FROM delivery WHERE source_id = :source_id AND key = :key;

-- name: remember_answer(source_id, key, answer)!
INSERT INTO delivery (source_id, key, answer) VALUES (:source_id, :key, :answer);

-- name: hold_source(source_id, epoch)
-- The source, for as long as the transaction takes; no row when the claim is not ours any more.
-- NULL is for a source that anybody may deliver to.
SELECT source_id
FROM source
WHERE source_id = :source_id AND (:epoch::bigint IS NULL OR epoch = :epoch)
FOR SHARE;

-- name: suspended_before(source_id, raws)
-- Rejected records without a file that were delivered before, by their bytes.
SELECT DISTINCT ON (suspense.raw) suspense.raw, suspense_id
FROM unnest(:raws::bytea[]) AS delivered (raw)
JOIN suspense ON suspense.source_id = :source_id AND sha256(suspense.raw) = sha256(delivered.raw)
WHERE suspense.file_id IS NULL
ORDER BY suspense.raw, suspense_id;

-- name: suspend_delivered(source_id, lines, offsets, raws, reasons, details)
-- The ids of records that were rejected, in their order.
INSERT INTO suspense (source_id, line, byte_offset, raw, reason, detail)
SELECT :source_id, line, byte_offset, raw, reason, detail
FROM unnest(:lines::bigint[], :offsets::bigint[], :raws::bytea[], :reasons::text[], :details::text[])
WITH ORDINALITY AS rejected (line, byte_offset, raw, reason, detail, number)
ORDER BY number
RETURNING suspense_id;
