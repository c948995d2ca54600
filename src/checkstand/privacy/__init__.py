"""Personal data of one person: all of it as one document, or taken out."""
