"""Encryption of secrets in the database."""

import pytest
from cryptography.exceptions import InvalidTag

from app.auth.encryption import Encryption, Sealed, UnknownKeyError

OLD = {"old": "7d0e9b0c5a3f4e6182d4b6c8fa1e3957"}
NEW = {"new": "f00dcafe5a3f4e6182d4b6c8fa1e3957"}
SECRET, CONTEXT = b"a secret", b"second factor:ann"


def test_what_one_key_encrypts_it_decrypts() -> None:
    encryption = Encryption(OLD)
    sealed = encryption.encrypt(SECRET, CONTEXT)
    assert sealed.key_id == "old"
    assert SECRET not in sealed.data
    assert encryption.decrypt(sealed, CONTEXT) == SECRET


def test_a_secret_never_has_the_same_ciphertext_twice() -> None:
    encryption = Encryption(OLD)
    assert len({encryption.encrypt(SECRET, CONTEXT).data for _ in range(100)}) == 100


@pytest.mark.parametrize("context", [b"second factor:bob", b"webhook:ann", b""])
def test_a_ciphertext_is_useless_in_another_place(context: bytes) -> None:
    encryption = Encryption(OLD)
    with pytest.raises(InvalidTag):
        encryption.decrypt(encryption.encrypt(SECRET, CONTEXT), context)


def test_a_changed_ciphertext_is_refused() -> None:
    encryption = Encryption(OLD)
    key_id, data = encryption.encrypt(SECRET, CONTEXT)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(InvalidTag):
            encryption.decrypt(Sealed(key_id, bytes(changed)), CONTEXT)


def test_a_new_key_encrypts_while_the_old_one_decrypts() -> None:
    sealed = Encryption(OLD).encrypt(SECRET, CONTEXT)
    both = Encryption({**NEW, **OLD})
    assert both.decrypt(sealed, CONTEXT) == SECRET
    assert both.encrypt(SECRET, CONTEXT).key_id == "new"


def test_the_secret_of_a_removed_key_is_an_error_that_names_the_key() -> None:
    sealed = Encryption(OLD).encrypt(SECRET, CONTEXT)
    with pytest.raises(UnknownKeyError, match="ENCRYPTION_KEYS lacks old"):
        Encryption(NEW).decrypt(sealed, CONTEXT)
