-- What carriers billed us, call by call. Their files are delivered whole, and never read by two sources.

-- Of a source of carrier files: whose they are. Sources of one carrier hold back each other's files.
ALTER TABLE source ADD carrier text;

-- Of a carrier's file: the lines that say what its columns are, for what is decoded again.
ALTER TABLE file ADD header bytea;

INSERT INTO counter (name, value) VALUES ('carrier_row', 0);
INSERT INTO partition_family (family, counter, parents)
VALUES ('carrier_row', 'carrier_row', ARRAY['carrier_row']);

-- One row per call as a carrier billed it. Immutable. carrier_row_id is given in commit order, as acctid is.
CREATE TABLE carrier_row (
    carrier_row_id  bigint      NOT NULL,
    source_id       integer     NOT NULL,
    file_id         bigint,
    line            bigint,
    byte_offset     bigint,
    carrier         text        NOT NULL,
    carrier_call_id text,
    calldate        timestamptz NOT NULL,
    caller          text        NOT NULL,
    called          text        NOT NULL,
    duration        integer     NOT NULL,
    -- as reported, to the last digit
    cost            numeric     NOT NULL,
    currency        text        NOT NULL,
    charge_band     text        NOT NULL,
    direction       text        NOT NULL,
    description     text        NOT NULL,
    -- the columns that the mapping does not name
    extra           jsonb,
    -- the record's own bytes
    original        bytea       NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier_row_id)
) PARTITION BY RANGE (carrier_row_id);

CREATE TABLE carrier_row_default PARTITION OF carrier_row DEFAULT;

CREATE INDEX carrier_row_calldate ON carrier_row USING brin (calldate);
CREATE INDEX carrier_row_place ON carrier_row USING brin (file_id, byte_offset) WITH (pages_per_range = 32);

ALTER TABLE position ADD carrier_rows bigint NOT NULL DEFAULT 0;
ALTER TABLE position DROP CONSTRAINT position_accounts_for_every_record;
ALTER TABLE position ADD CONSTRAINT position_accounts_for_every_record
CHECK (records = legs + events + carrier_rows + suspended + duplicates);

ALTER TABLE tally ADD carrier_rows bigint NOT NULL DEFAULT 0;
ALTER TABLE tally DROP CONSTRAINT tally_accounts_for_every_record;
ALTER TABLE tally ADD CONSTRAINT tally_accounts_for_every_record
CHECK (records = legs + events + carrier_rows + suspended + duplicates);
