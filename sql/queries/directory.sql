-- The directory and its history: what was true in version v is introduced_in <= v < withdrawn_in.

-- name: current_version()
-- The version in force; 0 before the first.
SELECT value FROM counter WHERE name = 'directory';

-- name: companies_of_version(version, after, most)
-- A piece of a version's companies.
SELECT company, name, billing_group, pays, detail
FROM company
WHERE
    introduced_in <= :version
    AND (withdrawn_in IS NULL OR withdrawn_in > :version)
    AND company > :after
ORDER BY company
LIMIT :most;

-- name: entries_of_version(version, after, most)
-- A piece of a version's entries, in the order they were introduced.
SELECT entry_id, company, pbx, kind, pattern, detail::text AS detail, valid_from, valid_until
FROM entry
WHERE
    introduced_in <= :version
    AND (withdrawn_in IS NULL OR withdrawn_in > :version)
    AND entry_id > :after
ORDER BY entry_id
LIMIT :most;

-- name: entries_of_company(version, company)
-- The same, of one company.
SELECT entry_id, company, pbx, kind, pattern, detail::text AS detail, valid_from, valid_until
FROM entry
WHERE
    introduced_in <= :version
    AND (withdrawn_in IS NULL OR withdrawn_in > :version)
    AND company = :company
ORDER BY entry_id;

-- name: entries_owned(version)
-- How many entries each company has in a version; company is NULL for what all share.
SELECT company, count(*) AS entries
FROM entry
WHERE introduced_in <= :version AND (withdrawn_in IS NULL OR withdrawn_in > :version)
GROUP BY company;

-- name: version_applied(version)
-- When a version was applied, by whom, and the digest of the file it came from.
SELECT version, digest, applied_at, applied_by FROM directory_version WHERE version = :version;

-- name: take_time()
-- Until the transaction ends no statement is cut off: a million entries may take longer than a page may.
SELECT set_config('statement_timeout', '0', true);

-- name: hold_directory()
-- The version in force, which stays in force until our transaction ends.
SELECT value FROM counter WHERE name = 'directory' FOR UPDATE;

-- name: create_wanted_companies()!
-- Where the companies that shall be in force are put down, to be compared with those that are.
CREATE TEMP TABLE wanted_company (
    company       text,
    name          text,
    billing_group text,
    pays          text,
    detail        text
) ON COMMIT DROP;

-- name: create_wanted_entries()!
CREATE TEMP TABLE wanted_entry (
    company     text,
    pbx         text,
    kind        text,
    pattern     text,
    detail      text,
    valid_from  timestamptz,
    valid_until timestamptz
) ON COMMIT DROP;

-- name: compare_companies()!
-- What differs: companies in force that are not wanted so (gone), and wanted ones that are not in force so.
-- GROUP BY compares by value, NULLs included, and does it for any number of rows in one pass.
CREATE TEMP TABLE company_change ON COMMIT DROP AS
SELECT company, name, billing_group, pays, detail, count(introduced_in) > 0 AS gone
FROM (
    SELECT company, name, billing_group, pays, detail, introduced_in
    FROM company
    WHERE withdrawn_in IS NULL
    UNION ALL
    SELECT company, name, billing_group, pays::jsonb, detail::jsonb, NULL
    FROM wanted_company
) AS either
GROUP BY company, name, billing_group, pays, detail
HAVING count(introduced_in) IN (0, count(*));

-- name: compare_entries()!
-- The same for entries; what is gone is known by its ids.
CREATE TEMP TABLE entry_change ON COMMIT DROP AS
SELECT
    company, pbx, kind, pattern, detail, valid_from, valid_until,
    array_remove(array_agg(entry_id), NULL) AS gone
FROM (
    SELECT entry_id, company, pbx, kind, pattern, detail, valid_from, valid_until
    FROM entry
    WHERE withdrawn_in IS NULL
    UNION ALL
    SELECT NULL, company, pbx, kind, pattern, detail::jsonb, valid_from, valid_until
    FROM wanted_entry
) AS either
GROUP BY company, pbx, kind, pattern, detail, valid_from, valid_until
HAVING count(entry_id) IN (0, count(*));

-- name: directory_changes()
-- How much differs.
SELECT (SELECT count(*) FROM company_change) + (SELECT count(*) FROM entry_change);

-- name: new_version(digest, applied_by)
-- The next version; versions are in commit order, because the counter's row is held until commit.
WITH next AS (
    UPDATE counter SET value = value + 1 WHERE name = 'directory' RETURNING value
)

INSERT INTO directory_version (version, digest, applied_by)
SELECT value, :digest, :applied_by FROM next
RETURNING version;

-- name: withdraw_companies(version)!
UPDATE company
SET withdrawn_in = :version
FROM company_change
WHERE
    company_change.gone
    AND company.company = company_change.company
    AND company.withdrawn_in IS NULL;

-- name: introduce_companies(version)!
INSERT INTO company (company, name, billing_group, pays, detail, introduced_in)
SELECT company, name, billing_group, pays, detail, :version FROM company_change WHERE NOT gone;

-- name: withdraw_entries(version)!
UPDATE entry
SET withdrawn_in = :version
FROM (SELECT unnest(gone) AS entry_id FROM entry_change) AS change
WHERE entry.entry_id = change.entry_id;

-- name: introduce_entries(version)!
INSERT INTO entry (company, pbx, kind, pattern, detail, valid_from, valid_until, introduced_in)
SELECT company, pbx, kind, pattern, detail, valid_from, valid_until, :version
FROM entry_change
WHERE cardinality(gone) = 0;
