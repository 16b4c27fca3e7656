//! The files of a TLS connection: authorities, our certificate, its key. Read anew for every connection, because certificates are
//! renewed while umbel runs; checked by us, because lapin takes an unreadable file for an empty one (protocol.md 11.7).

use std::fs;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TransportOptions;
use super::options::ENCRYPTED;

/// No PEM file of ours is larger; the bundle of a whole system has 250 KiB.
const MAX_FILE: u64 = 4 << 20;

/// What is in the files, as PEM. `Default`: the system's authorities, and no certificate of ours.
#[derive(Clone, Default)]
pub struct TlsFiles {
    /// Authorities to trust.
    pub authorities: Option<String>,
    /// Our certificate (with those between it and its authority), and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles")
            .field("authorities", &self.authorities.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl TlsFiles {
    /// Reads and checks the files that the options name; blocks for as long as that takes. Fails with the file and what is wrong
    /// with it.
    pub fn read(options: &TransportOptions) -> Result<Self, String> {
        let authorities = options.ca_certs.as_deref().map(|path| {
            let text = pem(path)?;
            certificates(path, &text)?;
            Ok::<_, String>(text)
        });
        let identity = match (&options.certfile, &options.keyfile) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err("ssl_keyfile needs the certificate too: ssl_certfile".to_owned());
            }
            (Some(certificate), key) => Some(identity(
                certificate,
                key.as_deref().unwrap_or(certificate),
            )?),
        };
        Ok(Self {
            authorities: authorities.transpose()?,
            identity,
        })
    }

    /// The same beside the loop.
    pub async fn load(options: &TransportOptions) -> Result<Self, String> {
        if options.ca_certs.is_none() && options.certfile.is_none() && options.keyfile.is_none() {
            return Ok(Self::default());
        }
        let options = options.clone();
        let read = tokio::task::spawn_blocking(move || Self::read(&options)).await;
        read.unwrap_or_else(|_| Err("the files of the TLS connection were not read".to_owned()))
    }
}

/// What to do about a failed handshake, from the words of rustls; `None`: it was no such failure.
pub fn hint(text: &str) -> Option<String> {
    let hint = if text.contains("UnknownIssuer") {
        "its certificate is of an authority that is not trusted here; give the authority's PEM file as the option ssl_ca_certs"
    } else if text.contains("not valid for name") {
        "connect by a name that stands in its certificate"
    } else if text.contains("CertificateRequired") {
        "it wants a certificate of ours: the options ssl_certfile and ssl_keyfile"
    } else if text.contains("UnknownCA") || text.contains("UnknownCa") {
        "it does not trust the authority of our certificate (ssl_certfile)"
    } else if text.contains("Expired") {
        "a certificate has expired; is the clock of this machine right?"
    } else if text.contains("ertificate") {
        "the certificates on one of the two sides do not fit"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

fn identity(certificate: &Path, key: &Path) -> Result<(Vec<u8>, Vec<u8>), String> {
    let chain = pem(certificate)?;
    certificates(certificate, &chain)?;
    let secret = pem(key)?;
    if secret.contains("ENCRYPTED") {
        return Err(format!("{}: {ENCRYPTED}", key.display()));
    }
    PrivateKeyDer::from_pem_slice(secret.as_bytes())
        .map_err(|_| format!("{}: it holds no private key in PEM", key.display()))?;
    Ok((chain.into_bytes(), secret.into_bytes()))
}

/// A file's text.
fn pem(path: &Path) -> Result<String, String> {
    let refused = |reason: String| format!("{}: {reason}", path.display());
    let about = fs::metadata(path).map_err(|error| refused(unread(&error)))?;
    if !about.is_file() || about.len() > MAX_FILE {
        return Err(refused("it is no PEM file".to_owned()));
    }
    let bytes = fs::read(path).map_err(|error| refused(unread(&error)))?;
    // What is no text is no PEM either: certificates of the other form (DER, PKCS#12) come to here.
    String::from_utf8(bytes)
        .map_err(|_| refused("it is no PEM file; openssl can convert it".to_owned()))
}

fn unread(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// At least one certificate, and none that is broken.
fn certificates(path: &Path, text: &str) -> Result<(), String> {
    let refused = |reason: &str| format!("{}: {reason}", path.display());
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match all {
        Ok(all) if all.is_empty() => Err(refused("it holds no certificate in PEM")),
        Ok(_) => Ok(()),
        Err(_) => Err(refused("it is no PEM file, or a broken one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::path::PathBuf;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const LOCKED: &str =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";

    /// The options for these files, which are there as long as the directory is.
    fn files(
        ca: Option<&[u8]>,
        certificate: Option<&[u8]>,
        key: Option<&[u8]>,
    ) -> (tempfile::TempDir, TransportOptions) {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Option<&[u8]>| -> Option<PathBuf> {
            let path = directory.path().join(name);
            fs::write(&path, bytes?).unwrap();
            Some(path)
        };
        let options = TransportOptions {
            ca_certs: write("ca", ca),
            certfile: write("certificate", certificate),
            keyfile: write("key", key),
            ..TransportOptions::default()
        };
        (directory, options)
    }

    #[test]
    fn one_file_may_hold_certificate_and_key() {
        let both = format!("{CERTIFICATE}{KEY}");
        let (_directory, options) = files(None, Some(both.as_bytes()), None);
        assert!(TlsFiles::read(&options).unwrap().identity.is_some());
    }

    #[rstest]
    #[case::empty(Some(&b""[..]), None, None, "ca: it holds no certificate")]
    #[case::text(Some(&b"hello"[..]), None, None, "ca: it holds no certificate")]
    #[case::der(Some(&b"\x30\x82\xff"[..]), None, None, "ca: it is no PEM file")]
    #[case::broken(Some(BROKEN.as_bytes()), None, None, "ca: it is no PEM file")]
    #[case::key_alone(None, None, Some(KEY.as_bytes()), "ssl_certfile")]
    #[case::no_key(None, Some(CERTIFICATE.as_bytes()), None, "certificate: it holds no private key")]
    #[case::locked(None, Some(CERTIFICATE.as_bytes()), Some(LOCKED.as_bytes()), "key: keys with a password")]
    fn a_file_that_is_of_no_use_is_named_with_the_reason(
        #[case] ca: Option<&[u8]>,
        #[case] certificate: Option<&[u8]>,
        #[case] key: Option<&[u8]>,
        #[case] told: &str,
    ) {
        let (_directory, options) = files(ca, certificate, key);
        let reason = TlsFiles::read(&options).unwrap_err();
        assert!(reason.contains(told), "{reason}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let options = TransportOptions {
            ca_certs: Some(PathBuf::from("/nowhere/ca.pem")),
            ..TransportOptions::default()
        };
        let reason = TlsFiles::read(&options).unwrap_err();
        assert_eq!(reason, "/nowhere/ca.pem: there is no such file");
    }
}
