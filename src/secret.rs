//! Secrets: where each is kept, and how it is read.
//!
//! The configuration holds only a [`SecretRef`]. Its value is read once, when the part that needs it is built, and is a
//! [`SecretString`] from then on, which prints as `[REDACTED]`. Neither a reference nor an error ever holds the value,
//! so both can be logged.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

mod keyring;

/// More than any key or password needs; a larger file is not a secret but a mistake.
const MOST_BYTES: u64 = 64 * 1024;

/// What systemd puts before the names of files from the folder that our unit loads.
const OF_FOLDER: &str = "g-assistant_";

/// Where systemd puts the credentials of a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The folder that our unit loads. Only root may read it; as root, commands outside the service find the same secrets.
pub const CREDENTIALS_FOLDER: &str = "/etc/g-assistant/credentials";

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A systemd credential (`$CREDENTIALS_DIRECTORY/<name>`); outside the service a file in [`CREDENTIALS_FOLDER`].
    Credential(String),
    /// A file that only its owner may read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// `service/user` in the Secret Service.
    Keyring(String),
}

/// Why a secret cannot be used.
#[derive(Debug)]
pub struct SecretError {
    /// Where it is kept, if that is known.
    pub place: Option<SecretRef>,
    /// What is wrong with it, with what the system said.
    pub problem: String,
    /// What to do next.
    pub hint: String,
}

impl SecretError {
    /// What is wrong with a secret and what to do next, neither of which may hold the value.
    pub fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: None, problem: problem.into(), hint: hint.into() }
    }

    /// Adds where the secret is kept.
    pub fn at(self, place: &SecretRef) -> Self {
        Self { place: Some(place.clone()), ..self }
    }
}

impl std::error::Error for SecretError {}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "secret in {place}: {}", self.problem)?,
            None => write!(f, "secret: {}", self.problem)?,
        }
        write!(f, "\n  hint: {}", self.hint)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(f, "credential `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::Keyring(entry) => write!(f, "keyring entry `{entry}`"),
        }
    }
}

impl SecretRef {
    /// Reads the secret. Newlines at its end are not part of it. Blocks, for some seconds at most.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        self.read_with(&|name| std::env::var_os(name))
    }

    /// Whether only the service can read it: a credential from elsewhere, or one that this user may not see.
    pub fn is_only_for_the_service(&self) -> bool {
        let Self::Credential(name) = self else { return false };
        std::env::var_os(CREDENTIALS).is_none() && !Path::new(CREDENTIALS_FOLDER).join(name).exists()
    }

    fn read_with(&self, env: Environment<'_>) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::Credential(name) => read_credential(name, env),
            Self::File(path) => read_file(path, Access::OwnerOnly),
            Self::Env(name) => read_env(name, env),
            Self::Keyring(entry) => keyring::read(entry),
        };
        text.and_then(trimmed).map_err(|error| error.at(self))
    }
}

/// Looks up an environment variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn trimmed(mut text: String) -> Result<SecretString, SecretError> {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    if text.trim().is_empty() {
        return Err(SecretError::new("is empty", "put the secret there"));
    }
    Ok(text.into())
}

fn read_credential(name: &str, env: Environment<'_>) -> Result<String, SecretError> {
    if name.is_empty() || name.contains('/') || name.contains("..") || name == "." {
        return Err(SecretError::new("is not a name", "use a plain name, without `/` or `..`"));
    }
    let Some(directory) = env(CREDENTIALS).map(PathBuf::from) else {
        return read_outside_the_service(name, Path::new(CREDENTIALS_FOLDER));
    };
    // systemd names a file of a loaded folder `<id of the folder>_<file>`; our unit loads its folder under our name.
    let names = [name.to_owned(), format!("{OF_FOLDER}{name}")];
    let Some(path) = names.iter().map(|name| directory.join(name)).find(|path| path.exists()) else {
        let hint =
            format!("add it to the unit with LoadCredential= or LoadCredentialEncrypted=; {}", present(&directory));
        return Err(SecretError::new("the service has no such credential", hint));
    };
    // systemd decides who may read the directory, by access lists that show as bits of the group.
    read_file(&path, Access::Any)
}

fn read_outside_the_service(name: &str, folder: &Path) -> Result<String, SecretError> {
    let path = folder.join(name);
    match path.try_exists() {
        Ok(true) => read_file(&path, Access::Any),
        Ok(false) => {
            let problem = format!("${CREDENTIALS} is not set, and {} does not exist", path.display());
            let hint = "only a service that systemd starts has other credentials; use { file = \"…\" } elsewhere";
            Err(SecretError::new(problem, hint))
        }
        Err(cause) => {
            let hint = "only root and the service may read credentials; use sudo";
            Err(SecretError::new(format!("{} cannot be reached: {cause}", path.display()), hint))
        }
    }
}

/// The names of the credentials that are there.
fn present(directory: &Path) -> String {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "it has none".to_owned() } else { format!("it has: {}", names.join(", ")) }
}

