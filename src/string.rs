//! Lua strings.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use crate::state::Ref;
use crate::{Error, Lua, Result};

/// A Lua string: any bytes, usually UTF-8.
///
/// ```
/// let lua = traceorus::Lua::new();
/// let s = lua.create_string("héllo")?;
/// assert_eq!(&*s.to_str()?, "héllo");
/// assert_eq!(s, "héllo");
/// assert_eq!(s.as_bytes().len(), 6);
/// let odd = lua.create_string(b"\xff!")?;
/// assert!(odd.to_str().is_err());
/// assert_eq!(odd.to_string_lossy(), "\u{fffd}!");
/// # Ok::<(), traceorus::Error>(())
/// ```
#[derive(Clone)]
pub struct LuaString(pub(crate) Ref);

/// The bytes of a Lua string. Keeps the state open.
pub struct BorrowedBytes<'a> {
    bytes: &'a [u8],
    _lua: Option<Lua>,
}

/// The text of a Lua string. Keeps the state open.
pub struct BorrowedStr<'a> {
    text: &'a str,
    _lua: Option<Lua>,
}

impl Deref for BorrowedBytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}
impl Deref for BorrowedStr<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        self.text
    }
}
impl AsRef<[u8]> for BorrowedBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}
impl AsRef<str> for BorrowedStr<'_> {
    fn as_ref(&self) -> &str {
        self.text
    }
}
impl Borrow<str> for BorrowedStr<'_> {
    fn borrow(&self) -> &str {
        self.text
    }
}
impl fmt::Display for BorrowedStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
impl fmt::Debug for BorrowedStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
impl fmt::Debug for BorrowedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}
impl PartialEq<str> for BorrowedStr<'_> {
    fn eq(&self, o: &str) -> bool {
        self.text == o
    }
}
impl PartialEq<&str> for BorrowedStr<'_> {
    fn eq(&self, o: &&str) -> bool {
        self.text == *o
    }
}

impl LuaString {
    /// The bytes. Empty once the state is closed.
    pub fn as_bytes(&self) -> BorrowedBytes<'_> {
        match self.0.peek() {
            Some(v) => BorrowedBytes {
                // SAFETY: [GC-LIVE] the handle, which is borrowed, keeps the string, and the guard the state.
                bytes: unsafe { traceorus_vm::string::str_bytes(v.as_ptr()) },
                _lua: Some(self.0.lua().clone()),
            },
            None => BorrowedBytes {
                bytes: &[],
                _lua: None,
            },
        }
    }
    /// The text, if it is UTF-8.
    pub fn to_str(&self) -> Result<BorrowedStr<'_>> {
        let b = self.as_bytes();
        match std::str::from_utf8(b.bytes) {
            Ok(text) => Ok(BorrowedStr { text, _lua: b._lua }),
            Err(_) => Err(Error::unsuitable("string is not valid UTF-8")),
        }
    }
    /// The text; what is not UTF-8 is replaced.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(&self.as_bytes()).into_owned()
    }
    /// Address of the object. Only good for comparing and printing. Null once the state is closed.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        self.0.address()
    }
}

impl fmt::Debug for LuaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}
impl fmt::Display for LuaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_string_lossy(), f)
    }
}
/// By content, also of different states.
impl PartialEq for LuaString {
    fn eq(&self, o: &LuaString) -> bool {
        *self.as_bytes() == *o.as_bytes()
    }
}
impl Eq for LuaString {}
impl std::hash::Hash for LuaString {
    fn hash<H: std::hash::Hasher>(&self, h: &mut H) {
        self.as_bytes().hash(h);
    }
}
impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for LuaString {
    fn eq(&self, o: &T) -> bool {
        *self.as_bytes() == *o.as_ref()
    }
}
