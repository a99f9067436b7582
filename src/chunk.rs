//! Pieces of Lua source (or binary chunks) on their way to becoming functions.

use std::borrow::Cow;
use std::panic::Location;
use std::path::{Path, PathBuf};

use traceorus_base::Tag;

use crate::state::Ref;
use crate::{Error, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, Result, Table};

/// What [`Lua::load`] accepts: text or bytes, or the path of a file.
pub trait AsChunk {
    /// The source.
    fn source(self) -> std::io::Result<Vec<u8>>;
    /// The name, if it says one.
    fn name(&self) -> Option<String> {
        None
    }
}

macro_rules! chunks {
    ($($t:ty, |$s:ident| $get:expr;)*) => { $(
        impl AsChunk for $t {
            fn source(self) -> std::io::Result<Vec<u8>> {
                let $s = self;
                Ok($get)
            }
        }
    )* };
}
chunks! {
    &str, |s| s.as_bytes().to_vec();
    String, |s| s.into_bytes();
    &String, |s| s.as_bytes().to_vec();
    Cow<'_, str>, |s| s.into_owned().into_bytes();
    &[u8], |s| s.to_vec();
    Vec<u8>, |s| s;
    &Vec<u8>, |s| s.clone();
}
impl<const N: usize> AsChunk for &[u8; N] {
    fn source(self) -> std::io::Result<Vec<u8>> {
        Ok(self.to_vec())
    }
}
impl AsChunk for &Path {
    fn source(self) -> std::io::Result<Vec<u8>> {
        std::fs::read(self)
    }
    fn name(&self) -> Option<String> {
        Some(format!("@{}", self.display()))
    }
}
impl AsChunk for PathBuf {
    fn source(self) -> std::io::Result<Vec<u8>> {
        self.as_path().source()
    }
    fn name(&self) -> Option<String> {
        self.as_path().name()
    }
}

/// Which kind of chunk is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkMode {
    /// Source only.
    Text,
    /// Binary chunks only, as made by [`Function::dump`] or `string.dump`. They are verified.
    Binary,
}

/// Made by [`Lua::load`]; runs what it was made of.
#[must_use = "nothing is loaded before exec, eval, call or into_function"]
pub struct Chunk<'a> {
    lua: &'a Lua,
    source: Result<Vec<u8>>,
    name: String,
    env: Result<Option<Table>>,
    mode: Option<ChunkMode>,
}

impl Lua {
    /// Lua source, or a binary chunk, to be run. Its name for messages is that of the place in the Rust source, unless
    /// [`Chunk::set_name`] gives another.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// lua.load("x = 20 + 1").exec()?;
    /// assert_eq!(lua.load("x * 2").eval::<i64>()?, 42);
    /// assert_eq!(lua.load("local a, b = ... return b, a").call::<(i64, i64)>((1, 2))?, (2, 1));
    /// let e = lua.load("error('no')").set_name("=config").exec().unwrap_err();
    /// assert_eq!(e.message(), "config:1: no");
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    #[track_caller]
    pub fn load(&self, chunk: impl AsChunk) -> Chunk<'_> {
        let at = Location::caller();
        let name = chunk
            .name()
            .unwrap_or_else(|| format!("@{}:{}", at.file(), at.line()));
        Chunk {
            lua: self,
            source: chunk.source().map_err(Error::external),
            name,
            env: Ok(None),
            mode: None,
        }
    }
}

impl Chunk<'_> {
    /// The name for messages: `@file`, `=text` to appear as it is, or else the source.
    pub fn set_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    /// The table that global names are looked up in, in place of the globals: a way to give code just what it may
    /// use.
    ///
    /// ```
    /// let lua = traceorus::Lua::new();
    /// let env = lua.create_table_from([("x", 5)])?;
    /// lua.load("y = x; print = print == nil").set_environment(&env).exec()?;
    /// assert_eq!((env.get::<i64>("y")?, env.get::<bool>("print")?), (5, true));
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn set_environment(mut self, env: impl IntoLua) -> Self {
        self.env = env
            .into_lua(self.lua)
            .and_then(|v| crate::FromLua::from_lua(v, self.lua).map(Some));
        self
    }
    /// Accepts only this kind of chunk (default: both).
    pub fn set_mode(mut self, mode: ChunkMode) -> Self {
        self.mode = Some(mode);
        self
    }
    /// Runs it, without results.
    pub fn exec(self) -> Result<()> {
        self.call(())
    }
    /// Its value: if it is an expression (or a list of expressions), that; else what it returns.
    pub fn eval<R: FromLuaMulti>(self) -> Result<R> {
        let mut expression = b"return ".to_vec();
        let text = match &self.source {
            Ok(s) if s.first() != Some(&0x1b) => s,
            _ => return self.call(()),
        };
        expression.extend_from_slice(text);
        match self.function(&expression) {
            Ok(f) => f.call(()),
            Err(_) => self.call(()),
        }
    }
    /// Runs it with arguments (`...`).
    pub fn call<R: FromLuaMulti>(self, args: impl IntoLuaMulti) -> Result<R> {
        self.into_function()?.call(args)
    }
    /// As a function.
    pub fn into_function(self) -> Result<Function> {
        let source = self.source.as_ref().map_err(Clone::clone)?;
        self.function(source)
    }
    fn function(&self, source: &[u8]) -> Result<Function> {
        let state = &self.lua.state;
        let mode: &[u8] = match self.mode {
            None => b"bt",
            Some(ChunkMode::Text) => b"t",
            Some(ChunkMode::Binary) => b"b",
        };
        let env = self.env.as_ref().map_err(Clone::clone)?;
        state.enter(|cx| {
            let loaded = traceorus_stdlib::base::load_chunk(cx, source, self.name.as_bytes(), mode);
            let f = loaded.map_err(|e| {
                let status = cx.g().hot.error_status;
                state.error_from(cx, e, status)
            })?;
            if let Some(env) = env {
                let env = env.0.raw_in(state)?;
                debug_assert!(f.tag == Tag::FUNCTION);
                // SAFETY: [GC-LIVE] a fresh function; its first upvalue, if it has one, is `_ENV`.
                unsafe { traceorus_vm::debuginfo::set_upvalue(cx.l, f, 1, env) };
            }
            Ok(Function(Ref::new(state, cx, f)))
        })
    }
}
