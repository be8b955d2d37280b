-- Attributions: derived, keyed by acctid, decided again when more is known.

-- name: reserve_revisions(count)
-- The last of `count` new revisions. Held until commit: revisions are in commit order, and whoever holds
-- this is the only one that writes attributions.
UPDATE counter SET value = value + :count WHERE name = 'revision' RETURNING value;

-- name: already_decided(firsts, lasts)
-- Which legs of these ranges somebody has decided, and the directory that is in force at this moment.
SELECT
    (SELECT value FROM counter WHERE name = 'directory') AS directory_version,
    array(
        SELECT decided.acctid
        FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS range (first_acctid, last_acctid)
        CROSS JOIN LATERAL (
            SELECT acctid
            FROM attribution
            WHERE acctid BETWEEN range.first_acctid AND range.last_acctid
        ) AS decided
    ) AS acctids;

-- name: write_attributions(acctids, companies, targets, bill_tos, directions, src_exts, dial_shorts, dial_fulls, trunks, xfers, is_ivrs, is_parks, is_picks, is_auths, auths, is_bounces, call_recs, reasons, rule_set_ids, call_ids, directory_version, seen_acctid, seen_event_id, first_revision, late)!
-- A decision replaces another only when it was made knowing as much or more (with the same legs and events:
-- the same directory or a newer one), so that a slow worker can't put back what a faster one already knew
-- better. Both counters are read at one moment, so of two moments one knows at least as much of either.
-- They come before the directory: a late leg must reach the legs before it even when the one that brings it
-- has not loaded the newest directory yet. The revision moves only on a change. A first decision counts as
-- one where the leg may have been served without (late). Companies that a leg is taken away from are noted.
WITH before AS MATERIALIZED (
    SELECT known.acctid, known.company, known.target, known.bill_to
    FROM unnest(:acctids::bigint[]) AS again (acctid)
    JOIN attribution AS known USING (acctid)
),

written AS (
    INSERT INTO attribution AS known (
        acctid, company, target, bill_to, direction, src_ext, dial_short, dial_full, trunk, xfer,
        is_ivr, is_park, is_pick, is_auth, auth, is_bounce, call_rec, reason, rule_set_id, call_id,
        directory_version, seen_acctid, seen_event_id, revision, changed
    )
    SELECT
        decided.acctid, company, target, bill_to, direction, src_ext, dial_short, dial_full, trunk, xfer,
        is_ivr, is_park, is_pick, is_auth, auth, is_bounce, call_rec, reason, rule_set_id, decided.call_id,
        :directory_version::bigint, :seen_acctid::bigint, :seen_event_id::bigint,
        :first_revision::bigint + ordinality - 1, :late
    FROM unnest(
        :acctids::bigint[], :companies::text[], :targets::text[], :bill_tos::text[], :directions::text[],
        :src_exts::text[], :dial_shorts::text[], :dial_fulls::text[], :trunks::text[], :xfers::text[],
        :is_ivrs::boolean[], :is_parks::boolean[], :is_picks::boolean[], :is_auths::boolean[],
        :auths::text[], :is_bounces::boolean[], :call_recs::text[], :reasons::text[],
        :rule_set_ids::integer[], :call_ids::bigint[]
    ) WITH ORDINALITY AS decided (
        acctid, company, target, bill_to, direction, src_ext, dial_short, dial_full, trunk, xfer,
        is_ivr, is_park, is_pick, is_auth, auth, is_bounce, call_rec, reason, rule_set_id, call_id, ordinality
    )
    ON CONFLICT (acctid) DO UPDATE
    SET
        company = excluded.company,
        target = excluded.target,
        bill_to = excluded.bill_to,
        direction = excluded.direction,
        src_ext = excluded.src_ext,
        dial_short = excluded.dial_short,
        dial_full = excluded.dial_full,
        trunk = excluded.trunk,
        xfer = excluded.xfer,
        is_ivr = excluded.is_ivr,
        is_park = excluded.is_park,
        is_pick = excluded.is_pick,
        is_auth = excluded.is_auth,
        auth = excluded.auth,
        is_bounce = excluded.is_bounce,
        call_rec = excluded.call_rec,
        reason = excluded.reason,
        rule_set_id = excluded.rule_set_id,
        call_id = excluded.call_id,
        directory_version = excluded.directory_version,
        seen_acctid = excluded.seen_acctid,
        seen_event_id = excluded.seen_event_id,
        decided_at = now(),
        changed = known.changed OR (
                    known.company, known.target, known.bill_to, known.direction, known.src_ext,
                    known.dial_short, known.dial_full, known.trunk, known.xfer, known.is_ivr,
                    known.is_park, known.is_pick, known.is_auth, known.auth, known.is_bounce,
                    known.call_rec, known.reason
                ) IS DISTINCT FROM (
                    excluded.company, excluded.target, excluded.bill_to, excluded.direction, excluded.src_ext,
                    excluded.dial_short, excluded.dial_full, excluded.trunk, excluded.xfer, excluded.is_ivr,
                    excluded.is_park, excluded.is_pick, excluded.is_auth, excluded.auth, excluded.is_bounce,
                    excluded.call_rec, excluded.reason
                ),
        revision = CASE
            WHEN
                (
                    known.company, known.target, known.bill_to, known.direction, known.src_ext,
                    known.dial_short, known.dial_full, known.trunk, known.xfer, known.is_ivr,
                    known.is_park, known.is_pick, known.is_auth, known.auth, known.is_bounce,
                    known.call_rec, known.reason
                ) IS DISTINCT FROM (
                    excluded.company, excluded.target, excluded.bill_to, excluded.direction, excluded.src_ext,
                    excluded.dial_short, excluded.dial_full, excluded.trunk, excluded.xfer, excluded.is_ivr,
                    excluded.is_park, excluded.is_pick, excluded.is_auth, excluded.auth, excluded.is_bounce,
                    excluded.call_rec, excluded.reason
                )
                THEN excluded.revision
            ELSE known.revision
        END
    WHERE
        (known.seen_acctid, known.seen_event_id, known.directory_version)
        <= (excluded.seen_acctid, excluded.seen_event_id, excluded.directory_version)
    RETURNING acctid, company, target, bill_to, revision
)

