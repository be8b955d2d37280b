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

-- name: legs_of_calls(calls, after, upto, without, most)
-- Legs of the calls named by linkedid (or uniqueid where there is none), within a range of acctid and
-- outside of the ranges that the caller has read already: one look into the index for each call.
-- `upto` is said twice: of a range with two plain ends, the planner believes that it holds so few legs that
-- reading all of it is the cheaper way; so said, it only chooses partitions.
SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM unnest(:calls::text::text[]) AS call (name)
JOIN leg ON coalesce(leg.linkedid, leg.uniqueid) = call.name
JOIN source USING (source_id)
WHERE
    acctid > :after
    AND (acctid <= :upto OR acctid = :upto)
    AND NOT :without::int8multirange @> acctid
LIMIT :most;

-- name: legs_of_joined_calls(acctids, upto, most)
-- The legs of calls that were found to be one with calls of these legs: only one of them may name the other.
SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM (
    SELECT DISTINCT unnest(call.acctids) AS acctid
    FROM unnest(:acctids::bigint[]) AS given (acctid)
    JOIN attribution AS known ON known.acctid = given.acctid
    JOIN call ON call.call_id = known.call_id
    WHERE cardinality(call.linkedids) > 1
    LIMIT :most
) AS joined
JOIN leg USING (acctid)
JOIN source USING (source_id)
WHERE acctid <= :upto AND acctid <> ALL(:acctids);

-- name: legs_by_channel(channels, firsts, lasts, most)
-- Legs of channels by their names, among those of some ranges of acctid: there is no index of channels.
-- The names are a table: of an array, the planner weighs each element against each frequent channel.
WITH wanted AS MATERIALIZED (
    SELECT unnest(:channels::text::text[]) AS name
)

SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS near (first_acctid, last_acctid)
CROSS JOIN LATERAL (
    SELECT *
    FROM leg
    WHERE
        acctid BETWEEN near.first_acctid AND near.last_acctid
        AND (channel IN (SELECT name FROM wanted) OR dstchannel IN (SELECT name FROM wanted))
) AS said
JOIN source USING (source_id)
LIMIT :most;

-- name: create_partitions(size, ahead)
SELECT create_partitions(:size, :ahead);

-- name: legs_outside_partitions()
-- Whether a row ever missed its partition: must be false.
SELECT
    EXISTS (SELECT FROM leg_default)
    OR EXISTS (SELECT FROM attribution_default)
    OR EXISTS (SELECT FROM call_default);
