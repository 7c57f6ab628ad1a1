//! An authority for a few servers and their clients that are to trust each other and nobody else. It vouches for all of
//! them at once and is not kept, so that nobody can add to them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::certificate::Certificate;
use super::error::TlsError;
use super::files::certificates;
use super::{auto, now};
use crate::config::KeyPairFiles;

const VALID_FOR: Duration = Duration::days(365);
/// What is left of it when others are made, in seconds.
const LEAST_LEFT: i64 = 86_400;

/// Where the certificates are.
#[derive(Clone, Debug)]
pub(crate) struct AmongUs {
    /// Of the authority; it has no key any more.
    pub(crate) authority: PathBuf,
    /// Of each server.
    pub(crate) server: KeyPairFiles,
    pub(crate) client: KeyPairFiles,
}

/// Who holds the certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holders<'a> {
    /// The common name of the servers.
    pub(crate) server: &'a str,
    /// The names and addresses of the servers.
    pub(crate) hosts: &'a [&'a str],
    /// The common name of the clients.
    pub(crate) client: &'a str,
}

impl AmongUs {
    pub(crate) fn in_folder(folder: &Path) -> AmongUs {
        let pair = |name: &str| KeyPairFiles {
            cert: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        AmongUs { authority: folder.join("ca.pem"), server: pair("member"), client: pair("client") }
    }

    /// Makes the files, unless they are there. Somebody else may have put them there, so they are not made anew when they do
    /// not last for another day.
    ///
    /// # Errors
    /// When they cannot be made or written, or one that is there will not do.
    pub(crate) fn provide(&self, holders: Holders<'_>) -> Result<(), TlsError> {
        let folder = self.authority.parent().unwrap_or(Path::new("."));
        if self.authority.exists() {
            return self.check(folder);
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
        let Holders { server, hosts, client } = holders;
        let mut params = params("members on this machine", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        // Members call each other, too.
        let any = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        issue(&authority, &self.server, server, hosts, &any)?;
        issue(&authority, &self.client, client, &[], &[ExtendedKeyUsagePurpose::ClientAuth])?;
        // Last: it is there only when the others are.
        auto::write(&self.authority, &authority.pem(), 0o644)
    }

    fn check(&self, folder: &Path) -> Result<(), TlsError> {
        let AmongUs { authority, server, client } = self;
        let spent = |path: &Path, reason| TlsError::Spent { path: path.to_owned(), folder: folder.to_owned(), reason };
        for path in [authority, &server.cert, &client.cert] {
            let first = certificates(path)?.into_iter().next().and_then(|der| Certificate::parse(&der).ok());
            match first {
                Some(certificate) if certificate.ends() - now() > LEAST_LEFT => {}
                Some(_) => return Err(spent(path, "ends within a day")),
                None => return Err(spent(path, "is no certificate")),
            }
        }
        let missing = [&server.key, &client.key].into_iter().find(|path| !path.exists());
        missing.map_or(Ok(()), |path| Err(spent(path, "is missing")))
    }
}

fn issue(
    authority: &CertifiedIssuer<'_, KeyPair>,
    files: &KeyPairFiles,
    common_name: &str,
    hosts: &[&str],
    usages: &[ExtendedKeyUsagePurpose],
) -> Result<(), TlsError> {
    let mut params = params(common_name, hosts)?;
    params.extended_key_usages = usages.to_vec();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    auto::write(&files.cert, &certificate.pem(), 0o644)?;
    auto::write(&files.key, &key.serialize_pem(), 0o600)
}

fn params(common_name: &str, hosts: &[&str]) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from(rand::random::<[u8; 16]>().to_vec()));
    params.not_before = OffsetDateTime::now_utc();
    params.not_after = OffsetDateTime::now_utc() + VALID_FOR;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn they_are_made_at_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("certificates");
        let files = AmongUs::in_folder(&folder);
        let holders = Holders { server: "member", hosts: &["127.0.0.1", "localhost"], client: "root" };
        files.provide(holders).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&folder), mode(&files.server.key), mode(&files.client.key)], [0o700, 0o600, 0o600]);
        let read = |path: &Path| Certificate::parse(&certificates(path).unwrap()[0]).unwrap();
        let (server, client) = (read(&files.server.cert), read(&files.client.cert));
        assert_eq!((server.common_name.as_str(), client.common_name.as_str()), ("member", "root"));
        assert!(server.is_for_host("127.0.0.1") && server.is_for_host("localhost"));
        assert!(server.is_for_servers && server.is_for_clients && client.is_for_clients && !client.is_for_servers);
        files.provide(holders).unwrap();
        assert_eq!(read(&files.server.cert), server, "made once");
        fs::remove_file(&files.client.key).unwrap();
        let error = files.provide(holders).unwrap_err().to_string();
        assert!(error.contains("client.key: is missing; put another"), "{error}");
        assert_eq!(read(&files.server.cert), server, "what is there may be somebody's own");
        // Of those that were being made when the process ended, this one is missing.
        fs::remove_file(&files.authority).unwrap();
        files.provide(holders).unwrap();
        assert_ne!(read(&files.server.cert), server, "nobody can vouch for one more");
    }
}
