-- Packages of an order, and load-cart links. Times are UTC.

-- {id, name, items: {item key: units}} of what travels by a shipping charge.
ALTER TABLE order_charges ADD COLUMN package jsonb;

-- A link that hands the contents of a cart over, once: opening it deletes the row in the
-- transaction that fills the other cart. No addresses, no names: only what lies in the cart.
CREATE TABLE cart_links (
    digest text PRIMARY KEY,                    -- SHA-256 of the random name that the link carries
    maker text NOT NULL,                        -- the cart that it was made of
    contents jsonb NOT NULL,                    -- {lines, coupons, fees, currency}
    target text NOT NULL,                       -- where the visitor goes
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX cart_links_maker ON cart_links (maker, created_at);
CREATE INDEX cart_links_expires ON cart_links (expires_at);
