"""Reviews: read by anybody, written by those whom the shop lets, shown once they are approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from checkstand.catalog.listing import Review, ReviewQuery
from checkstand.catalog.service import Catalogue
from checkstand.catalog.store import reviews as store
from checkstand.errors import (
    ReviewedProductUnknown,
    ReviewEmpty,
    ReviewIdInvalid,
    ReviewNotAllowed,
    ReviewNotFound,
    ReviewTooSoon,
)
from checkstand.kit.clock import Clock
from checkstand.storage.database import Database

_PAUSE = timedelta(seconds=15)


class Author(Protocol):
    """Who is calling, as far as a review needs to know."""

    @property
    def customer_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class NewReview:
    """What a visitor wrote; `rating` 1 to 5, or 0 for none."""

    product_id: int
    reviewer: str
    email: str
    review: str
    rating: int


@dataclass(frozen=True, slots=True)
class Reviews:
    """`moderated`: a new review is held until somebody approves it. `buyers_only`: only who has
    bought the product may review it."""

    database: Database
    catalogue: Catalogue
    clock: Clock
    enabled: bool = True
    moderated: bool = True
    buyers_only: bool = False

    async def page(self, query: ReviewQuery) -> tuple[list[Review], int]:
        """Reviews that anybody may read (or an account's own), and how many on all pages."""
        async with self.database.acquire() as connection:
            return await store.reviews(connection, query)

    async def review(self, review_id: int) -> Review:
        """An approved review. ReviewIdInvalid, ReviewNotFound."""
        if not 0 < review_id < 2**63:
            raise ReviewIdInvalid
        async with self.database.acquire() as connection:
            found = await store.review(connection, review_id)
        if found is None:
            raise ReviewNotFound
        return found

    async def write(self, author: Author, given: NewReview) -> Review:
        """Stores the review, approved or held as the shop has it.

        ReviewedProductUnknown, ReviewNotAllowed, ReviewEmpty, ReviewRepeated, and ReviewTooSoon
        within 15 seconds of the last under the same e-mail address.
        """
        product = (await self.catalogue.load([given.product_id])).get(given.product_id)
        if product is None or not product.published or product.parent_id:
            raise ReviewedProductUnknown
        if not self.enabled or not product.reviews_allowed:
            raise ReviewNotAllowed("This product takes no reviews.")
        if not given.review.strip():
            raise ReviewEmpty
        now, account = self.clock.now(), author.customer_id
        async with self.database.transaction() as connection:
            bought = await store.has_bought(connection, product.id, given.email, account)
            if self.buyers_only and not bought:
                raise ReviewNotAllowed("Only who has bought this product can review it.")
            new = Review(
                id=0,
                product_id=product.id,
                reviewer=given.reviewer.strip(),
                email=given.email,
                review=given.review.strip(),
                rating=given.rating,
                verified=bought,
                status="hold" if self.moderated else "approved",
                created_at=now,
            )
            last = await store.last_by(connection, given.email)
            # The same words once more are said to be that, also when they come at once.
            written = await store.add(connection, new, account)
            if last is not None and now - last < _PAUSE:
                raise ReviewTooSoon
        return written
