"""The authority itself: made once, opened ever after, and issuing what its profiles say."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

from glasslock.authority import KEY_TYPES, Authority, IssuedCertificate, Services
from glasslock.authority.keys import key_identifier
from glasslock.authority.profiles import DOMAIN_VALIDATED
from glasslock.errors import ConfigurationError


def _contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


# --- making and opening ---------------------------------------------------------------------------


def test_the_second_time_nothing_changes(place: Path) -> None:
    first = Authority.open_or_create(place)
    contents = _contents(place)
    second = Authority.open_or_create(place)
    assert _contents(place) == contents
    assert (second.root, second.intermediate) == (first.root, first.intermediate)
    assert first.root_path == place / "root.pem"
    assert first.root_pem == contents["root.pem"]
    opened = Authority.open(str(place))
    assert opened.root == first.root
    opened.issue("localhost").certificate.verify_directly_issued_by(first.intermediate)


def test_open_makes_nothing(place: Path) -> None:
    with pytest.raises(ConfigurationError, match="glasslock ca init"):
        Authority.open(place)
    assert not place.exists()


def test_two_authorities_have_nothing_in_common() -> None:
    one, other = Authority.ephemeral(), Authority.ephemeral()
    assert one.root.subject != other.root.subject
    assert one.intermediate.subject != other.intermediate.subject
    assert one.root.public_key() != other.root.public_key()
    assert one.name != other.name


@pytest.mark.parametrize("missing", [("root.pem",), ("intermediate.pem",), ("intermediate.key", "intermediate.pem")])
def test_an_interrupted_making_is_completed_with_the_keys_that_are_there(place: Path, missing: tuple[str, ...]) -> None:
    Authority.open_or_create(place)
    keys = {name: data for name, data in _contents(place).items() if name.endswith(".key") and name not in missing}
    doomed = {"root.pem": ("root.pem", "intermediate.pem")}.get(missing[0], missing)
    for name in doomed:
        (place / name).unlink()
    authority = Authority.open_or_create(place)
    assert {name: _contents(place)[name] for name in keys} == keys
    authority.issue("localhost").certificate.verify_directly_issued_by(authority.intermediate)
    authority.intermediate.verify_directly_issued_by(authority.root)


def test_every_point_at_which_the_making_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the n-th naming of a file, for each n: the next run completes what was begun."""
    real = os.link

    class Interrupted(Exception):
        pass

    for fatal in range(5):
        place = tmp_path / str(fatal)
        count = iter(range(100))

        def link(source: object, target: object, count: object = count, fatal: int = fatal) -> None:
            if next(count) == fatal:  # type: ignore[call-overload]
                raise Interrupted
            real(source, target)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "link", link)
        with pytest.raises(Interrupted):
            Authority.open_or_create(place)
        before = _contents(place)
        assert len(before) == fatal
        monkeypatch.setattr(os, "link", real)
        authority = Authority.open_or_create(place)
        assert {name: _contents(place)[name] for name in before} == before
        authority.issue("localhost")


