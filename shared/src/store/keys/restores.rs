//! The keys of what follows when a table was restored.

use super::Key;

/// By which table the portal knows itself. It goes into every backup.
pub fn known_table() -> Key {
    Key::new("RESTORE".to_owned(), "TABLE")
}

/// The last drill of restoring.
pub fn restore_drill() -> Key {
    Key::new("RESTORE".to_owned(), "DRILL")
}
