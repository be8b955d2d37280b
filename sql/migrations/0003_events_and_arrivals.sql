-- Channel events and queue events beside the legs; who has delivered what already, so that a record that
-- comes twice is stored once; files delivered whole; and how each source is doing.

-- Tables whose partitions are created together, by ranges of one counter.
CREATE TABLE partition_family (
    family  text   NOT NULL PRIMARY KEY,
    counter text   NOT NULL REFERENCES counter,
    parents text[] NOT NULL
);

INSERT INTO counter (name, value) VALUES ('event', 0);
INSERT INTO partition_family (family, counter, parents)
VALUES ('leg', 'acctid', ARRAY['leg', 'attribution']), ('event', 'event', ARRAY['cel_event', 'queue_event']);

ALTER TABLE partition_range RENAME first_acctid TO first_id;
ALTER TABLE partition_range RENAME end_acctid TO end_id;
ALTER TABLE partition_range ADD family text NOT NULL DEFAULT 'leg' REFERENCES partition_family;
ALTER TABLE partition_range ALTER family DROP DEFAULT;
ALTER TABLE partition_range DROP CONSTRAINT partition_range_pkey;
ALTER TABLE partition_range ADD PRIMARY KEY (family, first_id);

-- Creates the partitions that `ahead` more rows of each family will need, each for `size` of them.
-- Returns how many. Safe when several call it at once; fails when a default partition holds rows of the range.
CREATE OR REPLACE FUNCTION create_partitions(size bigint, ahead bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    wanted partition_family;
    parent text;
    next_first bigint;
    needed bigint;
    created integer := 0;
BEGIN
    LOCK TABLE partition_range IN SHARE ROW EXCLUSIVE MODE;
    FOR wanted IN SELECT * FROM partition_family ORDER BY family LOOP
        SELECT coalesce(max(end_id), 0) INTO next_first FROM partition_range WHERE family = wanted.family;
        SELECT value + ahead INTO needed FROM counter WHERE name = wanted.counter;
        WHILE next_first <= needed LOOP
            FOREACH parent IN ARRAY wanted.parents LOOP
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                    parent || '_' || next_first, parent, next_first, next_first + size
                );
            END LOOP;
            INSERT INTO partition_range (family, first_id, end_id)
            VALUES (wanted.family, next_first, next_first + size);
            next_first := next_first + size;
            created := created + 1;
        END LOOP;
    END LOOP;
    RETURN created;
END
$$;

-- One row per channel event as the PBX wrote it. Immutable. event_id is given in commit order, as acctid
-- is, from one counter for both kinds of events.
CREATE TABLE cel_event (
    event_id    bigint      NOT NULL,
    source_id   integer     NOT NULL,
    file_id     bigint,
    line        bigint,
    byte_offset bigint,
    eventtime   timestamptz NOT NULL,
    eventtype   text        NOT NULL,
    uniqueid    text        NOT NULL,
    linkedid    text        NOT NULL,
    channame    text        NOT NULL,
    exten       text        NOT NULL,
    context     text        NOT NULL,
    appname     text        NOT NULL,
    appdata     text        NOT NULL,
    cid_name    text        NOT NULL,
    cid_num     text        NOT NULL,
    cid_ani     text        NOT NULL,
    cid_rdnis   text        NOT NULL,
    cid_dnid    text        NOT NULL,
    amaflags    smallint    NOT NULL,
    accountcode text        NOT NULL,
    peeraccount text        NOT NULL,
    userfield   text        NOT NULL,
    peer        text        NOT NULL,
    userdeftype text        NOT NULL,
    extra       jsonb,
    original    bytea,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id)
) PARTITION BY RANGE (event_id);

CREATE TABLE cel_event_default PARTITION OF cel_event DEFAULT;

CREATE INDEX cel_event_time ON cel_event USING brin (eventtime);
-- With the event_id, so that no plan can believe a range of these to be the cheaper way to a call.
CREATE INDEX cel_event_call ON cel_event (linkedid, event_id);

-- One row per line of queue_log. Immutable.
CREATE TABLE queue_event (
    event_id    bigint      NOT NULL,
    source_id   integer     NOT NULL,
    file_id     bigint,
    line        bigint,
    byte_offset bigint,
    eventtime   timestamptz NOT NULL,
    callid      text        NOT NULL,
    queue       text        NOT NULL,
    agent       text        NOT NULL,
    event       text        NOT NULL,
    data        text[]      NOT NULL,
    original    bytea,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id)
) PARTITION BY RANGE (event_id);

CREATE TABLE queue_event_default PARTITION OF queue_event DEFAULT;

CREATE INDEX queue_event_time ON queue_event USING brin (eventtime);
CREATE INDEX queue_event_call ON queue_event (callid, event_id);

