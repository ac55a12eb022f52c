"""Attacks on chains of certificates: who may vouch, forged and odd keys and signatures, two readings of one file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.errors import CertificateRefused
from glasslock.trust import Kind, Verdict
from glasslock.trust.der import elements

from ..trust import pki
from ..trust.pki import DAY, NOW, Issued, tlv
from .test_rsa import forge_2006, forge_berserk

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:The parsed certificate")
GOOD = pki.chain()
BANK = "bank.example"
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_MD5 = bytes.fromhex("300d06092a864886f70d0101040500")
RSA_MD2 = bytes.fromhex("300d06092a864886f70d0101020500")


def refused(sent: Sequence[bytes], host: str = BANK, *anchors: Issued) -> Verdict:
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(*(anchors or (GOOD.root,))).verify(sent, host)
    verdict = caught.value.evidence
    assert isinstance(verdict, Verdict)
    return verdict


def accepted(sent: Sequence[bytes], host: str = BANK, *anchors: Issued) -> None:
    pki.verifier(*(anchors or (GOOD.root,))).verify(sent, host)


# --- who may vouch --------------------------------------------------------------------------------------------------


def test_a_sites_certificate_vouches_for_nobody() -> None:
    """Marlinspike 2002, iOS 2011: a genuine certificate for one's own site, used as an authority."""
    own = pki.mint(pki.leaf("evil.example"), GOOD.intermediate)
    bank = pki.mint(pki.leaf(BANK, number=310), own)
    assert refused([bank.der, own.der, GOOD.intermediate.der]).kind is Kind.INVALID
    accepted([pki.mint(pki.leaf(BANK), GOOD.intermediate).der, GOOD.intermediate.der])


def test_no_other_path_makes_it_one() -> None:
    """CVE-2015-1793: the check was left out where a first path had failed and another was tried."""
    own = pki.mint(pki.leaf("evil.example"), GOOD.intermediate)
    bank = pki.mint(pki.leaf(BANK, number=310), own)
    namesake = pki.mint(pki.root(number=320, subject=own.certificate.subject, usage=pki.key_usage("key_cert_sign")))
    unrelated = pki.mint(pki.intermediate("Unrelated", 330), pki.mint(pki.root("Unrelated root", 340)))
    for others in ((namesake, own), (own, namesake), (unrelated, own, namesake)):
        sent = [bank.der, *(one.der for one in others), GOOD.intermediate.der]
        assert refused(sent).kind in (Kind.INVALID, Kind.BAD_SIGNATURE, Kind.UNKNOWN_ROOT)


@pytest.mark.parametrize("length", [0, 1])
def test_path_lengths_hold(length: int) -> None:
    """An intermediate that may not make further ones makes one."""
    limited = pki.mint(pki.intermediate(path_length=length), GOOD.root)
    second = pki.mint(pki.intermediate("Second", 210), limited)
    third = pki.mint(pki.intermediate("Third", 211), second)
    chains = {0: (limited,), 1: (second, limited), 2: (third, second, limited)}
    for below, issuers in chains.items():
        sent = [pki.mint(pki.leaf(BANK), issuers[0]).der, *(one.der for one in issuers)]
        if below <= length:
            accepted(sent)
        else:
            assert refused(sent).kind is Kind.INVALID


def test_a_key_that_may_not_sign_certificates_does_not() -> None:
    other = pki.mint(pki.intermediate(usage=pki.key_usage("digital_signature", "crl_sign")), GOOD.root)
    assert refused([pki.mint(pki.leaf(BANK), other).der, other.der]).kind is Kind.INVALID


# --- CurveBall ------------------------------------------------------------------------------------------------------

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def explicit_curve(point: bytes, *, prime: int = P256_PRIME, base: bytes | None = None) -> bytes:
    """SubjectPublicKeyInfo of P-256 with its parameters written out, and a base point of the attacker's choice."""
    field = tlv(0x30, bytes.fromhex("06072a8648ce3d0101") + integer(prime))
    curve = tlv(0x30, tlv(4, (prime - 3).to_bytes(32, "big")) + tlv(4, P256_B.to_bytes(32, "big")))
    parameters = tlv(0x30, integer(1) + field + curve + tlv(4, base or point) + integer(P256_ORDER) + integer(1))
    return tlv(0x30, tlv(0x30, bytes.fromhex("06072a8648ce3d0201") + parameters) + tlv(3, b"\0" + point))


