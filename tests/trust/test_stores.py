"""Trust stores: what is read, what is skipped and said, which list decided."""

from __future__ import annotations

import hashlib
import plistlib
import threading
from collections.abc import Sequence
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from glasslock.errors import ConfigurationError
from glasslock.trust import TrustStore, stores
from glasslock.trust.macos import ADMIN_ROOTS, SYSTEM_ROOTS, macos_roots
from glasslock.trust.stores import Anchors, public_roots, read_bundle
from glasslock.trust.system import system_source
from glasslock.trust.windows import SERVER_AUTH, windows_roots

from . import pki

A = pki.mint(pki.root("A", 150))
B = pki.mint(pki.root("B", 151))
C = pki.mint(pki.root("C", 152))
GARBAGE = b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"
NOT_BASE64 = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = A.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def titles(store: TrustStore | Anchors) -> list[str]:
    return [certificate.subject.rfc4514_string() for certificate in store.certificates]


class TestBundles:
    """PEM as it is found in the wild."""

    def test_text_and_other_blocks_between(self) -> None:
        anchors = read_bundle(b"# A\n" + A.pem + PRIVATE_KEY + b"\nfoo: bar\n" + B.pem.replace(b"\n", b"\r\n"))
        assert titles(anchors) == ["CN=A", "CN=B"]
        assert (anchors.skipped, anchors.problems) == (0, ())

    def test_openssls_old_label(self) -> None:
        assert titles(
            read_bundle(A.pem.replace(b"BEGIN CERT", b"BEGIN X509 CERT").replace(b"END CERT", b"END X509 CERT"))
        )

    def test_what_cannot_be_read_is_counted_and_skipped(self) -> None:
        anchors = read_bundle(A.pem + GARBAGE + NOT_BASE64 + B.pem)
        assert titles(anchors) == ["CN=A", "CN=B"]
        assert anchors.skipped == 2
        assert anchors.problems[0].startswith("block 3: ")
        assert "not a readable certificate" in anchors.problems[1]

    def test_only_the_first_problems_are_kept_but_all_are_counted(self) -> None:
        anchors = read_bundle(GARBAGE * 50)
        assert anchors.skipped == 50
        assert len(anchors.problems) == 20

    def test_copies_count_once(self) -> None:
        assert titles(read_bundle(A.pem + A.pem)) == ["CN=A"]

    def test_der(self) -> None:
        assert titles(read_bundle(A.der)) == ["CN=A"]

    @pytest.mark.parametrize("data", [b"", b"hello", b"-----BEGIN CERTIFICATE-----", PRIVATE_KEY])
    def test_nothing_there(self, data: bytes) -> None:
        assert read_bundle(data) == Anchors()


class TestFiles:
    """`--ca FILE` and `--ca-dir DIRECTORY`."""

    def test_file(self, tmp_path: Path) -> None:
        file = tmp_path / "roots.pem"
        file.write_bytes(A.pem + B.pem + GARBAGE)
        store = TrustStore.from_pem_file(file)
        assert titles(store) == ["CN=A", "CN=B"]
        assert store.name == f"the file {file}"
        assert store.skipped == 1
        assert store.problems[0].startswith("roots.pem: ")
        assert len(store) == 2
        assert A.certificate in store
        assert C.certificate not in store
        assert str(file) in repr(store)

    def test_file_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"there is no file .*absent"):
            TrustStore.from_pem_file(tmp_path / "absent")

    def test_file_holds_no_certificate(self, tmp_path: Path) -> None:
        (tmp_path / "key.pem").write_bytes(PRIVATE_KEY)
        with pytest.raises(ConfigurationError, match=r"no certificate to trust in the file .*BEGIN CERTIFICATE"):
            TrustStore.from_pem_file(tmp_path / "key.pem")

    def test_file_holds_only_garbage_says_why(self, tmp_path: Path) -> None:
        (tmp_path / "bad.pem").write_bytes(GARBAGE)
        with pytest.raises(ConfigurationError, match=r"bad\.pem: this is not a readable certificate"):
            TrustStore.from_pem_file(tmp_path / "bad.pem")

    def test_file_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "secret.pem").write_bytes(A.pem)

        def refuse(_path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(ConfigurationError, match="Permission denied"):
            TrustStore.from_pem_file(tmp_path / "secret.pem")

    def test_file_is_huge(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "MOST_FILE_BYTES", 10)
        (tmp_path / "huge.pem").write_bytes(A.pem)
        with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
            TrustStore.from_pem_file(tmp_path / "huge.pem")

    def test_directory(self, tmp_path: Path) -> None:
        (tmp_path / "b.pem").write_bytes(B.pem)
        (tmp_path / "a.crt").write_bytes(A.der)
        (tmp_path / "README").write_text("not a certificate")
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / "c.pem").write_bytes(C.pem)
        store = TrustStore.from_directory(tmp_path)
        assert titles(store) == ["CN=A", "CN=B"]
        assert store.name == f"the directory {tmp_path}"

    def test_directory_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="there is no directory"):
            TrustStore.from_directory(tmp_path / "absent")

    def test_directory_is_empty(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="none of its files holds a certificate"):
            TrustStore.from_directory(tmp_path)


