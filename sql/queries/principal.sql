-- Who may ask, and the digests of the secrets they prove it with.

-- name: principal_by_login(login)
-- A principal that may log in, with the hash of its password.
SELECT principal_id, login, name, permissions, companies, sources, password_hash
FROM principal
WHERE login = :login AND NOT disabled;

-- name: principal_of_token(digest, kind)
-- Whose token or session that is, while it is valid, and its number.
SELECT principal_id, login, name, permissions, companies, sources, token_id
FROM token
JOIN principal USING (principal_id)
WHERE
    digest = :digest
    AND kind = :kind
    AND NOT disabled
    AND (expires_at IS NULL OR expires_at > now());

-- name: principals()
SELECT
    principal_id, login, name, permissions, companies, sources, disabled, created_at,
    password_hash IS NOT NULL AS has_password,
    (
        SELECT count(*)
        FROM token
        WHERE
            token.principal_id = principal.principal_id
            AND kind = 'bearer'
            AND (expires_at IS NULL OR expires_at > now())
    ) AS tokens
FROM principal
ORDER BY login;

-- name: create_principal(login, name, password_hash, permissions, companies, sources)
INSERT INTO principal (login, name, password_hash, permissions, companies, sources)
VALUES (:login, :name, :password_hash, :permissions::text[], :companies::text[], :sources::text[])
RETURNING principal_id;

-- name: set_password(login, password_hash)
-- A new password ends the sessions that the old one began.
WITH changed AS (
    UPDATE principal SET password_hash = :password_hash WHERE login = :login RETURNING principal_id
),

ended AS (
    DELETE FROM token USING changed WHERE token.principal_id = changed.principal_id AND kind = 'session'
)

SELECT principal_id FROM changed;

-- name: set_disabled(login, disabled)
UPDATE principal SET disabled = :disabled WHERE login = :login RETURNING principal_id;

-- name: remove_principal(login)
DELETE FROM principal WHERE login = :login RETURNING principal_id;

-- name: create_token(login, kind, label, digest, life)
-- The number of the new token or session; no row when there is no such principal. life is an interval, NULL is for ever.
INSERT INTO token (principal_id, kind, label, digest, expires_at)
SELECT principal_id, :kind, :label, :digest, now() + :life::interval
FROM principal
WHERE login = :login
RETURNING token_id;

-- name: forget_old_sessions(principal_id, most)!
-- Sessions that are over, and the oldest of one who logs in again and again.
DELETE FROM token
WHERE
    kind = 'session'
    AND (
        expires_at <= now()
        OR token_id IN (
            SELECT token_id
            FROM token
            WHERE principal_id = :principal_id AND kind = 'session'
            ORDER BY token_id DESC
            OFFSET :most
        )
    );

-- name: tokens(login)
-- Bearer tokens and sessions, of everybody or of one, without their digests.
SELECT token_id, login, kind, label, token.created_at, expires_at, expires_at <= now() IS TRUE AS expired
FROM token
JOIN principal USING (principal_id)
WHERE :login::text IS NULL OR login = :login
ORDER BY token_id;

-- name: revoke_token(token_id)
DELETE FROM token WHERE token_id = :token_id RETURNING token_id;

-- name: end_session(digest)!
DELETE FROM token WHERE digest = :digest AND kind = 'session';