def sign_for_own_base(root: Issued) -> pki.Sign:
    """With the root's public key Q as the base point, 1 is the private key: r = Q.x, s = hash + r, no secret needed."""
    numbers = root.certificate.public_key().public_numbers()  # type: ignore[union-attr]
    r = numbers.x % P256_ORDER  # type: ignore[union-attr]

    def sign(_: object, data: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
        s = (digest + r) % P256_ORDER
        # What a verifier computes: (digest/s)Q + (r/s)Q, and that is Q, whose x is r.
        assert (digest + r) * pow(s, -1, P256_ORDER) % P256_ORDER == 1
        return encode_dss_signature(r, s)

    return sign


@pytest.mark.parametrize("sent", [True, False], ids=["the false root is sent", "only the leaf"])
def test_curve_parameters_of_the_attackers_own(sent: bool) -> None:
    """CurveBall (CVE-2020-0601): a root with the trusted root's public key on a curve where its private key is 1."""
    public: ec.EllipticCurvePublicKey = GOOD.root.key.public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    sign = sign_for_own_base(GOOD.root)
    false_root = pki.rebuild_der(
        GOOD.root, None, lambda fields: [*fields[:6], explicit_curve(point), *fields[7:]], sign=sign
    )
    bank = pki.rebuild_der(pki.mint(pki.leaf(BANK), GOOD.root), None, list, sign=sign)
    verdict = refused([bank, false_root] if sent else [bank])
    assert verdict.kind in (Kind.BAD_SIGNATURE, Kind.UNSUPPORTED)


def test_a_leafs_own_curve_is_refused() -> None:
    """Another base point; a prime that is none, with a compressed point (CVE-2022-0778: a loop without end)."""
    public: ec.EllipticCurvePublicKey = pki.key(number=300).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    generator = ec.derive_private_key(1, ec.SECP256R1()).public_key()
    base = generator.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = b"\3" + (697).to_bytes(32, "big")
    bank = pki.mint(pki.leaf(BANK), GOOD.intermediate)

    def with_curve(info: bytes) -> list[bytes]:
        return [with_key(bank, GOOD.intermediate, info), GOOD.intermediate.der]

    for info in (
        explicit_curve(point, base=point),
        explicit_curve(point, prime=697, base=compressed),
        explicit_curve(compressed, prime=P256_PRIME - 2, base=compressed),
    ):
        started = time.perf_counter()
        assert refused(with_curve(info)).kind is Kind.UNSUPPORTED
        assert time.perf_counter() - started < 5
    # Parameters that are those of P-256, base point and all, are P-256; of a CA not even they are taken.
    accepted(with_curve(explicit_curve(point, base=base)))
    key = GOOD.intermediate.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    issuer = with_key(GOOD.intermediate, GOOD.root, explicit_curve(key, base=base))
    assert refused([bank.der, issuer]).kind is Kind.UNSUPPORTED


# --- forged signatures ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def low() -> Issued:
    """A trusted root with exponent 3."""
    return pki.mint(pki.root("Old root", key=rsa.generate_private_key(3, 2048)))


def signed_without_the_key(forge: object, host: str = BANK) -> list[bytes]:
    """Certificates for the bank under the old root, one of which has a digest that can be forged."""
    found = []
    for serial in range(1, 20):
        template = pki.mint(pki.leaf(host, serial=serial), OLD)

        def sign(_: object, data: bytes) -> bytes:
            return forge(data, 256)  # type: ignore[operator, no-any-return]

        if forge is forge_berserk and not odd_digest(template):
            continue
        found.append(pki.rebuild_der(template, None, relabel, outer=RSA_SHA256, sign=sign))
    return found


def relabel(fields: list[bytes]) -> list[bytes]:
    return [*fields[:2], RSA_SHA256, *fields[3:]]


def odd_digest(template: Issued) -> bool:
    data: list[bytes] = []

    def keep(_: object, signed: bytes) -> bytes:
        data.append(signed)
        return b""

    pki.rebuild_der(template, None, relabel, outer=RSA_SHA256, sign=keep)
    return hashlib.sha256(data[0]).digest()[-1] % 2 == 1


OLD = pki.mint(pki.root("Old root", key=pki.key("rsa2048")))


@pytest.mark.parametrize("forge", [forge_2006, forge_berserk])
def test_low_exponent_forgeries_of_certificates(forge: object, low: Issued) -> None:
    """Bleichenbacher 2006, BERserk 2014: no private key is used; a lax parser finds the right digest."""
    accepted([pki.mint(pki.leaf(BANK), low).der], BANK, low)
    forged = signed_without_the_key(forge)
    assert forged
    for one in forged[:3]:
        assert refused([one], BANK, low).kind is Kind.BAD_SIGNATURE


@pytest.mark.parametrize("numbers", [(0, 0), (0, 1), (1, 0), (P256_ORDER, P256_ORDER)])
def test_psychic_signatures_of_certificates(numbers: tuple[int, int]) -> None:
    """CVE-2022-21449."""
    bank = pki.mint(pki.leaf(BANK), GOOD.intermediate)
    forged = pki.rebuild_der(bank, None, list, sign=lambda *_: encode_dss_signature(*numbers))
    assert refused([forged, GOOD.intermediate.der]).kind is Kind.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", [RSA_MD5, RSA_MD2, pki.RSA_SHA1], ids=["MD5", "MD2", "SHA-1"])
def test_no_signature_that_can_have_a_twin(algorithm: bytes) -> None:
    """Rogue CA (2008), Flame (2012), SHAttered (2017): even a genuine one, by the root's own key."""
    made = {RSA_MD5: hashes.MD5(), pki.RSA_SHA1: hashes.SHA1()}.get(algorithm)

    def sign(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        return key.sign(data, padding.PKCS1v15(), made) if made else bytes(256)

    def old(fields: list[bytes]) -> list[bytes]:
        return [*fields[:2], algorithm, *fields[3:]]

    middle = pki.mint(pki.intermediate(), OLD)
    weak_middle = pki.rebuild_der(middle, OLD.key, old, outer=algorithm, sign=sign)
    weak_leaf = pki.rebuild_der(pki.mint(pki.leaf(BANK), OLD), OLD.key, old, outer=algorithm, sign=sign)
    for sent in ([pki.mint(pki.leaf(BANK), middle).der, weak_middle], [weak_leaf]):
        assert refused(sent, BANK, OLD).kind in (Kind.WEAK_SIGNATURE, Kind.UNSUPPORTED)


# --- keys -----------------------------------------------------------------------------------------------------------


def rsa_key(modulus: int, exponent: int) -> bytes:
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return tlv(0x30, algorithm + tlv(3, b"\0" + tlv(0x30, integer(modulus) + integer(exponent))))


def with_key(issued: Issued, signer: Issued, info: bytes) -> bytes:
    return pki.rebuild_der(issued, signer.key, lambda fields: [*fields[:6], info, *fields[7:]])


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_an_rsa_key_for_which_everybody_can_sign(exponent: int) -> None:
    """With exponent 1 a signature is its own message."""
    modulus = pki.key("rsa2048").public_key().public_numbers().n
    odd = with_key(pki.mint(pki.leaf(BANK), GOOD.intermediate), GOOD.intermediate, rsa_key(modulus, exponent))
    assert refused([odd, GOOD.intermediate.der]).kind is Kind.UNSUPPORTED


@pytest.mark.parametrize("bits", [16_384, 32_768, 65_536])
def test_enormous_rsa_keys_cost_little(bits: int) -> None:
    """CVE-2023-29409: thirty issuers of one name, each with a key whose one signature would take seconds."""
    modulus = (3 << (bits - 2)) | int.from_bytes(hashlib.shake_128(b"modulus").digest(bits // 8 - 1), "big") | 1
    sent = [
        pki.rebuild_der(
            pki.mint(pki.leaf(BANK), GOOD.intermediate),
            None,
            relabel,
            outer=RSA_SHA256,
            sign=lambda *_: bytes((1,)) * (bits // 8),
        )
    ]
    for number in range(30):
        info = rsa_key(modulus + 2 * number, modulus - 2)
        sent.append(with_key(GOOD.intermediate, GOOD.root, info))
    started = time.perf_counter()
    assert refused(sent).kind is Kind.BAD_SIGNATURE
    assert time.perf_counter() - started < 5


# --- two readings of one certificate --------------------------------------------------------------------------------


def unused_bits(der: bytes) -> bytes:
    """The signature is a BIT STRING; of its last byte seven bits shall not count."""
    (certificate,) = elements(der)
    signed, algorithm, signature = elements(certificate.content)
    content = b"\7" + signature.content[1:-1] + bytes((signature.content[-1] | 1,))
    return tlv(0x30, signed.raw + algorithm.raw + tlv(3, content))


def twice_readable() -> dict[str, bytes]:
    bank = pki.mint(pki.leaf(BANK), GOOD.intermediate)
    whole = bank.der
    key = GOOD.intermediate.key

    def rebuilt(change: object, **how: object) -> bytes:
        return pki.rebuild_der(bank, key, change, **how)  # type: ignore[arg-type]

    return {
        "another algorithm outside": rebuilt(list, outer=bytes.fromhex("300a06082a8648ce3d040303")),
        "a trailing byte": whole + b"\0",
        "a second certificate behind it": whole + GOOD.leaf.der,
        "indefinite length": b"\x30\x80" + whole[4:] + b"\0\0",
        "a length in a longer form": b"\x30\x83\0" + whole[2:4] + whole[4:],
        "negative serial": rebuilt(lambda fields: [fields[0], b"\2\1\xff", *fields[2:]]),
        "serial of 22 bytes": rebuilt(lambda fields: [fields[0], tlv(2, b"\1" * 22), *fields[2:]]),
        "an unknown version": rebuilt(lambda fields: [bytes.fromhex("a003020107"), *fields[1:]]),
        "version 1 with extensions": rebuilt(lambda fields: fields[1:]),
        "unused bits in the signature": unused_bits(whole),
    }


@pytest.mark.parametrize("name", twice_readable())
def test_what_two_parsers_could_read_differently(name: str) -> None:
    """PKI layer cake (2009), Frankencerts (2014)."""
    refused([twice_readable()[name], GOOD.intermediate.der])
    same = pki.rebuild_der(pki.mint(pki.leaf(BANK), GOOD.intermediate), GOOD.intermediate.key, list)
    accepted([same, GOOD.intermediate.der])  # taken apart and put together again, with nothing changed


def test_an_unknown_critical_extension_is_not_passed_over() -> None:
    for recipes in (("leaf",), ("intermediate",)):
        unknown = ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"), True),)
        middle = pki.mint(pki.intermediate(extra=unknown if "intermediate" in recipes else ()), GOOD.root)
        bank = pki.mint(pki.leaf(BANK, extra=unknown if "leaf" in recipes else ()), middle)
        assert refused([bank.der, middle.der]).kind is Kind.INVALID


# --- expired roots --------------------------------------------------------------------------------------------------


def test_a_path_to_an_expired_root_does_not_hide_the_good_one() -> None:
    """AddTrust (2020), DST X3 (2021): the server sends a cross-certificate that leads to a root that has expired."""
    dead = pki.mint(pki.root("Dead root", 350, not_after=NOW - DAY))
    cross = pki.mint(pki.root(), dead)
    bank = pki.mint(pki.leaf(BANK), GOOD.intermediate)
    for anchors in ((dead, GOOD.root), (GOOD.root, dead)):
        for others in ((GOOD.intermediate, cross), (cross, GOOD.intermediate)):
            accepted([bank.der, *(one.der for one in others)], BANK, *anchors)
    assert refused([bank.der, GOOD.intermediate.der, cross.der], BANK, dead).kind is Kind.EXPIRED
