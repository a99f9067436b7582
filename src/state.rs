//! What belongs to one Lua state, and traffic with it: entering, references, errors, calls.
//!
//! [`State`] outlives the state proper: handles keep it (by `Rc`), `Lua` values and guards are counted as owners besides. When the last owner goes, the
//! state is closed, or, if Rust code that was called from it is still running, when that ends. From then on `l` is null and
//! every use of a handle fails.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{self, GlobalHot};
use traceorus_base::{Tag, Value as Raw};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::state::{self, Global};
use traceorus_vm::{call, debuginfo, exec, native, throw};

use crate::app_data::AppData;
use crate::error::{Released, Thrown};
use crate::limits::Watch;
use crate::userdata::{cell, registry};
use crate::{
    AnyUserData, Error, ErrorKind, Function, LightUserData, Lua, LuaString, Result, Table, Thread,
    Value, engine,
};

pub(crate) type RawThread = objects::Thread;

/// Hashes what is a hash already.
#[derive(Default)]
pub(crate) struct IdHasher(u64);
impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(b);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 ^= n;
    }
}
pub(crate) type IdMap<V> = HashMap<TypeId, V, BuildHasherDefault<IdHasher>>;

/// See the module. Everything is reached from one thread.
pub(crate) struct State {
    /// Main thread of the state, null once it is closed.
    l: Cell<*mut RawThread>,
    owners: Cell<usize>,
    /// Entries from Rust under way.
    depth: Cell<u32>,
    closing: Cell<bool>,
    pub(crate) time_limit: Cell<Option<Duration>>,
    pub(crate) deadline: Cell<Option<Instant>>,
    pub(crate) watch: Arc<Watch>,
    /// The watchdog thread was started.
    pub(crate) watchdog: Cell<bool>,
    /// The message handler of calls, kept by the registry.
    handler: Cell<Raw>,
    /// Native functions by [`Op`], kept by the registry.
    ops: [Cell<Raw>; Op::COUNT],
    /// What the handler has seen of the last error.
    seen: RefCell<Option<Seen>>,
    /// A panic on its way through Lua code.
    panic: RefCell<Option<Box<dyn Any + Send>>>,
    released: Arc<Released>,
    /// Metatables of userdata types, by reference.
    pub(crate) types: RefCell<IdMap<u32>>,
    pub(crate) app_data: AppData,
    /// The functions of `set_hook` and `set_warning_function`.
    pub(crate) hook: RefCell<Option<Ref>>,
    pub(crate) warn: RefCell<Option<Ref>>,
}

/// Operations that may call Lua code, as native functions for protected calls.
#[derive(Clone, Copy)]
pub(crate) enum Op {
    /// `a[b]`.
    Index,
    /// `a[b] = c`.
    SetIndex,
    /// `#a`, an integer.
    Len,
    /// `a == b`.
    Eq,
    /// `tostring(a)`.
    ToString,
    /// `coroutine.resume`.
    Resume,
    /// `coroutine.close`.
    Close,
}

impl Op {
    const COUNT: usize = Op::Close as usize + 1;
}

fn op_index(cx: Ctx) -> LResult<usize> {
    let v = cx.index(cx.arg(1), cx.arg(2))?;
    cx.ret(v)
}
fn op_set_index(cx: Ctx) -> LResult<usize> {
    cx.set_index(cx.arg(1), cx.arg(2), cx.arg(3))?;
    Ok(0)
}
fn op_len(cx: Ctx) -> LResult<usize> {
    let n = cx.len(cx.arg(1))?;
    cx.ret(Raw::int(n))
}
fn op_eq(cx: Ctx) -> LResult<usize> {
    let r = cx.equals(cx.arg(1), cx.arg(2))?;
    cx.ret(Raw::bool(r))
}
fn op_tostring(cx: Ctx) -> LResult<usize> {
    let s = cx.tostring(cx.arg(1))?;
    cx.ret(s)
}

struct Seen {
    traceback: String,
    position: Option<(String, u32)>,
}

/// A `Lua` that is not counted.
pub(crate) struct View<'a>(ManuallyDrop<Lua>, PhantomData<&'a State>);

impl Deref for View<'_> {
    type Target = Lua;
    #[inline]
    fn deref(&self) -> &Lua {
        &self.0
    }
}

