//! Authorities, and the certificates that they issue, as files.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// An authority with a folder for what it issues, which lives as long.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Of whom, and for when a certificate is. Valid from yesterday to tomorrow, for clients and servers.
#[derive(Clone, Debug)]
pub struct Holder {
    common_name: String,
    hosts: Vec<String>,
    serial: u64,
    /// In days from now.
    validity: (i64, i64),
    usages: Vec<ExtendedKeyUsagePurpose>,
    is_authority: bool,
}

impl Holder {
    /// With names and addresses.
    pub fn new(common_name: &str, hosts: &[&str]) -> Holder {
        Holder {
            common_name: common_name.to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            serial: rand::random(),
            validity: (-1, 1),
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
            is_authority: false,
        }
    }

    /// By which it can be revoked.
    pub fn serial(mut self, serial: u64) -> Holder {
        self.serial = serial;
        self
    }

    /// Between these days from now.
    pub fn valid(mut self, from: i64, to: i64) -> Holder {
        self.validity = (from, to);
        self
    }

    /// Not for clients.
    pub fn server_only(mut self) -> Holder {
        self.usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }

    /// Not for servers.
    pub fn client_only(mut self) -> Holder {
        self.usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    /// As if it were to issue others itself.
    pub fn authority(mut self) -> Holder {
        self.is_authority = true;
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.hosts.clone()).expect("names and addresses");
        params.distinguished_name.push(DnType::CommonName, self.common_name.as_str());
        params.serial_number = Some(SerialNumber::from(self.serial));
        params.not_before = OffsetDateTime::now_utc() + Duration::days(self.validity.0);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(self.validity.1);
        params.extended_key_usages.clone_from(&self.usages);
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }
}

impl Authority {
    /// A new one, with its certificate in `ca.pem` of its folder.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let dir = tempfile::Builder::new().prefix("keyport-ca-").tempdir().expect("a temporary folder");
        let authority = Authority { issuer, dir };
        fs::write(authority.file(), authority.issuer.pem()).expect("a file can be written");
        authority
    }

    /// Where its own certificate is.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for somebody, in files of that name; those that are there are replaced, each by one rename.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn issue(&self, name: &str, holder: &Holder) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = holder.params().signed_by(&key, &self.issuer).expect("a certificate");
        self.write(name, &certificate.pem(), &key)
    }

    /// A certificate that nobody but its holder vouches for.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn self_signed(&self, name: &str, holder: &Holder) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = holder.params().self_signed(&key).expect("a certificate");
        self.write(name, &certificate.pem(), &key)
    }

    /// A list of serial numbers that are not good any more, in `crl.der`.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn revoke(&self, serials: &[u64]) -> PathBuf {
        let now = OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::days(1),
            crl_number: SerialNumber::from(u64::from(rand::random::<u32>())),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("a list");
        self.replace("crl.der", list.der().as_ref())
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> Pair {
        let cert = self.replace(&format!("{name}.pem"), certificate.as_bytes());
        let key = self.replace(&format!("{name}.key"), key.serialize_pem().as_bytes());
        Pair { cert, key }
    }

    fn replace(&self, name: &str, content: &[u8]) -> PathBuf {
        let (path, new) = (self.dir.path().join(name), self.dir.path().join(format!("{name}.new")));
        fs::write(&new, content).expect("a file can be written");
        fs::rename(&new, &path).expect("a file can be renamed");
        path
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

impl Pair {
    /// As flags: `--cert-file=.. --key-file=..`, with a prefix such as `peer-`.
    pub fn flags(&self, prefix: &str) -> Vec<String> {
        let Pair { cert, key } = self;
        vec![format!("--{prefix}cert-file={}", cert.display()), format!("--{prefix}key-file={}", key.display())]
    }
}

/// `--flag=path`.
pub fn file_flag(flag: &str, path: &Path) -> String {
    format!("--{flag}={}", path.display())
}