def test_the_root_key_may_be_kept_elsewhere(place: Path) -> None:
    authority = Authority.open_or_create(place)
    (place / "root.key").unlink()
    again = Authority.open_or_create(place)
    assert again.root == authority.root
    assert not (place / "root.key").exists()
    again.issue("localhost")
    (place / "intermediate.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"cannot read the private key .*root\.key"):
        Authority.open_or_create(place)


def test_a_missing_intermediate_key_is_not_replaced(place: Path) -> None:
    Authority.open_or_create(place)
    (place / "intermediate.key").unlink()
    for again in (Authority.open, Authority.open_or_create):
        with pytest.raises(ConfigurationError, match=r"cannot read the private key .*intermediate\.key"):
            again(place)
    assert not (place / "intermediate.key").exists()


@pytest.mark.parametrize(
    ("swapped", "message"),
    [
        (("intermediate.key",), r"intermediate\.key is not the key of intermediate\.pem"),
        (("root.pem",), r"intermediate\.pem was not issued by .*root\.pem"),
        (("intermediate.key", "intermediate.pem"), r"intermediate\.pem was not issued by .*root\.pem"),
    ],
)
def test_files_of_two_authorities_do_not_mix(tmp_path: Path, swapped: tuple[str, ...], message: str) -> None:
    Authority.open_or_create(tmp_path / "one")
    Authority.open_or_create(tmp_path / "other")
    for name in swapped:
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    for again in (Authority.open, Authority.open_or_create):
        with pytest.raises(ConfigurationError, match=message):
            again(tmp_path / "one")


def test_another_roots_key_signs_no_intermediate(tmp_path: Path) -> None:
    Authority.open_or_create(tmp_path / "one")
    Authority.open_or_create(tmp_path / "other")
    (tmp_path / "one" / "root.key").write_bytes((tmp_path / "other" / "root.key").read_bytes())
    (tmp_path / "one" / "intermediate.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"root\.key is not the key of root\.pem"):
        Authority.open_or_create(tmp_path / "one")


@pytest.mark.parametrize("name", ["root.pem", "intermediate.pem", "intermediate.key"])
@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_garbage_is_named(place: Path, name: str, content: bytes) -> None:
    Authority.open_or_create(place)
    (place / name).write_bytes(content)
    for again in (Authority.open, Authority.open_or_create):
        with pytest.raises(ConfigurationError, match=name.replace(".", r"\.")):
            again(place)
    assert (place / name).read_bytes() == content


def test_a_key_of_the_wrong_kind_or_with_a_password(place: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        NoEncryption,
        PrivateFormat,
    )

    Authority.open_or_create(place)
    key = x25519.X25519PrivateKey.generate()
    (place / "intermediate.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="cannot sign certificates"):
        Authority.open(place)
    (place / "intermediate.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    with pytest.raises(ConfigurationError, match="encrypted with a password"):
        Authority.open(place)


def test_ephemeral_touches_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSLOCK_CA", str(tmp_path / "ca"))
    monkeypatch.chdir(tmp_path)
    authority = Authority.ephemeral()
    authority.issue("localhost")
    assert authority.root_path is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_every_kind_of_authority_key(key_type: str) -> None:
    authority = Authority.ephemeral(key_type=key_type)
    authority.intermediate.verify_directly_issued_by(authority.root)
    authority.issue("localhost").certificate.verify_directly_issued_by(authority.intermediate)


# --- constraints ----------------------------------------------------------------------------------


def test_names_outside_the_constraints_are_refused(shared_authority: Authority) -> None:
    before = shared_authority.history()
    with pytest.raises(
        ConfigurationError, match=r"may not vouch for \*\.example\.com, 8\.8\.8\.8: .* permits example\.com"
    ):
        shared_authority.issue(["localhost", "*.example.com", "8.8.8.8"])
    assert shared_authority.history() == before


def test_an_unconstrained_root_only_by_the_dangerous_flag(place: Path) -> None:
    authority = Authority.open_or_create(place, dangerous_unconstrained=True)
    assert authority.constraints is None
    authority.issue(["example.com", "8.8.8.8"])
    assert Authority.open_or_create(place).constraints is None  # it is what it is
    assert Authority.open_or_create(place, also_permit=["example.org"]).constraints is None
    with pytest.raises(ConfigurationError, match="nothing to permit besides"):
        Authority.ephemeral(dangerous_unconstrained=True, also_permit=["example.org"])


def test_constraints_cannot_be_widened_later(place: Path) -> None:
    Authority.open_or_create(place, also_permit=["example.org"])
    Authority.open_or_create(place)
    Authority.open_or_create(place, also_permit=["www.example.org", "10.1.0.0/16"])  # covered already
    for options in ({"also_permit": ["example.com"]}, {"dangerous_unconstrained": True}):
        with pytest.raises(ConfigurationError, match="exists already and may vouch for nothing but localhost"):
            Authority.open_or_create(place, **options)  # type: ignore[arg-type]


# --- what stands in the certificates ----------------------------------------------------------------


def _oids(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return {one.oid for one in certificate.extensions}


def _critical(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return {one.oid for one in certificate.extensions if one.critical}


def test_the_root(shared_authority: Authority) -> None:
    root = shared_authority.root
    assert root.version is x509.Version.v3
    assert root.subject == root.issuer
    assert _oids(root) == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.NAME_CONSTRAINTS,
    }
    assert _critical(root) == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
    }
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, None)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    ski = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    aki = root.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert ski == aki == key_identifier(root.public_key())  # type: ignore[arg-type]
    assert (root.not_valid_after_utc - root.not_valid_before_utc).days == 3650


def test_the_intermediate(shared_authority: Authority) -> None:
    root, intermediate = shared_authority.root, shared_authority.intermediate
    intermediate.verify_directly_issued_by(root)
    assert _oids(intermediate) == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.NAME_CONSTRAINTS,
    }
    constraints = intermediate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    aki = intermediate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert aki == root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def test_a_server_certificate(shared_authority: Authority) -> None:
    issued = shared_authority.issue(["localhost", "*.app.test", "127.0.0.1", "::1"])
    certificate = issued.certificate
    assert issued.names == ("localhost", "*.app.test", "127.0.0.1", "::1")
    assert certificate.version is x509.Version.v3
    assert len(certificate.subject.rdns) == 0
    assert certificate.issuer == shared_authority.intermediate.subject
    assert certificate.public_key() == issued.private_key.public_key()
    assert _oids(certificate) == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
    assert _critical(certificate) == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,  # because the subject is empty
    }
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "*.app.test", "127.0.0.1", "::1"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    (policy,) = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert policy.policy_identifier == DOMAIN_VALIDATED
    key_usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (key_usage.digital_signature, key_usage.key_cert_sign) == (True, False)
    aki = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ski = shared_authority.intermediate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert aki == ski


def test_a_client_certificate(shared_authority: Authority) -> None:
    issued = shared_authority.issue_client("Ann Example", email="ann@example.com")
    certificate = issued.certificate
    assert issued.names == ("Ann Example", "ann@example.com")
    assert certificate.subject.rfc4514_string() == "CN=Ann Example"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.RFC822Name) == ["ann@example.com"]
    assert not names.critical
    plain = shared_authority.issue_client("robot-7").certificate
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in _oids(plain)


