-- What the dialects read. Every statement takes the principal's companies; NULL is all of them.

-- name: horizon(stage, deadline)
-- The newest acctid below which every row is through the stage, or waited longer than the deadline (an interval).
SELECT least(
    (SELECT value FROM counter WHERE name = 'acctid'),
    (SELECT min(first_acctid) - 1 FROM work WHERE stage = :stage AND stored_at > now() - :deadline::interval)
);

-- name: raw_page(companies, first, upto, min_date, max_date, most)
-- Rows of /rest/call/read as JSON objects separated by commas, in the order of acctid; how many; the last acctid.
SELECT string_agg(page.json, ',' ORDER BY page.acctid) AS rows, count(*) AS count, max(page.acctid) AS last_acctid
FROM (
    SELECT
        leg.acctid,
        json_build_object(
            'acctid', leg.acctid,
            'calldate', date_trunc('second', leg.calldate)::text,
            'clid', clid,
            'src', src,
            'dst', dst,
            'dcontext', dcontext,
            'channel', channel,
            'dstchannel', dstchannel,
            'lastapp', lastapp,
            'lastdata', lastdata,
            'duration', duration,
            'billsec', billsec,
            'disposition', replace(disposition, ' ', ''),
            'amaflags', amaflags,
            'accountcode', accountcode,
            'uniqueid', uniqueid,
            'linkedid', linkedid,
            'properties', json_strip_nulls(json_build_object(
                'target', target,
                'company', company,
                'src_ext', src_ext,
                'dial_short', dial_short,
                'dial_full', dial_full,
                'trunk', attribution.trunk,
                'bill_to', bill_to,
                'xfer', xfer,
                'is_ivr', nullif(is_ivr, false),
                'is_park', nullif(is_park, false),
                'is_pick', nullif(is_pick, false),
                'is_auth', nullif(is_auth, false),
                'auth', auth,
                'is_bounce', nullif(is_bounce, false),
                'call_rec', call_rec
            ))
        )::text AS json
    FROM leg
    LEFT JOIN attribution ON attribution.acctid = leg.acctid
    WHERE
        leg.acctid >= :first
        AND leg.acctid <= :upto
        AND (:min_date::timestamptz IS NULL OR calldate >= :min_date)
        AND (:max_date::timestamptz IS NULL OR calldate <= :max_date)
        AND (
            :companies::text[] IS NULL
            OR company = ANY(:companies)
            OR target = ANY(:companies)
            OR bill_to = ANY(:companies)
        )
    ORDER BY leg.acctid
    LIMIT :most
) AS page;
