//! HMAC-SHA256 as platforms use it on raw bytes, and the key of deliveries that have none of their own.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::Verified;
use crate::secret::{SecretError, SecretRef};

/// Secrets that are ready to verify; several during a rotation.
#[derive(Clone)]
pub(super) struct Signers(Vec<Hmac<Sha256>>);

impl Signers {
    pub(super) fn open(secrets: &[SecretRef]) -> Result<Self, SecretError> {
        let signer = |place: &SecretRef| {
            let secret = place.read()?;
            let fault = |_| SecretError::new("the secret cannot be used", "copy it again from the platform").at(place);
            Hmac::new_from_slice(secret.expose_secret().as_bytes()).map_err(fault)
        };
        secrets.iter().map(signer).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is a signature of the parts, one behind the other. Compared in constant time.
    pub(super) fn fit(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        let mac = |signer: &Hmac<Sha256>| parts.iter().fold(signer.clone(), |mac, part| mac.chain_update(part));
        self.0.iter().any(|signer| mac(signer).verify_slice(signature).is_ok())
    }
}

/// A delivery whose key is what it says: repeated byte by byte, it is the same one.
pub(super) fn by_content(body: &Bytes) -> Verified {
    Verified { key: hex::encode(&Sha256::digest(body)[..16]), body: body.clone() }
}