-- Which of a file's records are stored is asked when the file is read again; its rows lie together, so an
-- index that costs a collector nothing is enough.
CREATE INDEX leg_place ON leg USING brin (file_id, byte_offset) WITH (pages_per_range = 32);
CREATE INDEX cel_event_place ON cel_event USING brin (file_id, byte_offset) WITH (pages_per_range = 32);
CREATE INDEX queue_event_place ON queue_event USING brin (file_id, byte_offset) WITH (pages_per_range = 32);

CREATE INDEX suspense_place ON suspense (file_id, byte_offset);

COMMENT ON TABLE work IS
'Of the stage events the ranges are of event_id, else of acctid.';

-- Of a source: what its records become, and whether these are recognised by what they say (see arrival).
ALTER TABLE source ADD families text[] NOT NULL DEFAULT '{leg}';
ALTER TABLE source ADD keyed boolean NOT NULL DEFAULT false;

-- Every record of a file is accounted for: it is a leg, an event, in suspense, or one that was there already.
ALTER TABLE position ADD records bigint NOT NULL DEFAULT 0;
ALTER TABLE position ADD events bigint NOT NULL DEFAULT 0;
ALTER TABLE position ADD duplicates bigint NOT NULL DEFAULT 0;
-- until now a record that left suspense stayed counted there
UPDATE position
SET records = legs + suspended, suspended = suspended - retried.count, legs = legs + retried.count
FROM (
    SELECT file_id, count(suspense_id) FILTER (WHERE suspense.state = 'retried') AS count
    FROM position
    LEFT JOIN suspense USING (file_id)
    GROUP BY file_id
) AS retried
WHERE retried.file_id = position.file_id;
ALTER TABLE position ADD CONSTRAINT position_accounts_for_every_record
CHECK (records = legs + events + suspended + duplicates);

-- The same of what comes without a file.
CREATE TABLE tally (
    source_id  integer     NOT NULL PRIMARY KEY REFERENCES source,
    records    bigint      NOT NULL DEFAULT 0,
    legs       bigint      NOT NULL DEFAULT 0,
    events     bigint      NOT NULL DEFAULT 0,
    suspended  bigint      NOT NULL DEFAULT 0,
    duplicates bigint      NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tally_accounts_for_every_record CHECK (records = legs + events + suspended + duplicates)
) WITH (fillfactor = 50);

-- A rejected record that is delivered again is recognised by its bytes.
CREATE INDEX suspense_delivered ON suspense (source_id, sha256(raw)) WHERE file_id IS NULL;

-- A suspended record may become an event, too, or turn out to be one that was there already.
ALTER TABLE suspense RENAME acctid TO stored_as;

-- Files that are delivered whole: known by their content, held when it was delivered before.
ALTER TABLE file ADD state text NOT NULL DEFAULT 'following';
ALTER TABLE file ADD sha256 bytea;
ALTER TABLE file ADD like_file_id bigint REFERENCES file;
ALTER TABLE file ADD decided_at timestamptz;
ALTER TABLE file ADD CONSTRAINT file_state CHECK (
    state IN ('following', 'finished')
    OR (state = 'held' AND decided_at IS NULL)
    OR (state IN ('released', 'discarded') AND decided_at IS NOT NULL)
);

CREATE INDEX file_undecided ON file (source_id) WHERE state IN ('held', 'released');

-- Who has delivered which record. One rule for all records that may come more than once:
--
--   a record is (day, digest, ordinal)
--   day      the UTC day of its calldate (eventtime)
--   digest   of the fields that every backend of the PBX writes alike
--   ordinal  the how-manieth record with that day and digest from the same source
--
-- It is stored when nobody has delivered it yet, and every arrival is noted. So two legs that are byte for
-- byte the same (ForkCDR) both count, from each source, and the second from one source is the second from
-- the other. Asterisk's sequence is no part of it: it begins again with each start, and not every backend
-- writes it. Only for PBXs of which more than one source hands over the same, and for what is pushed.
--
-- What is older than collect.remember_days is forgotten, whole days at once.
CREATE TABLE arrival (
    day         date        NOT NULL,
    digest      bytea       NOT NULL,
    ordinal     integer     NOT NULL,
    source_id   integer     NOT NULL,
    -- the acctid or event_id that it is stored as, by whichever source came first
    stored_as   bigint      NOT NULL,
    file_id     bigint,
    line        bigint,
    byte_offset bigint,
    sequence    bigint,
    arrived_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, digest, ordinal, source_id)
) PARTITION BY RANGE (day);

-- Days before the first that was kept, and those of a clock that was wrong.
CREATE TABLE arrival_default PARTITION OF arrival DEFAULT;
CREATE INDEX arrival_default_at ON arrival_default USING brin (arrived_at);

