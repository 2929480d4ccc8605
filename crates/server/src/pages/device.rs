//! Allowing a device without a keyboard or browser of its own (RFC 8628, section 3.3).

use super::ScopeLine;

/// The page where the code is typed. Its form posts `user_code`.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// What was typed, or what the link brought along.
    pub user_code: String,
    /// What went wrong before.
    pub problem: Option<DeviceProblem>,
}

/// Why a code did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceProblem {
    /// No device waits with this code.
    Unknown,
    /// The form was of before a sign-in, or not of this browser.
    OldForm,
    /// It was answered already.
    Used,
    /// Too many attempts.
    TooMany,
}

page! {
    /// The page where the code is typed.
    device, "device.html", Device
}

/// The page that asks about the device. Its form posts `user_code` and `action`: `allow` or `deny`.
#[derive(Debug, Clone, Default)]
pub struct DeviceConfirm {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The application's name.
    pub client: String,
    /// The code, as the device shows it.
    pub user_code: String,
    /// From where the device asked, in words.
    pub place: Option<String>,
    /// What it asks for.
    pub scopes: Vec<ScopeLine>,
}

page! {
    /// The page that asks about the device.
    device_confirm, "device_confirm.html", DeviceConfirm
}

/// The page after the answer.
#[derive(Debug, Clone, Default)]
pub struct DeviceDone {
    /// What the answer was.
    pub allowed: bool,
    /// The application's name.
    pub client: String,
}

page! {
    /// The page after the answer.
    device_done, "device_done.html", DeviceDone
}
