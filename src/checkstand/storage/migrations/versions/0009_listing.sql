-- Lists: each order and filter has an index, searches do without marks (`creme` finds `Crème`), and a
-- product is found by the numbers of its variations. Times are UTC.

-- Letters without case and marks, so that `creme` finds and stands beside `Crème`. Of what is ASCII
-- already nothing has to be taken apart.
CREATE FUNCTION plain(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(words) = char_length(words) THEN lower(words)
        ELSE lower(regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]+', '', 'g')) END
$$;

-- The words of a text, markup and whatever stands between them left out: checkstand.catalog.store
-- .filters takes a search apart in the same way.
CREATE FUNCTION words_of(given text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- `simple` knows no language: a shop's may be any.
    SELECT to_tsvector('simple', regexp_replace(regexp_replace(plain(given), '<[^>]*>', ' ', 'g'),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u3000-\u303f]+',
        ' ', 'g'))
$$;

ALTER TABLE product_listing ADD COLUMN slug text;
DROP INDEX product_listing_newest, product_listing_price, product_listing_dearest,
    product_listing_menu, product_listing_sales, product_listing_rating, product_listing_name,
    product_listing_tags, product_listing_brands, product_listing_options;
-- One for each order that a list can have. With the visibility inside, a page far down is found in
-- the index alone; for that, names have to be inside as themselves too.
CREATE INDEX product_listing_newest ON product_listing (created_at, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_price ON product_listing (price, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_dearest ON product_listing (price DESC NULLS LAST, product_id DESC)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_menu ON product_listing (position, plain(name), product_id)
    INCLUDE (name, visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_name ON product_listing (plain(name), product_id)
    INCLUDE (name, visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_slug ON product_listing (slug, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_sales ON product_listing (sales, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_rating ON product_listing (rating, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_discussed ON product_listing (review_count, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_stock ON product_listing
    (stock_status, created_at DESC, product_id DESC)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_reduced ON product_listing (on_sale, created_at, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_featured ON product_listing (featured, created_at, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0;
CREATE INDEX product_listing_type ON product_listing (type, created_at, product_id)
    INCLUDE (visibility) WHERE published;
CREATE INDEX product_listing_virtual ON product_listing (created_at, product_id)
    INCLUDE (visibility) WHERE published AND parent_id = 0 AND virtual;
CREATE INDEX product_listing_with_variations ON product_listing (created_at, product_id)
    INCLUDE (visibility, type) WHERE published;
-- One for all, so that a category with a tag reads only what has both.
CREATE INDEX product_listing_sorted_into ON product_listing
    USING gin (category_ids, tag_ids, brand_ids, options) WHERE published AND parent_id = 0;

DROP TABLE product_search;
-- Apart, so that counting a listing does not read through every description.
CREATE TABLE product_search (
    product_id bigint PRIMARY KEY REFERENCES products (id) ON DELETE CASCADE,
    listed boolean NOT NULL,                   -- published, and no variation
    words tsvector NOT NULL
);
CREATE INDEX product_search_words ON product_search USING gin (words) WHERE listed;
CREATE INDEX product_search_other_words ON product_search USING gin (words) WHERE NOT listed;

CREATE OR REPLACE FUNCTION refresh_listing(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH members AS (   -- what is really sold: the variations of a product, the products of a group
        SELECT id AS listed_id, id AS member_id FROM products
        WHERE id = ANY (ids) AND type NOT IN ('variable', 'grouped')
        UNION ALL
        SELECT parent_id, id FROM products WHERE parent_id = ANY (ids) AND published
        UNION ALL
        SELECT g.id, m.id FROM products g JOIN products m ON m.id = ANY (g.grouped_ids)
        WHERE g.id = ANY (ids) AND g.type = 'grouped' AND m.published
    ), prices AS (
        SELECT m.listed_id,
            min(CASE WHEN product_on_sale(p, now()) THEN p.sale_price ELSE p.regular_price END) AS low,
            max(CASE WHEN product_on_sale(p, now()) THEN p.sale_price ELSE p.regular_price END) AS high,
            bool_or(product_on_sale(p, now())) AS on_sale,
            min(least(CASE WHEN p.sale_from > now() THEN p.sale_from END,
                      CASE WHEN p.sale_to > now() THEN p.sale_to END))
                FILTER (WHERE p.sale_price < p.regular_price) AS changes_at
        FROM members m JOIN products p ON p.id = m.member_id GROUP BY m.listed_id
    ), counted AS (
        SELECT m.listed_id, p.stock_status, keeper.id IS NOT NULL AS keeps_count,
            coalesce(s.quantity, 0) > 0 AS any_left, coalesce(keeper.backorders, 'no') <> 'no' AS waits
        FROM members m JOIN products p ON p.id = m.member_id
        LEFT JOIN products parent ON parent.id = p.parent_id
        LEFT JOIN products keeper ON keeper.id
            = CASE WHEN p.manages_stock THEN p.id WHEN parent.manages_stock THEN parent.id END
        LEFT JOIN stock s ON s.product_id = keeper.id
    ), stocked AS (
        SELECT listed_id,
            bool_or(CASE WHEN keeps_count THEN any_left ELSE stock_status = 'instock' END) AS in_stock,
            bool_or(CASE WHEN keeps_count THEN waits ELSE stock_status = 'onbackorder' END)
                AS on_backorder
        FROM counted GROUP BY listed_id
    )
    INSERT INTO product_listing AS kept (
        product_id, parent_id, published, type, name, slug, visibility, featured, virtual, created_at,
        position, price, price_high, on_sale, changes_at, stock_status,
        category_ids, tag_ids, brand_ids, options)
    SELECT p.id, coalesce(p.parent_id, 0), p.published AND coalesce(parent.published, true), p.type,
        coalesce(nullif(p.name, ''), parent.name, ''), p.slug,
        coalesce(parent.visibility, p.visibility),
        p.featured, p.virtual, p.created_at, p.position, prices.low, prices.high,
        coalesce(prices.on_sale, false), prices.changes_at,
        CASE WHEN stocked.in_stock THEN 'instock' WHEN stocked.on_backorder THEN 'onbackorder'
             ELSE 'outofstock' END,
        ARRAY(
            WITH RECURSIVE up AS (
                SELECT c.id, c.parent_id FROM product_categories l JOIN categories c ON c.id = l.category_id
                WHERE l.product_id = coalesce(p.parent_id, p.id)
                UNION SELECT c.id, c.parent_id FROM up JOIN categories c ON c.id = up.parent_id
            ) SELECT id FROM up),
        ARRAY(SELECT tag_id FROM product_tags WHERE product_id = coalesce(p.parent_id, p.id)),
        ARRAY(SELECT brand_id FROM product_brands WHERE product_id = coalesce(p.parent_id, p.id)),
        ARRAY(SELECT (a ->> 'slug') || '=' || (o ->> 'slug')
              FROM jsonb_array_elements(coalesce(parent.attributes, p.attributes)) a,
                   jsonb_array_elements(a -> 'options') o
              WHERE p.type <> 'variation' OR NOT (a ->> 'for_variations')::boolean
                 OR coalesce(p.variation ->> (a ->> 'slug'), '') IN ('', o ->> 'slug'))
    FROM products p LEFT JOIN products parent ON parent.id = p.parent_id
    LEFT JOIN prices ON prices.listed_id = p.id LEFT JOIN stocked ON stocked.listed_id = p.id
    WHERE p.id = ANY (ids) ORDER BY p.id
    ON CONFLICT (product_id) DO UPDATE SET
        parent_id = excluded.parent_id, published = excluded.published, type = excluded.type,
        name = excluded.name, slug = excluded.slug, visibility = excluded.visibility,
        featured = excluded.featured, virtual = excluded.virtual, created_at = excluded.created_at, position = excluded.position,
        price = excluded.price, price_high = excluded.price_high, on_sale = excluded.on_sale,
        changes_at = excluded.changes_at, stock_status = excluded.stock_status,
        category_ids = excluded.category_ids, tag_ids = excluded.tag_ids,
        brand_ids = excluded.brand_ids, options = excluded.options;
    -- A product is found by the numbers of its variations too.
    INSERT INTO product_search (product_id, listed, words)
    SELECT p.id, p.published AND p.parent_id IS NULL,
        setweight(words_of(concat_ws(' ', nullif(p.name, ''), parent.name, p.sku, p.global_unique_id,
            (SELECT string_agg(v.sku || ' ' || v.global_unique_id, ' ') FROM products v
             WHERE v.parent_id = p.id AND v.published))), 'A')
        || setweight(words_of(left(p.short_description || ' ' || p.description, 20000)), 'C')
    FROM products p LEFT JOIN products parent ON parent.id = p.parent_id
    WHERE p.id = ANY (ids) ORDER BY p.id
    ON CONFLICT (product_id) DO UPDATE SET listed = excluded.listed, words = excluded.words;
$$;

-- What everybody may read is in answers that servers keep.
CREATE TRIGGER product_reviews_announce_new AFTER INSERT ON product_reviews
    FOR EACH ROW WHEN (NEW.status = 'approved') EXECUTE FUNCTION announce_change('catalog');
CREATE TRIGGER product_reviews_announce_changed AFTER UPDATE ON product_reviews
    FOR EACH ROW WHEN (OLD.status = 'approved' OR NEW.status = 'approved')
    EXECUTE FUNCTION announce_change('catalog');
CREATE TRIGGER product_reviews_announce_gone AFTER DELETE ON product_reviews
    FOR EACH ROW WHEN (OLD.status = 'approved') EXECUTE FUNCTION announce_change('catalog');

SELECT refresh_listing(ARRAY(SELECT id FROM products));
