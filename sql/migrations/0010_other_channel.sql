-- A transfer or a pick-up is an event of one call, and may be all that joins another one to it: it is found
-- from that one, too.
CREATE INDEX cel_event_other ON cel_event (
    (coalesce(extra ->> 'channel2_uniqueid', extra ->> 'pickup_channel_uniqueid')), event_id
) WHERE eventtype IN ('ATTENDEDTRANSFER', 'PICKUP');
