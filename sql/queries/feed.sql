-- What the dialects read. Every statement that returns legs takes the principal's companies.

-- name: horizon(stage, deadline)
-- The newest acctid below which every leg is through the stage, or has waited longer than the deadline (an interval; NULL: however long it takes).
SELECT least(
    (SELECT value FROM counter WHERE name = 'acctid'),
    (
        SELECT min(first_acctid) - 1
        FROM work
        WHERE stage = :stage AND (:deadline::interval IS NULL OR stored_at > now() - :deadline)
    )
);

-- name: raw_page(companies, first, upto, min_date, max_date, most)
-- Rows of /rest/call/read for who sees every company (companies is NULL; for anybody else there are none here).
-- The bounds are said of both tables: from a left join the planner can't infer them, and a merge join would begin at the oldest attribution.
SELECT
    convert_to(string_agg(page.cdr, ',' ORDER BY page.acctid), 'UTF8') AS rows,
    count(*) AS count,
    count(*) FILTER (WHERE page.undecided) AS undecided,
    max(page.acctid) AS last,
    CASE WHEN count(*) = :most THEN max(page.acctid) + 1 END AS rest_from
FROM (
    SELECT leg.acctid, attribution.acctid IS NULL AS undecided, raw_cdr(leg, attribution) AS cdr
    FROM leg
    LEFT JOIN attribution
        ON
            attribution.acctid = leg.acctid
            AND attribution.acctid >= :first
            AND attribution.acctid <= :upto
    WHERE
        :companies::text[] IS NULL
        AND leg.acctid >= :first
        AND leg.acctid <= :upto
        AND (:min_date::timestamptz IS NULL OR leg.calldate >= :min_date)
        AND (:max_date::timestamptz IS NULL OR leg.calldate <= :max_date)
    ORDER BY leg.acctid
    LIMIT :most
) AS page;

-- name: raw_page_of_companies(companies, first, upto, min_date, max_date, looked_at, most)
-- The same for who sees only some companies: legs whose company, target or bill_to is one of them, found by index.
-- Only `looked_at` of their legs are looked at, of which the dates may leave fewer than `most`; rest_from says where to go on then.
-- Two things keep the planner from walking over everybody else's legs, which it takes for cheap when it expects to
-- find enough soon: company and acctid are compared as a pair, which only the index of both can do, and each leg that
-- was found is fetched by itself.
WITH theirs AS MATERIALIZED (
    SELECT DISTINCT found.acctid
    FROM unnest(:companies::text[]) AS mine (company)
    CROSS JOIN LATERAL (
        (
            SELECT acctid
            FROM attribution
            WHERE
                attribution.company IS NOT NULL
                AND (attribution.company, acctid) >= (mine.company, :first)
                AND (attribution.company, acctid) <= (mine.company, :upto)
            ORDER BY attribution.company, acctid
            LIMIT :looked_at
        )
        UNION ALL
        (
            SELECT acctid
            FROM attribution
            WHERE
                target IS NOT NULL
                AND target IS DISTINCT FROM attribution.company
                AND (attribution.target, acctid) >= (mine.company, :first)
                AND (attribution.target, acctid) <= (mine.company, :upto)
            ORDER BY attribution.target, acctid
            LIMIT :looked_at
        )
        UNION ALL
        (
            SELECT acctid
            FROM attribution
            WHERE
                bill_to IS NOT NULL
                AND bill_to IS DISTINCT FROM attribution.company
                AND bill_to IS DISTINCT FROM target
                AND (attribution.bill_to, acctid) >= (mine.company, :first)
                AND (attribution.bill_to, acctid) <= (mine.company, :upto)
            ORDER BY attribution.bill_to, acctid
            LIMIT :looked_at
        )
    ) AS found
    ORDER BY found.acctid
    LIMIT :looked_at
)

SELECT
    convert_to(string_agg(page.cdr, ',' ORDER BY page.acctid), 'UTF8') AS rows,
    count(*) AS count,
    0 AS undecided,
    max(page.acctid) AS last,
    (SELECT CASE WHEN count(*) = :looked_at THEN max(acctid) + 1 END FROM theirs) AS rest_from
FROM (
    SELECT theirs.acctid, one.cdr
    FROM theirs
    CROSS JOIN LATERAL (
        SELECT raw_cdr(leg, attribution) AS cdr
        FROM leg
        CROSS JOIN attribution
        WHERE
            leg.acctid = theirs.acctid
            AND attribution.acctid = theirs.acctid
            AND (:min_date::timestamptz IS NULL OR leg.calldate >= :min_date)
            AND (:max_date::timestamptz IS NULL OR leg.calldate <= :max_date)
        LIMIT 1
    ) AS one
    ORDER BY theirs.acctid
    LIMIT :most
) AS page;

-- name: note_spans(most)
-- Notes the dates of spans that are complete by now; returns how many there were.
SELECT note_spans(:most);

