-- Calls: derived from legs and events, decided again when more is known.

-- name: write_calls(calls, claimed_from, quiet, directory_version, seen_acctid, seen_event_id, first_revision)!
-- Calls as a JSON array. Whoever knew more stays, as of attributions; the revision moves only on a change.
-- What brings no new leg and no new event leaves a call as settled as it was. Of a call that has something
-- new, only those legs hold the readers of settled calls that they cannot have been given yet.
WITH decided AS MATERIALIZED (
    SELECT *
    FROM jsonb_to_recordset(:calls::jsonb) AS told (
        number integer, call_id bigint, pbx text, linkedid text, linkedids text[], acctids bigint[], roles text[],
        end_reasons text[], caller text, caller_name text, dialled text, requested text, answered_by text,
        direction text, started timestamptz, rang timestamptz, answered timestamptz, ended timestamptz,
        talk_seconds integer, end_reason text, reroute_reason text, status_code smallint, queue text,
        agent text, waited_seconds integer, leave_reason text, trunk_in text, trunk_out text, company text,
        target text, bill_to text, confidence text, rule_set_id integer, events integer, is_over boolean
    )
),

-- What somebody may have been given: this transaction has taken the work away that it claimed, but nobody
-- else sees that yet.
given AS MATERIALIZED (
    SELECT least(
        :claimed_from::bigint - 1,
        (SELECT value FROM counter WHERE name = 'acctid'),
        (SELECT min(first_acctid) - 1 FROM work WHERE stage = 'enrich'),
        (SELECT min(holds_from) - 1 FROM call WHERE holds_from IS NOT NULL)
    ) AS upto
),

joined AS (
    UPDATE call
    SET
        effective = false,
        joined_into = part.call_id,
        holds_from = NULL,
        directory_version = :directory_version,
        seen_acctid = :seen_acctid,
        seen_event_id = :seen_event_id,
        decided_at = now(),
        revision = CASE
            WHEN call.joined_into IS DISTINCT FROM part.call_id THEN :first_revision::bigint + part.number
            ELSE call.revision
        END
    FROM (
        SELECT number, call_id, unnest(acctids) AS acctid FROM decided WHERE cardinality(acctids) > 1
    ) AS part
    WHERE
        call.call_id = part.acctid
        AND part.acctid <> part.call_id
        AND (call.seen_acctid, call.seen_event_id, call.directory_version)
        <= (:seen_acctid::bigint, :seen_event_id::bigint, :directory_version::bigint)
)

INSERT INTO call AS known (
    call_id, pbx, linkedid, linkedids, acctids, roles, end_reasons, caller, caller_name, dialled, requested,
    answered_by, direction, started, rang, answered, ended, talk_seconds, end_reason, reroute_reason,
    status_code, queue, agent, waited_seconds, leave_reason, trunk_in, trunk_out, company, target, bill_to,
    confidence, rule_set_id, events, settles_at, settles_by, holds_from, directory_version, seen_acctid,
    seen_event_id, revision
)
SELECT
    call_id, pbx, linkedid, linkedids, acctids, roles, end_reasons, caller, caller_name, dialled, requested,
    answered_by, direction, started, rang, answered, ended, talk_seconds, end_reason, reroute_reason,
    status_code, queue, agent, waited_seconds, leave_reason, trunk_in, trunk_out, company, target, bill_to,
    confidence, rule_set_id, events,
    clock_timestamp() + CASE WHEN is_over THEN interval '2 s' ELSE :quiet::interval END,
    CASE WHEN is_over THEN 'events' ELSE 'quiet' END,
    (SELECT min(acctid) FROM unnest(acctids) AS acctid WHERE acctid > given.upto),
    :directory_version::bigint, :seen_acctid::bigint, :seen_event_id::bigint, :first_revision::bigint + number
