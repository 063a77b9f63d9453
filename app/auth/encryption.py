"""Encryption of secrets that the database keeps: AES-256-GCM with keys from ENCRYPTION_KEYS."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12  # at random: one key may encrypt 2^32 secrets (NIST SP 800-38D, 8.3)


class Sealed(NamedTuple):
    """An encrypted secret: the id of its key, and nonce, ciphertext and tag in one."""

    key_id: str
    data: bytes


class UnknownKeyError(Exception):
    """A secret was encrypted with a key that ENCRYPTION_KEYS no longer has."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"ENCRYPTION_KEYS lacks {key_id}, which a secret is encrypted with")


class Encryption:
    """Encrypts with the first key and decrypts with any, so that keys can be replaced.

    `context` says what the secret is and whose: a ciphertext that was moved to another account or
    column can't be decrypted there.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` are the secrets by their ids, that of `key_id`, which encrypts, first."""
        self._ciphers = {key_id: AESGCM(_derived(secret)) for key_id, secret in keys.items()}
        self.key_id = next(iter(keys))

    def encrypt(self, plain: bytes, context: bytes) -> Sealed:
        """The secret, encrypted with the first key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = self._ciphers[self.key_id].encrypt(nonce, plain, context)
        return Sealed(self.key_id, nonce + ciphertext)

    def decrypt(self, sealed: Sealed, context: bytes) -> bytes:
        """The secret; raises UnknownKeyError, or InvalidTag for another context or changed data."""
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise UnknownKeyError(sealed.key_id)
        nonce, ciphertext = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        return cipher.decrypt(nonce, ciphertext, context)


def _derived(secret: str) -> bytes:
    """A key of AES-256 from a secret, which is text of any length from 32 bytes."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"ownrow encryption v1").derive(
        secret.encode()
    )
