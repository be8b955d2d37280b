-- The foundation: sources and their files, legs, suspense, attributions, the directory, principals.
-- Derived rows (attribution) are keyed by acctid and recomputable; legs are never updated.

-- Numbers that are handed out in commit order. The row lock of the UPDATE is held until commit, so a
-- reader that has seen N has seen every row up to N, and an aborted batch leaves no gap.
CREATE TABLE counter (
    name  text   NOT NULL PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO counter (name, value) VALUES ('acctid', 0), ('revision', 0), ('directory', 0);

-- A configured origin of records. Whoever claims it raises the epoch; a batch with an old epoch is refused.
CREATE TABLE source (
    source_id  integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT source_name_is_unique UNIQUE,
    kind       text        NOT NULL,
    pbx        text        NOT NULL,
    epoch      bigint      NOT NULL DEFAULT 0,
    owner      text,
    claimed_at timestamptz
);

-- Every followed or imported file. Its identity is its content (head), not its path.
CREATE TABLE file (
    file_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id    integer     NOT NULL REFERENCES source,
    path         text        NOT NULL,
    head_length  integer     NOT NULL,
    head_digest  bytea       NOT NULL,
    first_seen   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX file_of_source ON file (source_id);

-- How far a file is stored. Changes in the transaction that stores the legs, and only there.
CREATE TABLE position (
    file_id       bigint      NOT NULL PRIMARY KEY REFERENCES file,
    physical      text        NOT NULL,
    byte_offset   bigint      NOT NULL,
    line          bigint      NOT NULL,
    tail          bytea       NOT NULL,
    seen_size     bigint      NOT NULL,
    seen_mtime_ns bigint      NOT NULL,
    unread_bytes  bigint      NOT NULL DEFAULT 0,
    legs          bigint      NOT NULL DEFAULT 0,
    suspended     bigint      NOT NULL DEFAULT 0,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT position_is_not_negative CHECK (byte_offset >= 0 AND line >= 1)
) WITH (fillfactor = 50);

-- One row per CDR as the PBX wrote it. Immutable.
CREATE TABLE leg (
    acctid      bigint      NOT NULL,
    source_id   integer     NOT NULL,
    file_id     bigint,
    line        bigint,
    byte_offset bigint,
    calldate    timestamptz NOT NULL,
    answerdate  timestamptz,
    enddate     timestamptz,
    clid        text        NOT NULL,
    src         text        NOT NULL,
    dst         text        NOT NULL,
    dcontext    text        NOT NULL,
    channel     text        NOT NULL,
    dstchannel  text        NOT NULL,
    lastapp     text        NOT NULL,
    lastdata    text        NOT NULL,
    duration    integer     NOT NULL,
    billsec     integer     NOT NULL,
    disposition text        NOT NULL,
    amaflags    smallint    NOT NULL,
    accountcode text        NOT NULL,
    uniqueid    text,
    linkedid    text,
    sequence    bigint,
    peeraccount text,
    userfield   text,
    extra       jsonb,
    -- the record's own bytes, where the columns do not say all that they did
    original    bytea,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (acctid)
) PARTITION BY RANGE (acctid);

-- Takes what no partition takes: nothing should ever be in it, and rows in it alarm.
CREATE TABLE leg_default PARTITION OF leg DEFAULT;

CREATE INDEX leg_calldate ON leg USING brin (calldate);
-- The legs of one call: its linkedid, or the uniqueid where the PBX writes no linkedid. With the acctid,
-- so that no plan can believe a range of acctids to be the cheaper way to them.
CREATE INDEX leg_call ON leg ((coalesce(linkedid, uniqueid)), acctid);

-- Whose leg it is and who pays. seen_acctid and directory_version say what was known when it was decided.
CREATE TABLE attribution (
    acctid            bigint      NOT NULL,
    company           text,
    target            text,
    bill_to           text,
    direction         text,
    src_ext           text,
    dial_short        text,
    dial_full         text,
    trunk             text,
    xfer              text,
    is_ivr            boolean     NOT NULL,
    is_park           boolean     NOT NULL,
    is_pick           boolean     NOT NULL,
    is_auth           boolean     NOT NULL,
    auth              text,
    is_bounce         boolean     NOT NULL,
    call_rec          text,
    reason            text,
    rules             jsonb       NOT NULL,
    directory_version bigint      NOT NULL,
    seen_acctid       bigint      NOT NULL,
    revision          bigint      NOT NULL,
    decided_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (acctid),
    CONSTRAINT attribution_has_company_or_reason CHECK (company IS NOT NULL OR reason IS NOT NULL)
) PARTITION BY RANGE (acctid);

CREATE TABLE attribution_default PARTITION OF attribution DEFAULT;

CREATE INDEX attribution_without_company ON attribution (reason, acctid) WHERE company IS NULL;

-- What a stage still has to do: one row per committed batch, not per leg. Deleted in the transaction
-- that does the work; a killed worker's row lock ends with its connection, so nothing is left behind.
CREATE TABLE work (
    stage        text        NOT NULL,
    first_acctid bigint      NOT NULL,
    last_acctid  bigint      NOT NULL,
    stored_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stage, first_acctid),
    CONSTRAINT work_is_a_range CHECK (first_acctid <= last_acctid)
) WITH (
    -- a queue: rows live for milliseconds, and readers look at its front
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000
);

-- Takes the oldest work that nobody else holds, about as many legs as asked for, and holds it until
-- the transaction ends. Fetched one by one, because a row that was looked at is a row that is held.
CREATE FUNCTION claim_work(wanted_stage text, most_legs bigint) RETURNS SETOF work
LANGUAGE plpgsql AS $$
DECLARE
    waiting CURSOR FOR
        SELECT * FROM work WHERE stage = wanted_stage ORDER BY first_acctid FOR UPDATE SKIP LOCKED;
    taken work;
    legs bigint := 0;
BEGIN
    OPEN waiting;
    LOOP
        FETCH waiting INTO taken;
        EXIT WHEN NOT FOUND;
        RETURN NEXT taken;
        legs := legs + taken.last_acctid - taken.first_acctid + 1;
        EXIT WHEN legs >= most_legs;
    END LOOP;
    CLOSE waiting;
END
$$;

-- The ranges of acctid that have partitions, so that each next one begins where the last one ends.
CREATE TABLE partition_range (
    first_acctid bigint      NOT NULL PRIMARY KEY,
    end_acctid   bigint      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT partition_range_is_not_empty CHECK (first_acctid < end_acctid)
);

-- Creates the partitions that `ahead` more legs will need, each for `size` legs. Returns how many.
-- Safe when several call it at once; fails when the default partition holds rows of the range.
CREATE FUNCTION create_partitions(size bigint, ahead bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    next_first bigint;
    needed bigint;
    parent text;
    created integer := 0;
BEGIN
    LOCK TABLE partition_range IN SHARE ROW EXCLUSIVE MODE;
    SELECT coalesce(max(end_acctid), 0) INTO next_first FROM partition_range;
    SELECT value + ahead INTO needed FROM counter WHERE name = 'acctid';
    WHILE next_first <= needed LOOP
        FOREACH parent IN ARRAY ARRAY['leg', 'attribution'] LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                parent || '_' || next_first, parent, next_first, next_first + size
            );
        END LOOP;
        INSERT INTO partition_range (first_acctid, end_acctid) VALUES (next_first, next_first + size);
        next_first := next_first + size;
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$;

-- Records that became no leg, with everything needed to try again.
CREATE TABLE suspense (
    suspense_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id    integer     NOT NULL REFERENCES source,
    file_id      bigint      REFERENCES file,
    line         bigint,
    byte_offset  bigint,
    raw          bytea       NOT NULL,
    reason       text        NOT NULL,
    detail       text        NOT NULL,
    suspended_at timestamptz NOT NULL DEFAULT now(),
    state        text        NOT NULL DEFAULT 'waiting',
    acctid       bigint,
    closed_at    timestamptz,
    CONSTRAINT suspense_state CHECK (
        (state = 'waiting' AND acctid IS NULL AND closed_at IS NULL)
        OR (state = 'retried' AND acctid IS NOT NULL AND closed_at IS NOT NULL)
        OR (state = 'discarded' AND acctid IS NULL AND closed_at IS NOT NULL)
    )
);

CREATE INDEX suspense_waiting ON suspense (source_id, suspense_id) WHERE state = 'waiting';

-- The directory, as a history: what was true in version v is introduced_in <= v < withdrawn_in.
CREATE TABLE directory_version (
    version    bigint      NOT NULL PRIMARY KEY,
    digest     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text        NOT NULL
);

CREATE TABLE company (
    company       text   NOT NULL,
    name          text   NOT NULL,
    billing_group text,
    pays          jsonb  NOT NULL,
    detail        jsonb  NOT NULL,
    introduced_in bigint NOT NULL REFERENCES directory_version,
    withdrawn_in  bigint REFERENCES directory_version,
    PRIMARY KEY (company, introduced_in),
    CONSTRAINT company_versions_in_order CHECK (withdrawn_in > introduced_in)
);

CREATE UNIQUE INDEX company_now ON company (company) WHERE withdrawn_in IS NULL;

CREATE TABLE entry (
    entry_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company       text,
    pbx           text,
    kind          text   NOT NULL,
    pattern       text   NOT NULL,
    detail        jsonb  NOT NULL,
    valid_from    timestamptz,
    valid_until   timestamptz,
    introduced_in bigint NOT NULL REFERENCES directory_version,
    withdrawn_in  bigint REFERENCES directory_version,
    CONSTRAINT entry_valid_in_order CHECK (valid_until > valid_from),
    CONSTRAINT entry_versions_in_order CHECK (withdrawn_in > introduced_in)
);

CREATE INDEX entry_now ON entry (entry_id) WHERE withdrawn_in IS NULL;

-- Who may ask. companies NULL sees every company.
CREATE TABLE principal (
    principal_id  integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login         text        NOT NULL CONSTRAINT principal_login_is_unique UNIQUE,
    name          text        NOT NULL,
    password_hash text,
    permissions   text[]      NOT NULL,
    companies     text[],
    disabled      boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Bearer tokens and sessions; only a digest is kept, the secret itself is shown once.
CREATE TABLE token (
    token_id     integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principal_id integer     NOT NULL REFERENCES principal ON DELETE CASCADE,
    kind         text        NOT NULL CONSTRAINT token_kind CHECK (kind IN ('bearer', 'session')),
    label        text        NOT NULL,
    digest       bytea       NOT NULL CONSTRAINT token_digest_is_unique UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz
);

CREATE INDEX token_of_principal ON token (principal_id);
