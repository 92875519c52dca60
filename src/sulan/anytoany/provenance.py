"""C2PA marks: a generated file says, signed, that a model made it.

Not covered: a certificate of a trusted authority, which nobody can make at run time (a reader finds the signature
valid and its signer unknown), and marks in the pixels or samples, which would survive a re-encoding.
"""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sulan import __version__

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for what a trained model made; C2PA specification 2.2, section on actions, requires it."""

DAYS = 30
"""A certificate made at run time is valid for so long; a server is restarted sooner."""


class Marker:
    """Signs files with a key that lives as long as this object."""

    def __init__(self) -> None:
        key, chain = _certificates()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        information = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=private, ta_url=None)
        # A thumbnail is 32 kB beside a small picture of 70 bytes.
        self._context = c2pa.Context(
            settings=c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}),
            signer=c2pa.Signer.from_info(information),
        )

    def mark(self, body: bytes, *, type: str) -> bytes:
        """Return the file with its mark.

        Parameters
        ----------
        body
            PNG, WAV or MP4.
        type
            `image/png`, `audio/wav` or `video/mp4`.
        """
        action = {"action": "c2pa.created", "digitalSourceType": SOURCE}
        manifest = {
            "claim_generator_info": [{"name": "Sulan", "version": __version__}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }
        marked = io.BytesIO()
        with c2pa.Builder(json.dumps(manifest), self._context) as builder:
            builder.sign(type, io.BytesIO(body), marked)
        return marked.getvalue()


def read(body: bytes, *, type: str) -> dict[str, Any] | None:
    """Return what a file's mark says: `state` (`Valid`, `Invalid`), `actions`; None where it has no mark."""
    reader = c2pa.Reader.try_create(type, io.BytesIO(body))
    if reader is None:
        return None
    with reader:
        said = json.loads(reader.json())
    manifest = said["manifests"][said["active_manifest"]]
    actions = [
        action
        for assertion in manifest["assertions"]
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    return {"state": said["validation_state"], "actions": actions}


def _certificates() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Return a key and its chain in PEM; C2PA refuses a certificate that signs itself, so a second one signs it."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signed = _certificate("Sulan", key=leaf, by=root, authority=False)
    return leaf, signed + _certificate("Sulan at run time", key=root, by=root, authority=True)


def _certificate(
    name: str, *, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, authority: bool
) -> bytes:
    def called(common: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sulan")
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), organisation])

    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called("Sulan at run time"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )
    if not authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
