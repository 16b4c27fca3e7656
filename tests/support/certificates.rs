//! Certificates made for a run: an authority, a server and a client of it, and an authority and a client that nobody trusts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

use super::temporary_directory;

/// PEM files: certificates, and keys as PKCS#8 without a password.
#[derive(Debug)]
pub struct Certificates {
    /// The authority that servers and clients trust.
    pub ca: PathBuf,
    /// The server's, for `localhost` and 127.0.0.1.
    pub server: Identity,
    /// A client's that servers accept.
    pub client: Identity,
    /// A server's of the trusted authority, for the name `broker.example` only.
    pub misnamed_server: Identity,
    /// An authority that is not trusted.
    pub foreign_ca: PathBuf,
    /// A client's that servers refuse.
    pub foreign_client: Identity,
    directory: TempDir,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificates {
    /// The ones that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Certificates> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let directory = temporary_directory("certificates-");
        let maker = Maker(directory.path());
        let (ca, issuer) = maker.authority("ca");
        let (foreign_ca, foreign_issuer) = maker.authority("foreign-ca");
        let here = ["localhost", "127.0.0.1"];
        Self {
            ca,
            server: maker.identity("server", &here, &issuer),
            client: maker.identity("client", &[], &issuer),
            misnamed_server: maker.identity("misnamed-server", &["broker.example"], &issuer),
            foreign_ca,
            foreign_client: maker.identity("foreign-client", &[], &foreign_issuer),
            directory,
        }
    }

    /// A worker's settings for an `amqps://` broker, for [`conf`](super::WorkerOptions::conf).
    pub fn amqp_conf(&self) -> String {
        // 2 is ssl.CERT_REQUIRED.
        format!(
            "'broker_use_ssl': {{'ca_certs': {}, 'certfile': {}, 'keyfile': {}, 'cert_reqs': 2}}",
            python(&self.ca),
            python(&self.client.certificate),
            python(&self.client.key)
        )
    }

    /// A worker's settings for a broker and a backend on Redis with TLS, for [`conf`](super::WorkerOptions::conf).
    pub fn redis_conf(&self) -> String {
        let settings = format!(
            "{{'ssl_ca_certs': {}, 'ssl_certfile': {}, 'ssl_keyfile': {}, 'ssl_cert_reqs': 'required'}}",
            python(&self.ca),
            python(&self.client.certificate),
            python(&self.client.key)
        );
        format!("'broker_use_ssl': {settings}, 'redis_backend_use_ssl': {settings}")
    }

    /// The same as the query of a `rediss://` URL, without the question mark.
    pub fn redis_query(&self) -> String {
        format!(
            "ssl_cert_reqs=required&ssl_ca_certs={}&ssl_certfile={}&ssl_keyfile={}",
            self.ca.display(),
            self.client.certificate.display(),
            self.client.key.display()
        )
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// A path as a Python string.
fn python(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// Writes files into this directory.
struct Maker<'a>(&'a Path);

impl Maker<'_> {
    fn authority(&self, name: &str) -> (PathBuf, Issuer<'static, KeyPair>) {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (
            self.write(name, "pem", &certificate.pem()),
            Issuer::new(params, key),
        )
    }

    fn identity(&self, name: &str, hosts: &[&str], issuer: &Issuer<'_, KeyPair>) -> Identity {
        let mut params = named(name, hosts);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![if hosts.is_empty() {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        Identity {
            certificate: self.write(name, "pem", &certificate.pem()),
            key: self.write(name, "key", &key.serialize_pem()),
        }
    }

    fn write(&self, name: &str, extension: &str, text: &str) -> PathBuf {
        let path = self.0.join(name).with_extension(extension);
        fs::write(&path, text).expect("a file");
        path
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    let common = format!("umbel tests {name}");
    params.distinguished_name.push(DnType::CommonName, common);
    // Not rcgen's own span, whose last year is 4096.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    params
}
