//! Pages that people see: compile-checked templates, one file each, in the languages of [`Lang`].
//!
//! A page is a plain view struct and a function that writes it out. Handlers fill the struct; nothing
//! here knows of HTTP or of the store. Nothing is inline but the markup: one stylesheet and small
//! scripts, which are [`assets`], so that the policy can stay [as strict as it is](content_security_policy).
//! But for passkeys and the token decoder everything works without script. Texts are escaped; that an address in a view is one that
//! may be linked to is for whoever fills it.

/// Defines the function of a page: its name, template and view.
macro_rules! page {
    ($(#[$doc:meta])* $name:ident, $path:tt, $view:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// When a template cannot be written out, which is a bug.
        pub fn $name(chrome: &$crate::pages::Chrome, view: &$view) -> Result<String, askama::Error> {
            #[derive(askama::Template)]
            #[template(path = $path)]
            struct Page<'a> {
                chrome: &'a $crate::pages::Chrome,
                t: &'static $crate::pages::texts::Texts,
                view: &'a $view,
            }
            askama::Template::render(&Page { chrome, t: chrome.lang.texts(), view })
        }
    };
}

mod account;
pub mod assets;
mod chrome;
mod consent;
mod console;
mod decode;
mod demo;
mod device;
mod error;
mod form_post;
mod lang;
mod lifetimes;
mod logout;
mod policy;
mod remarks;
mod sign_in;
mod texts;
mod timeline;

pub use account::{
    Account, AccountActions, ApplicationRow, BrowserRow, EndedRow, NewSignInRow, Notice, PasskeyRow,
    PasswordProblem, PermissionRow, RecoveryCodes, TotpEnrol, account, recovery_codes, totp_enrol,
};
pub use chrome::{Accent, BRAND_CSS_PATH, Brand, Chrome, Flash, FlashKind, Link, PasskeyPrompt, brand_css};
pub use consent::{Consent, ScopeLine, consent};
pub use console::{
    ClientList, ClientPage, ClientRow, ConsoleAction, ConsoleUrls, EventList, EventRow, Filter, FilterField,
    FilterKind, KeyList, KeyRow, Named, NowPage, ReaderRow, RevokeForm, RevokeKind, RevokePreview,
    RevokeReceipt, SessionList, SessionPage, SessionRow, UserList, UserPage, UserRow, Verb, client_list,
    client_page, event_list, key_list, now_page, revoke_form, revoke_preview, revoke_receipt, session_list,
    session_page, user_list, user_page,
};
pub use decode::{DECODE_POLICY, Decode, decode};
pub use demo::{
    Demo, DemoAccess, DemoActions, DemoEnd, DemoEvent, DemoRefresh, DemoStart, DemoStep, DemoStolen, DemoWho,
    demo, demo_start,
};
pub use device::{Device, DeviceConfirm, DeviceDone, DeviceProblem, device, device_confirm, device_done};
pub use error::{ErrorPage, Fault, error};
pub use form_post::{FormPost, form_post};
pub use lang::Lang;
pub use lifetimes::lifetimes;
pub use logout::{LogoutConfirm, SignedOut, logout_confirm, signed_out};
pub use policy::content_security_policy;
pub use remarks::{Level, Remark};
pub use sign_in::{
    FactorProblem, SecondFactor, SecondFactorMethod, SignIn, SignInProblem, second_factor, sign_in,
};

pub use timeline::{PointKind, TimelinePoint, timeline_svg};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
