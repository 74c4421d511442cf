//! A file that appears all at once: written beside its place under a hidden name, renamed into it.

use std::{
    ffi::OsString,
    fs,
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// A file in the making; dropped before [`Self::commit`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    target: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Begins a file that is to become `target`, whose folder is made if need be.
    pub(super) fn of(target: &Path) -> Result<Self, Error> {
        // Two viewers may ask for the same image at once: each gets a draft of its own.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = OsString::from(".");
        name.push(target.file_name().ok_or(ErrorKind::InvalidInput)?);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{count}.partial", std::process::id()));
        let draft = Self {
            target: target.into(),
            path: target.with_file_name(name),
        };
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        // A process of the same number may have crashed while writing it.
        draft.clear()?;
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was written so far.
    pub(super) fn clear(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether anything was written.
    pub(super) fn has_content(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|it| it.len() > 0)
    }

    /// Puts the file in its place, replacing what is there. The draft's own name is gone afterwards
    /// even where both were links to one file, which a rename leaves alone (POSIX `rename`).
    pub(super) fn commit(self) -> Result<(), Error> {
        fs::rename(&self.path, &self.target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nobody is left to tell, and what stays behind costs only space.
        let _ = self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Draft;

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_appears_at_once_and_replaces_the_old() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("new/folder/image.jpg");
        for text in ["old", "new"] {
            let draft = Draft::of(&target).unwrap();
            assert!(!draft.has_content());
            fs::write(draft.path(), text).unwrap();
            assert!(draft.has_content());
            draft.commit().unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert_eq!(names(target.parent().unwrap()), 1);
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let draft = Draft::of(&root.path().join("image.jpg")).unwrap();
        fs::write(draft.path(), "half").unwrap();
        drop(draft);
        assert_eq!(names(root.path()), 0);
    }

    #[test]
    fn a_link_to_the_same_file_leaves_no_draft() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source.mp4");
        let target = root.path().join("highest.mp4");
        fs::write(&source, "film").unwrap();
        for _ in 0..2 {
            let draft = Draft::of(&target).unwrap();
            fs::hard_link(&source, draft.path()).unwrap();
            draft.commit().unwrap();
        }
        assert_eq!(names(root.path()), 2);
    }
}
