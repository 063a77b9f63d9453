"""The secrets of webhooks as the database keeps them: encrypted, each for one webhook."""

from app.auth.encryption import Encryption, Sealed
from app.values import Uuid

SEPARATOR = b":"  # no id of a key has it


class Secrets:
    """Encrypts and decrypts secrets; what one webhook has is of no use to another."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    def seal(self, owner_id: Uuid, webhook_id: Uuid, secret: str) -> bytes:
        """The secret encrypted, with the id of its key before it."""
        sealed = self._encryption.encrypt(secret.encode(), _context(owner_id, webhook_id))
        return sealed.key_id.encode() + SEPARATOR + sealed.data

    def open(self, owner_id: Uuid, webhook_id: Uuid, sealed: bytes) -> str:
        """The secret; raises UnknownKeyError, or InvalidTag where it is of another webhook."""
        key_id, _, data = sealed.partition(SEPARATOR)
        context = _context(owner_id, webhook_id)
        return self._encryption.decrypt(Sealed(key_id.decode(), data), context).decode()


def _context(owner_id: Uuid, webhook_id: Uuid) -> bytes:
    return f"webhook {owner_id} {webhook_id}".encode()
