//! Proof by a token: in the header `Authorization` for the daemon's own API, elsewhere for what platforms send.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::Refusal;
use crate::secret::{SecretError, SecretRef};

/// Shorter tokens are guessed.
const MIN_LENGTH: usize = 16;

/// Tokens that open the API or a source; several during a rotation. Only their hashes are kept, and hashes are what is
/// compared, in constant time.
#[derive(Clone, Default)]
pub struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// Reads every token.
    pub fn open(secrets: &[SecretRef]) -> Result<Self, SecretError> {
        secrets.iter().try_fold(Self::default(), |tokens, secret| {
            tokens.with(secret.read()?.expose_secret()).map_err(|error| error.at(secret))
        })
    }

    /// These tokens and one more.
    pub fn with(mut self, token: &str) -> Result<Self, SecretError> {
        if token.len() < MIN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = format!("a token or key needs at least {MIN_LENGTH} characters, visible ASCII only");
            return Err(SecretError::new(problem, "make one with `openssl rand -hex 24`"));
        }
        self.0.push(hash(token).finalize().into_bytes().into());
        Ok(self)
    }

    /// Proves that the request carries one of the tokens.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Err(Refusal::Closed);
        }
        let header = headers.get(AUTHORIZATION).ok_or(Refusal::MissingHeader("authorization"))?;
        let (scheme, token) = header.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            let detail = "expected `Bearer` and a token".to_owned();
            return Err(Refusal::BadHeader { header: "authorization", detail });
        }
        self.knows(token.trim()).then_some(()).ok_or(Refusal::BadToken)
    }

    /// Whether this is one of the tokens.
    pub(super) fn knows(&self, token: &str) -> bool {
        let presented = hash(token);
        self.0.iter().any(|hash| presented.clone().verify_slice(hash).is_ok())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

fn hash(token: &str) -> Hmac<Sha256> {
    // HMAC takes a key of any length. The fixed key only sets these hashes apart from others.
    let key = <Hmac<Sha256> as KeyInit>::new(&[0; 64].into());
    key.chain_update(b"g-assistant api token\0").chain_update(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().expect("a header"))])
    }

    #[test]
    fn any_of_the_tokens_opens() {
        let tokens = Tokens::default().with("0123456789abcdef").and_then(|t| t.with("fedcba9876543210"));
        let tokens = tokens.expect("good tokens");
        for good in ["Bearer 0123456789abcdef", "bearer fedcba9876543210", "BEARER  fedcba9876543210 "] {
            assert_eq!(tokens.check(&headers(good)), Ok(()), "{good}");
        }
        for bad in ["Bearer 0123456789abcdeF", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0"] {
            assert_eq!(tokens.check(&headers(bad)), Err(Refusal::BadToken), "{bad}");
        }
        for bad in ["0123456789abcdef", "Basic 0123456789abcdef", ""] {
            assert!(matches!(tokens.check(&headers(bad)), Err(Refusal::BadHeader { .. })), "{bad}");
        }
        assert_eq!(tokens.check(&HeaderMap::new()), Err(Refusal::MissingHeader("authorization")));
        assert_eq!(Tokens::default().check(&headers("Bearer 0123456789abcdef")), Err(Refusal::Closed));
        assert_eq!(format!("{tokens:?}"), "Tokens(2)");
    }

    #[test]
    fn a_short_token_is_refused() {
        for bad in ["", "short", "with a space 0123456789"] {
            assert!(Tokens::default().with(bad).is_err(), "{bad}");
        }
    }
}
