//! The data directory, the key-encryption key and the disk.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Findings;
use crate::config::{Database, Settings};
use crate::keys::KeyEncryptionKey;
use crate::server::{ADMIN_TOKEN_FILE, KEK_FILE, SOCKET};

/// Longest path of a Unix socket on every system that we know, in bytes.
const MAX_SOCKET_PATH: usize = 103;
/// Less free space than this is worth a word, in MiB.
const LITTLE_SPACE_MIB: u64 = 1024;
/// Less than this and the store will soon refuse to write, in MiB.
const NO_SPACE_MIB: u64 = 64;
/// Rights of the group and of others.
const NOT_OWNER: u32 = 0o077;

/// Whether the directory is there, and its owner's alone.
pub(super) fn data_directory(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "data directory";
    let dir = &settings.data_dir;
    let shown = dir.display();
    if dir.join(SOCKET).as_os_str().len() > MAX_SOCKET_PATH {
        findings.fail(
            CHECK,
            format!("{shown} is too long a path for a Unix socket"),
            "choose a shorter data_dir",
        );
    }
    let Ok(metadata) = dir.metadata() else {
        findings.warn(CHECK, format!("{shown} is not there"), "the first start makes it");
        return;
    };
    if !metadata.is_dir() {
        findings.fail(CHECK, format!("{shown} is not a directory"), "choose another data_dir");
        return;
    }
    let me = rustix::process::geteuid();
    if metadata.uid() != me.as_raw() && !me.is_root() {
        findings.warn(
            CHECK,
            format!("{shown} belongs to another user"),
            "run this as the user that the server runs as",
        );
    }
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        findings.fail(
            CHECK,
            format!("{shown} cannot be written"),
            format!("chown it to the server's user: {shown}"),
        );
        return;
    }
    let open: Vec<PathBuf> = secret_files(settings).into_iter().filter(|path| is_open(path)).collect();
    for path in &open {
        let path = path.display();
        findings.fail(CHECK, format!("{path} can be read by other users"), format!("chmod 600 {path}"));
    }
    if metadata.mode() & NOT_OWNER != 0 {
        findings.warn(CHECK, format!("{shown} is open to other users"), format!("chmod 700 {shown}"));
    } else if open.is_empty() {
        findings.ok(CHECK, format!("{shown}, its owner's alone"));
    }
}

/// Files that hold secrets or personal data.
fn secret_files(settings: &Settings) -> Vec<PathBuf> {
    let dir = &settings.data_dir;
    let mut files = vec![dir.join(KEK_FILE), dir.join(ADMIN_TOKEN_FILE), dir.join(SOCKET)];
    if let Database::Sqlite(path) = &settings.database {
        files.push(path.clone());
        for suffix in ["-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            files.push(name.into());
        }
    }
    files
}

fn is_open(path: &Path) -> bool {
    let open = |metadata: Metadata| metadata.permissions().mode() & NOT_OWNER != 0;
    path.metadata().is_ok_and(open)
}

/// Whether there is a key-encryption key.
pub(super) fn key_encryption_key(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "key-encryption key";
    if settings.key_encryption_key.is_some() {
        findings.ok(CHECK, "configured");
        return;
    }
    let path = settings.data_dir.join(KEK_FILE);
    if path.exists() {
        match KeyEncryptionKey::load(&path) {
            Ok(_) => {
                findings.ok(CHECK, format!("in {}; keep a copy of it apart from backups", path.display()))
            }
            Err(error) => findings.fail(CHECK, error.to_string(), "put the right file back"),
        }
        return;
    }
    match &settings.database {
        Database::Sqlite(file) if !file.exists() => {
            findings.warn(CHECK, "none yet", "the first start makes one");
        }
        Database::Sqlite(_) => findings.fail(
            CHECK,
            format!("{} is missing, and the store has keys that it opens", path.display()),
            "put the file back, or configure key_encryption_key",
        ),
        Database::Postgres(_) => findings.warn(
            CHECK,
            "none is configured, and several nodes need the same one",
            "set COUNTERSIGN_KEY_ENCRYPTION_KEY_FILE on every node",
        ),
    }
}

/// Whether there is room to write.
pub(super) fn disk(settings: &Settings, findings: &mut Findings) {
    const CHECK: &str = "disk";
    let wanted = match &settings.database {
        Database::Sqlite(path) => path.parent().unwrap_or(&settings.data_dir),
        Database::Postgres(_) => return,
    };
    // What is not there yet will be made on the disk of its nearest ancestor.
    let absolute = std::path::absolute(wanted).unwrap_or_else(|_| wanted.to_owned());
    let Some(Ok(space)) = absolute.ancestors().find(|path| path.exists()).map(rustix::fs::statvfs) else {
        findings.warn(
            CHECK,
            format!("{} cannot be asked for its free space", wanted.display()),
            "look with df",
        );
        return;
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize) / (1024 * 1024);
    let found = format!("{free} MiB free");
    match free {
        0..NO_SPACE_MIB => findings.fail(CHECK, found, "make room: the store refuses to write without it"),
        NO_SPACE_MIB..LITTLE_SPACE_MIB => findings.warn(CHECK, found, "make room"),
        _ => findings.ok(CHECK, found),
    }
}
