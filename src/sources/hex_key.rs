//! HMAC-SHA256 in lower-case hexadecimal, as platforms sign and prove by it.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::secret::{SecretError, SecretRef};

/// A key.
#[derive(Clone)]
pub(super) struct HexKey(Hmac<Sha256>);

impl HexKey {
    pub(super) fn new(secret: &SecretString) -> Result<Self, SecretError> {
        let hmac = Hmac::new_from_slice(secret.expose_secret().as_bytes());
        Ok(Self(hmac.map_err(|_| SecretError::new("has the wrong length", "copy it again from the platform"))?))
    }

    /// Reads and makes several, as during a rotation.
    pub(super) fn open(places: &[SecretRef]) -> Result<Vec<Self>, SecretError> {
        places.iter().map(|place| Self::new(&place.read()?).map_err(|error| error.at(place))).collect()
    }

    /// The code of `message`.
    pub(super) fn code(&self, message: &[u8]) -> String {
        hex::encode(self.0.clone().chain_update(message).finalize().into_bytes())
    }

    /// Whether `code` is that of `message`, in constant time.
    pub(super) fn fits(&self, message: &[u8], code: &str) -> bool {
        hex::decode(code).is_ok_and(|code| self.0.clone().chain_update(message).verify_slice(&code).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_codes_come_out() {
        let key = HexKey::new(&"test_app_secret".to_owned().into()).expect("a key");
        let code = "2f7554f648c84e9d31c8e6d491723cce9d6d1b2d525020b10bb09a31434d7239";
        assert_eq!(key.code(b"EAAG-test-token"), code);
        assert!(key.fits(b"EAAG-test-token", code) && key.fits(b"EAAG-test-token", &code.to_uppercase()));
        for wrong in ["", "2f", &code[2..], &format!("{code}00"), &code.replace('2', "g"), &code.replace("2f", "2é")] {
            assert!(!key.fits(b"EAAG-test-token", wrong), "{wrong}");
        }
        assert!(!key.fits(b"EAAG-test-toke", code));
    }
}
