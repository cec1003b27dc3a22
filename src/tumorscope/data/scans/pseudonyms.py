"""Names that stand for identifiers: the same on one machine, and of no meaning on any other.

A keyed hash, its key kept by the user: whoever has a list of patients but not the key cannot tell
which of them a pseudonym stands for.
"""

import hashlib
import os
import secrets
from pathlib import Path

from platformdirs import user_data_path

from tumorscope.support.files import explained, replacing

VARIABLE = "TUMORSCOPE_SALT"
STANDARD = "1.2.840.10008."  # how the UIDs that the standard gives begin
LETTERS = 12  # of 16: some 10^14 names


def pseudonym(kind: str, identifier: str) -> str:
    """Return the name that stands for an identifier, such as `patient-0f3a…`.

    Args:
        kind: what it names, `patient` or `series`: equal identifiers of two kinds differ.
        identifier: what the header says.
    """
    return f"{kind}-{_hashed(kind, identifier).hex()[:LETTERS]}"


def mapped_uid(uid: str) -> str:
    """Return the UID that stands for another; those that the standard gives stay as they are."""
    if uid.startswith(STANDARD):
        return uid
    return f"2.25.{int.from_bytes(_hashed('uid', uid)[:16], 'big')}"


def number_of(kind: str, identifier: str) -> int:
    """Return a number that follows from an identifier, up to 2^64."""
    return int.from_bytes(_hashed(kind, identifier)[:8], "big")


def _hashed(kind: str, identifier: str) -> bytes:
    return hashlib.blake2b(f"{kind}\0{identifier}".encode(), key=_salt()).digest()


def _salt() -> bytes:
    """Return the user's key: `$TUMORSCOPE_SALT`, or what the first call here has drawn."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return hashlib.sha256(chosen.encode()).digest()
    path = Path(user_data_path("tumorscope")) / "salt"
    with explained(path, f"by a secret of yours in the environment variable {VARIABLE}"):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_bytes(secrets.token_bytes(32))
            path.chmod(0o600)
        return path.read_bytes()
