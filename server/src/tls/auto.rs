//! A certificate that the server makes for itself: encryption without anybody who vouches for anyone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P521_SHA512, SanType, SerialNumber,
};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::error::TlsError;
use crate::config::{AutoTls, KeyPairFiles};

/// Makes the files unless both are there; whether what they hold is still valid is not asked.
pub(super) fn provide(auto: &AutoTls, files: &KeyPairFiles) -> Result<(), TlsError> {
    if files.cert.exists() && files.key.exists() {
        return Ok(());
    }
    let until = OffsetDateTime::now_utc() + Duration::days(365).checked_mul(years(auto)).unwrap_or(Duration::MAX);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)?;
    let certificate = params(auto, until)?.self_signed(&key)?;
    if let Some(folder) = files.cert.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
    }
    let end = until.format(&Rfc3339).unwrap_or_default();
    tracing::warn!(certificate_validity_bound_not_after = end, "automatically generate certificates");
    // The key last: both are there only when both are whole.
    write(&files.cert, &certificate.pem(), 0o644)?;
    tracing::info!(path = %files.cert.display(), "created cert file");
    write(&files.key, &key.serialize_pem(), 0o600)?;
    tracing::info!(path = %files.key.display(), "created key file");
    Ok(())
}

/// What a certificate can say of its end has four digits for the year.
fn years(auto: &AutoTls) -> i32 {
    i32::try_from(auto.validity_years).unwrap_or(i32::MAX).min(1000)
}

fn params(auto: &AutoTls, until: OffsetDateTime) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::now_utc();
    params.not_after = until;
    params.serial_number = Some(SerialNumber::from(rand::random::<[u8; 16]>().to_vec()));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "etcd");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for host in &auto.hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into()?),
        });
    }
    Ok(params)
}

/// A file anew, on disk when this returns.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let write = || -> io::Result<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::certificate::Certificate;
    use super::super::files::certificates;
    use super::*;

    #[test]
    fn it_is_made_once_and_for_the_hosts_of_the_listeners() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("fixtures/client");
        let files = KeyPairFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        let auto = AutoTls { validity_years: 2, hosts: vec!["127.0.0.1".into(), "localhost".into()] };
        provide(&auto, &files).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&folder), mode(&files.cert), mode(&files.key)], [0o700, 0o644, 0o600]);
        let first = certificates(&files.cert).unwrap();
        let certificate = Certificate::parse(&first[0]).unwrap();
        assert!(certificate.is_for_host("127.0.0.1") && certificate.is_for_host("localhost"));
        let left = certificate.ends() - OffsetDateTime::now_utc().unix_timestamp();
        assert!((0..60).contains(&(2 * 365 * 86_400 - left)), "{left}");
        provide(&auto, &files).unwrap();
        assert_eq!(certificates(&files.cert).unwrap(), first);
        fs::remove_file(&files.key).unwrap();
        provide(&auto, &files).unwrap();
        assert_ne!(certificates(&files.cert).unwrap(), first);
    }
}
