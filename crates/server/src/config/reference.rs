//! The generated reference, `docs/configuration.md`.

use super::fixed;
use super::keys::{DefaultValue, FILE_SUFFIX, form, keys};

/// The page, made from the table of keys.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n| key | value | default | what it does |\n| --- | --- | --- | --- |\n");
    for key in keys() {
        let default = match key.default {
            DefaultValue::Is("") => "empty".to_owned(),
            DefaultValue::Is(text) => format!("`{text}`"),
            DefaultValue::Made(words) => words.to_owned(),
            DefaultValue::Off => "none".to_owned(),
        };
        let secret = if key.secret { " Secret." } else { "" };
        page.push_str(&format!(
            "| `{}` | {} | {default} | {}{secret} |\n",
            key.name,
            form(key.kind),
            key.doc
        ));
    }
    page.push_str("\n## Fixed limits\n\nThese are not keys: nobody needs to choose them.\n\n| limit | value |\n| --- | --- |\n");
    for (what, value) in fixed::table() {
        page.push_str(&format!("| {what} | {value} |\n"));
    }
    page.push_str("\n## Variables\n\n");
    for key in keys() {
        page.push_str(&format!("- `{}`", key.variable()));
        if key.secret {
            page.push_str(&format!(", `{}{}`", key.variable(), FILE_SUFFIX.to_uppercase()));
        }
        page.push('\n');
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the table of keys in crates/server/src/config/keys.rs; a test keeps it current. -->

Nothing needs to be configured to start. What is configured is taken, strongest first, from

1. the flags of the command,
2. environment variables: `COUNTERSIGN_` and the key in capitals, `_` for the dot
   (`limits.body` is `COUNTERSIGN_LIMITS_BODY`); an empty variable counts as not set,
3. the file that `--config` or `COUNTERSIGN_CONFIG` names, else `./countersign.toml` if it is there,
4. the defaults below.

A secret can be kept in a file of its own: `COUNTERSIGN_ADMIN_TOKEN_FILE`, or `admin_token_file` in
the configuration file, names it; line ends at its end are not part of the secret.
An unknown key or variable is an error that names the nearest known one, and every mistake is
reported at once. Paths are relative to the working directory.

Times are written `90s`, `10m`, `12h`, `7d`, or as plain seconds; sizes are bytes. Lists are arrays in
the file and separated by commas in variables and flags.

```toml
issuer = \"https://login.example.com\"
database_file = \"/run/secrets/countersign-database\"
trusted_proxies = [\"10.0.0.0/8\"]

[lifetimes.spa]
idle = \"8h\"
```

## Keys
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_repository_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        if std::env::vars_os().any(|(name, _)| name == "UPDATE_GOLDEN") {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
            std::fs::write(path, super::reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page == super::reference(), "run the tests with UPDATE_GOLDEN=1 and look at the difference");
    }
}
