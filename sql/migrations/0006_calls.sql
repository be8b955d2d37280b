-- Calls beside their legs: one row for each, what events it was decided with, and when nothing more is
-- expected of it. And what readers need to hear of changes: which decisions changed, and from whom legs
-- were taken away.

-- A decision made knowing more is never replaced by one that knew less: legs, then events.
ALTER TABLE attribution ADD seen_event_id bigint NOT NULL DEFAULT 0;
-- Whether it became another after it may have been served.
ALTER TABLE attribution ADD changed boolean NOT NULL DEFAULT false;

CREATE INDEX attribution_changed ON attribution (revision) WHERE changed;

-- Legs that are a company's no more: not its own, and neither called nor paid by it.
CREATE TABLE withdrawn (
    company  text   NOT NULL,
    revision bigint NOT NULL,
    acctid   bigint NOT NULL,
    PRIMARY KEY (company, revision)
);

-- One row per call: the legs of a linkedid, or of several that a transfer joined. call_id is the acctid of
-- the first leg that was stored, which is the same whatever comes later, unless two calls turn out to be
-- one: then the newer row is not effective any more, and says which one it was joined into.
CREATE TABLE call (
    call_id           bigint      NOT NULL,
    pbx               text        NOT NULL,
    linkedid          text        NOT NULL,
    linkedids         text[]      NOT NULL,
    -- the legs in the order of time, what each is in the call, and how it ended
    acctids           bigint[]    NOT NULL,
    roles             text[]      NOT NULL,
    end_reasons       text[]      NOT NULL,
    caller            text,
    caller_name       text,
    dialled           text,
    requested         text,
    answered_by       text,
    direction         text,
    started           timestamptz NOT NULL,
    rang              timestamptz,
    answered          timestamptz,
    ended             timestamptz,
    talk_seconds      integer     NOT NULL,
    end_reason        text,
    reroute_reason    text,
    status_code       smallint    NOT NULL,
    queue             text,
    trunk_in          text,
    trunk_out         text,
    company           text,
    target            text,
    bill_to           text,
    confidence        text        NOT NULL,
    rules             jsonb       NOT NULL,
    -- how many channel events it was decided with
    events            integer     NOT NULL,
    -- when nothing more is expected of it if nothing comes until then, and why; settled_by is why it is so
    settles_at        timestamptz NOT NULL,
    settles_by        text        NOT NULL,
    settled_by        text,
    -- its first leg that no reader of settled calls has been given, while it is not settled
    holds_from        bigint,
    effective         boolean     NOT NULL DEFAULT true,
    joined_into       bigint,
    directory_version bigint      NOT NULL,
    seen_acctid       bigint      NOT NULL,
    seen_event_id     bigint      NOT NULL,
    revision          bigint      NOT NULL,
    decided_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call_id),
    CONSTRAINT call_leg_has_role CHECK (
        cardinality(acctids) = cardinality(roles) AND cardinality(acctids) = cardinality(end_reasons)
    ),
    CONSTRAINT call_is_effective_or_joined CHECK (effective = (joined_into IS NULL)),
    CONSTRAINT call_settled_holds_nobody CHECK (holds_from IS NULL OR (settled_by IS NULL AND effective))
) PARTITION BY RANGE (call_id);

CREATE TABLE call_default PARTITION OF call DEFAULT;

CREATE INDEX call_settles ON call (settles_at) WHERE settled_by IS NULL AND effective;
CREATE INDEX call_holds ON call (holds_from) WHERE holds_from IS NOT NULL;

UPDATE partition_family SET parents = ARRAY['leg', 'attribution', 'call'] WHERE family = 'leg';

DO $$
DECLARE
    present partition_range;
BEGIN
    FOR present IN SELECT * FROM partition_range WHERE family = 'leg' LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF call FOR VALUES FROM (%s) TO (%s)',
            'call_' || present.first_id, present.first_id, present.end_id
        );
    END LOOP;
END
$$;

-- Events of a channel under another linkedid than its own: most channels that call have none.
CREATE INDEX cel_event_channel ON cel_event (uniqueid, event_id) WHERE uniqueid <> linkedid;
