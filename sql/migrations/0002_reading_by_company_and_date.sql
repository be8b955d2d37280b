-- What the readers need: a company's own legs without walking over everybody else's, a date's legs
-- without walking over every other day's, and the form of a row of /rest/call/read.

-- A leg is found by its company, and by its target and bill-to only where these are somebody else: most
-- legs are one company's alone and cost one entry.
CREATE INDEX attribution_company ON attribution (company, acctid) WHERE company IS NOT NULL;
CREATE INDEX attribution_target ON attribution (target, acctid)
WHERE target IS NOT NULL AND target IS DISTINCT FROM company;
CREATE INDEX attribution_bill_to ON attribution (bill_to, acctid)
WHERE bill_to IS NOT NULL AND bill_to IS DISTINCT FROM company AND bill_to IS DISTINCT FROM target;

-- The dates that occur in a span of acctids: acctid is only nearly in date order, and a reader that asks
-- for dates wants acctid order. Filled behind the collectors; a span is never wrong, because legs are
-- immutable and none comes below the newest. NULL dates: the span holds no legs (any more).
CREATE TABLE span (
    first_acctid bigint NOT NULL PRIMARY KEY,
    last_acctid  bigint NOT NULL,
    min_calldate timestamptz,
    max_calldate timestamptz,
    CONSTRAINT span_is_a_range CHECK (first_acctid <= last_acctid)
);

-- Notes up to `most` spans of 10,000 acctids that are complete and not noted yet. Returns how many.
CREATE FUNCTION note_spans(most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    size CONSTANT bigint := 10000;
    next_first bigint;
    newest bigint;
    noted integer := 0;
BEGIN
    SELECT coalesce(max(last_acctid) + 1, 1) INTO next_first FROM span;
    SELECT value INTO newest FROM counter WHERE name = 'acctid';
    WHILE noted < most AND next_first + size - 1 <= newest LOOP
        INSERT INTO span (first_acctid, last_acctid, min_calldate, max_calldate)
        SELECT next_first, next_first + size - 1, min(calldate), max(calldate)
        FROM leg
        WHERE acctid BETWEEN next_first AND next_first + size - 1
        ON CONFLICT DO NOTHING;
        next_first := next_first + size;
        noted := noted + 1;
    END LOOP;
    RETURN noted;
END
$$;

-- A row of /rest/call/read. Text is put together by hand because json_build_object and row_to_json look
-- up the type of each value in each row and take twice as long; to_json does all the escaping.
-- The session's time zone is UTC and its datestyle ISO, so calldate reads 2016-03-22 10:52:41+00.
CREATE FUNCTION raw_cdr(leg leg, decided attribution) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat(
    '{"acctid":', leg.acctid,
    ',"calldate":"', date_trunc('second', leg.calldate),
    '","clid":', to_json(leg.clid),
    ',"src":', to_json(leg.src),
    ',"dst":', to_json(leg.dst),
    ',"dcontext":', to_json(leg.dcontext),
    ',"channel":', to_json(leg.channel),
    ',"dstchannel":', to_json(leg.dstchannel),
    ',"lastapp":', to_json(leg.lastapp),
    ',"lastdata":', to_json(leg.lastdata),
    ',"duration":', leg.duration,
    ',"billsec":', leg.billsec,
    ',"disposition":', to_json(replace(leg.disposition, ' ', '')),
    ',"amaflags":', leg.amaflags,
    ',"accountcode":', to_json(leg.accountcode),
    ',"uniqueid":', to_json(coalesce(leg.uniqueid, '')),
    ',"linkedid":', to_json(coalesce(leg.linkedid, '')),
    ',"properties":{', substr(concat(
        ',"target":' || to_json(decided.target)::text,
        ',"company":' || to_json(decided.company)::text,
        ',"src_ext":' || to_json(decided.src_ext)::text,
        ',"dial_short":' || to_json(decided.dial_short)::text,
        ',"dial_full":' || to_json(decided.dial_full)::text,
        ',"trunk":' || to_json(decided.trunk)::text,
        ',"bill_to":' || to_json(decided.bill_to)::text,
        ',"xfer":' || to_json(decided.xfer)::text,
        CASE WHEN decided.is_ivr THEN ',"is_ivr":true' END,
        CASE WHEN decided.is_park THEN ',"is_park":true' END,
        CASE WHEN decided.is_pick THEN ',"is_pick":true' END,
        CASE WHEN decided.is_auth THEN ',"is_auth":true' END,
        ',"auth":' || to_json(decided.auth)::text,
        CASE WHEN decided.is_bounce THEN ',"is_bounce":true' END,
        ',"call_rec":' || to_json(decided.call_rec)::text
    ), 2), '}}'
);
