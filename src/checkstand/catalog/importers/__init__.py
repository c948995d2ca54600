"""Catalogues from elsewhere: read as streams, checked row by row, written in whole batches."""
