//! The runtime: a state with its limits, and its traffic with Rust.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use traceorus_base::objects::{self, GlobalHot, Thread};
use traceorus_base::{Tag, Value as Raw};
use traceorus_gc::HostAlloc;
use traceorus_trace::{Config, Outputs};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::state::{self, Global};
use traceorus_vm::{native, table, throw};

use crate::engine::{self, Embedder};
use crate::handle::{Function, Reference, Table, handle_for};
use crate::value::Mismatch;
use crate::{Error, ErrorKind, FromValue, FromValues, IntoReturn, IntoValue, Result, Value};

/// A set of standard libraries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Libraries(u16);

impl Libraries {
    /// None at all.
    pub const NONE: Libraries = Libraries(0);
    /// Basic functions: `print`, `pairs`, `load` ...
    pub const BASE: Libraries = Libraries(1);
    /// `package` and `require`.
    pub const PACKAGE: Libraries = Libraries(2);
    /// `coroutine`.
    pub const COROUTINE: Libraries = Libraries(4);
    /// `table`.
    pub const TABLE: Libraries = Libraries(8);
    /// `io`.
    pub const IO: Libraries = Libraries(16);
    /// `os`.
    pub const OS: Libraries = Libraries(32);
    /// `string`.
    pub const STRING: Libraries = Libraries(64);
    /// `math`.
    pub const MATH: Libraries = Libraries(128);
    /// `utf8`.
    pub const UTF8: Libraries = Libraries(256);
    /// `debug`.
    pub const DEBUG: Libraries = Libraries(512);
    /// `jit`: control of the trace compiler.
    pub const JIT: Libraries = Libraries(1024);
    /// Every library.
    pub const ALL: Libraries = Libraries(2047);
    /// Those that reach neither files nor processes by themselves (though `loadfile` and `dofile` of the basic library
    /// read files; remove them if that matters).
    pub const PURE: Libraries = Libraries(1 | 4 | 8 | 64 | 128 | 256);

    fn contains(self, name: &str) -> bool {
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

impl std::ops::BitOr for Libraries {
    type Output = Libraries;
    fn bitor(self, o: Libraries) -> Libraries {
        Libraries(self.0 | o.0)
    }
}

/// Settings of a runtime to be made.
#[derive(Clone, Debug)]
pub struct Builder {
    libraries: Libraries,
    memory_limit: Option<usize>,
    time_limit: Option<Duration>,
    environment: bool,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            libraries: Libraries::ALL,
            memory_limit: None,
            time_limit: None,
            environment: true,
        }
    }
}

