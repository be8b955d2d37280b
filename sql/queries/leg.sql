-- Legs: appended in commit order, read by acctid.

-- name: reserve_acctids(count)
-- The append lock: the last of `count` new acctids. Held until commit, so acctid is in commit order.
UPDATE counter SET value = value + :count WHERE name = 'acctid' RETURNING value;

-- name: last_acctid()
SELECT value FROM counter WHERE name = 'acctid';

-- name: leg_story(acctid)
-- A leg with where it came from, for `cdrd explain`.
SELECT
    leg.*, source.name AS source, source.kind AS source_kind, source.pbx, file.path,
    file.head_length, file.head_digest
FROM leg
JOIN source USING (source_id)
LEFT JOIN file USING (file_id)
WHERE leg.acctid = :acctid;

-- name: legs_between(first, last)
-- Legs in the order of their acctid, as the enrich stage wants them.
SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM leg
JOIN source USING (source_id)
WHERE acctid BETWEEN :first AND :last
ORDER BY acctid;

-- name: legs_of_calls(calls, after, upto)
-- Legs of the calls named by linkedid (or uniqueid where there is none), within a range of acctid.
SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM leg
JOIN source USING (source_id)
WHERE
    coalesce(linkedid, uniqueid) = ANY(:calls::text[])
    AND acctid > :after
    AND acctid <= :upto
ORDER BY acctid;

-- name: create_partitions(size, ahead)
SELECT create_partitions(:size, :ahead);

-- name: legs_outside_partitions()
-- Whether a row ever missed its partition: must be false.
SELECT EXISTS (SELECT FROM leg_default) OR EXISTS (SELECT FROM attribution_default);
