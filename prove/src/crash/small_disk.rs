//! A small file system of one's own: this program runs once more, in a mount namespace in which the
//! directory for temporary files is a tmpfs. The namespace ends with the process, and the mount with
//! it. Root needs nothing more; another user is root in a user namespace for as long as it takes to
//! mount, because PostgreSQL refuses to be run by root.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use super::report::{self, Row};
use crate::Outcome;

/// Room for a PostgreSQL cluster with the segments of its log that it keeps, and for more of them.
const SIZE: &str = "256m";
/// `$MOUNTED` tells a refused mount from an experiment that failed.
const MOUNT: &str = r#"mount -t tmpfs -o size="$SIZE",mode=1777 tmpfs "$TMPDIR" && : >"$MOUNTED""#;
const REFUSED: &str = "a small file system could not be mounted, and these experiments fill one. They need \
    unshare and mount (Debian, Ubuntu: apt-get install util-linux mount) and either root with the capability \
    SYS_ADMIN, or a kernel that gives user namespaces to everybody (Ubuntu: \
    sysctl kernel.apparmor_restrict_unprivileged_userns=0). In a container: \
    --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined";

/// Runs the experiments that need it there.
pub(super) fn run(cycles: u32, seed: u64) -> Outcome<Vec<Row>> {
    // Open to the user whom root runs PostgreSQL as.
    let open = Permissions::from_mode(0o755);
    let directory = tempfile::Builder::new().prefix("countersign-disk-").permissions(open).tempdir()?;
    let disk = directory.path().join("disk");
    let mounted = directory.path().join("mounted");
    std::fs::create_dir(&disk)?;
    let owner = directory.path().metadata()?;
    let (namespace, run): (&[&str], String) = if owner.uid() == 0 {
        (&["--mount"], "exec \"$0\" \"$@\"".to_owned())
    } else {
        let user = format!("--map-user={} --map-group={}", owner.uid(), owner.gid());
        (&["--user", "--map-root-user", "--mount"], format!("exec unshare --user {user} \"$0\" \"$@\""))
    };
    let output = Command::new("unshare")
        .args(namespace)
        .args(["sh", "-c", &format!("{MOUNT} && {run}")])
        .arg(std::env::current_exe()?)
        .args(["crash", "--only", "full", "--on-small-disk", "--json"])
        .args(["--cycles", &cycles.to_string(), "--seed", &seed.to_string()])
        .env("SIZE", SIZE)
        .env("TMPDIR", &disk)
        .env("MOUNTED", &mounted)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{REFUSED} ({error})"))?;
    if !mounted.exists() {
        return Err(REFUSED.into());
    }
    let rows = report::read(&String::from_utf8_lossy(&output.stdout));
    rows.ok_or_else(|| "the experiments on the small file system did not end".into())
}
