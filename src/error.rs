use std::fmt;

/// What kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source is not Lua.
    Syntax,
    /// A Lua error while running.
    Runtime,
    /// The memory limit is reached, or the host has no memory.
    Memory,
    /// A value has not the type that Rust asked for.
    Conversion,
    /// A handle was used after its runtime had been dropped, or with another runtime.
    Handle,
}

/// An error of Lua code or of its use.
#[derive(Clone, Debug)]
pub struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) traceback: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            traceback: None,
        }
    }
    pub(crate) fn closed() -> Error {
        Error::new(ErrorKind::Handle, "the runtime is closed")
    }
    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
    /// The error value as text, usually with file name and line in front.
    pub fn message(&self) -> &str {
        &self.message
    }
    /// Stack traceback of where a [`ErrorKind::Runtime`] error was raised.
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Result with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
