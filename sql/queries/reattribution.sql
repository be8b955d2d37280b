-- What is decided, to be compared with what would be decided now; and deciding again.

-- name: decisions_between(firsts, lasts)
-- What is stored of the legs of these ranges.
SELECT
    decided.acctid, company, target, bill_to, direction, src_ext, dial_short, dial_full, trunk, xfer,
    is_ivr, is_park, is_pick, is_auth, auth, is_bounce, call_rec, reason
FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS range (first_acctid, last_acctid)
CROSS JOIN LATERAL (
    SELECT *
    FROM attribution
    WHERE acctid BETWEEN range.first_acctid AND range.last_acctid
) AS decided;

-- name: company_was_ever(company)
-- Whether any version of the directory knows the company.
SELECT EXISTS (SELECT FROM company WHERE company = :company);

-- name: decide_again(stage, firsts, lasts)!
-- Ranges that wait for the stage; one that waits already waits on, as far as the longer of both. Of one that
-- somebody works on, this waits for its end: it may have been read before what it shall be decided by.
INSERT INTO work (stage, first_acctid, last_acctid, stored_at)
SELECT :stage, range.first_acctid, range.last_acctid, clock_timestamp()
FROM unnest(:firsts::bigint[], :lasts::bigint[]) AS range (first_acctid, last_acctid)
ORDER BY range.first_acctid
ON CONFLICT (stage, first_acctid) DO UPDATE
SET last_acctid = greatest(work.last_acctid, excluded.last_acctid);
