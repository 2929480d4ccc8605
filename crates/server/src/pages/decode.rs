//! The token decoder: a page that reads tokens in the browser. The server sees none.

use super::Lang;

/// The token decoder.
#[derive(Debug, Clone, Default)]
pub struct Decode {
    /// The issuer that tokens of this service name.
    pub issuer: String,
    /// Where found tokens are handed in.
    pub report_url: String,
}

/// The policy of the page that tokens are pasted into, stricter than that of the others: nothing can be sent, by
/// request or by form, and no text can become markup or script (Trusted Types).
pub const DECODE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

impl Decode {
    /// What the script says, as JSON.
    fn texts(&self, lang: &Lang) -> String {
        lang.decoder_texts().to_string()
    }
}

page! {
    /// The token decoder.
    decode, "decode.html", Decode
}

#[cfg(test)]
mod tests {
    use crate::pages::{Lang, Remark, assets};

    #[test]
    fn the_script_knows_every_remark() {
        let scripts: String = ["token.js", "findings.js"]
            .into_iter()
            .map(|name| assets::all().iter().find(|asset| asset.name == name).unwrap().body)
            .map(|body| std::str::from_utf8(body).unwrap())
            .collect();
        for remark in Remark::ALL {
            let code = remark.code();
            // The codes of what is not base64url and not JSON are put together.
            let is_made = ["encoding", "json"]
                .iter()
                .any(|end| code.ends_with(end) && scripts.contains(&format!("${{what}}_{end}")));
            assert!(is_made || scripts.contains(&format!("\"{code}\"")), "{code}");
        }
    }

    #[test]
    fn the_script_gets_its_texts_in_every_language() {
        for lang in Lang::ALL {
            let texts = lang.decoder_texts();
            assert_eq!(texts["remarks"].as_object().unwrap().len(), Remark::ALL.len());
            for text in texts["words"].as_object().unwrap().values() {
                assert!(!text.as_str().unwrap().is_empty());
            }
        }
    }
}
