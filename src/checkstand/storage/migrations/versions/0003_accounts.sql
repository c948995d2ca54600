-- Accounts of shoppers: names, what they bought with last, sign-in sessions, mailed keys.

ALTER TABLE accounts
    ADD COLUMN first_name text NOT NULL DEFAULT '',
    ADD COLUMN last_name text NOT NULL DEFAULT '',
    ADD COLUMN display_name text NOT NULL DEFAULT '',
    -- Moves with password, e-mail and role: sessions and mailed keys of an older one are dead.
    ADD COLUMN generation integer NOT NULL DEFAULT 1;
UPDATE accounts SET display_name = username;

-- Nobody remembers an account that is not there yet: a registration is no news.
DROP TRIGGER accounts_announce ON accounts;
CREATE TRIGGER accounts_announce AFTER UPDATE OR DELETE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change('keys');

-- Apart from accounts: a purchase writes here, and must not make every server forget its keys.
CREATE TABLE customers (
    account_id bigint PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    billing jsonb NOT NULL DEFAULT '{}',
    shipping jsonb NOT NULL DEFAULT '{}',
    payment_method text NOT NULL DEFAULT '',    -- chosen for the last order
    -- Digits of the billing phone, to sign in with; '' when there are too few.
    phone text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN length(regexp_replace(coalesce(billing ->> 'phone', ''), '[^0-9]', '', 'g')) >= 7
             THEN regexp_replace(billing ->> 'phone', '[^0-9]', '', 'g') ELSE '' END
    ) STORED
) WITH (fillfactor = 80);
CREATE INDEX customers_phone ON customers (phone) WHERE phone <> '';

-- What a customer ordered with is filled in the next time. Here, so that a purchase needs no further
-- trip for it, and no way to an order can forget it.
CREATE FUNCTION remember_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customers (account_id, billing, shipping, payment_method)
    VALUES (
        NEW.customer_id, NEW.billing,
        -- The same address stays unsaid, so that it goes on following the billing address.
        CASE WHEN NEW.shipping = NEW.billing - 'phone' - 'email' THEN '{}' ELSE NEW.shipping END,
        NEW.payment_method
    )
    ON CONFLICT (account_id) DO UPDATE SET billing = excluded.billing,
        shipping = excluded.shipping, payment_method = excluded.payment_method
    WHERE (customers.billing, customers.shipping, customers.payment_method)
        IS DISTINCT FROM (excluded.billing, excluded.shipping, excluded.payment_method);
    RETURN NULL;
END $$;
CREATE TRIGGER orders_remember AFTER INSERT OR UPDATE OF billing ON orders
    FOR EACH ROW WHEN (NEW.customer_id IS NOT NULL) EXECUTE FUNCTION remember_customer();

-- One access token with its refresh token. A used refresh token is kept until it would have
-- expired: seeing it again means that somebody copied it.
CREATE TABLE sessions (
    pat text PRIMARY KEY,
    family text NOT NULL,                       -- the pat that the sign-in itself made
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    generation integer NOT NULL,
    refresh_hash text NOT NULL UNIQUE,          -- SHA-256
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,            -- of the refresh token
    used_at timestamptz,                        -- refreshed: another session took its place
    ended_at timestamptz                        -- signed out, evicted, or its family was stolen
);
CREATE INDEX sessions_account ON sessions (account_id, created_at);
CREATE INDEX sessions_family ON sessions (family);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE mailed_keys (
    key_hash text PRIMARY KEY,                  -- SHA-256
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    generation integer NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('password', 'email')),
    email text NOT NULL,                        -- where it was sent to
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX mailed_keys_account ON mailed_keys (account_id);
CREATE INDEX mailed_keys_expires ON mailed_keys (expires_at);

CREATE INDEX orders_customer ON orders (customer_id, id) WHERE customer_id IS NOT NULL;