/// The `Lua` of a state, for as long as something else keeps the state.
#[inline]
pub(crate) fn view(state: &Rc<State>) -> View<'_> {
    // SAFETY: the copy is never dropped, and lives no longer than the original.
    let copy = unsafe { std::ptr::read(state) };
    View(ManuallyDrop::new(Lua { state: copy }), PhantomData)
}

/// Ends an entry, also when a panic leaves it.
struct Entry<'a> {
    state: &'a State,
    cx: Ctx<'a>,
    top: usize,
}

impl Drop for Entry<'_> {
    #[inline]
    fn drop(&mut self) {
        self.cx.set_top(self.top);
        let depth = self.state.depth.get() - 1;
        self.state.depth.set(depth);
        if depth == 0 {
            if self.state.deadline.get().is_some() {
                self.state.set_deadline(None);
            }
            self.state.close_if_unowned();
        }
    }
}

impl State {
    /// For a fresh state; one owner.
    pub(crate) fn new(l: *mut RawThread) -> Rc<State> {
        let state = Rc::new(State {
            l: Cell::new(l),
            owners: Cell::new(1),
            depth: Cell::new(0),
            closing: Cell::new(false),
            time_limit: Cell::new(None),
            deadline: Cell::new(None),
            watch: Arc::new(Watch::default()),
            watchdog: Cell::new(false),
            handler: Cell::new(Raw::NIL),
            ops: [const { Cell::new(Raw::NIL) }; Op::COUNT],
            seen: RefCell::new(None),
            panic: RefCell::new(None),
            released: Arc::new(Released::default()),
            types: RefCell::default(),
            app_data: AppData::default(),
            hook: RefCell::new(None),
            warn: RefCell::new(None),
        });
        state.watch.open(state.g());
        // SAFETY: the state is fresh; no code of it runs.
        let cx = unsafe { Ctx::new(l) };
        cx.g().api = Rc::into_raw(state.clone()).cast();
        let handler = cx.new_native("traceback", native!(see_error), &[]);
        cx.registry_set("traceorus.traceback", handler);
        state.handler.set(handler);
        state.make_ops(cx);
        cell::install(cx);
        state
    }
    /// What belongs to the state of a frame, if it was made by this API.
    #[inline]
    pub(crate) fn of<'c>(cx: Ctx<'c>) -> Option<View<'c>> {
        let api: *const State = cx.g().api.cast();
        if api.is_null() {
            return None;
        }
        // SAFETY: from `Rc::into_raw` in `new`; the count is the state's own until it is closed, and the copy is not dropped.
        let state = unsafe { Rc::from_raw(api) };
        Some(View(ManuallyDrop::new(Lua { state }), PhantomData))
    }

    // ---- life ------------------------------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn add_owner(&self) {
        self.owners.set(self.owners.get() + 1);
    }
    #[inline]
    pub(crate) fn remove_owner(&self) {
        self.owners.set(self.owners.get() - 1);
        self.close_if_unowned();
    }
    pub(crate) fn is_open(&self) -> bool {
        !self.l.get().is_null()
    }
    #[inline]
    fn close_if_unowned(&self) {
        if self.owners.get() == 0 && self.depth.get() == 0 && !self.closing.get() {
            self.close();
        }
    }
    #[cold]
    fn close(&self) {
        self.closing.set(true);
        self.watch.close();
        let l = self.l.get();
        // what it drops may still use the state
        self.app_data.clear();
        let kept = (self.hook.take(), self.warn.take());
        drop(kept);
        // SAFETY: no code of the state runs: `depth` is 0. Finalizers may call Rust code, which finds the state open; whatever
        // becomes an owner then does not close it again. Afterwards `l` is null, so that nobody reaches it.
        unsafe {
            let api: *const State = Global::of((*l).global).api.cast();
            state::close(l);
            self.l.set(std::ptr::null_mut());
            // the caller has another reference
            drop(Rc::from_raw(api));
        }
        let panic = self.panic.take();
        if let Some(p) = panic
            && !std::thread::panicking()
        {
            resume_unwind(p);
        }
    }

    pub(crate) fn g(&self) -> *mut GlobalHot {
        // SAFETY: the state is open: only called then.
        unsafe { (*self.l.get()).global }
    }
    /// The state proper, if it is open.
    #[allow(
        clippy::mut_from_ref,
        reason = "as in Ctx: borrows end before any call"
    )]
    pub(crate) fn global(&self) -> Option<&mut Global> {
        // SAFETY: the state lives while `l` is not null.
        self.is_open().then(|| unsafe { Global::of(self.g()) })
    }

    // ---- entering ----------------------------------------------------------------------------------------------------

    /// Runs `f` in the running native frame: that of the Rust function that Lua has called, or the bottom of the main
    /// thread. What `f` pushes is removed. A safepoint comes first: whatever must live is in the frame or has a reference.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce(Ctx<'_>) -> Result<R>) -> Result<R> {
        let l = self.l.get();
        if l.is_null() {
            return Err(Error::closed());
        }
        // SAFETY: [NATIVE-FRAME] Rust code of users runs only in frames of native functions.
        let (cx, busy) = unsafe {
            let g = (*l).global;
            (Ctx::new((*g).current), (*g).poll != 0)
        };
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        let _entry = Entry {
            state: self,
            cx,
            top: cx.top(),
        };
        if depth == 0 && self.time_limit.get().is_some() {
            self.set_deadline(self.time_limit.get());
        }
        if busy {
            self.safepoint(cx)?;
        }
        f(cx)
    }
    #[cold]
    fn safepoint(&self, cx: Ctx) -> Result<()> {
        self.take_back();
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::safepoint(cx.l) }.map_err(|_| self.caught(cx))
    }

    // ---- references ----------------------------------------------------------------------------------------------------

    /// Releases what errors have let go of.
    pub(crate) fn take_back(&self) {
        let mut slots = self
            .released
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(g) = self.global() {
            for n in slots.drain(..) {
                g.refs.remove(n);
            }
        }
    }
    /// The value of a Lua value for Rust. The raw value is live.
    pub(crate) fn value_of(self: &Rc<Self>, cx: Ctx, v: Raw) -> Value {
        match v.tag {
            Tag::NIL => Value::Nil,
            Tag::TRUE => Value::Boolean(true),
            Tag::FALSE => Value::Boolean(false),
            Tag::INT => Value::Integer(v.as_int()),
            Tag::FLOAT => Value::Number(v.as_float()),
            Tag::LIGHTUD => Value::LightUserData(LightUserData(v.payload as *mut std::ffi::c_void)),
            Tag::STRING => Value::String(LuaString(Ref::new(self, cx, v))),
            Tag::TABLE => Value::Table(Table(Ref::new(self, cx, v))),
            Tag::FUNCTION => Value::Function(Function(Ref::new(self, cx, v))),
            Tag::THREAD => Value::Thread(Thread(Ref::new(self, cx, v))),
            _ => match wrapped_error(v) {
                Some(e) => Value::Error(Box::new(e)),
                None => Value::UserData(AnyUserData(Ref::new(self, cx, v))),
            },
        }
    }
    /// Pushes a value.
    pub(crate) fn push_value(self: &Rc<Self>, cx: Ctx, v: &Value) -> Result<()> {
        let raw = match v {
            Value::Nil => Raw::NIL,
            Value::Boolean(b) => Raw::bool(*b),
            Value::Integer(i) => Raw::int(*i),
            Value::Number(n) => Raw::float(*n),
            Value::LightUserData(p) => Raw::new(p.0 as u64, Tag::LIGHTUD),
            Value::String(LuaString(r))
            | Value::Table(Table(r))
            | Value::Function(Function(r))
            | Value::Thread(Thread(r))
            | Value::UserData(AnyUserData(r)) => r.raw_in(self)?,
            Value::Error(e) => self.error_value(cx, e),
        };
        cx.push(raw);
        Ok(())
    }
    /// Pushes a string. It may be long.
    #[inline]
    pub(crate) fn push_bytes(&self, cx: Ctx, s: &[u8]) -> Result<()> {
        let v = cx.try_str(s).map_err(|_| self.caught(cx))?;
        cx.push(v);
        Ok(())
    }
    /// Checks that so much memory is to be had. May collect.
    #[inline]
    pub(crate) fn reserve(&self, cx: Ctx, bytes: usize) -> Result<()> {
        cx.reserve(bytes).map_err(|_| self.caught(cx))
    }

    // ---- errors ----------------------------------------------------------------------------------------------------------

    /// The error that a `Throw` stands for.
    #[cold]
    pub(crate) fn caught(&self, cx: Ctx) -> Error {
        let status = cx.g().hot.error_status;
        let v = cx.take_error();
        self.error_from(cx, v, status)
    }
    /// The error for an error value.
    #[cold]
    pub(crate) fn error_from(&self, cx: Ctx, v: Raw, status: u32) -> Error {
        self.resume_panic();
        let seen = self.seen.take();
        let (traceback, position) = seen.map_or((None, None), |s| (Some(s.traceback), s.position));
        if let Some(e) = wrapped_error(v) {
            return e.with_position(position).with_traceback(traceback);
        }
        let kind = match status {
            3 => ErrorKind::Syntax,
            4 => ErrorKind::Memory,
            _ => ErrorKind::Runtime,
        };
        cx.push(v);
        let message = self.text_of(cx, v);
        let position = if kind == ErrorKind::Syntax {
            position_in(&message)
        } else {
            position
        };
        self.take_back();
        let thrown = Thrown {
            slot: cx.g().refs.add(v),
            to: self.released.clone(),
        };
        cx.pop();
        Error::new(kind, message)
            .with_position(position)
            .with_traceback(traceback)
            .with_thrown(thrown)
    }
    /// An error value as a message.
    fn text_of(&self, cx: Ctx, v: Raw) -> String {
        let text = |v: Raw| String::from_utf8_lossy(cx.bytes(v)).into_owned();
        match v.tag {
            Tag::STRING => return text(v),
            t if t.is_number() => return text(cx.number_to_str(v)),
            _ => {}
        }
        let f = cx.metamethod(v, MetaMethod::ToString);
        if f.is_nil() {
            return format!("(error object is a {} value)", v.tag.type_name());
        }
        cx.push(f);
        cx.push(v);
        let ok = cx.pcall(1, 1, Raw::NIL).is_ok();
        self.resume_panic();
        let r = cx.pop();
        match r.tag {
            Tag::STRING if ok => text(r),
            _ => "(error object whose __tostring fails)".into(),
        }
    }
    /// Keeps the traceback and position of the error that is being raised.
    fn see(&self, cx: Ctx) {
        let traceback = engine::traceback(cx, None, 1);
        *self.seen.borrow_mut() = Some(Seen {
            traceback: String::from_utf8_lossy(&traceback).into_owned(),
            position: position_of(cx),
        });
    }
    /// The Lua value that stands for an error, as an argument or to be raised as it is.
    pub(crate) fn error_value(self: &Rc<Self>, cx: Ctx, e: &Error) -> Raw {
        match e.thrown() {
            Some(t) if Arc::ptr_eq(&t.to, &self.released) && e.contexts().next().is_none() => {
                cx.g().refs.get(t.slot)
            }
            _ => cell::error_object(self, cx, e),
        }
    }
    /// Raises the error in the running native function.
    #[cold]
    pub(crate) fn raise(self: &Rc<Self>, cx: Ctx, e: Error) -> i64 {
        let ours = e
            .thrown()
            .is_some_and(|t| Arc::ptr_eq(&t.to, &self.released));
        if e.kind() == ErrorKind::Memory && !e.is_object() {
            // SAFETY: [NATIVE-FRAME]
            unsafe { throw::out_of_memory(cx.l) };
        } else if (ours && e.contexts().next().is_none()) || e.is_object() {
            // Lua code may catch it and raise it again elsewhere
            let e = if e.is_object() && e.traceback().is_none() {
                let t = engine::traceback(cx, None, 0);
                e.with_position(position_of(cx))
                    .with_traceback(Some(String::from_utf8_lossy(&t).into_owned()))
            } else {
                e
            };
            let v = self.error_value(cx, &e);
            cx.throw(v);
        } else if registry::called_by_dispatcher(cx) {
            // getters and setters: the access is one level further out
            let mut m = debuginfo::where_(cx, 2);
            m.extend_from_slice(e.message().as_bytes());
            cx.throw(cx.str(&m));
        } else if let Some(n) = e.argument() {
            match e.expected() {
                Some(expected) => cx.type_error(n, expected),
                None => cx.arg_error(n, &e),
            };
        } else {
            cx.error(&e);
        }
        -1
    }
    /// Lets a panic pass through Lua code, from the running native function.
    #[cold]
    pub(crate) fn raise_panic(&self, cx: Ctx, p: Box<dyn Any + Send>) -> i64 {
        let text = format!("panic in Rust code: {}", crate::error::panic_text(&*p));
        self.keep_panic(p);
        let v = cx.str(text);
        // SAFETY: [NATIVE-FRAME]
        unsafe { throw::set_error(cx.l, v, throw::UNCATCHABLE) };
        -1
    }
    /// Keeps a panic until Rust code is back. The first one counts.
    pub(crate) fn keep_panic(&self, p: Box<dyn Any + Send>) {
        self.panic.borrow_mut().get_or_insert(p);
    }
    /// Goes on with a panic that has passed through Lua code.
    #[inline]
    pub(crate) fn resume_panic(&self) {
        if self.panic.borrow().is_some() {
            self.go_on_with_panic();
        }
    }
    #[cold]
    fn go_on_with_panic(&self) {
        let p = self.panic.take();
        if let Some(p) = p {
            resume_unwind(p);
        }
    }

    // ---- operations ------------------------------------------------------------------------------------------------------

    fn make_ops(&self, cx: Ctx) {
        let coroutine = |name| {
            let all = traceorus_vm::coroutine::functions();
            all.into_iter().find(|f| f.0 == name).expect("exists").1
        };
        let kept = cx.registry_table("traceorus.ops");
        let all = [
            (Op::Index, native!(op_index)),
            (Op::SetIndex, native!(op_set_index)),
            (Op::Len, native!(op_len)),
            (Op::Eq, native!(op_eq)),
            (Op::ToString, native!(op_tostring)),
            (Op::Resume, coroutine("resume")),
            (Op::Close, coroutine("close")),
        ];
        for (op, f) in all {
            let f = cx.new_native("operation", f, &[]);
            let _ = cx.raw_set(kept, Raw::int(op as i64), f);
            self.ops[op as usize].set(f);
        }
    }
    /// Pushes the function of an operation.
    pub(crate) fn push_op(&self, cx: Ctx, op: Op) {
        cx.push(self.ops[op as usize].get());
    }
    /// Does an operation in a protected call. Gives its result (or nil), which is on top of the frame then.
    pub(crate) fn operate(&self, cx: Ctx, op: Op, args: &[Raw]) -> Result<Raw> {
        self.begin_call(cx);
        self.push_op(cx, op);
        for &a in args {
            cx.push(a);
        }
        self.finish_call(cx, args.len(), 1)?;
        Ok(cx.arg(cx.top()))
    }
    /// The error by which a coroutine has ended.
    pub(crate) fn error_of_thread(&self, cx: Ctx, co: Raw, e: Raw) -> Error {
        // SAFETY: [GC-LIVE] the thread has a reference, its frames are as the error has left them.
        let (traceback, position) = unsafe {
            let co = co.as_ptr();
            (debuginfo::traceback(co, None, 0), position_in_thread(co))
        };
        *self.seen.borrow_mut() = Some(Seen {
            traceback: String::from_utf8_lossy(&traceback).into_owned(),
            position,
        });
        self.error_from(cx, e, 2)
    }

    // ---- calls -------------------------------------------------------------------------------------------------------------

    /// Pushes the message handler. The function and its arguments come on top of it.
    #[inline]
    pub(crate) fn begin_call(&self, cx: Ctx) {
        cx.push(self.handler.get());
    }
    /// Calls the function below the topmost `nargs` values, which is on top of what [`State::begin_call`] has pushed. The
    /// results (`nresults`, or all if negative) replace all of it. Gives how many.
    #[inline]
    pub(crate) fn finish_call(&self, cx: Ctx, nargs: usize, nresults: i32) -> Result<usize> {
        // SAFETY: [NATIVE-FRAME] handler, function and arguments are on top.
        let r = unsafe { call::pcall_handled(cx.l, nargs, nresults) };
        self.resume_panic();
        r.map_err(|status| {
            let v = cx.pop();
            self.error_from(cx, v, status)
        })
    }
}

