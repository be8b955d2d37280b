-- Who has delivered which record: what comes more than once is stored once. See migration 0003.

-- name: lock_pbx(pbx)
-- One at a time looks up what a PBX has delivered already, until the transaction ends.
SELECT pg_advisory_xact_lock(1129202277, hashtext(:pbx));

-- name: source_pbx(source_id)
SELECT pbx FROM source WHERE source_id = :source_id;

-- name: share_pbx(source_id, least)
-- From now on the records of these sources must be recognised: of this one and of those of the same PBX
-- that hand over the same, when there are `least` of them. Waits for batches that are being stored.
WITH sharing AS (
    SELECT other.source_id
    FROM source AS this
    JOIN source AS other ON other.pbx = this.pbx AND other.families && this.families
    WHERE this.source_id = :source_id
)

UPDATE source
SET keyed = true
FROM sharing
WHERE
    source.source_id = sharing.source_id
    AND NOT source.keyed
    AND (SELECT count(*) FROM sharing) >= :least
RETURNING source.source_id, source.kind, 'leg' = ANY (source.families) AS has_legs;

-- name: note_arrivals(source_id, by_channel)
-- Notes the legs that a source has stored so far; returns how many.
SELECT note_arrivals(:source_id, :by_channel);

-- name: wait_without_end()
-- What follows in this transaction takes as long as it takes.
SELECT set_config('statement_timeout', '0', true);

-- name: keyed_pbx(source_id)
-- The PBX of a source whose records must be recognised; NULL when they need not be, which holds until the
-- transaction ends.
SELECT CASE WHEN keyed THEN pbx END FROM source WHERE source_id = :source_id FOR SHARE;

-- name: arrived(day, digests)
-- Everything that was delivered of these records of a day.
SELECT digest, ordinal, source_id, stored_as, sequence
FROM arrival
WHERE day = :day AND digest = ANY (:digests::bytea[]);

-- name: arrivals_of_leg(acctid, by_channel)
-- Who delivered a leg, the first one first; of a leg that need not be recognised, nobody.
SELECT source.name AS source, file.path, arrival.line, arrival.byte_offset, arrival.arrived_at
FROM leg
JOIN source AS its_own USING (source_id)
JOIN arrival
    ON
        arrival.day = (leg.calldate AT TIME ZONE 'UTC')::date
        AND arrival.digest = leg_digest(leg, its_own.pbx, :by_channel)
        AND arrival.stored_as = leg.acctid
JOIN source ON source.source_id = arrival.source_id
LEFT JOIN file ON file.file_id = arrival.file_id
WHERE leg.acctid = :acctid
ORDER BY arrival.arrived_at;

-- name: create_arrival_days(ahead)
SELECT create_arrival_days(:ahead);

-- name: forget_arrivals(days, most)
SELECT forget_arrivals(:days, :most);

-- name: arrived_places(day, digests, file_id)
-- Where in a file the records begin that have arrived from it.
SELECT byte_offset FROM arrival WHERE day = :day AND digest = ANY (:digests::bytea[]) AND file_id = :file_id;

-- name: forget_lost(day, digests, family)!
-- Arrivals of what is not stored any more, whoever lost it.
DELETE FROM arrival
WHERE
    day = :day
    AND digest = ANY (:digests::bytea[])
    AND NOT CASE :family::text
        WHEN 'leg' THEN EXISTS (SELECT FROM leg WHERE acctid = stored_as)
        WHEN 'cel_event' THEN EXISTS (SELECT FROM cel_event WHERE event_id = stored_as)
        ELSE EXISTS (SELECT FROM queue_event WHERE event_id = stored_as)
    END;
