-- What is asked with every cart is PL/pgSQL with one plan for good: functions in SQL are planned anew
-- by every statement that calls them. And a customer is an account, its e-mail, and the billing e-mail.

-- What `holder` (an order, or null) can still have of each product at a moment: {product_id: units}.
CREATE OR REPLACE FUNCTION stock_available(ids bigint[], holder bigint, at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_object_agg(s.product_id, s.quantity - (
            SELECT coalesce(sum(h.quantity), 0) FROM stock_holds h
            WHERE h.product_id = s.product_id AND h.expires_at > at
                AND h.order_id IS DISTINCT FROM holder
        )), '{}')
        FROM stock s WHERE s.product_id = ANY (ids));
END $$;

-- Uses that are redeemed, or held by other orders than `holder`.
CREATE OR REPLACE FUNCTION coupon_uses_taken(coupon bigint, holder bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT c.used + (
            SELECT count(*) FROM coupon_uses u WHERE u.coupon_id = c.id AND u.redeemed_at IS NULL
                AND u.expires_at > at AND u.order_id IS DISTINCT FROM holder)
        FROM coupons c WHERE c.id = coupon);
END $$;

-- The same, of one customer: an account with its e-mail, and whoever orders with this e-mail, who may
-- have an account too.
CREATE OR REPLACE FUNCTION coupon_uses_of(
    coupon bigint, holder bigint, customer bigint, email text, at timestamptz
) RETURNS bigint LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT count(*) FROM coupon_uses u WHERE u.coupon_id = coupon
            AND u.order_id IS DISTINCT FROM holder
            AND (u.redeemed_at IS NOT NULL OR u.expires_at > at)
            AND (u.customer_id = customer
                OR u.email_hash = nullif(coupon_email_hash(email), '')
                OR u.email_hash = (
                    SELECT coupon_email_hash(a.email) FROM accounts a WHERE a.id = customer)
                OR u.customer_id = (
                    SELECT a.id FROM accounts a
                    WHERE lower(a.email) = lower(trim(coupon_uses_of.email)))));
END $$;

-- What a cart needs to know about its coupons: {code: terms, as JSON in a text by which they are known
-- again, and uses}. Uses are counted where there is a limit, and the account's e-mail is told where
-- the coupon is for certain ones.
CREATE OR REPLACE FUNCTION coupons_for(
    codes text[], holder bigint, customer bigint, email text, at timestamptz
) RETURNS jsonb LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_object_agg(c.code, jsonb_build_object(
            'terms', (to_jsonb(c) || jsonb_build_object(
                'amount', c.amount::text,
                'category_ids', CASE WHEN c.category_ids = '{}' THEN c.category_ids
                    ELSE category_families(c.category_ids) END,
                'excluded_category_ids', CASE WHEN c.excluded_category_ids = '{}'
                    THEN c.excluded_category_ids
                    ELSE category_families(c.excluded_category_ids) END))::text,
            'taken', CASE WHEN c.usage_limit IS NULL THEN 0
                ELSE coupon_uses_taken(c.id, holder, at) END,
            'taken_by_customer', CASE WHEN c.customer_limit IS NULL THEN 0
                ELSE coupon_uses_of(c.id, holder, customer, email, at) END,
            'account_email', CASE WHEN c.emails = '{}' THEN NULL
                ELSE (SELECT a.email FROM accounts a WHERE a.id = customer) END)), '{}')
        FROM coupons c WHERE c.code = ANY (codes));
END $$;
