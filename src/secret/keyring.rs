//! Reads a secret from the Secret Service of the session (GNOME Keyring, KWallet), as the crate `keyring` does.
//!
//! A server has none, and asking for one may wait for a prompt that nobody sees. So the question is asked on a thread of
//! its own, and given up after five seconds: the thread is left behind, and ends with its answer or with the process.

use super::SecretError;

const ELSEWHERE: &str = "a server rarely has a Secret Service: use { credential = \"…\" } or { file = \"…\" } there";

#[cfg(not(feature = "keyring"))]
pub(super) fn read(_entry: &str) -> Result<String, SecretError> {
    Err(SecretError::new("this build reads no keyring", ELSEWHERE))
}

#[cfg(feature = "keyring")]
pub(super) fn read(entry: &str) -> Result<String, SecretError> {
    use std::{sync::mpsc, thread, time::Duration};

    use keyring::{Entry, Error};

    const PATIENCE: Duration = Duration::from_secs(5);

    let Some((service, user)) = entry.split_once('/').map(|(service, user)| (service.to_owned(), user.to_owned()))
    else {
        return Err(SecretError::new("is not `service/user`", "name both, with `/` between them"));
    };
    let store = format!(
        "unlock the keyring, and store it with `secret-tool store --label={service} service {service} username {user}`"
    );

    let (answer, answered) = mpsc::channel();
    let asked = thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let secret = Entry::new(&service, &user).and_then(|entry| entry.get_password());
        // Nobody listens any more after the time is over.
        answer.send(secret).ok();
    });
    if let Err(cause) = asked {
        return Err(SecretError::new(format!("cannot be asked for: {cause}"), ELSEWHERE));
    }
    match answered.recv_timeout(PATIENCE) {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(Error::NoEntry)) => Err(SecretError::new("there is no such entry", store)),
        // The bytes are part of this error, and stay here.
        Ok(Err(Error::BadEncoding(_) | Error::BadDataFormat(..))) => Err(super::not_text()),
        Ok(Err(cause)) => Err(SecretError::new(format!("no Secret Service answers: {cause}"), ELSEWHERE)),
        Err(_) => Err(SecretError::new("the Secret Service does not answer", ELSEWHERE)),
    }
}

#[cfg(test)]
mod tests {
    use crate::secret::SecretRef;

    #[test]
    fn without_a_secret_service_the_way_out_is_told() {
        // Passes on a desktop too: there is no such entry there.
        let place = SecretRef::Keyring("g-assistant-test/nobody".to_owned());
        let error = place.read().unwrap_err().to_string();
        assert!(error.starts_with("secret in keyring entry `g-assistant-test/nobody`: "), "{error}");
        assert!(error.contains("hint: "), "{error}");
    }
}