@pytest.mark.parametrize("name", ["", "x" * 65, "line\nbreak", "nul\x00"])
def test_what_no_client_is_called(shared_authority: Authority, name: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 64 printable"):
        shared_authority.issue_client(name)


@pytest.mark.parametrize("email", ["ann", "@example.com", "ann@", "a b@example.com", "ann@exa mple", "a@b@c", "ü@b.c"])
def test_what_is_no_address(shared_authority: Authority, email: str) -> None:
    with pytest.raises(ConfigurationError, match="not an e-mail address"):
        shared_authority.issue_client("Ann", email=email)


def test_a_client_that_is_called_like_a_host(shared_authority: Authority) -> None:
    shared_authority.issue_client("worker.internal")
    with pytest.raises(ConfigurationError, match=r"may not vouch for worker\.example\.com"):
        shared_authority.issue_client("worker.example.com")


def test_serials_are_random_positive_and_short_enough(shared_authority: Authority) -> None:
    serials = {shared_authority.issue("localhost").certificate.serial_number for _ in range(50)}
    assert len(serials) == 50
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials) > 2**150  # far more than 64 bits are used


@pytest.mark.parametrize(
    ("key_type", "kind", "size"),
    [
        ("ecdsa-p256", ec.EllipticCurvePrivateKey, 256),
        ("ecdsa-p384", ec.EllipticCurvePrivateKey, 384),
        ("rsa-2048", rsa.RSAPrivateKey, 2048),
        ("rsa-3072", rsa.RSAPrivateKey, 3072),
        ("ed25519", ed25519.Ed25519PrivateKey, None),
    ],
)
def test_key_types(shared_authority: Authority, key_type: str, kind: type, size: int | None) -> None:
    key = shared_authority.issue("localhost", key_type=key_type).private_key
    assert isinstance(key, kind)
    assert getattr(key, "key_size", None) == size


