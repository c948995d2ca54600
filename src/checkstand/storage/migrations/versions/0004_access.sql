-- Consumer keys from the making to the end, what is noticed about them, the audit log, and what
-- the card-testing shield remembers. Times are timestamptz, UTC.

-- consumer keys -----------------------------------------------------------------------------

ALTER TABLE consumer_keys
    ADD COLUMN kind text NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'publishable')),
    ADD COLUMN owner text NOT NULL DEFAULT '',          -- who answers for it
    ADD COLUMN origins text[] NOT NULL DEFAULT '{}',    -- pages that may use it; {} = any client
    ADD COLUMN networks text[] NOT NULL DEFAULT '{}',   -- where it may be used from; {} = anywhere
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN successor_id bigint REFERENCES consumer_keys (id),  -- set when it was rotated
    ADD CONSTRAINT consumer_keys_publishable
        CHECK (CASE kind WHEN 'publishable' THEN secret_hash = '' AND origins <> '{}'
               ELSE secret_hash <> '' END);

-- Apart from the keys: writing there would make every server forget what it remembers.
CREATE TABLE key_usage (
    key_id bigint NOT NULL REFERENCES consumer_keys (id) ON DELETE CASCADE,
    day date NOT NULL,
    route text NOT NULL,                        -- 'GET /wp-json/…/cart'
    requests bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,         -- refused as credentials: secret, origin, expiry
    limited bigint NOT NULL DEFAULT 0,          -- refused by a limit
    last_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, day, route)
) WITH (fillfactor = 70);

CREATE TABLE key_networks (
    key_id bigint NOT NULL REFERENCES consumer_keys (id) ON DELETE CASCADE,
    network text NOT NULL,                      -- /24 of IPv4, /48 of IPv6
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, network)
);

-- alerts ------------------------------------------------------------------------------------

CREATE TABLE alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,                        -- 'key.failures', 'declines.too_many', …
    subject text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);
CREATE INDEX alerts_created ON alerts (created_at);

-- audit -------------------------------------------------------------------------------------

-- An entry is written in the transaction of its cause, and chained to the one before it a moment
-- later by one sealer: a purchase never waits for another one's entry.
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,                        -- 'account 3', 'key 7', 'guest', 'operator', 'system'
    action text NOT NULL,                       -- 'key.revoked', 'order.moved', …
    subject text NOT NULL,                      -- 'key 7', 'order 1001', …
    request_id text NOT NULL,
    detail jsonb NOT NULL,                      -- nothing personal
    personal jsonb,                             -- where from, which login; null once erased
    salt text,
    personal_digest text NOT NULL,              -- SHA-256 of salt and personal; '' when there was none
    position bigint UNIQUE,                     -- in the chain, set by the sealer
    hash text,
    CHECK ((position IS NULL) = (hash IS NULL))
);
CREATE INDEX audit_log_unsealed ON audit_log (id) WHERE position IS NULL;
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_subject ON audit_log (subject, id);
CREATE INDEX audit_log_actor ON audit_log (actor, id);

-- Both ends of the chain: what retention left of its start, and where it goes on.
CREATE TABLE audit_chain (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    first_position bigint NOT NULL DEFAULT 1,
    first_previous text NOT NULL DEFAULT '',
    last_position bigint NOT NULL DEFAULT 0,
    last_hash text NOT NULL DEFAULT ''
);

CREATE FUNCTION audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('checkstand.audit_retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    IF (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.request_id, NEW.detail,
            NEW.personal_digest)
        IS DISTINCT FROM
        (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.request_id, OLD.detail,
            OLD.personal_digest)
        OR (OLD.position IS NOT NULL
            AND (NEW.position, NEW.hash) IS DISTINCT FROM (OLD.position, OLD.hash))
        OR (NEW.personal IS NOT NULL AND NEW.personal IS DISTINCT FROM OLD.personal)
        OR (NEW.salt IS NOT NULL AND NEW.salt IS DISTINCT FROM OLD.salt)
    THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_keep();

-- shield ------------------------------------------------------------------------------------

-- Every charge of a gateway that can decline, by digests of whom it was for.
CREATE TABLE shield_marks (
    attempt_id text NOT NULL,
    dimension text NOT NULL CHECK (dimension IN ('address', 'cart', 'email', 'account', 'gateway')),
    value text NOT NULL,                        -- SHA-256 of dimension and value
    asked_at timestamptz NOT NULL,
    declined_at timestamptz,
    PRIMARY KEY (attempt_id, dimension)
);
CREATE INDEX shield_marks_declined ON shield_marks (dimension, value, declined_at)
    WHERE declined_at IS NOT NULL;
CREATE INDEX shield_marks_asked ON shield_marks (asked_at);

CREATE TABLE shield_decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('allowed', 'challenged', 'refused', 'would_refuse')),
    mode text NOT NULL,
    gateway text NOT NULL,
    request_id text NOT NULL,
    counts jsonb NOT NULL,                      -- {dimension: {declines, limit, seconds}}
    reason text NOT NULL
);
CREATE INDEX shield_decisions_at ON shield_decisions (at);
