-- Decisions in half the room: the names of the rules that decided are the same few sets again and again, so
-- that a row only says which; and each leg knows of which call it is, instead of a table of those that are
-- joined.

-- No foreign key refers to it: it would cost a look-up for each decision, and nothing is ever deleted here.
CREATE TABLE rule_set (
    rule_set_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- what was decided, and the name of the rule
    rules       jsonb   NOT NULL CONSTRAINT rule_set_is_stored_once UNIQUE
);

INSERT INTO rule_set (rules)
SELECT rules FROM attribution
UNION
SELECT rules FROM call;

ALTER TABLE attribution ADD rule_set_id integer, ADD call_id bigint;
ALTER TABLE call ADD rule_set_id integer;

UPDATE attribution SET rule_set_id = rule_set.rule_set_id
FROM rule_set
WHERE rule_set.rules = attribution.rules;

-- call_id: the first leg of its call that was stored; NULL where no rules could decide it
UPDATE attribution SET call_id = part.call_id
FROM (SELECT call_id, unnest(acctids) AS acctid FROM call WHERE effective) AS part
WHERE part.acctid = attribution.acctid;

UPDATE call SET rule_set_id = rule_set.rule_set_id
FROM rule_set
WHERE rule_set.rules = call.rules;

ALTER TABLE attribution ALTER rule_set_id SET NOT NULL, DROP rules;
ALTER TABLE call ALTER rule_set_id SET NOT NULL, DROP rules;
DROP TABLE call_part;