-- name: spans_of_dates(first, upto, min_date, max_date)
-- Ranges of acctid outside which no leg has such a date, neighbours joined; the last is what is not noted yet.
WITH fitting AS (
    SELECT first_acctid, last_acctid
    FROM span
    WHERE
        last_acctid >= :first
        AND first_acctid <= :upto
        AND (:min_date::timestamptz IS NULL OR max_calldate >= :min_date)
        AND (:max_date::timestamptz IS NULL OR min_calldate <= :max_date)
    UNION ALL
    SELECT coalesce(max(last_acctid), 0) + 1, 9223372036854775807 FROM span
),

steps AS (
    SELECT
        first_acctid,
        last_acctid,
        first_acctid IS DISTINCT FROM lag(last_acctid) OVER (ORDER BY first_acctid) + 1 AS begins
    FROM fitting
),

islands AS (
    SELECT first_acctid, last_acctid, count(*) FILTER (WHERE begins) OVER (ORDER BY first_acctid) AS island
    FROM steps
)

SELECT greatest(min(first_acctid), :first) AS first_acctid, least(max(last_acctid), :upto) AS last_acctid
FROM islands
GROUP BY island
HAVING min(first_acctid) <= :upto AND max(last_acctid) >= :first
ORDER BY 1;

-- name: look_in_order()
-- Until the transaction ends, changes are taken from their index in its order: a planner that believes that few
-- rows ever changed, because nobody has counted them since many did, would read and sort all of them.
SELECT
    set_config('plan_cache_mode', 'force_custom_plan', true) AS planned_anew,
    set_config('enable_seqscan', 'off', true) AS by_index,
    set_config('enable_bitmapscan', 'off', true) AS one_by_one,
    set_config('enable_sort', 'off', true) AS in_its_order;

-- name: changed_page(companies, since, upto, looked_at, most)
-- Rows of /rest/call/read that became others after revision `since`, in the order of their revisions, and, for who sees
-- only some companies, the acctids of rows that are none of theirs any more. `revision` says up to where that is all:
-- who goes on from there misses nothing, since revisions are in commit order. Rows after `upto` have not been served,
-- and are served as they will be then. Only `looked_at` changes are looked at, whoever's they are.
WITH looked AS MATERIALIZED (
    SELECT acctid, revision, company, target, bill_to
    FROM attribution
    WHERE changed AND revision > :since
    ORDER BY revision
    LIMIT :looked_at
),

taken_away AS MATERIALIZED (
    SELECT found.acctid, found.revision
    FROM unnest(:companies::text[]) AS mine (company)
    CROSS JOIN LATERAL (
        SELECT acctid, revision
        FROM withdrawn
        WHERE withdrawn.company = mine.company AND revision > :since
        ORDER BY revision
        LIMIT :looked_at
    ) AS found
    ORDER BY found.revision
    LIMIT :looked_at
),

theirs AS MATERIALIZED (
    SELECT acctid, revision
    FROM looked
    WHERE
        acctid <= :upto
        AND (
            :companies::text[] IS NULL
            OR company = ANY(:companies)
            OR target = ANY(:companies)
            OR bill_to = ANY(:companies)
        )
    ORDER BY revision
    LIMIT :most
),

reached AS MATERIALIZED (
    SELECT least(
        (SELECT value FROM counter WHERE name = 'revision'),
        (SELECT CASE WHEN count(*) = :looked_at THEN max(revision) END FROM looked),
        (SELECT CASE WHEN count(*) = :looked_at THEN max(revision) END FROM taken_away),
        (SELECT CASE WHEN count(*) = :most THEN max(revision) END FROM theirs)
    ) AS revision
),

page AS MATERIALIZED (
    SELECT theirs.revision, one.cdr
    FROM theirs
    JOIN reached ON theirs.revision <= reached.revision
    CROSS JOIN LATERAL (
        SELECT raw_cdr(leg, attribution) AS cdr
        FROM leg
        CROSS JOIN attribution
        WHERE leg.acctid = theirs.acctid AND attribution.acctid = theirs.acctid
        LIMIT 1
    ) AS one
)

SELECT
    (SELECT convert_to(string_agg(cdr, ',' ORDER BY revision), 'UTF8') FROM page) AS rows,
    (SELECT count(*) FROM page) AS count,
    reached.revision,
    array(
        SELECT DISTINCT gone.acctid
        FROM taken_away AS gone
        CROSS JOIN LATERAL (
            SELECT
                company = ANY(:companies) IS TRUE
                OR target = ANY(:companies) IS TRUE
                OR bill_to = ANY(:companies) IS TRUE AS seen
            FROM attribution
            WHERE attribution.acctid = gone.acctid
            LIMIT 1
        ) AS now
        WHERE gone.revision <= reached.revision AND gone.acctid <= :upto AND NOT now.seen
        ORDER BY gone.acctid
    ) AS withdrawn,
    reached.revision < (SELECT value FROM counter WHERE name = 'revision') AS more
FROM reached;
