//! Errors.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Lua, Value};

/// What kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source is not Lua.
    Syntax,
    /// A Lua error while running, or one made by [`Error::runtime`].
    Runtime,
    /// The memory limit is reached, or the host has no memory.
    Memory,
    /// A value has not the type that Rust asked for.
    Conversion,
    /// An argument of a Rust function has not the type that it asked for.
    Argument,
    /// An error of Rust code, wrapped by [`Error::external`].
    External,
    /// A userdata is borrowed in a way that forbids what was wanted, or a mutable callback calls itself.
    Borrow,
    /// A userdata was taken, or its scope (or that of a callback) has ended.
    Destructed,
    /// A coroutine that cannot be resumed was resumed.
    Coroutine,
    /// A handle was used after its state had been closed, or with another state.
    Handle,
}

/// An error of Lua code or of its use.
///
/// It can be sent to other threads, and cloned at little cost. `Display` gives [`Error::message`].
///
/// A Rust error becomes one by [`Error::external`], [`ExternalError::into_lua_err`] or [`ExternalResult::into_lua_err`]. Raised
/// by a Rust function, it passes through Lua code, through `pcall` too, and comes out as it was:
///
/// ```
/// use traceorus::{Error, ExternalResult, Lua};
///
/// let lua = Lua::new();
/// let parse = lua.create_function(|_, s: String| s.parse::<u16>().into_lua_err())?;
/// lua.globals().set("parse", parse)?;
/// let e = lua.load("local ok, e = pcall(parse, 'many') error(e)").exec().unwrap_err();
/// assert!(e.downcast_ref::<std::num::ParseIntError>().is_some());
/// assert_eq!(e.message(), "invalid digit found in string");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    position: Option<(String, u32)>,
    traceback: Option<String>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
    context: Vec<String>,
    mismatch: Option<Mismatch>,
    /// The argument (from 1) that it is about.
    argument: Option<usize>,
    thrown: Option<Arc<Thrown>>,
}

#[derive(Clone)]
struct Mismatch {
    expected: Cow<'static, str>,
}

/// Numbers of references (`vm::refs`) that errors have let go of, perhaps in another thread. The state takes them back.
#[derive(Default)]
pub(crate) struct Released(pub(crate) Mutex<Vec<u32>>);

/// The Lua value that was raised: a reference of the state that owns `to`.
pub(crate) struct Thrown {
    pub(crate) slot: u32,
    pub(crate) to: Arc<Released>,
}

