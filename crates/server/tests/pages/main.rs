//! Our own pages in a real browser: what they look like to people with and without good eyes, with a
//! mouse and without, on a desk and on a phone, with script and without it; passkeys; and what only a
//! browser can show of sessions, forms and frames. What a plain client can see of the same is tested in
//! `tests/http`.
//!
//! The programs beside this file are run by Node, with Chromium. They use what is installed for
//! `tests/clients`: their versions are locked there. Pictures of all pages are kept under
//! `target/tmp/clients/screenshots`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "here the program is only asked for people and some clients")]
mod program;

#[path = "../clients/installed.rs"]
#[expect(dead_code, reason = "here nothing is run but Node")]
mod installed;
#[path = "../clients/stage.rs"]
#[expect(dead_code, reason = "the clients' stage is without what browsers need")]
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use program::{Place, Server};
use stage::{PASSWORD, Stage};

const OPERATOR: &str = "olga";
const OPERATORS_ROLE: &str = "countersign-admin";

/// A brand that is not ours, for one of the stages.
const BRAND: &str = r##"
[brand]
name = "Nordwind"
logo = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='4' fill='%23c2410c'/></svg>"
accent = "#c2410c"
"##;

#[test]
fn everybody_can_read_every_page_of_signing_in_and_of_the_account() {
    visit("a-persons-pages.mjs", "");
}

#[test]
fn everybody_can_read_every_page_of_the_console_and_of_the_demo() {
    visit("an-operators-pages.mjs", "");
}

#[test]
fn everything_but_passkeys_works_without_script_and_signing_in_by_keyboard() {
    visit("without-script.mjs", "");
}

#[test]
fn passkeys_are_added_used_alone_and_after_the_password_and_removed() {
    visit("passkeys.mjs", "");
}

#[test]
fn sessions_forms_and_frames_are_safe_in_a_browser_too() {
    visit("in-a-browser.mjs", BRAND);
}

#[test]
fn a_token_is_decoded_in_the_browser_alone_and_as_the_command_does() {
    visit("a-token-decoded.mjs", "");
}

/// Runs a program of this folder against a server of its own. The server has a name, without which there are
/// no passkeys, and the demo; there is an operator, and the admin API is at hand.
fn visit(file: &str, configuration: &str) {
    let mut management = String::new();
    let mut stage = Stage::new(|place: &Place, arguments: &[&str]| {
        fs::write(place.path("countersign.toml"), configuration).unwrap();
        let operator = ["user", "add", OPERATOR, "--role", OPERATORS_ROLE, "--password-stdin"];
        place.run_with(&operator, PASSWORD).assert_ok();
        let server = Server::start_at("localhost", place, &[arguments, &["--dev"]].concat());
        management.clone_from(&server.management);
        server
    });
    let token = fs::read_to_string(stage.place.path("countersign-data/admin-token")).unwrap();
    stage.environment.extend([
        ("OPERATOR", OPERATOR.to_owned()),
        ("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign").to_owned()),
        ("ADMIN_API", format!("{management}/admin/v1")),
        ("ADMIN_TOKEN", token.trim().to_owned()),
    ]);
    stage.run(&mut node(file));
}

/// A program of this folder, copied to where Node finds the modules.
fn node(file: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = installed::node_folder().join("pages");
        fs::create_dir_all(&folder).unwrap();
        installed::copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages")), &folder);
        folder
    });
    let mut program = installed::program("node");
    program.arg(folder.join(file));
    program
}