fn read_file(path: &Path, access: Access) -> Result<String, SecretError> {
    let unreadable = |cause| unreadable(path, cause);
    // Asked before it is opened: opening a pipe waits for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SecretError::new("is not a file", "name the file that holds the secret"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if matches!(access, Access::OwnerOnly) && mode & 0o077 != 0 {
        let problem = format!("others than its owner may use it (mode {mode:04o})");
        return Err(SecretError::new(problem, format!("chmod 600 {}", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(SecretError::new("is larger than 64 KiB", "name the file that holds only the secret"));
    }
    // The bytes are not part of the error: they may be most of the secret.
    String::from_utf8(bytes).map_err(|_| not_text())
}

fn read_env(name: &str, env: Environment<'_>) -> Result<String, SecretError> {
    let value = env(name)
        .ok_or_else(|| SecretError::new("is not set", format!("set {name} in the environment of the daemon")))?;
    value.into_string().map_err(|_| not_text())
}

fn unreadable(path: &Path, cause: io::Error) -> SecretError {
    let path = path.display();
    let hint = match cause.kind() {
        io::ErrorKind::NotFound => format!("create {path}, with the secret as its only line"),
        io::ErrorKind::PermissionDenied => format!("let the daemon's user own {path} and reach its directory"),
        _ => format!("check {path}"),
    };
    SecretError::new(format!("cannot be read: {cause}"), hint)
}

fn not_text() -> SecretError {
    SecretError::new("is not UTF-8 text", "keep it as text, such as Base64")
}

/// Who may be able to read a secret's file.
enum Access {
    OwnerOnly,
    Any,
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn no_env(_: &str) -> Option<OsString> {
        None
    }

    fn write(path: &Path, text: &[u8], mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_read_without_its_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for text in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            write(&path, text.as_bytes(), 0o600);
            let secret = SecretRef::File(path.clone()).read().unwrap();
            assert_eq!(secret.expose_secret(), "hunter2");
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for mode in [0o640, 0o604, 0o620, 0o601] {
            write(&path, b"hunter2", mode);
            let error = SecretRef::File(path.clone()).read().unwrap_err().to_string();
            let path = path.display();
            let expected = format!(
                "secret in file `{path}`: others than its owner may use it (mode {mode:04o})\n  hint: chmod 600 {path}"
            );
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn what_is_not_a_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let problem = |place: SecretRef| place.read().unwrap_err().problem;
        let file = || SecretRef::File(path.clone());

        assert_eq!(problem(file()), "cannot be read: No such file or directory (os error 2)");
        write(&path, b" \n", 0o600);
        assert_eq!(problem(file()), "is empty");
        write(&path, &vec![b'x'; 64 * 1024 + 1], 0o600);
        assert_eq!(problem(file()), "is larger than 64 KiB");
        write(&path, b"hunter2\xff", 0o600);
        let error = file().read().unwrap_err();
        assert_eq!(error.problem, "is not UTF-8 text");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert_eq!(problem(SecretRef::File(dir.path().to_owned())), "is not a file");
    }

    #[test]
    fn a_credential_is_read_from_the_directory_of_systemd() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("odoo"), b"hunter2\n", 0o440);
        let env = |name: &str| (name == CREDENTIALS).then(|| dir.path().into());
        let secret = SecretRef::Credential("odoo".to_owned()).read_with(&env).unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");

        let error = SecretRef::Credential("shop".to_owned()).read_with(&env).unwrap_err();
        assert_eq!(
            error.to_string(),
            "secret in credential `shop`: the service has no such credential\n  hint: add it to the unit with \
             LoadCredential= or LoadCredentialEncrypted=; it has: odoo"
        );

        for name in ["../odoo", "a/b", "..", ".", ""] {
            let error = SecretRef::Credential(name.to_owned()).read_with(&env).unwrap_err();
            assert_eq!(error.problem, "is not a name", "{name}");
        }
    }

    #[test]
    fn a_credential_without_systemd_says_what_to_do() {
        let error = SecretRef::Credential("no-such".to_owned()).read_with(&no_env).unwrap_err().to_string();
        assert!(error.starts_with("secret in credential `no-such`: "), "{error}");
        assert!(error.contains(CREDENTIALS_FOLDER) && error.contains("\n  hint: only "), "{error}");
    }

    #[test]
    fn a_credential_is_found_outside_the_service() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("odoo"), b"hunter2\n", 0o600);
        assert_eq!(read_outside_the_service("odoo", dir.path()).unwrap(), "hunter2\n");
        let error = read_outside_the_service("shop", dir.path()).unwrap_err();
        let path = dir.path().join("shop");
        assert_eq!(error.problem, format!("$CREDENTIALS_DIRECTORY is not set, and {} does not exist", path.display()));
    }

    #[test]
    fn an_environment_variable_is_read() {
        let env = |name: &str| (name == "ODOO_SECRET").then(|| "hunter2".into());
        let secret = SecretRef::Env("ODOO_SECRET".to_owned()).read_with(&env).unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        let error = SecretRef::Env("OTHER".to_owned()).read_with(&env).unwrap_err();
        assert_eq!(
            error.to_string(),
            "secret in environment variable `OTHER`: is not set\n  hint: set OTHER in the environment of the daemon"
        );
    }
}
