"""Promotions: coupons, what they take off a cart, and how often they were used."""