impl Builder {
    /// Which libraries to open (default: all).
    pub fn libraries(mut self, l: Libraries) -> Builder {
        self.libraries = l;
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
    /// Makes the runtime.
    pub fn build(self) -> Runtime {
        Runtime::with(&self)
    }
}

/// A Lua state. Dropping it closes the state: finalizers run, handles become useless.
///
/// It belongs to one thread; several runtimes may live in one program.
pub struct Runtime(Rc<Inner>);

impl Default for Runtime {
    fn default() -> Runtime {
        Runtime::new()
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("memory_used", &self.memory_used())
            .finish()
    }
}

impl Runtime {
    /// A runtime with every library and no limits.
    pub fn new() -> Runtime {
        Builder::default().build()
    }
    /// Settings for a new runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn with(b: &Builder) -> Runtime {
        // where there is nobody to tell, a wrong value counts as unset
        let config = if b.environment {
            Config::from_env(|n| std::env::var(n).ok()).unwrap_or_default()
        } else {
            Config::default()
        };
        let outputs = Outputs::open(&config).unwrap_or_default();
        // SAFETY: the system's allocator.
        let l = unsafe { engine::new_state(HostAlloc::System, None, &config, outputs) };
        let inner = Rc::new(Inner {
            l,
            depth: Cell::new(0),
            time_limit: Cell::new(b.time_limit),
            deadline: Cell::new(None),
            slots: Cell::new(0),
            free: RefCell::new(Vec::new()),
            traceback: RefCell::new(None),
            refs: Cell::new(std::ptr::null_mut()),
            traceback_fn: Cell::new(Raw::NIL),
            rust_meta: Cell::new(std::ptr::null_mut()),
            watch: Arc::new(Watch::default()),
            watchdog: Cell::new(false),
        });
        inner.watch.lock().target = inner.g() as usize;
        // SAFETY: the state is fresh; no code of it runs.
        let cx = unsafe { Ctx::new(l) };
        let g = cx.g();
        g.user = Some(Box::new(Embedder {
            observer: None,
            runtime: Rc::downgrade(&inner),
        }));
        g.interrupt = Some(on_interrupt);
        if !b.environment {
            cx.registry_set("LUA_NOENV", Raw::TRUE);
        }
        engine::open_libs(cx, |name| b.libraries.contains(name));
        inner.refs.set(cx.registry_table("traceorus.refs"));
        let handler = cx.new_native("traceback", native!(record_traceback), &[]);
        cx.registry_set("traceorus.traceback", handler);
        inner.traceback_fn.set(handler);
        let (meta, _) = cx.new_metatable("traceorus.function");
        cx.raw_set_field(
            meta,
            "__gc",
            cx.new_native("__gc", native!(drop_callback), &[]),
        );
        cx.raw_set_field(meta, "__metatable", Raw::FALSE);
        inner.rust_meta.set(meta);
        g.heap.set_memory_limit(b.memory_limit);
        Runtime(inner)
    }

