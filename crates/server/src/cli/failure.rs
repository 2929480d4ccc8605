//! Why a command did not do what it was asked.

use std::process::ExitCode;

/// The end of a command that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused or not possible: exit status 1, one sentence on standard error.
    Refused(String),
    /// Asked for in a wrong way: exit status 2.
    Usage(String),
    /// The reader of our output went away, as `head` does: nobody to tell, and no error.
    ClosedPipe,
    /// Everything has been said already; only the exit status is left.
    Said,
}

impl Failure {
    /// A refusal in words.
    pub(crate) fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// The exit status that goes with it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Refused(_) | Self::Said => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Refused(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<crate::config::Complaints> for Failure {
    fn from(complaints: crate::config::Complaints) -> Self {
        Self::Refused(complaints.to_string())
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Refused(error.to_string())
    }
}
