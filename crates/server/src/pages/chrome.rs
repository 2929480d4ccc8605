//! What is the same on every page: the language, the brand, who is signed in, and notices.

use super::{assets, lang::Lang};

/// What every page needs to know besides its own content.
#[derive(Debug, Clone, Default)]
pub struct Chrome {
    /// The language that the page is written in.
    pub lang: Lang,
    /// How the operator wants the pages to look.
    pub brand: Brand,
    /// What stands before each path: empty, unless the issuer has a path.
    pub base: String,
    /// The name of the person whom the browser is signed in as.
    pub signed_in_as: Option<String>,
    /// Where that name leads: the account page.
    pub account_url: Option<String>,
    /// Where the operator's console is, for those who may see it.
    pub console_url: Option<String>,
    /// Where the page's "Sign out" leads: a page that asks first.
    pub sign_out_url: Option<String>,
}

/// The operator's name, logo and colour, from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The name at the head of each page and in its title.
    pub name: String,
    /// A logo instead of ours: a path on this server or a `data:` URL, for the pages load nothing
    /// from elsewhere. See [`Brand::is_logo`].
    pub logo_url: Option<String>,
    /// A colour instead of ours.
    pub accent: Option<Accent>,
    /// Links at the foot of each page, such as privacy and imprint.
    pub links: Vec<Link>,
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: "Countersign".to_owned(), logo_url: None, accent: None, links: Vec::new() }
    }
}

impl Brand {
    /// Whether a logo's URL is one that the pages' content security policy lets a browser load.
    pub fn is_logo(url: &str) -> bool {
        (url.starts_with('/') && !url.starts_with("//") && !url.contains('\\'))
            || url.starts_with("data:image/")
    }
}

/// A link with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// A colour, `#rrggbb`: checked once, so that it can be written into a stylesheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    channels: [u8; 3],
}

impl Accent {
    /// Reads `#0b6b50`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self { channels: [red, green, blue] })
    }

    /// `0b6b50`: the brand stylesheet's version, for caches.
    pub(super) fn digits(self) -> String {
        self.channels.iter().map(|channel| format!("{channel:02x}")).collect()
    }

    /// The nearest shade towards `to` that is readable on `ground` (WCAG 2.2, 1.4.3: 4.5 to 1).
    fn readable_on(self, ground: Self, to: u8) -> Self {
        let mixed = |step: u16| Self {
            channels: self.channels.map(|channel| {
                let sum = u16::from(channel) * (20 - step) + u16::from(to) * step;
                u8::try_from(sum / 20).unwrap_or(to)
            }),
        };
        (0..=20).map(mixed).find(|shade| shade.contrast(ground) >= 4.5).unwrap_or(self)
    }

    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG's relative luminance.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.channels.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// Where [`brand_css`] is served.
pub const BRAND_CSS_PATH: &str = "/assets/brand.css";

/// The stylesheet of a brand's colour, `text/css`: shades of it that can be read on light and on
/// dark, and the text colour on top of each. Empty without a colour of its own.
pub fn brand_css(brand: &Brand) -> String {
    const WHITE: Accent = Accent { channels: [255; 3] };
    const BLACK: Accent = Accent { channels: [10, 16, 13] };
    const DARK_CARD: Accent = Accent { channels: [0x1a, 0x22, 0x1e] };
    let Some(accent) = brand.accent else { return String::new() };
    let rule = |shade: Accent| {
        let on = if shade.contrast(WHITE) >= 4.5 { WHITE } else { BLACK };
        format!(":root {{ --accent: #{}; --on-accent: #{}; }}", shade.digits(), on.digits())
    };
    let (light, dark) = (accent.readable_on(WHITE, 0), accent.readable_on(DARK_CARD, 255));
    format!("{}\n@media (prefers-color-scheme: dark) {{ {} }}\n", rule(light), rule(dark))
}

/// A notice at the head of a page, about what was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// How it looks and how a screen reader says it.
    pub kind: FlashKind,
    /// What it says.
    pub text: String,
}

/// The kinds of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashKind {
    /// Something was done.
    Done,
    /// Something was not done.
    Failed,
}

impl FlashKind {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// What failed interrupts a screen reader; what was done waits for its turn.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Done => "status",
            Self::Failed => "alert",
        }
    }
}

/// A form's button that runs a passkey ceremony: shown by script where the browser can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyPrompt {
    /// Where the form posts `credential` (JSON of WebAuthn level 3's `toJSON`) and `csrf`.
    pub action: String,
    /// The options as JSON: `PublicKeyCredentialRequestOptionsJSON` to sign in,
    /// `PublicKeyCredentialCreationOptionsJSON` to add a passkey.
    pub options: String,
}

impl Chrome {
    /// The path of an asset; none of the name is excluded by a test.
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}{}", self.base, assets::path(name))
    }

    /// The brand stylesheet's address, when there is something in it.
    pub(super) fn brand_css(&self) -> Option<String> {
        self.brand.accent.map(|accent| format!("{}{BRAND_CSS_PATH}?v={}", self.base, accent.digits()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Accent, Brand, brand_css};

    #[test]
    fn only_a_colour_is_a_colour() {
        assert!(Accent::parse("#0b6b50").is_some() && Accent::parse("#FFffFF").is_some());
        for wrong in ["", "red", "0b6b50", "#0b6b5", "#0b6b500", "#0b6b5g", "#+b6b50", "#000;}x{"] {
            assert_eq!(Accent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_colour_can_be_read_on_light_and_on_dark() {
        let white = Accent { channels: [255; 3] };
        for text in ["#000000", "#ffffff", "#ffdd00", "#0b6b50", "#ff0000", "#0000ff"] {
            let accent = Accent::parse(text).unwrap();
            assert!(accent.readable_on(white, 0).contrast(white) >= 4.5, "{text}");
            let dark = Accent { channels: [0x1a, 0x22, 0x1e] };
            assert!(accent.readable_on(dark, 255).contrast(dark) >= 4.5, "{text}");
        }
        let brand = Brand { accent: Accent::parse("#0b6b50"), ..Brand::default() };
        assert!(brand_css(&brand).starts_with(":root { --accent: #0b6b50; --on-accent: #ffffff; }"));
        assert_eq!(brand_css(&Brand::default()), "");
    }

    #[test]
    fn a_logo_is_ours_to_serve() {
        assert!(Brand::is_logo("/logo.svg") && Brand::is_logo("data:image/png;base64,AA=="));
        for wrong in
            ["//evil.example/x", "https://a.example/x", "/\\evil.example", "javascript:x", "data:text/html,x"]
        {
            assert!(!Brand::is_logo(wrong), "{wrong}");
        }
    }
}
