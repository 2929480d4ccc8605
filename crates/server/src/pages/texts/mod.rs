//! Every text of the pages, in every language side by side: one that is missing does not compile,
//! and one that no page uses is a warning. Sentences with something in them are small functions of
//! [`Lang`](super::Lang), one file each beside the texts of the same pages.

/// Makes a struct of texts and its constants: `name: "English", "German";`.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $en:literal, $de:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::pages) struct $name { $(pub(in crate::pages) $field: &'static str,)* }

        impl $name {
            pub(in crate::pages) const EN: Self = Self { $($field: $en,)* };
            pub(in crate::pages) const DE: Self = Self { $($field: $de,)* };
        }
    };
}

mod account;
mod console;
mod decode;
mod demo;
mod device;
mod ended;
mod oauth;
mod shell;
mod sign_in;
mod timeline;

/// All of them.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) shell: shell::Shell,
    pub(super) sign_in: sign_in::SignIn,
    pub(super) factor: sign_in::Factor,
    pub(super) consent: oauth::Consent,
    pub(super) form_post: oauth::FormPost,
    pub(super) logout: oauth::Logout,
    pub(super) error: shell::Error,
    pub(super) console: console::Console,
    pub(super) timeline: timeline::Timeline,
    pub(super) decode: decode::Decode,
    pub(super) demo: demo::Demo,
    pub(super) codes: account::Codes,
    pub(super) enrol: account::Enrol,
    pub(super) account: account::Account,
    pub(super) device: device::Device,
}

impl Texts {
    pub(super) const EN: Self = Self {
        shell: shell::Shell::EN,
        sign_in: sign_in::SignIn::EN,
        factor: sign_in::Factor::EN,
        consent: oauth::Consent::EN,
        form_post: oauth::FormPost::EN,
        logout: oauth::Logout::EN,
        error: shell::Error::EN,
        console: console::Console::EN,
        timeline: timeline::Timeline::EN,
        decode: decode::Decode::EN,
        demo: demo::Demo::EN,
        codes: account::Codes::EN,
        enrol: account::Enrol::EN,
        account: account::Account::EN,
        device: device::Device::EN,
    };
    pub(super) const DE: Self = Self {
        shell: shell::Shell::DE,
        sign_in: sign_in::SignIn::DE,
        factor: sign_in::Factor::DE,
        consent: oauth::Consent::DE,
        form_post: oauth::FormPost::DE,
        logout: oauth::Logout::DE,
        error: shell::Error::DE,
        console: console::Console::DE,
        timeline: timeline::Timeline::DE,
        decode: decode::Decode::DE,
        demo: demo::Demo::DE,
        codes: account::Codes::DE,
        enrol: account::Enrol::DE,
        account: account::Account::DE,
        device: device::Device::DE,
    };
}
