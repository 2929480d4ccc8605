//! What the pages load: one stylesheet, a few small scripts, the mark. Each has a hash of its content in
//! its path, so that a browser may keep it for ever (`Cache-Control: public, max-age=31536000,
//! immutable`) and never has an old one.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};

/// A file that the pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its name, without the hash.
    pub name: &'static str,
    /// Where it is served: `/assets/style-0123456789abcdef.css`.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static [u8],
}

/// The asset that is served at a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Every asset.
pub fn all() -> &'static [Asset] {
    &ASSETS
}

/// The path of the asset with a name; empty when there is none.
pub(super) fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.path.as_str())
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    macro_rules! asset {
        ($name:literal, $content_type:expr) => {
            asset($name, $content_type, include_bytes!(concat!("../../assets/", $name)))
        };
    }
    vec![
        asset!("style.css", CSS),
        asset!("back.js", SCRIPT),
        asset!("passkey.js", SCRIPT),
        asset!("form-post.js", SCRIPT),
        asset!("times.js", SCRIPT),
        asset!("demo.js", SCRIPT),
        asset!("live.js", SCRIPT),
        asset!("token.js", SCRIPT),
        asset!("findings.js", SCRIPT),
        asset!("decode.js", SCRIPT),
        asset!("mark.svg", "image/svg+xml"),
    ]
});

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn asset(name: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    let hash = digest(&SHA256, body);
    let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    Asset { name, path: format!("/assets/{stem}-{hash}.{extension}"), content_type, body }
}

#[cfg(test)]
mod tests {
    use super::{all, find, path};

    #[test]
    fn each_is_found_by_its_path_and_by_nothing_else() {
        for asset in all() {
            assert_eq!(find(&asset.path).unwrap().name, asset.name);
            assert_eq!(path(asset.name), asset.path);
            assert!(!asset.body.is_empty());
        }
        assert!(find("/assets/style.css").is_none() && find("").is_none() && path("other").is_empty());
    }

    #[test]
    fn scripts_stay_small_and_nothing_is_loaded_from_elsewhere() {
        for asset in all() {
            let text = std::str::from_utf8(asset.body).unwrap();
            assert!(!asset.name.ends_with(".js") || text.lines().count() < 120, "{}", asset.name);
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("://") && !elsewhere.contains("@import"), "{}", asset.name);
        }
    }
}
