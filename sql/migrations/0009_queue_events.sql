-- What queue events tell of a call: the member who answered, how long the caller waited, and why the caller
-- left the queue. Calls decided before have none of it until they are decided again.

ALTER TABLE call ADD agent text, ADD waited_seconds integer, ADD leave_reason text;