class TestOthers:
    """Certificates in memory, merged lists, certifi."""

    def test_bytes(self) -> None:
        assert titles(TrustStore.from_certificates([A.der, B.pem + C.pem], "mine")) == ["CN=A", "CN=B", "CN=C"]

    @pytest.mark.parametrize("data", [b"", b"\x30\x00", GARBAGE, PRIVATE_KEY])
    def test_bytes_that_are_no_certificate(self, data: bytes) -> None:
        with pytest.raises(ConfigurationError, match="not a certificate to trust"):
            TrustStore.from_certificates([A.der, data])

    def test_merged_knows_which_list_decided(self) -> None:
        one = TrustStore.from_certificates([A.der, B.der], "one")
        two = TrustStore.from_certificates([B.der, C.der], "two")
        merged = TrustStore.merged(one, two)
        assert titles(merged) == ["CN=A", "CN=B", "CN=C"]
        assert merged.name == "one and two"
        assert [merged.name_for(each.certificate) for each in (A, B, C)] == ["one", "one", "two"]
        assert merged.name_for(pki.mint(pki.root("D")).certificate) == "one and two"
        assert one.name_for(A.certificate) == "one"

    def test_merged_adds_up_what_was_skipped(self) -> None:
        bad = TrustStore("bad", lambda: read_bundle(GARBAGE + A.pem))
        merged = TrustStore.merged(bad, bad)
        assert (merged.skipped, len(merged.problems), len(merged)) == (2, 2, 1)

    def test_certifi(self) -> None:
        store = TrustStore.certifi()
        assert store.name == "certifi (Mozilla's list)"
        assert len(store) > 100
        assert store.skipped == 0
        assert all(store.is_public(root) for root in store.certificates)

    def test_certifi_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "_certifi_path", lambda: None)
        with pytest.raises(ConfigurationError, match="pip install certifi"):
            TrustStore.certifi()

    def test_certifi_is_really_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_name: str) -> None:
            raise ImportError

        monkeypatch.setattr(stores.importlib, "import_module", refuse)
        assert stores._certifi_path() is None

    def test_read_once_and_only_when_needed(self) -> None:
        calls: list[int] = []
        started = threading.Barrier(4)

        def read() -> Anchors:
            calls.append(1)
            return Anchors((A.certificate,))

        store = TrustStore("counted", read)
        assert calls == []

        def ask() -> None:
            started.wait()
            assert len(store) == 1

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert calls == [1]
        assert store.pyca_store is store.pyca_store

    def test_an_empty_store_is_not_an_error(self) -> None:
        store = TrustStore("none", Anchors)
        assert (len(store), store.pyca_store, store.by_subject) == (0, None, {})


class TestPublic:
    """Which roots are known to belong to public CAs."""

    @pytest.fixture(autouse=True)
    def _forget(self) -> object:
        public_roots.cache_clear()
        yield
        public_roots.cache_clear()

    def test_by_certifi(self) -> None:
        assert len(public_roots()) > 100

    def test_by_debians_copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.crt").write_bytes(A.pem)
        monkeypatch.setattr(stores, "_certifi_path", lambda: None)
        monkeypatch.setattr(stores, "DEBIAN_PUBLIC", tmp_path)
        assert public_roots() == {A.certificate}

    def test_unknown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "_certifi_path", lambda: None)
        monkeypatch.setattr(stores, "DEBIAN_PUBLIC", tmp_path / "absent")
        assert public_roots() == frozenset()


class TestSystem:
    """The operating system's own list."""

    def test_the_first_bundle_that_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "etc/ssl").mkdir(parents=True)
        public = Path(certifi.where()).read_bytes()
        (tmp_path / "etc/ssl/cert.pem").write_bytes(public + A.pem)
        source = system_source("linux", {}, tmp_path)
        assert source.where == "/etc/ssl/cert.pem"
        anchors = source.read()
        assert A.certificate in anchors.certificates
        assert A.certificate not in anchors.public
        assert len(anchors.public) == len(anchors.certificates) - 1 > 100

    def test_a_directory_if_there_is_no_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "etc/ssl/certs").mkdir(parents=True)
        (tmp_path / "etc/ssl/certs/a.pem").write_bytes(A.pem)
        source = system_source("linux", {}, tmp_path)
        assert source.where == "/etc/ssl/certs"
        assert titles(source.read()) == ["CN=A"]

    def test_none(self, tmp_path: Path) -> None:
        source = system_source("linux", {}, tmp_path)
        assert "ca-certificates" in source.where
        assert source.read() == Anchors()

    def test_the_environment_overrules(self, tmp_path: Path) -> None:
        (tmp_path / "a.pem").write_bytes(A.pem)
        (tmp_path / "roots").mkdir()
        (tmp_path / "roots/b.pem").write_bytes(B.pem)
        file, folder = str(tmp_path / "a.pem"), str(tmp_path / "roots")
        source = system_source("linux", {"SSL_CERT_FILE": file, "SSL_CERT_DIR": f"{folder}:/absent"}, tmp_path)
        assert source.where == f"SSL_CERT_FILE={file} and SSL_CERT_DIR={folder}:/absent"
        assert titles(source.read()) == ["CN=A", "CN=B"]
        assert titles(system_source("darwin", {"SSL_CERT_DIR": folder}).read()) == ["CN=B"]
        assert system_source("linux", {"SSL_CERT_FILE": "/absent"}).read().skipped == 1

    def test_this_machine(self) -> None:
        store = TrustStore.system()
        assert store.name.startswith("the operating system's (")
        assert len(store) >= 0

    def test_other_platforms(self) -> None:
        assert system_source("darwin", {}).where == "macOS keychains"
        assert system_source("win32", {}).where == "Windows ROOT store"