-- Text as COPY writes it.
CREATE FUNCTION as_copied(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(replace(value, '\', '\\'), E'\t', '\t'), E'\n', '\n'), E'\r', '\r');

-- What a leg is recognised by. Its text is that of COPY, which no field can make say something else;
-- cdrd.store.identity makes the same of a row that is not stored yet.
CREATE FUNCTION leg_digest(leg leg, pbx text, by_channel boolean) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN substr(sha256(convert_to(concat_ws(
    E'\t',
    'leg',
    pbx,
    to_char(leg.calldate AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    coalesce(to_char(leg.answerdate AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '\N'),
    coalesce(to_char(leg.enddate AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '\N'),
    as_copied(leg.src),
    as_copied(leg.dst),
    as_copied(leg.channel),
    as_copied(leg.dstchannel),
    as_copied(leg.lastapp),
    leg.duration,
    leg.billsec,
    leg.disposition,
    CASE WHEN NOT by_channel THEN coalesce(as_copied(leg.uniqueid), '\N') END
), 'UTF8')), 1, 16);

-- Notes the legs of a source that had no need of it until now. Returns how many.
CREATE FUNCTION note_arrivals(wanted_source integer, by_channel boolean) RETURNS bigint
LANGUAGE sql AS $$
    WITH noted AS (
        INSERT INTO arrival (day, digest, ordinal, source_id, stored_as, file_id, line, byte_offset, sequence)
        SELECT
            day, digest, row_number() OVER (PARTITION BY day, digest ORDER BY acctid) - 1,
            source_id, acctid, file_id, line, byte_offset, sequence
        FROM (
            SELECT
                (leg.calldate AT TIME ZONE 'UTC')::date AS day,
                leg_digest(leg, source.pbx, by_channel) AS digest,
                leg.source_id, leg.acctid, leg.file_id, leg.line, leg.byte_offset, leg.sequence
            FROM leg
            JOIN source USING (source_id)
            WHERE source.source_id = wanted_source
        ) AS stored
        RETURNING 1
    )

    SELECT count(*) FROM noted
$$;

-- Creates the partitions of today and the next days, once anybody needs them. Returns how many.
CREATE FUNCTION create_arrival_days(ahead integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    wanted date;
    name text;
    created integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM source WHERE keyed) THEN
        RETURN 0;
    END IF;
    LOCK TABLE arrival IN SHARE UPDATE EXCLUSIVE MODE;
    FOR wanted IN SELECT today + n FROM generate_series(0, ahead) AS n LOOP
        name := 'arrival_' || to_char(wanted, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(quote_ident(name)) IS NOT NULL;
        -- records of a clock that is fast may be in the default partition already
        LOCK TABLE arrival_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE arrival INCLUDING DEFAULTS)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM arrival_default WHERE day = $1 RETURNING *) INSERT INTO %I SELECT * FROM moved',
            name
        ) USING wanted;
        EXECUTE format(
            'ALTER TABLE arrival ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, wanted, wanted + 1
        );
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$;

-- What pushes were answered, by their idempotency keys: a repeated one is answered as the first was.
CREATE TABLE delivery (
    source_id   integer     NOT NULL REFERENCES source,
    key         text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    answer      jsonb       NOT NULL,
    PRIMARY KEY (source_id, key)
);

CREATE INDEX delivery_received ON delivery USING brin (received_at);

-- Forgets arrivals of days before the last `days`, and what else is older, of that at most so many rows:
-- returns how many these were, so that whoever calls it goes on while there are more.
CREATE FUNCTION forget_arrivals(days integer, most integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    first_kept CONSTANT text := 'arrival_' || to_char((now() AT TIME ZONE 'UTC')::date - days, 'YYYYMMDD');
    name text;
    forgotten bigint;
    answers bigint;
BEGIN
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'arrival'::regclass AND relname ~ '^arrival_[0-9]{8}$' AND relname < first_kept
    LOOP
        EXECUTE format('DROP TABLE %I', name);
    END LOOP;
    DELETE FROM arrival_default
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM arrival_default WHERE arrived_at < now() - make_interval(days => days) LIMIT most
    ));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    DELETE FROM delivery
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM delivery WHERE received_at < now() - make_interval(days => days) LIMIT most
    ));
    GET DIAGNOSTICS answers = ROW_COUNT;
    RETURN greatest(forgotten, answers);
END
$$;

-- How each source is doing, as whoever collects from it says; written when it changes.
CREATE TABLE source_report (
    source_id     integer     NOT NULL PRIMARY KEY REFERENCES source,
    reported_at   timestamptz NOT NULL DEFAULT now(),
    lag_bytes     bigint,
    -- since when the oldest unread byte is known to be there
    behind_since  timestamptz,
    -- since when nothing goes, and why
    failing_since timestamptz,
    last_error    text,
    last_error_at timestamptz,
    -- since when what it sends is lost, of a source that cannot send it again
    blind_since   timestamptz
) WITH (fillfactor = 50);
