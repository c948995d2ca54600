"""Routes of Checkstand's own for those who run the shop: `/wp-json/checkstand/v1/admin`."""

from checkstand.http.admin import keys, oversight, payments

routers = (keys.router, oversight.router, payments.router)
