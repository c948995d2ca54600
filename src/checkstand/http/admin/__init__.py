"""Routes of Checkstand's own for those who run the shop: `/wp-json/checkstand/v1/admin`."""
