//! A folder that appears all at once: written beside its place and renamed into it.

use std::{
    ffi::OsString,
    fs,
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
};

/// A folder in the making; dropped before [`Self::commit`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    path: PathBuf,
    /// Where what stood at `target` before goes while the two change places.
    previous: PathBuf,
}

impl Staging {
    /// Begins a folder that is to become `target`, clearing away what a crash may have left.
    pub(super) fn beside(target: &Path) -> Result<Self, Error> {
        let name = target.file_name().ok_or(ErrorKind::InvalidInput)?;
        let hidden = |suffix: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(suffix);
            target.with_file_name(hidden)
        };
        let staging = Self {
            target: target.into(),
            path: hidden(".partial"),
            previous: hidden(".previous"),
        };
        if staging.previous.exists() && !target.exists() {
            fs::rename(&staging.previous, target)?;
        }
        remove(&staging.previous)?;
        remove(&staging.path)?;
        fs::create_dir_all(&staging.path)?;
        Ok(staging)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the folder in its place, replacing what is there.
    pub(super) fn commit(self) -> Result<(), Error> {
        if self.target.exists() {
            fs::rename(&self.target, &self.previous)?;
        }
        fs::rename(&self.path, &self.target)?;
        remove(&self.previous)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nobody is left to tell: the next run for the same target clears what this one could not.
        let _ = remove(&self.path);
    }
}

/// Removes a folder; one that does not exist is fine.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Staging;

    #[test]
    fn a_folder_appears_at_once_and_replaces_the_old() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("asset");
        for text in ["old", "new"] {
            let staging = Staging::beside(&target).unwrap();
            fs::write(staging.path().join("file"), text).unwrap();
            staging.commit().unwrap();
        }
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_crash_leaves_the_old_folder() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("asset");
        fs::create_dir(root.path().join(".asset.previous")).unwrap();
        fs::create_dir(root.path().join(".asset.partial")).unwrap();
        drop(Staging::beside(&target).unwrap());
        assert!(target.is_dir());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
