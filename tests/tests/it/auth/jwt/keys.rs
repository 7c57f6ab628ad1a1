//! Keys in files, in all the forms that they come in, made by `openssl`; and tokens of one's own making.

use std::path::PathBuf;
use std::process::Command;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use tempfile::TempDir;

/// A folder of keys.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Keys {
        Keys(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The secret of an HS method; its line's end is part of it.
    pub(crate) fn secret(&self, name: &str) -> &'static [u8] {
        let secret = b"everybody's secret\n";
        std::fs::write(self.path(name), secret).unwrap();
        secret
    }

    fn openssl(&self, args: &str) {
        let out = Command::new("openssl").args(args.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(out.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A private key in PKCS #8, and its public key: `algorithm` as openssl's `-algorithm` takes it, options following.
    pub(crate) fn pair(&self, name: &str, algorithm: &str) {
        self.openssl(&format!("genpkey -algorithm {algorithm} -out {name}.pem"));
        self.openssl(&format!("pkey -in {name}.pem -pubout -out {name}.pub"));
    }

    /// The private key in the form that is its algorithm's own: PKCS #1 or SEC 1.
    pub(crate) fn in_own_form(&self, name: &str) {
        self.openssl(&format!("pkey -in {name}.pem -traditional -out {name}.own"));
    }

    pub(crate) fn certificate(&self, name: &str) {
        self.openssl(&format!("req -x509 -new -key {name}.pem -subj /CN=tokens -days 1 -out {name}.crt"));
    }

    /// The public key in PKCS #1.
    pub(crate) fn public_pkcs1(&self, name: &str) {
        self.openssl(&format!("rsa -in {name}.pem -RSAPublicKey_out -out {name}.rsapub"));
    }

    /// Options of `--auth-token`, of files in here.
    pub(crate) fn options(&self, method: &str, private: &str, public: &str) -> String {
        let option = |key: &str, file: &str| match file {
            "" => String::new(),
            file => format!(",{key}={}", self.path(file).display()),
        };
        format!("--auth-token=jwt,sign-method={method}{}{}", option("priv-key", private), option("pub-key", public))
    }
}

/// A token with this header and these claims, signed as HS256 does it.
pub(crate) fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
