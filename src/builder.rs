//! Making states.

use std::fmt;
use std::time::Duration;

use traceorus_base::{Tag, Value as Raw};
use traceorus_gc::HostAlloc;
use traceorus_trace::{Config, Outputs};
use traceorus_vm::ctx::Ctx;

use crate::engine::{self, Embedder};
use crate::limits::on_interrupt;
use crate::state::State;
use crate::{Lua, Result};

/// A set of standard libraries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StdLib(u16);

impl StdLib {
    /// None at all.
    pub const NONE: StdLib = StdLib(0);
    /// Basic functions: `print`, `pairs`, `load` ...
    pub const BASE: StdLib = StdLib(1);
    /// `package` and `require`.
    pub const PACKAGE: StdLib = StdLib(2);
    /// `coroutine`.
    pub const COROUTINE: StdLib = StdLib(4);
    /// `table`.
    pub const TABLE: StdLib = StdLib(8);
    /// `io`.
    pub const IO: StdLib = StdLib(16);
    /// `os`.
    pub const OS: StdLib = StdLib(32);
    /// `string`.
    pub const STRING: StdLib = StdLib(64);
    /// `math`.
    pub const MATH: StdLib = StdLib(128);
    /// `utf8`.
    pub const UTF8: StdLib = StdLib(256);
    /// `debug`. Its functions can break what native functions rely on, so it needs [`Builder::unsafe_libraries`].
    pub const DEBUG: StdLib = StdLib(512);
    /// `jit`: control of the trace compiler.
    pub const JIT: StdLib = StdLib(1024);
    /// Every library.
    pub const ALL: StdLib = StdLib(2047);
    /// Every library but `debug`.
    pub const ALL_SAFE: StdLib = StdLib(2047 - 512);
    /// Those that reach neither files nor processes by themselves (though `loadfile` and `dofile` of the basic library
    /// read files; remove them if that matters).
    pub const PURE: StdLib = StdLib(1 | 4 | 8 | 64 | 128 | 256);

    /// All of `other` are in it.
    pub const fn contains(self, other: StdLib) -> bool {
        self.0 & other.0 == other.0
    }
    /// It has the library of this name.
    fn has(self, name: &str) -> bool {
        const NAMES: [&str; 11] = [
            "_G",
            "package",
            "coroutine",
            "table",
            "io",
            "os",
            "string",
            "math",
            "utf8",
            "debug",
            "jit",
        ];
        NAMES
            .iter()
            .position(|n| *n == name)
            .is_some_and(|i| self.0 & 1 << i != 0)
    }
}

impl std::ops::BitOr for StdLib {
    type Output = StdLib;
    fn bitor(self, o: StdLib) -> StdLib {
        StdLib(self.0 | o.0)
    }
}

/// Settings of a state to be made.
///
/// ```
/// use std::time::Duration;
/// use traceorus::{ErrorKind, Lua, StdLib};
///
/// let lua = Lua::builder()
///     .libraries(StdLib::PURE)
///     .memory_limit(16 << 20)
///     .time_limit(Duration::from_millis(200))
///     .build();
/// let e = lua.load("while true do end").exec().unwrap_err();
/// assert!(e.message().ends_with("time limit exceeded"));
/// let e = lua.load("local s = 'x' while true do s = s .. s end").exec().unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Memory);
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    libraries: StdLib,
    memory_limit: Option<usize>,
    time_limit: Option<Duration>,
    environment: bool,
    c_libraries: bool,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            libraries: StdLib::ALL_SAFE,
            memory_limit: None,
            time_limit: None,
            environment: true,
            c_libraries: false,
        }
    }
}

impl Builder {
    /// Which libraries to open (default: all but `debug`, which this leaves out).
    pub fn libraries(mut self, l: StdLib) -> Builder {
        self.libraries = StdLib(l.0 & StdLib::ALL_SAFE.0);
        self.c_libraries = false;
        self
    }
    /// Which libraries to open, `debug` too if it is among them; `package` can load C libraries then.
    ///
    /// # Safety
    /// The code that will run does not use `debug.setlocal`, `debug.setupvalue` or `debug.upvaluejoin` on native functions, nor
    /// `debug.setmetatable` on objects of libraries. The C libraries that it loads are in order.
    pub unsafe fn unsafe_libraries(mut self, l: StdLib) -> Builder {
        self.libraries = l;
        self.c_libraries = true;
        self
    }
    /// Most bytes that Lua objects may take together, those of the libraries included (default: no limit).
    pub fn memory_limit(mut self, bytes: usize) -> Builder {
        self.memory_limit = Some(bytes);
        self
    }
    /// Longest time for one call from Rust into Lua (default: no limit).
    pub fn time_limit(mut self, t: Duration) -> Builder {
        self.time_limit = Some(t);
        self
    }
    /// Whether environment variables (`LUA_PATH`, `TRACEORUS_JIT` and others) count (default: yes).
    pub fn environment(mut self, on: bool) -> Builder {
        self.environment = on;
        self
    }
    /// Makes the state.
    pub fn build(self) -> Lua {
        // where there is nobody to tell, a wrong value counts as unset
        let config = if self.environment {
            Config::from_env(|n| std::env::var(n).ok()).unwrap_or_default()
        } else {
            Config::default()
        };
        let outputs = Outputs::open(&config).unwrap_or_default();
        // SAFETY: the system's allocator.
        let l = unsafe { engine::new_state(HostAlloc::System, None, &config, outputs) };
        // SAFETY: the state is fresh; no code of it runs.
        let cx = unsafe { Ctx::new(l) };
        let g = cx.g();
        g.user = Some(Box::new(Embedder::new(None)));
        g.interrupt = Some(on_interrupt);
        if !self.environment {
            cx.registry_set("LUA_NOENV", Raw::TRUE);
        }
        engine::open_libs(cx, |name| self.libraries.has(name));
        if !self.c_libraries {
            without_c_libraries(cx);
        }
        let state = State::new(l);
        state.time_limit.set(self.time_limit);
        g.heap.set_memory_limit(self.memory_limit);
        Lua { state }
    }
}

/// Takes the ways to load C libraries away, whose code can do anything.
fn without_c_libraries(cx: Ctx) {
    let package = cx.raw_get_field(cx.globals(), "package");
    if package.tag != Tag::TABLE {
        return;
    }
    cx.raw_set_field(package.as_ptr(), "loadlib", Raw::NIL);
    let searchers = cx.raw_get_field(package.as_ptr(), "searchers");
    if searchers.tag == Tag::TABLE {
        // behind those for preloaded modules and Lua files
        for i in 3..=4 {
            let _ = cx.raw_set(searchers.as_ptr(), Raw::int(i), Raw::NIL);
        }
    }
}

impl fmt::Debug for Lua {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lua")
            .field("used_memory", &self.used_memory())
            .finish()
    }
}

impl Lua {
    /// Opens further libraries (`debug` is left out).
    pub fn load_std_libs(&self, l: StdLib) -> Result<()> {
        self.state.enter(|cx| {
            let l = StdLib(l.0 & StdLib::ALL_SAFE.0);
            engine::open_libs(cx, |name| l.has(name));
            if l.contains(StdLib::PACKAGE) {
                without_c_libraries(cx);
            }
            Ok(())
        })
    }
}