class Keychains:
    """Stands in for macOS's `security`."""

    def __init__(self, settings: object, *, fails: str = "") -> None:
        self.settings = settings
        self.fails = fails

    def __call__(self, command: Sequence[str]) -> bytes:
        if command[1] == self.fails:
            raise OSError("no such program")
        if command[1] == "trust-settings-export":
            if self.settings is not None:
                Path(command[-1]).write_bytes(plistlib.dumps(self.settings))
            return b""
        return {SYSTEM_ROOTS: A.pem, ADMIN_ROOTS: B.pem + C.pem + GARBAGE}[command[-1]]


def fingerprint(issued: pki.Issued) -> str:
    return hashlib.sha1(issued.der, usedforsecurity=False).hexdigest().upper()


class TestMacos:
    """Apple's roots, and of the administrator's only what is trusted as a root."""

    @pytest.mark.parametrize(
        ("entry", "trusted"),
        [
            ({}, True),
            ({"trustSettings": []}, True),
            ({"trustSettings": [{"kSecTrustSettingsResult": 1}]}, True),
            ({"trustSettings": [{"kSecTrustSettingsResult": 2}, {"kSecTrustSettingsPolicyName": "sslServer"}]}, True),
            ({"trustSettings": [{"kSecTrustSettingsResult": 3}]}, False),
            ({"trustSettings": [{"kSecTrustSettingsResult": 1}, {"kSecTrustSettingsResult": 3}]}, False),
            ({"trustSettings": [{"kSecTrustSettingsResult": 4}]}, False),
        ],
    )
    def test_settings(self, entry: object, trusted: bool) -> None:
        anchors = macos_roots(Keychains({"trustList": {fingerprint(B): entry}}))
        assert titles(anchors) == (["CN=A", "CN=B"] if trusted else ["CN=A"])
        assert anchors.public == {A.certificate}
        assert anchors.skipped == 1

    @pytest.mark.parametrize("settings", [None, {}])
    def test_no_settings(self, settings: object) -> None:
        assert titles(macos_roots(Keychains(settings))) == ["CN=A"]

    def test_settings_cannot_be_exported(self) -> None:
        assert titles(macos_roots(Keychains({}, fails="trust-settings-export"))) == ["CN=A"]

    def test_no_such_program(self) -> None:
        anchors = macos_roots(Keychains({}, fails="find-certificate"))
        assert anchors.certificates == ()
        assert anchors.problems == ("/usr/bin/security cannot be asked: no such program",)

    def test_asked_for_real_elsewhere_it_is_not_there(self) -> None:
        assert macos_roots().skipped <= 1


class TestWindows:
    """The ROOT store, by way of `ssl`."""

    def test_what_is_trusted_for_servers(self) -> None:
        entries = [
            (A.der, "x509_asn", True),
            (B.der, "x509_asn", {SERVER_AUTH}),
            (C.der, "x509_asn", {"1.3.6.1.5.5.7.3.4"}),
            (C.der, "pkcs_7_asn", True),
            (b"\x30\x00", "x509_asn", True),
        ]
        asked: list[str] = []

        def enumerate_certificates(name: str) -> list[tuple[bytes, str, object]]:
            asked.append(name)
            return entries  # type: ignore[return-value]

        anchors = windows_roots(enumerate_certificates)
        assert asked == ["ROOT"]
        assert titles(anchors) == ["CN=A", "CN=B"]
        assert anchors.skipped == 1

    def test_refused(self) -> None:
        def refuse(_name: str) -> list[tuple[bytes, str, object]]:
            raise PermissionError("no")

        assert windows_roots(refuse).problems == ("Windows refuses to list its certificates: no",)

    def test_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr("ssl.enum_certificates", raising=False)
        assert windows_roots().problems == ("this Python cannot ask Windows for its certificates",)
