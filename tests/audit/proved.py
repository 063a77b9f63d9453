"""What the audit says of this code, asked once by each process of the tests."""

from app.audit import catalogue, statements

CATALOGUE = catalogue.from_migrations()
AUDITED = {each.name: each for each in statements.audit_all(CATALOGUE)}
