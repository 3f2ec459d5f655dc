//! Whether the file that is open is still the one at its path.
//!
//! A file that is deleted or replaced while it is open takes writes as before and forgets them when it is closed.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::StoreError;

/// A store's files as they were when it was opened.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    /// The database and its log, by device and inode.
    files: Vec<(PathBuf, (u64, u64))>,
}

impl Place {
    /// Of a store that is open, so that its log is there.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path.to_owned(), log.into()]
            .into_iter()
            .map(|file| {
                let identity = identity(&file).map_err(|error| StoreError::io(&file, &error))?;
                Ok((file, identity))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { path: path.to_owned(), files })
    }

    /// An error if what is written now would be lost.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let there = self.files.iter().all(|(file, known)| match identity(file) {
            Ok(found) => found == *known,
            // Not to be able to look is no proof.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
        if there { Ok(()) } else { Err(StoreError::Gone { path: self.path.clone() }) }
    }
}

fn identity(file: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(file).map(|metadata| (metadata.dev(), metadata.ino()))
}