/// Chunk and line of the innermost Lua function that runs.
pub(crate) fn position_of(cx: Ctx) -> Option<(String, u32)> {
    // SAFETY: [NATIVE-FRAME] the frames of the running thread are intact.
    unsafe { position_in_thread(cx.l) }
}

/// # Safety
/// [STACK-STABLE] as `debuginfo::frames`.
unsafe fn position_in_thread(l: *mut RawThread) -> Option<(String, u32)> {
    // SAFETY: as promised.
    unsafe {
        debuginfo::frames(l)
            .find(|f| !f.pc.is_null())
            .and_then(|f| {
                let line = u32::try_from(debuginfo::current_line(&f)).ok()?;
                let info = debuginfo::func_info(f.function());
                Some((String::from_utf8_lossy(&info.short_src).into_owned(), line))
            })
    }
}

/// Chunk and line at the front of a message of the parser.
fn position_in(message: &str) -> Option<(String, u32)> {
    let mut from = 0;
    // the chunk's name may contain colons
    while let Some(i) = message[from..].find(':') {
        let (name, rest) = (&message[..from + i], &message[from + i + 1..]);
        if let Some((line, _)) = rest.split_once(": ")
            && let Ok(line) = line.parse()
        {
            return Some((name.to_owned(), line));
        }
        from += i + 1;
    }
    None
}