    /// Loads Lua source (or a binary chunk) as a function. `name` stands for the source in messages; use `@file` for
    /// a file's name and `=text` for a text that is to appear as it is.
    pub fn load(&self, source: impl AsRef<[u8]>, name: &str) -> Result<Function> {
        let rt = &self.0;
        let f = rt.enter(|cx| {
            match traceorus_stdlib::base::load_chunk(cx, source.as_ref(), name.as_bytes(), b"bt") {
                Ok(f) => {
                    cx.push(f);
                    rt.value_of(cx, f)
                }
                Err(msg) => {
                    let status = cx.g().hot.error_status;
                    Err(rt.error_from(cx, msg, status))
                }
            }
        })?;
        rt.convert(f)
    }
    /// Loads and runs a piece of Lua.
    ///
    /// ```
    /// let lua = traceorus::Runtime::new();
    /// let n: i64 = lua.eval("return 6 * 7")?;
    /// assert_eq!(n, 42);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn eval<R: FromValues>(&self, source: impl AsRef<[u8]>) -> Result<R> {
        self.load(source, "=eval")?.call(())
    }
    /// The globals table.
    pub fn globals(&self) -> Table {
        let v = self
            .0
            .enter(|cx| self.0.value_of(cx, Raw::ptr(cx.globals(), Tag::TABLE)));
        match v {
            Ok(Value::Table(t)) => t,
            _ => unreachable!("the globals are a table"),
        }
    }
    /// A global variable.
    pub fn get<V: FromValue>(&self, name: &str) -> Result<V> {
        self.globals().get(name)
    }
    /// Sets a global variable.
    pub fn set(&self, name: &str, value: impl IntoValue) -> Result<()> {
        self.globals().set(name, value)
    }
    /// A new, empty table.
    pub fn create_table(&self) -> Result<Table> {
        let rt = &self.0;
        let v = rt.enter(|cx| {
            cx.reserve(256).map_err(|_| rt.caught(cx))?;
            let t = Raw::ptr(cx.new_table(0, 0), Tag::TABLE);
            cx.push(t);
            rt.value_of(cx, t)
        })?;
        rt.convert(v)
    }
    /// Makes a Lua function of a Rust one. Arguments and results are converted; an `Err` and a panic become Lua
    /// errors.
    pub fn function<A, R>(&self, f: impl Fn(A) -> R + 'static) -> Result<Function>
    where
        A: FromValues,
        R: IntoReturn,
    {
        let rt = &self.0;
        let callback: Rc<Callback> = Rc::new(move |args| {
            let args = A::from_values(args).map_err(CallbackError::Argument)?;
            f(args).into_return().map_err(CallbackError::Message)
        });
        let v = rt.enter(|cx| {
            cx.reserve(512).map_err(|_| rt.caught(cx))?;
            let (u, block) = cx.new_userdata(size_of::<CallbackBlock>(), 0);
            // SAFETY: [GC-LIVE] a fresh block of the right size, aligned to 16.
            unsafe { block.cast::<CallbackBlock>().write(Some(callback)) };
            cx.set_metatable(u, rt.rust_meta.get());
            let f = cx.new_native("rust", native!(call_rust), &[u]);
            cx.push(f);
            rt.value_of(cx, f)
        })?;
        rt.convert(v)
    }
    /// Makes a Rust function a global.
    ///
    /// ```
    /// let lua = traceorus::Runtime::new();
    /// lua.register("add", |(a, b): (i64, i64)| a + b)?;
    /// let n: i64 = lua.eval("return add(2, 3)")?;
    /// assert_eq!(n, 5);
    /// # Ok::<(), traceorus::Error>(())
    /// ```
    pub fn register<A, R>(&self, name: &str, f: impl Fn(A) -> R + 'static) -> Result<()>
    where
        A: FromValues,
        R: IntoReturn,
    {
        self.set(name, self.function(f)?)
    }
    /// Sets the memory limit in bytes.
    pub fn set_memory_limit(&self, bytes: Option<usize>) {
        self.0.global().heap.set_memory_limit(bytes);
    }
    /// Bytes that Lua objects take.
    pub fn memory_used(&self) -> usize {
        self.0.global().heap.used_bytes()
    }
    /// Sets the time limit for each further call from Rust into Lua.
    pub fn set_time_limit(&self, t: Option<Duration>) {
        self.0.time_limit.set(t);
    }
    /// Runs a full garbage collection, finalizers included.
    pub fn collect_garbage(&self) -> Result<()> {
        self.0.enter(|cx| {
            // SAFETY: [NATIVE-FRAME]
            unsafe { traceorus_vm::exec::full_gc(cx.l) };
            Ok(())
        })
    }
    /// A handle by which another thread can interrupt running Lua code.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.0.watch.clone())
    }
}

/// Interrupts a runtime from any thread.
#[derive(Clone)]
pub struct InterruptHandle(Arc<Watch>);

impl InterruptHandle {
    /// Makes running Lua code fail with "interrupted!" soon; without effect if none runs by then.
    pub fn interrupt(&self) {
        let mut s = self.0.lock();
        s.interrupted = true;
        s.request();
    }
}

/// What the watchdog thread and interrupt handles share with a runtime.
#[derive(Default)]
struct Watch {
    state: Mutex<WatchState>,
    changed: Condvar,
}

#[derive(Default)]
struct WatchState {
    /// Address of the state, 0 once it is closed.
    target: usize,
    interrupted: bool,
    deadline: Option<Instant>,
}

