"""Certificates for tests, valid for as long as one likes."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Issues certificates for 127.0.0.1 and site.example."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = datetime.datetime.now(datetime.UTC)

    def issue(
        self, *, days: tuple[int, int] = (-1, 30), names: tuple[str, ...] = ("site.example",)
    ) -> tuple[Path, Path]:
        """Return a certificate file and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Site")])
        begins, ends = (self._now + datetime.timedelta(days=each) for each in days)
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        certificate, secret = self._folder / "cert.pem", self._folder / "key.pem"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, secret