def test_an_unknown_key_type(shared_authority: Authority) -> None:
    with pytest.raises(ConfigurationError, match="choose one of ecdsa-p256"):
        shared_authority.issue("localhost", key_type="dsa-1024")


def test_urls_only_where_something_is_served() -> None:
    services = Services(
        issuer_url="http://ca.test/i.der", ocsp_url="http://ca.test/ocsp", crl_url="http://ca.test/i.crl"
    )
    root_services = Services(crl_url="http://ca.test/root.crl")
    authority = Authority.ephemeral(services=services, root_services=root_services)
    certificate = authority.issue("localhost").certificate
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert {one.access_method: one.access_location.value for one in access} == {
        AuthorityInformationAccessOID.OCSP: "http://ca.test/ocsp",
        AuthorityInformationAccessOID.CA_ISSUERS: "http://ca.test/i.der",
    }
    for one, url in (
        (certificate, "http://ca.test/i.crl"),
        (authority.intermediate, "http://ca.test/root.crl"),
    ):
        (point,) = one.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        assert point.full_name == [x509.UniformResourceIdentifier(url)]
    assert ExtensionOID.AUTHORITY_INFORMATION_ACCESS not in _oids(authority.intermediate)


# --- what is handed over ------------------------------------------------------------------------------


def test_the_chain_is_leaf_first_and_without_the_root(shared_authority: Authority) -> None:
    issued = shared_authority.issue("localhost")
    chain = [issued.certificate, shared_authority.intermediate]
    assert x509.load_pem_x509_certificates(issued.chain_pem) == chain
    assert list(issued.chain_der) == [one.public_bytes(Encoding.DER) for one in chain]
    key = load_pem_private_key(issued.private_key_pem, None)
    assert key.public_key() == issued.certificate.public_key()


def test_no_key_in_the_words_of_an_object(shared_authority: Authority) -> None:
    issued = shared_authority.issue("localhost")
    secret = issued.private_key_pem.decode().splitlines()[1]
    assert secret not in repr(issued)
    assert dataclasses.is_dataclass(IssuedCertificate)


@pytest.mark.parametrize(
    ("name", "stem"), [("localhost", "localhost"), ("*.app.test", "_wildcard.app.test"), ("::1", "--1")]
)
def test_file_stems(shared_authority: Authority, name: str, stem: str) -> None:
    assert shared_authority.issue(name).file_stem == stem
    assert shared_authority.issue_client("../a:b c").file_stem == ".._a-b c"


def test_writing_never_overwrites(shared_authority: Authority, tmp_path: Path) -> None:
    issued = shared_authority.issue("localhost")
    chain, key = tmp_path / "localhost.pem", tmp_path / "localhost.key"
    issued.write(chain, key)
    assert (chain.read_bytes(), key.read_bytes()) == (issued.chain_pem, issued.private_key_pem)
    other = shared_authority.issue("localhost")
    for there in (chain, key):
        gone = key if there is chain else chain
        kept, data = gone.read_bytes(), there.read_bytes()
        gone.unlink()
        with pytest.raises(ConfigurationError, match=f"{there} exists already"):
            other.write(chain, key)
        assert there.read_bytes() == data
        assert not gone.exists()
        gone.write_bytes(kept)
    with pytest.raises(ConfigurationError, match="cannot write"):
        other.write(tmp_path / "nowhere" / "chain.pem", tmp_path / "free.key")
    assert not (tmp_path / "free.key").exists()