impl WatchState {
    fn request(&self) {
        if self.target != 0 {
            // SAFETY: the state is live as long as the address is here, and we hold the lock.
            unsafe { state::request_interrupt(self.target as *mut GlobalHot) };
        }
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The watchdog: requests an interrupt when the deadline has come, again and again until it is lifted (the code
    /// may catch the error).
    fn run(&self) {
        let mut s = self.lock();
        while s.target != 0 {
            let wait = match s.deadline {
                None => None,
                Some(d) => match d.checked_duration_since(Instant::now()) {
                    Some(t) if !t.is_zero() => Some(t),
                    _ => {
                        s.request();
                        Some(Duration::from_millis(5))
                    }
                },
            };
            s = match wait {
                None => self.changed.wait(s).unwrap_or_else(PoisonError::into_inner),
                Some(t) => {
                    self.changed
                        .wait_timeout(s, t)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

fn runtime_of(g: &Global) -> Option<Rc<Inner>> {
    engine::embedder(g)?.runtime.upgrade()
}

/// The state and what belongs to it. Everything is reached from one thread.
pub(crate) struct Inner {
    /// Main thread of the state.
    l: *mut Thread,
    /// Entries from Rust under way.
    depth: Cell<u32>,
    time_limit: Cell<Option<Duration>>,
    deadline: Cell<Option<Instant>>,
    /// Slots of the reference table in use or free.
    slots: Cell<u32>,
    /// Free slots; their values are cleared when they are used again or at the next entry.
    free: RefCell<Vec<u32>>,
    /// Traceback of the last error.
    traceback: RefCell<Option<String>>,
    refs: Cell<*mut objects::Table>,
    traceback_fn: Cell<Raw>,
    rust_meta: Cell<*mut objects::Table>,
    watch: Arc<Watch>,
    /// The watchdog thread was started.
    watchdog: Cell<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watch.lock().target = 0;
        self.watch.changed.notify_all();
        // SAFETY: no code of the state runs: every entry holds a reference to `self`. Handles find it gone.
        unsafe { state::close(self.l) };
    }
}

impl Inner {
    fn g(&self) -> *mut GlobalHot {
        // SAFETY: the state lives as long as `self`.
        unsafe { (*self.l).global }
    }
    #[allow(
        clippy::mut_from_ref,
        reason = "as in Ctx: borrows end before any call"
    )]
    fn global(&self) -> &mut Global {
        // SAFETY: the state lives as long as `self`.
        unsafe { Global::of(self.g()) }
    }

    /// Runs `f` in the running native frame: that of the Rust function that Lua has called, or the bottom of the main
    /// thread. What `f` pushes is removed.
    pub(crate) fn enter<R>(&self, f: impl FnOnce(Ctx) -> Result<R>) -> Result<R> {
        // SAFETY: [NATIVE-FRAME] Rust code of ours runs only there.
        let cx = unsafe { Ctx::new((*self.g()).current) };
        let top = cx.top();
        let outermost = self.depth.replace(self.depth.get() + 1) == 0;
        if outermost {
            self.set_deadline(
                self.time_limit
                    .get()
                    .and_then(|t| Instant::now().checked_add(t)),
            );
        }
        let r = f(cx);
        cx.set_top(top);
        self.depth.set(self.depth.get() - 1);
        if outermost {
            self.set_deadline(None);
        }
        r
    }

    fn set_deadline(&self, d: Option<Instant>) {
        if d.is_none() && self.deadline.get().is_none() {
            return;
        }
        self.deadline.set(d);
        self.watch.lock().deadline = d;
        if d.is_some() {
            if !self.watchdog.replace(true) {
                let watch = self.watch.clone();
                let started = std::thread::Builder::new()
                    .name("traceorus-watchdog".into())
                    .spawn(move || watch.run());
                self.watchdog.set(started.is_ok());
            }
            self.watch.changed.notify_all();
        }
    }

    // ---- references ----------------------------------------------------------------------------------------------

    /// The object of a reference.
    pub(crate) fn referenced(&self, _cx: Ctx, slot: u32) -> Raw {
        // SAFETY: [GC-LIVE] the registry holds the reference table.
        unsafe { table::table_get_int(self.refs.get(), i64::from(slot)) }
    }
    /// A reference was dropped. Only notes it: Lua may be in the middle of anything.
    pub(crate) fn release(&self, slot: u32) {
        self.free.borrow_mut().push(slot);
    }
    fn set_slot(&self, cx: Ctx, slot: u32, v: Raw) -> Result<()> {
        cx.raw_set(self.refs.get(), Raw::int(i64::from(slot)), v)
            .map_err(|_| self.caught(cx))
    }

    // ---- values --------------------------------------------------------------------------------------------------

    /// The value for Rust. `v` is in the frame or otherwise reachable.
    pub(crate) fn value_of(self: &Rc<Self>, cx: Ctx, v: Raw) -> Result<Value> {
        Ok(match v.tag {
            Tag::NIL => Value::Nil,
            Tag::TRUE => Value::Bool(true),
            Tag::FALSE => Value::Bool(false),
            Tag::INT => Value::Int(v.as_int()),
            Tag::FLOAT => Value::Float(v.as_float()),
            Tag::STRING => Value::Str(cx.bytes(v).to_vec()),
            tag => {
                // all free slots but the one that is used now give up what they held
                let mut free = std::mem::take(&mut *self.free.borrow_mut());
                let slot = free.pop().unwrap_or_else(|| {
                    self.slots.set(self.slots.get() + 1);
                    self.slots.get()
                });
                for &s in &free {
                    if !self.referenced(cx, s).is_nil() {
                        self.set_slot(cx, s, Raw::NIL)?;
                    }
                }
                self.free.borrow_mut().append(&mut free);
                self.set_slot(cx, slot, v)?;
                handle_for(tag, Reference::new(self, slot))
            }
        })
    }
    /// Pushes the Lua value.
    pub(crate) fn push_value(self: &Rc<Self>, cx: Ctx, v: &Value) -> Result<Raw> {
        let raw = match v {
            Value::Nil => Raw::NIL,
            Value::Bool(b) => Raw::bool(*b),
            Value::Int(i) => Raw::int(*i),
            Value::Float(f) => Raw::float(*f),
            Value::Str(s) => cx.try_str(s).map_err(|_| self.caught(cx))?,
            Value::Table(Table(r))
            | Value::Function(Function(r))
            | Value::Other(crate::Other(r)) => self.referenced(cx, r.slot_in(self)?),
        };
        cx.push(raw);
        Ok(raw)
    }
    /// The value as the type that the caller wants.
    pub(crate) fn convert<V: FromValue>(&self, v: Value) -> Result<V> {
        let got = v.type_name();
        V::from_value(v).ok_or_else(|| {
            Error::new(
                ErrorKind::Conversion,
                format!("{} expected, got {got}", V::EXPECTED),
            )
        })
    }

    // ---- errors and calls ----------------------------------------------------------------------------------------

    /// The error that a `Throw` stands for.
    pub(crate) fn caught(&self, cx: Ctx) -> Error {
        let status = cx.g().hot.error_status;
        let v = cx.take_error();
        self.error_from(cx, v, status)
    }
    fn error_from(&self, cx: Ctx, v: Raw, status: u32) -> Error {
        let kind = match status {
            3 => ErrorKind::Syntax,
            4 => ErrorKind::Memory,
            _ => ErrorKind::Runtime,
        };
        cx.push(v);
        let message = match v.tag {
            Tag::STRING => String::from_utf8_lossy(cx.bytes(v)).into_owned(),
            t if t.is_number() => {
                String::from_utf8_lossy(cx.bytes(cx.number_to_str(v))).into_owned()
            }
            _ if cx.metafield(v, "__tostring").is_nil() => {
                format!("(error object is a {} value)", v.tag.type_name())
            }
            _ => match cx.tostring(v) {
                Ok(s) => String::from_utf8_lossy(cx.bytes(s)).into_owned(),
                Err(_) => {
                    cx.take_error();
                    "(error object whose __tostring fails)".into()
                }
            },
        };
        cx.pop();
        Error {
            kind,
            message,
            traceback: self.traceback.take(),
        }
    }
    /// Calls the function below the topmost `nargs` values; the results replace them.
    pub(crate) fn protected(&self, cx: Ctx, nargs: usize) -> Result<usize> {
        self.traceback.take();
        cx.pcall(nargs, -1, self.traceback_fn.get())
            .map_err(|status| {
                let v = cx.pop();
                self.error_from(cx, v, status)
            })
    }
}

/// Message handler: keeps the traceback, leaves the error as it is.
fn record_traceback(cx: Ctx) -> LResult<usize> {
    if let Some(rt) = runtime_of(cx.g()) {
        let text = engine::traceback(cx, None, 1);
        *rt.traceback.borrow_mut() = Some(String::from_utf8_lossy(&text).into_owned());
    }
    cx.ret(cx.arg(1))
}

/// Interrupt function of the state.
unsafe fn on_interrupt(cx: Ctx<'_>) -> LResult<()> {
    let Some(rt) = runtime_of(cx.g()) else {
        return Ok(());
    };
    // SAFETY: `cx` is the running frame.
    let fail = |msg| unsafe { Err(throw::run_error(cx.l, msg)) };
    let mut s = rt.watch.lock();
    if std::mem::take(&mut s.interrupted) {
        return fail("interrupted!");
    }
    if rt.deadline.get().is_some_and(|d| Instant::now() >= d) {
        s.request(); // the error may be caught: the next safepoint raises it again
        return fail("time limit exceeded");
    }
    Ok(())
}

// ---- Rust functions ----------------------------------------------------------------------------------------------

enum CallbackError {
    Argument(Mismatch),
    Message(String),
}

type Callback = dyn Fn(Vec<Value>) -> Result<Vec<Value>, CallbackError>;
/// Block of the userdata that owns a Rust function; `None` once finalized.
type CallbackBlock = Option<Rc<Callback>>;

/// Calls the Rust function in upvalue 1.
fn call_rust(cx: Ctx) -> LResult<usize> {
    let block = cx.test_udata(cx.upvalue(1), "traceorus.function");
    // SAFETY: [GC-LIVE] an upvalue; the metatable marks such blocks.
    let callback = block.and_then(|b| unsafe { (*b.cast::<CallbackBlock>()).clone() });
    let (Some(rt), Some(callback)) = (runtime_of(cx.g()), callback) else {
        return Err(cx.error("the Rust function is gone"));
    };
    // arguments are converted here; their references keep them alive
    let mut args = Vec::with_capacity(cx.top());
    for i in 1..=cx.top() {
        match rt.value_of(cx, cx.arg(i)) {
            Ok(v) => args.push(v),
            Err(e) => return Err(cx.error(e)),
        }
    }
    // [NO-UNWIND] a panic must not cross the interpreter's frames
    match catch_unwind(AssertUnwindSafe(|| callback(args))) {
        Ok(Ok(results)) => {
            cx.check_stack(results.len() + 8, "too many results")?;
            for v in &results {
                if let Err(e) = rt.push_value(cx, v) {
                    return Err(cx.error(e));
                }
            }
            Ok(results.len())
        }
        Ok(Err(CallbackError::Argument(m))) => Err(cx.type_error(m.position, m.expected)),
        Ok(Err(CallbackError::Message(m))) => Err(cx.error(m)),
        Err(panic) => {
            let what = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(s), _) => s,
                (_, Some(s)) => s.as_str(),
                _ => "unknown",
            };
            Err(cx.error(format_args!("panic in a Rust function: {what}")))
        }
    }
}

/// Finalizer of the userdata.
fn drop_callback(cx: Ctx) -> LResult<usize> {
    let block = cx.check_udata(1, "traceorus.function")?;
    // SAFETY: [GC-LIVE] an argument; the metatable marks such blocks.
    let callback = unsafe { (*block.cast::<CallbackBlock>()).take() };
    // a panic of the destructor must not cross the interpreter's frames
    let _ = catch_unwind(AssertUnwindSafe(|| drop(callback)));
    Ok(0)
}