FROM decided
CROSS JOIN given
ON CONFLICT (call_id) DO UPDATE
SET
    pbx = excluded.pbx,
    linkedid = excluded.linkedid,
    linkedids = excluded.linkedids,
    acctids = excluded.acctids,
    roles = excluded.roles,
    end_reasons = excluded.end_reasons,
    caller = excluded.caller,
    caller_name = excluded.caller_name,
    dialled = excluded.dialled,
    requested = excluded.requested,
    answered_by = excluded.answered_by,
    direction = excluded.direction,
    started = excluded.started,
    rang = excluded.rang,
    answered = excluded.answered,
    ended = excluded.ended,
    talk_seconds = excluded.talk_seconds,
    end_reason = excluded.end_reason,
    reroute_reason = excluded.reroute_reason,
    status_code = excluded.status_code,
    queue = excluded.queue,
    agent = excluded.agent,
    waited_seconds = excluded.waited_seconds,
    leave_reason = excluded.leave_reason,
    trunk_in = excluded.trunk_in,
    trunk_out = excluded.trunk_out,
    company = excluded.company,
    target = excluded.target,
    bill_to = excluded.bill_to,
    confidence = excluded.confidence,
    rule_set_id = excluded.rule_set_id,
    events = excluded.events,
    settles_at = CASE WHEN known.effective AND known.acctids @> excluded.acctids AND known.events >= excluded.events THEN known.settles_at ELSE excluded.settles_at END,
    settles_by = CASE WHEN known.effective AND known.acctids @> excluded.acctids AND known.events >= excluded.events THEN known.settles_by ELSE excluded.settles_by END,
    settled_by = CASE WHEN known.effective AND known.acctids @> excluded.acctids AND known.events >= excluded.events THEN known.settled_by END,
    holds_from = CASE WHEN known.effective AND known.acctids @> excluded.acctids AND known.events >= excluded.events THEN known.holds_from ELSE excluded.holds_from END,
    effective = true,
    joined_into = NULL,
    directory_version = excluded.directory_version,
    seen_acctid = excluded.seen_acctid,
    seen_event_id = excluded.seen_event_id,
    decided_at = now(),
    revision = CASE
        WHEN
            (
                known.linkedids, known.acctids, known.roles, known.end_reasons, known.caller,
                known.caller_name, known.dialled, known.requested, known.answered_by, known.direction,
                known.started, known.rang, known.answered, known.ended, known.talk_seconds,
                known.end_reason, known.reroute_reason, known.status_code, known.queue, known.agent,
                known.waited_seconds, known.leave_reason, known.trunk_in, known.trunk_out, known.company,
                known.target, known.bill_to, known.confidence, known.events, known.effective
            ) IS DISTINCT FROM (
                excluded.linkedids, excluded.acctids, excluded.roles, excluded.end_reasons, excluded.caller,
                excluded.caller_name, excluded.dialled, excluded.requested, excluded.answered_by, excluded.direction,
                excluded.started, excluded.rang, excluded.answered, excluded.ended, excluded.talk_seconds,
                excluded.end_reason, excluded.reroute_reason, excluded.status_code, excluded.queue, excluded.agent,
                excluded.waited_seconds, excluded.leave_reason, excluded.trunk_in, excluded.trunk_out,
                excluded.company, excluded.target, excluded.bill_to, excluded.confidence, excluded.events, true
            )
            THEN excluded.revision
        ELSE known.revision
    END
WHERE
    (known.seen_acctid, known.seen_event_id, known.directory_version)
    <= (excluded.seen_acctid, excluded.seen_event_id, excluded.directory_version);

-- name: note_calls(acctids, call_ids)!
-- Of which call legs are that were decided before, whoever knew more of the rest; but not of a call that
-- somebody who knew more has joined into another.
UPDATE attribution
SET call_id = part.call_id
FROM unnest(:acctids::bigint[], :call_ids::bigint[]) AS part (acctid, call_id)
JOIN call ON call.call_id = part.call_id
WHERE
    attribution.acctid = part.acctid
    AND attribution.call_id IS DISTINCT FROM part.call_id
    AND call.effective;

-- name: calls_to_settle()
-- Whether there is any call of which nothing more is expected. What still waits for a stage may belong to any
-- call: it is as if time had stopped when it came. Until the transaction ends, calls are taken from the index in
-- its order: a planner that believes that few are due would read and sort all that are.
SELECT
    EXISTS (
        SELECT
        FROM call
        WHERE
            settled_by IS NULL
            AND effective
            AND settles_at <= (
                SELECT least(clock_timestamp(), min(stored_at)) FROM work WHERE stage IN ('enrich', 'events')
            )
    ),
    set_config('plan_cache_mode', 'force_custom_plan', true) AS planned_anew,
    set_config('enable_seqscan', 'off', true) AS by_index,
    set_config('enable_bitmapscan', 'off', true) AS one_by_one,
    set_config('enable_hashjoin', 'off', true) AS in_no_order,
    set_config('enable_mergejoin', 'off', true) AS from_the_index,
    set_config('enable_sort', 'off', true) AS in_its_order;

-- name: settle_calls(first_revision, most)
-- Calls of which nothing more is expected, those that are due longest; returns how many.
WITH due AS MATERIALIZED (
    SELECT call_id
    FROM call
    WHERE
        settled_by IS NULL
        AND effective
        AND settles_at <= (
            SELECT least(clock_timestamp(), min(stored_at)) FROM work WHERE stage IN ('enrich', 'events')
        )
    ORDER BY settles_at
    LIMIT :most
),

settled AS (
    UPDATE call
    SET
        settled_by = settles_by,
        holds_from = NULL,
        revision = :first_revision::bigint + due.number - 1
    FROM (SELECT call_id, row_number() OVER () AS number FROM due) AS due
    WHERE call.call_id = due.call_id
    RETURNING 1
)

SELECT count(*) FROM settled;

-- name: settled_horizon()
-- The newest acctid below which every leg is decided and its call settled.
SELECT least(
    (SELECT value FROM counter WHERE name = 'acctid'),
    (SELECT min(first_acctid) - 1 FROM work WHERE stage = 'enrich'),
    (SELECT min(holds_from) - 1 FROM call WHERE holds_from IS NOT NULL)
);

-- name: call_of(call_id)
-- A call; of one that was joined into another, that one.
WITH RECURSIVE followed AS (
    SELECT call.* FROM call WHERE call_id = :call_id
    UNION ALL
    SELECT call.* FROM followed JOIN call ON call.call_id = followed.joined_into
)

SELECT followed.*, rule_set.rules
FROM followed
JOIN rule_set USING (rule_set_id)
WHERE followed.effective;