impl Drop for Thrown {
    fn drop(&mut self) {
        self.to
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.slot);
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Arc::new(Inner {
            kind,
            message: message.into(),
            position: None,
            traceback: None,
            cause: None,
            context: Vec::new(),
            mismatch: None,
            argument: None,
            thrown: None,
        }))
    }
    fn edit(mut self, f: impl FnOnce(&mut Inner)) -> Error {
        f(Arc::make_mut(&mut self.0));
        self
    }

    /// An error with a message. Raised by a Rust function, it is a string for Lua code, with the caller's position in front.
    pub fn runtime(message: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Runtime, message.to_string())
    }
    /// Wraps an error of Rust code (a `traceorus::Error` is given back as it is). For Lua code it is a userdata that
    /// `tostring` makes a message of.
    pub fn external(e: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        match e.into().downcast::<Error>() {
            Ok(e) => *e,
            Err(e) => Error::new(ErrorKind::External, e.to_string())
                .edit(|i| i.cause = Some(Arc::from(e))),
        }
    }
    /// "`expected` expected, got `got`", for implementations of [`FromLua`](crate::FromLua).
    pub fn conversion(expected: impl Into<Cow<'static, str>>, got: &str) -> Error {
        let expected = expected.into();
        Error::new(
            ErrorKind::Conversion,
            format!("{expected} expected, got {got}"),
        )
        .edit(|i| i.mismatch = Some(Mismatch { expected }))
    }
    /// The value has the right type but is not one that can be used.
    pub fn unsuitable(message: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Conversion, message.to_string())
    }
    pub(crate) fn closed() -> Error {
        Error::new(ErrorKind::Handle, "the Lua state is closed")
    }
    pub(crate) fn foreign() -> Error {
        Error::new(ErrorKind::Handle, "the value belongs to another Lua state")
    }

    // ---- what it says ----------------------------------------------------------------------------------------------

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// The error value as text. That of an error raised by Lua code usually has chunk name and line in front.
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// Where the error was raised: printable name of the chunk and line (from 1) of the innermost Lua function then. For
    /// syntax errors, of the place in the source. `None` if no Lua code was running.
    pub fn position(&self) -> Option<(&str, u32)> {
        self.0.position.as_ref().map(|(c, l)| (c.as_str(), *l))
    }
    /// Stack traceback of where the error was raised, if Lua code was running.
    pub fn traceback(&self) -> Option<&str> {
        self.0.traceback.as_deref()
    }
    /// The Rust error that was wrapped.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }
    /// The Rust error of this type that was wrapped, or that is a source of the one that was.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        let mut e: &(dyn StdError + 'static) = self.0.cause.as_deref()?;
        loop {
            match e.downcast_ref::<E>() {
                Some(found) => return Some(found),
                None => e = e.source()?,
            }
        }
    }
    /// What [`ErrorContext::context`] has added, innermost first.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.0.context.iter().map(String::as_str)
    }
    /// The Lua value that was raised, if this is an error of Lua code in this state. For an error of Rust code, the object that
    /// stands for it.
    pub fn value(&self, lua: &Lua) -> Option<Value> {
        let raised = self.thrown().is_some() || self.is_object();
        let v = raised.then(|| {
            lua.state.enter(|cx| {
                let v = lua.state.error_value(cx, self);
                Ok(lua.state.value_of(cx, v))
            })
        });
        v?.ok()
    }
    /// For syntax errors: the source ends too early, and may become right by going on (for prompts that read several lines).
    pub fn incomplete_input(&self) -> bool {
        self.0.kind == ErrorKind::Syntax && self.0.message.ends_with("<eof>")
    }

    // ---- for the crate ---------------------------------------------------------------------------------------------

    pub(crate) fn with_position(self, p: Option<(String, u32)>) -> Error {
        self.edit(|i| {
            if i.position.is_none() {
                i.position = p;
            }
        })
    }
    pub(crate) fn with_traceback(self, t: Option<String>) -> Error {
        if t.is_none() || self.0.traceback.is_some() {
            return self;
        }
        self.edit(|i| i.traceback = t)
    }
    pub(crate) fn with_thrown(self, t: Thrown) -> Error {
        self.edit(|i| i.thrown = Some(Arc::new(t)))
    }
    /// It is about argument `n` (from 1) of a Rust function.
    #[cold]
    pub(crate) fn at_argument(self, n: usize) -> Error {
        if self.0.thrown.is_some() || self.0.argument.is_some() {
            return self;
        }
        self.edit(|i| {
            i.argument = Some(n);
            if i.kind == ErrorKind::Conversion {
                i.kind = ErrorKind::Argument;
            }
        })
    }
    /// It is about result `n` (from 1) of a call.
    #[cold]
    pub(crate) fn at_result(self, n: usize, none: bool) -> Error {
        if self.0.kind != ErrorKind::Conversion || self.0.argument.is_some() {
            return self;
        }
        self.edit(|i| {
            i.message = match &i.mismatch {
                Some(m) if none => format!("value #{n}: {} expected, got no value", m.expected),
                _ => format!("value #{n}: {}", i.message),
            }
        })
    }
    pub(crate) fn argument(&self) -> Option<usize> {
        self.0.argument
    }
    pub(crate) fn expected(&self) -> Option<&str> {
        self.0.mismatch.as_ref().map(|m| &*m.expected)
    }
    pub(crate) fn thrown(&self) -> Option<&Thrown> {
        self.0.thrown.as_deref()
    }
    /// Only an object carries all that there is to it through Lua code.
    pub(crate) fn is_object(&self) -> bool {
        self.0.cause.is_some()
            || !self.0.context.is_empty()
            || matches!(
                self.0.kind,
                ErrorKind::Borrow | ErrorKind::Destructed | ErrorKind::Handle
            )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        match &self.0.traceback {
            Some(t) => write!(f, "\n{t}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .cause
            .as_deref()
            .map(|c| c as &(dyn StdError + 'static))
    }
}

/// Result with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Makes an [`Error`] of an error of Rust code: `.map_err(ExternalError::into_lua_err)`.
pub trait ExternalError {
    /// As [`Error::external`].
    fn into_lua_err(self) -> Error;
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> ExternalError for E {
    fn into_lua_err(self) -> Error {
        Error::external(self)
    }
}

/// Makes an [`Error`] of the error of a `Result`.
pub trait ExternalResult<T> {
    /// As [`Error::external`].
    fn into_lua_err(self) -> Result<T>;
}

impl<T, E: ExternalError> ExternalResult<T> for std::result::Result<T, E> {
    fn into_lua_err(self) -> Result<T> {
        self.map_err(ExternalError::into_lua_err)
    }
}

/// Says in which context an error came up.
///
/// ```
/// use traceorus::{ErrorContext, Lua};
///
/// let e = Lua::new().load("x = ").exec().context("reading the configuration").unwrap_err();
/// assert!(e.message().starts_with("reading the configuration: "));
/// ```
pub trait ErrorContext: Sized {
    /// Puts the context in front of the message.
    fn context(self, context: impl fmt::Display) -> Self {
        self.with_context(|_| context)
    }
    /// The same for a context that is made when there is an error.
    fn with_context<C: fmt::Display>(self, f: impl FnOnce(&Error) -> C) -> Self;
}

impl ErrorContext for Error {
    fn with_context<C: fmt::Display>(self, f: impl FnOnce(&Error) -> C) -> Error {
        let c = f(&self).to_string();
        self.edit(|i| {
            i.message = format!("{c}: {}", i.message);
            i.context.push(c);
        })
    }
}

impl<T> ErrorContext for Result<T> {
    fn with_context<C: fmt::Display>(self, f: impl FnOnce(&Error) -> C) -> Result<T> {
        self.map_err(|e| e.with_context(f))
    }
}

/// Text of a panic's payload.
pub(crate) fn panic_text(p: &(dyn Any + Send)) -> &str {
    match (p.downcast_ref::<&str>(), p.downcast_ref::<String>()) {
        (Some(s), _) => s,
        (_, Some(s)) => s,
        _ => "a value of another type than text",
    }
}
