-- Which call each leg is of, where calls of several linkedids (without linkedid: of several uniqueids) are one:
-- often only one of them names the other, and whoever decides the other one again has to find it, too.
CREATE TABLE call_part (
    acctid  bigint NOT NULL PRIMARY KEY,
    call_id bigint NOT NULL
);

CREATE INDEX call_part_call ON call_part (call_id);