INSERT INTO withdrawn (company, revision, acctid)
SELECT DISTINCT lost.company, written.revision, written.acctid
FROM written
JOIN before USING (acctid)
CROSS JOIN LATERAL unnest(ARRAY[before.company, before.target, before.bill_to]) AS lost (company)
WHERE
    written.revision >= :first_revision::bigint
    AND lost.company IS NOT NULL
    AND lost.company <> ALL(array_remove(ARRAY[written.company, written.target, written.bill_to], NULL));

-- name: note_late(acctids)!
-- Decisions of this transaction that were served without while they were made: they count as changes.
UPDATE attribution
SET changed = true
WHERE acctid = ANY(:acctids::bigint[]) AND NOT changed;

-- name: numbers_of_rule_sets(rules)
-- The number of each set of rules; a new one gets one. Only who holds the revision counter may ask: nobody
-- else makes the same ones meanwhile.
WITH wanted AS MATERIALIZED (
    SELECT said, said::jsonb AS rules FROM unnest(:rules::text[]) AS wanted (said)
),

made AS (
    INSERT INTO rule_set (rules)
    SELECT DISTINCT rules FROM wanted WHERE NOT EXISTS (SELECT FROM rule_set WHERE rule_set.rules = wanted.rules)
    RETURNING rules, rule_set_id
)

SELECT said, rule_set_id FROM wanted JOIN rule_set USING (rules)
UNION ALL
SELECT said, rule_set_id FROM wanted JOIN made USING (rules);

-- name: attribution_of(acctid)
SELECT attribution.*, rule_set.rules
FROM attribution
JOIN rule_set USING (rule_set_id)
WHERE acctid = :acctid;

-- name: attributions_of(acctids)
SELECT attribution.*, rule_set.rules
FROM unnest(:acctids::bigint[]) AS wanted (acctid)
JOIN attribution USING (acctid)
JOIN rule_set USING (rule_set_id)
ORDER BY acctid;

-- name: try_parked_lock()
-- One worker at a time looks through the parked legs; free again when its transaction ends.
SELECT pg_try_advisory_xact_lock(1129202277);

-- name: parked_legs(after, most)
-- Legs that wait for a directory, or for a rule or a program that does not fail on them, by acctid.
SELECT
    calldate, answerdate, enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
    duration, billsec, disposition, amaflags, accountcode, uniqueid, linkedid, sequence, peeraccount,
    userfield, extra, acctid, pbx
FROM (
    (
        SELECT acctid
        FROM attribution
        WHERE company IS NULL AND reason = 'no_directory' AND acctid > :after
        ORDER BY acctid
        LIMIT :most
    )
    UNION ALL
    (
        SELECT acctid
        FROM attribution
        WHERE company IS NULL AND reason = 'fault' AND acctid > :after
        ORDER BY acctid
        LIMIT :most
    )
    ORDER BY acctid
    LIMIT :most
) AS parked
JOIN leg USING (acctid)
JOIN source USING (source_id)
ORDER BY acctid;
