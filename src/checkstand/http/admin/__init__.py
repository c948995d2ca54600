"""The administrators' API: /wp-json/checkstand/v1/admin."""

from checkstand.http.admin import keys, oversight

routers = (keys.router, oversight.router)
