//! Making a new name in a folder survive power loss.
//!
//! Owns: syncing the folder. Refuses: syncing the file itself, which is its writer's.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the entries of a folder durable: a rename survives power loss only
/// when its folder was synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a plain name is written so.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
