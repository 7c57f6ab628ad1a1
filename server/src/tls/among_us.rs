//! An authority for a few servers and their clients that are to trust each other and nobody else. It vouches for all of
//! them at once and is not kept, so that nobody can add to them.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
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

    /// Makes the files, unless all of them are there and good for another day.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub(crate) fn provide(&self, holders: Holders<'_>) -> Result<(), TlsError> {
        if self.are_good() {
            return Ok(());
        }
        if let Some(folder) = self.authority.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
        }
        // What is left of others goes first, so that none of them is taken for one of these.
        match fs::remove_file(&self.authority) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(TlsError::Write { path: self.authority.clone(), source });
            }
            _ => {}
        }
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

    fn are_good(&self) -> bool {
        let AmongUs { authority, server, client } = self;
        let lasts = |path: &PathBuf| {
            let first = certificates(path).ok().and_then(|all| all.into_iter().next());
            let first = first.and_then(|der| Certificate::parse(&der).ok());
            first.is_some_and(|certificate| certificate.ends() - now() > LEAST_LEFT)
        };
        [authority, &server.cert, &client.cert].into_iter().all(lasts) && server.key.exists() && client.key.exists()
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn they_are_made_at_once_and_kept_while_all_are_there() {
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
        files.provide(holders).unwrap();
        assert_ne!(read(&files.server.cert), server, "nobody can vouch for one more");
    }
}
