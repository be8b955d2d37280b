-- Channel events and queue events: appended in commit order as legs are, read by event_id and by call.

-- name: reserve_event_ids(count)
-- The append lock of events: the last of `count` new event_ids. Held until commit, as that of legs.
UPDATE counter SET value = value + :count WHERE name = 'event' RETURNING value;

-- name: channels_between(firsts, lasts)
-- The channels that ranges of event_id tell of, and whom else their events name: as channel events, of each
-- the earliest. In order, so that each range is looked up by itself: joined with a partition of which nothing
-- is known yet, the whole of it would be compared with every range.
SELECT
    min(eventtime) AS eventtime, uniqueid, linkedid,
    CASE WHEN eventtype IN ('ATTENDEDTRANSFER', 'BLINDTRANSFER', 'PICKUP', 'PARK_END') THEN extra END AS extra, pbx
FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS new (first_event_id, last_event_id)
CROSS JOIN LATERAL (
    SELECT * FROM cel_event
    WHERE event_id BETWEEN new.first_event_id AND new.last_event_id
    ORDER BY event_id
) AS event
JOIN source USING (source_id)
GROUP BY 2, 3, 4, 5;

-- name: callers_between(firsts, lasts)
-- The callers that queue events in ranges of event_id tell of, as channels: of each the earliest. In order, as
-- above.
SELECT min(eventtime) AS eventtime, callid, pbx
FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS new (first_event_id, last_event_id)
CROSS JOIN LATERAL (
    SELECT * FROM queue_event
    WHERE event_id BETWEEN new.first_event_id AND new.last_event_id
    ORDER BY event_id
) AS said
JOIN source USING (source_id)
WHERE callid NOT IN ('NONE', 'MANAGER', 'REALTIME', 'CLI')
GROUP BY 2, 3;

-- name: channel_events_of_calls(calls, after, upto, most)
-- Channel events of calls and channels by linkedid and uniqueid, and those that name them beside their own
-- channel: three looks into the indexes for each.
SELECT
    eventtime, eventtype, uniqueid, linkedid, channame, exten, context, appname, appdata, cid_name,
    cid_num, cid_ani, cid_rdnis, cid_dnid, amaflags, accountcode, peeraccount, userfield, peer,
    userdeftype, extra, pbx, event_id
FROM unnest(:calls::text::text[]) AS call (name)
CROSS JOIN LATERAL (
    (
        SELECT * FROM cel_event
        WHERE cel_event.linkedid = call.name AND event_id > :after AND event_id + 0 <= :upto
        LIMIT :most
    )
    UNION ALL
    (
        SELECT * FROM cel_event
        WHERE
            cel_event.uniqueid = call.name
            AND cel_event.uniqueid <> cel_event.linkedid
            AND event_id > :after
            AND event_id + 0 <= :upto
        LIMIT :most
    )
    UNION ALL
    (
        SELECT * FROM cel_event
        WHERE
            eventtype IN ('ATTENDEDTRANSFER', 'PICKUP')
            AND coalesce(extra ->> 'channel2_uniqueid', extra ->> 'pickup_channel_uniqueid') = call.name
            AND event_id > :after
            AND event_id + 0 <= :upto
        LIMIT :most
    )
) AS event
JOIN source USING (source_id)
LIMIT :most;

-- name: pbxs_with_events()
-- The PBXs of which any channel event or queue event was ever stored.
SELECT DISTINCT pbx
FROM source
WHERE
    'cel_event' = ANY(families)
    AND (
        EXISTS (SELECT FROM tally WHERE tally.source_id = source.source_id AND tally.events > 0)
        OR EXISTS (
            SELECT FROM file JOIN position USING (file_id)
            WHERE file.source_id = source.source_id AND position.events > 0
        )
    );

-- name: queue_events_of_callers(callers, after, upto, most)
-- Queue events of callers, by the uniqueid that queue_log names them by: a look into the index for each.
SELECT eventtime, callid, queue, agent, said.event, data, pbx
FROM unnest(:callers::text::text[]) AS caller (uniqueid)
CROSS JOIN LATERAL (
    SELECT * FROM queue_event
    WHERE queue_event.callid = caller.uniqueid AND event_id > :after AND event_id + 0 <= :upto
    LIMIT :most
) AS said
JOIN source USING (source_id)
LIMIT :most;

-- name: events_outside_partitions()
-- Whether a row ever missed its partition: must be false.
SELECT EXISTS (SELECT FROM cel_event_default) OR EXISTS (SELECT FROM queue_event_default);
