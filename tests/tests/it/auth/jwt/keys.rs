//! Keys in files, in all the forms that they come in, made by Node; and tokens of one's own making.

use std::path::PathBuf;
use std::process::Command;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

const PRELUDE: &str = "const crypto = require('node:crypto'), fs = require('node:fs');
    const read = (name) => fs.readFileSync(name), write = (name, text) => fs.writeFileSync(name, text);
    const args = process.argv.slice(process.argv.indexOf('-') + 1);
    ";

/// What kind of key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Of so many bits.
    Rsa(u32),
    /// On a curve.
    Ec(&'static str),
    Ed25519,
}

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

    /// Runs a script of Node's that knows `crypto`, `read` and `write` for files in here, and these arguments. What it says.
    fn node(&self, script: &str, args: &[&str]) -> String {
        let script = format!("{PRELUDE}{script}");
        // Behind `-` come the script's arguments, whatever they begin with.
        let out =
            Command::new("node").args(["-e", &script, "-"]).args(args).current_dir(self.0.path()).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// A private key in PKCS #8, and its public key.
    pub(crate) fn pair(&self, name: &str, kind: Kind) {
        let (kind, options) = match kind {
            Kind::Rsa(bits) => ("rsa", json!({ "modulusLength": bits })),
            Kind::Ec(curve) => ("ec", json!({ "namedCurve": curve })),
            Kind::Ed25519 => ("ed25519", json!({})),
        };
        let script = "const {privateKey, publicKey} = crypto.generateKeyPairSync(args[1], JSON.parse(args[2]));
            write(args[0] + '.pem', privateKey.export({type: 'pkcs8', format: 'pem'}));
            write(args[0] + '.pub', publicKey.export({type: 'spki', format: 'pem'}));";
        self.node(script, &[name, kind, &options.to_string()]);
    }

    /// The private key in the form that is its algorithm's own: PKCS #1 or SEC 1.
    pub(crate) fn in_own_form(&self, name: &str) {
        let script = "const key = crypto.createPrivateKey(read(args[0] + '.pem'));
            const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
            write(args[0] + '.own', key.export({type, format: 'pem'}));";
        self.node(script, &[name]);
    }

    pub(crate) fn certificate(&self, name: &str) {
        let pem = std::fs::read_to_string(self.path(&format!("{name}.pem"))).unwrap();
        let key = rcgen::KeyPair::from_pem(&pem).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["tokens".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
    }

    /// The public key in PKCS #1.
    pub(crate) fn public_pkcs1(&self, name: &str) {
        let script = "const key = crypto.createPublicKey(read(args[0] + '.pub'));
            write(args[0] + '.rsapub', key.export({type: 'pkcs1', format: 'pem'}));";
        self.node(script, &[name]);
    }

    /// The public key as a set of keys has it, with more said about it.
    pub(crate) fn jwk(&self, name: &str, more: &Value) -> Value {
        let script = "const key = crypto.createPublicKey(read(args[0] + '.pub'));
            console.log(JSON.stringify({...key.export({format: 'jwk'}), ...JSON.parse(args[1])}));";
        serde_json::from_str(&self.node(script, &[name, &more.to_string()])).unwrap()
    }

    /// A token with this header, which names the algorithm, and these claims.
    pub(crate) fn token(&self, name: &str, header: &Value, claims: &Value) -> String {
        let script = "const [name, header, claims] = args, {alg} = JSON.parse(header);
            const text = [header, claims].map((part) => Buffer.from(part).toString('base64url')).join('.');
            const hash = alg === 'EdDSA' ? null : 'sha' + alg.slice(2), {constants} = crypto;
            const options = {
                PS: {padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST},
                ES: {dsaEncoding: 'ieee-p1363'},
            }[alg.slice(0, 2)];
            const signature = crypto.sign(hash, Buffer.from(text), {key: read(name + '.pem'), ...options});
            console.log(text + '.' + signature.toString('base64url'));";
        self.node(script, &[name, &header.to_string(), &claims.to_string()]).trim().to_owned()
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
