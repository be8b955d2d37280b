-- Principals that push: to these sources, by name, and to no others.
ALTER TABLE principal ADD sources text[] NOT NULL DEFAULT '{}';
