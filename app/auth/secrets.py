"""Secrets that the service shows again: encrypted, each for one thing of its owner's."""

from app.auth.encryption import Encryption, Sealed
from app.values import Uuid

SEPARATOR = b":"  # no id of a key has it


class Secrets:
    """Encrypts and decrypts secrets of one sort; what one thing has is of no use to another."""

    def __init__(self, encryption: Encryption, sort: str) -> None:
        self._encryption, self._sort = encryption, sort

    def seal(self, owner_id: Uuid, thing_id: Uuid, secret: str) -> bytes:
        """The secret encrypted, with the id of its key before it."""
        sealed = self._encryption.encrypt(secret.encode(), self._context(owner_id, thing_id))
        return sealed.key_id.encode() + SEPARATOR + sealed.data

    def open(self, owner_id: Uuid, thing_id: Uuid, sealed: bytes) -> str:
        """The secret; raises UnknownKeyError, or InvalidTag where it is of another thing."""
        key_id, _, data = sealed.partition(SEPARATOR)
        context = self._context(owner_id, thing_id)
        return self._encryption.decrypt(Sealed(key_id.decode(), data), context).decode()

    def _context(self, owner_id: Uuid, thing_id: Uuid) -> bytes:
        return f"{self._sort} {owner_id} {thing_id}".encode()