/// The error in an object made by [`State::error_value`].
fn wrapped_error(v: Raw) -> Option<Error> {
    cell::of_type::<Error>(v).and_then(|c| c.shared().cloned())
}

/// Message handler of calls: leaves the error as it is.
fn see_error(cx: Ctx) -> LResult<usize> {
    if let Some(lua) = State::of(cx) {
        lua.state.see(cx);
    }
    cx.ret(cx.arg(1))
}

/// A reference to a Lua value: what handles are made of. Made, cloned and dropped in constant time; dropping it is allowed at any
/// time, also after the state.
pub(crate) struct Ref {
    state: Rc<State>,
    slot: u32,
}

impl Ref {
    #[inline]
    pub(crate) fn new(state: &Rc<State>, cx: Ctx, v: Raw) -> Ref {
        Ref {
            state: state.clone(),
            slot: cx.g().refs.add(v),
        }
    }
    /// A reference made outside of any frame. The state is open, the value live.
    pub(crate) fn keep(state: &Rc<State>, v: Raw) -> Ref {
        let g = state.global().expect("the state is open");
        Ref {
            state: state.clone(),
            slot: g.refs.add(v),
        }
    }
    #[inline]
    pub(crate) fn lua(&self) -> View<'_> {
        view(&self.state)
    }
    #[inline]
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.state
    }
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }
    /// The value. `cx` is of the same state, open.
    #[inline]
    pub(crate) fn raw(&self, cx: Ctx) -> Raw {
        debug_assert!(std::ptr::eq(cx.g().api.cast(), Rc::as_ptr(&self.state)));
        cx.g().refs.get(self.slot)
    }
    /// The value for use in an open state.
    #[inline]
    pub(crate) fn raw_in(&self, state: &Rc<State>) -> Result<Raw> {
        if !Rc::ptr_eq(&self.state, state) {
            return Err(Error::foreign());
        }
        self.peek().ok_or_else(Error::closed)
    }
    /// The value, unless the state is closed.
    pub(crate) fn peek(&self) -> Option<Raw> {
        self.state.global().map(|g| g.refs.get(self.slot))
    }
    /// The address of the object, null if the state is closed.
    pub(crate) fn address(&self) -> *const std::ffi::c_void {
        self.peek()
            .map_or(std::ptr::null(), |v| v.payload as *const std::ffi::c_void)
    }
    /// The same value, raw comparison.
    pub(crate) fn same(&self, o: &Ref) -> bool {
        Rc::ptr_eq(&self.state, &o.state)
            && match (self.peek(), o.peek()) {
                // SAFETY: [GC-LIVE] both have references.
                (Some(a), Some(b)) => unsafe { traceorus_vm::arith::raw_equal(a, b) },
                _ => self.slot == o.slot,
            }
    }
}

impl Clone for Ref {
    #[inline]
    fn clone(&self) -> Ref {
        let slot = match self.state.global() {
            Some(g) => {
                let v = g.refs.get(self.slot);
                g.refs.add(v)
            }
            None => self.slot,
        };
        Ref {
            state: self.state.clone(),
            slot,
        }
    }
}

impl Drop for Ref {
    #[inline]
    fn drop(&mut self) {
        if let Some(g) = self.state.global() {
            g.refs.remove(self.slot);
        }
    }
}
