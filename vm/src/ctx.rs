//! What native (Rust) functions see: arguments, results, errors, calls.
//!
//! A native function runs in a frame of its own: its arguments are slots `1..=nargs`, further values are pushed
//! above them; it returns how many of the topmost values are its results. Values that must survive a call into
//! Lua have to be in the frame (or reachable from it): collection happens only there (and in `reserve`), never in an
//! allocation [GC-SAFEPOINT].

use std::fmt;

use traceorus_base::frame;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::state::Global;
use crate::string::{str_bytes, str_val};
use crate::{call, debuginfo, dispatch, exec, number, table, throw};

/// An error (or a refused yield) is under way; its value is in the state. Return it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throw;

/// Result of what may raise.
pub type LResult<T> = Result<T, Throw>;

/// A native function: returns the number of results on top of its frame.
pub type RustFn = fn(Ctx<'_>) -> LResult<usize>;

/// What a native function returns in place of a count when execution goes on elsewhere.
pub(crate) const SWITCHED: usize = usize::MAX - 1;

/// The running native frame. Copyable; valid only during the call that received it.
#[derive(Clone, Copy)]
pub struct Ctx<'c> {
    /// Thread. Non-null, live.
    pub l: *mut Thread,
    life: core::marker::PhantomData<&'c ()>,
}

/// Wraps a [`RustFn`] as entry point: `native!(f)` is a `NativeFn`.
#[macro_export]
macro_rules! native {
    ($f:path) => {{
        unsafe extern "C" fn entry(l: *mut traceorus_base::objects::Thread) -> i64 {
            // SAFETY: [NATIVE-FRAME] the interpreter calls entry points with the running thread.
            match $f(unsafe { $crate::ctx::Ctx::new(l) }) {
                Ok(n) => n as i64,
                Err($crate::ctx::Throw) => -1,
            }
        }
        entry as traceorus_base::objects::NativeFn
    }};
}

#[allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "[NATIVE-FRAME]: a table pointer that a native function holds is of a value in its frame"
)]
impl<'c> Ctx<'c> {
    /// The frame that runs on `l`.
    ///
    /// # Safety
    /// `l` is a live thread whose running frame is native, for as long as the result is used.
    #[inline(always)]
    pub unsafe fn new(l: *mut Thread) -> Ctx<'c> {
        Ctx {
            l,
            life: core::marker::PhantomData,
        }
    }

    /// The state.
    #[inline(always)]
    #[allow(
        clippy::mut_from_ref,
        reason = "the state is a web of raw pointers; borrows of it end before any call"
    )]
    pub fn g(&self) -> &'c mut Global {
        // SAFETY: [NATIVE-FRAME] a live thread's global is live.
        unsafe { Global::of((*self.l).global) }
    }

    // ---- slots -----------------------------------------------------------------------------------------------

    /// First slot of the frame.
    #[inline(always)]
    pub fn base(&self) -> *mut Value {
        // SAFETY: [NATIVE-FRAME]
        unsafe { (*self.l).base }
    }
    /// Number of values in the frame (at entry: of arguments).
    #[inline(always)]
    pub fn top(&self) -> usize {
        // SAFETY: [NATIVE-FRAME] base and top are in one stack.
        unsafe { (*self.l).top.offset_from((*self.l).base) as usize }
    }
    /// Cuts or extends (with nil) the frame to `n` values.
    pub fn set_top(&self, n: usize) {
        let t = self.top();
        if n > t {
            self.ensure(n - t);
        }
        // SAFETY: [NATIVE-FRAME] room was ensured.
        unsafe {
            for i in t..n {
                *(*self.l).base.add(i) = Value::NIL;
            }
            (*self.l).top = (*self.l).base.add(n);
        }
    }
    /// Value `i` (from 1), nil beyond the top.
    #[inline(always)]
    pub fn arg(&self, i: usize) -> Value {
        if i <= self.top() {
            // SAFETY: [NATIVE-FRAME] below the top.
            unsafe { *self.base().add(i - 1) }
        } else {
            Value::NIL
        }
    }
    /// No value at `i`.
    #[inline(always)]
    pub fn is_none(&self, i: usize) -> bool {
        i > self.top()
    }
    /// No value or nil at `i`.
    #[inline(always)]
    pub fn is_none_or_nil(&self, i: usize) -> bool {
        self.arg(i).is_nil()
    }
    /// Replaces value `i` (from 1, at most the top).
    #[inline]
    pub fn set(&self, i: usize, v: Value) {
        debug_assert!(i >= 1 && i <= self.top());
        // SAFETY: [NATIVE-FRAME] below the top.
        unsafe { v.store(self.base().add(i - 1)) }
    }
    /// Room for `n` more values (may move the stack; grows up to the hard limit and 200 slots beyond).
    pub fn ensure(&self, n: usize) {
        // SAFETY: [NATIVE-FRAME]
        unsafe { call::ensure_slots(self.l, n) }
    }
    /// Room for `n` more values or the error "stack overflow (msg)".
    pub fn check_stack(&self, n: usize, msg: &str) -> LResult<()> {
        // SAFETY: [NATIVE-FRAME]
        if unsafe { call::try_ensure_slots(self.l, n) } {
            Ok(())
        } else if msg.is_empty() {
            Err(self.error("stack overflow"))
        } else {
            Err(self.error(format_args!("stack overflow ({msg})")))
        }
    }
    /// Pushes a value.
    #[inline(always)]
    pub fn push(&self, v: Value) {
        // SAFETY: [NATIVE-FRAME] `ensure_slots` keeps room for one more below the reserve.
        unsafe {
            let l = self.l;
            if (*l).top >= (*l).stack.add((*l).stack_slots as usize - 2) {
                call::ensure_slots(l, 4);
            }
            v.store((*l).top);
            (*l).top = (*l).top.add(1);
        }
    }
    /// Takes the topmost value off.
    #[inline]
    pub fn pop(&self) -> Value {
        debug_assert!(self.top() > 0);
        // SAFETY: [NATIVE-FRAME] not empty.
        unsafe {
            (*self.l).top = (*self.l).top.sub(1);
            *(*self.l).top
        }
    }
    /// Pushes the value and says "one result".
    #[inline(always)]
    pub fn ret(&self, v: Value) -> LResult<usize> {
        self.push(v);
        Ok(1)
    }
    /// Pushes the values and says how many.
    #[inline]
    pub fn ret_all(&self, vs: &[Value]) -> LResult<usize> {
        for &v in vs {
            self.push(v);
        }
        Ok(vs.len())
    }
    /// Upvalue `i` (from 1) of the running native closure.
    #[inline]
    pub fn upvalue(&self, i: usize) -> Value {
        // SAFETY: [NATIVE-FRAME] the function slot holds the running closure.
        unsafe { *self.upvalue_slot(i) }
    }
    /// Replaces upvalue `i`.
    #[inline]
    pub fn set_upvalue(&self, i: usize, v: Value) {
        // SAFETY: [NATIVE-FRAME] [GC-BARRIER]
        unsafe {
            v.store(self.upvalue_slot(i));
            let f = (*self.base().sub(1)).as_ptr::<GcHeader>();
            if (*f).barrier != 0 {
                self.g().heap.barrier(f, v);
            }
        }
    }
    #[inline]
    unsafe fn upvalue_slot(&self, i: usize) -> *mut Value {
        // SAFETY: [NATIVE-FRAME] as above; the caller names an existing upvalue.
        unsafe {
            let f = (*self.base().sub(1)).payload as *mut u8;
            debug_assert!(i >= 1 && i <= (*(f as *mut GcHeader)).extra as usize);
            f.add(NativeClosure::UPVALS).cast::<Value>().add(i - 1)
        }
    }

    // ---- making values ---------------------------------------------------------------------------------------

    /// Raises "not enough memory" unless that many bytes can be allocated. May collect: values in use must be in the frame.
    pub fn reserve(&self, bytes: usize) -> LResult<()> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { throw::reserve(self.l, bytes) }
    }
    /// A string.
    pub fn str(&self, bytes: impl AsRef<[u8]>) -> Value {
        // SAFETY: allocation of a fresh object.
        unsafe { str_val(self.g().str_new(bytes.as_ref())) }
    }
    /// A string of unpredictable size: reserves first. May collect.
    pub fn try_str(&self, bytes: &[u8]) -> LResult<Value> {
        if bytes.len() > 4096 {
            self.reserve(bytes.len() + 64)?;
        }
        Ok(self.str(bytes))
    }
    /// A table with room for array and record parts.
    pub fn new_table(&self, narr: usize, nrec: usize) -> *mut Table {
        // SAFETY: allocation of a fresh object.
        unsafe { table::table_new(self.g(), narr, nrec) }
    }
    /// A native closure with the given upvalues.
    pub fn new_native(&self, name: &'static str, f: NativeFn, upvalues: &[Value]) -> Value {
        // SAFETY: allocation of a fresh object.
        unsafe { call::native_closure(self.g(), name, f, upvalues) }
    }
    /// A full userdata: its block is `size` bytes (zeroed). Push it before anything that may collect.
    pub fn new_userdata(&self, size: usize, nuv: usize) -> (Value, *mut u8) {
        // SAFETY: allocation of a fresh object.
        unsafe { exec::new_userdata(self.g(), size, nuv) }
    }

    // ---- arguments -------------------------------------------------------------------------------------------

    /// "bad argument #i to 'f' (msg)".
    #[cold]
    pub fn arg_error(&self, i: usize, msg: impl fmt::Display) -> Throw {
        debuginfo::arg_error(*self, i, msg.to_string().as_bytes())
    }
    /// "bad argument #i to 'f' (expected expected, got actual)".
    #[cold]
    pub fn type_error(&self, i: usize, expected: &str) -> Throw {
        let got = self.arg_type_name(i);
        self.arg_error(i, format_args!("{expected} expected, got {got}"))
    }
    /// Type of argument `i` for messages: `__name`, "light userdata", "no value" ...
    pub fn arg_type_name(&self, i: usize) -> String {
        if self.is_none(i) {
            return "no value".into();
        }
        debuginfo::type_name_of(self.g(), self.arg(i), true)
    }
    /// Any value.
    pub fn check_any(&self, i: usize) -> LResult<Value> {
        if self.is_none(i) {
            Err(self.arg_error(i, "value expected"))
        } else {
            Ok(self.arg(i))
        }
    }
    /// An integer, or what converts to one.
    #[inline]
    pub fn check_int(&self, i: usize) -> LResult<i64> {
        let v = self.arg(i);
        if v.tag == Tag::INT {
            return Ok(v.as_int());
        }
        // SAFETY: [GC-LIVE] an argument.
        match unsafe { number::tointeger(v) } {
            Some(n) => Ok(n),
            None if self.to_number(v).is_some() => {
                Err(self.arg_error(i, "number has no integer representation"))
            }
            None => Err(self.type_error(i, "number")),
        }
    }
    /// A float, or what converts to one.
    #[inline]
    pub fn check_num(&self, i: usize) -> LResult<f64> {
        let v = self.check_number(i)?;
        Ok(if v.tag == Tag::INT {
            v.as_int() as f64
        } else {
            v.as_float()
        })
    }
    /// A number of either kind, strings converted.
    #[inline]
    pub fn check_number(&self, i: usize) -> LResult<Value> {
        let v = self.arg(i);
        if v.tag.is_number() {
            return Ok(v);
        }
        self.to_number(v)
            .ok_or_else(|| self.type_error(i, "number"))
    }
    /// The number that the value is or (a string) denotes.
    pub fn to_number(&self, v: Value) -> Option<Value> {
        match v.tag {
            Tag::INT | Tag::FLOAT => Some(v),
            // SAFETY: [GC-LIVE] a string value.
            Tag::STRING => traceorus_base::number::str_to_number(unsafe { str_bytes(v.as_ptr()) }),
            _ => None,
        }
    }
    /// A string; a number in the slot is replaced by its text. The bytes live while the value stays in its slot.
    #[inline]
    pub fn check_str(&self, i: usize) -> LResult<&'c [u8]> {
        let v = self.arg(i);
        if v.tag == Tag::STRING {
            // SAFETY: [GC-LIVE] the slot keeps it.
            return Ok(unsafe { str_bytes(v.as_ptr()) });
        }
        if v.tag.is_number() {
            let s = self.number_to_str(v);
            self.set(i, s);
            // SAFETY: [GC-LIVE] the slot keeps it.
            return Ok(unsafe { str_bytes(s.as_ptr()) });
        }
        Err(self.type_error(i, "string"))
    }
    /// Text of a number as string value.
    pub fn number_to_str(&self, v: Value) -> Value {
        // SAFETY: allocation of a fresh string.
        unsafe { exec::number_to_str(self.g(), v) }
    }
    /// A table.
    #[inline]
    pub fn check_table(&self, i: usize) -> LResult<*mut Table> {
        let v = self.arg(i);
        if v.tag == Tag::TABLE {
            Ok(v.as_ptr())
        } else {
            Err(self.type_error(i, "table"))
        }
    }
    /// A function of any kind.
    pub fn check_function(&self, i: usize) -> LResult<Value> {
        let v = self.arg(i);
        if v.tag == Tag::FUNCTION {
            Ok(v)
        } else {
            Err(self.type_error(i, "function"))
        }
    }
    /// Integer or default.
    #[inline]
    pub fn opt_int(&self, i: usize, def: i64) -> LResult<i64> {
        if self.is_none_or_nil(i) {
            Ok(def)
        } else {
            self.check_int(i)
        }
    }
    /// Float or default.
    pub fn opt_num(&self, i: usize, def: f64) -> LResult<f64> {
        if self.is_none_or_nil(i) {
            Ok(def)
        } else {
            self.check_num(i)
        }
    }
    /// String or none.
    pub fn opt_str(&self, i: usize) -> LResult<Option<&'c [u8]>> {
        if self.is_none_or_nil(i) {
            Ok(None)
        } else {
            self.check_str(i).map(Some)
        }
    }
    /// One of the names (or the default): its number. "invalid option 'x'".
    pub fn check_option(&self, i: usize, def: Option<&str>, names: &[&str]) -> LResult<usize> {
        let given = match (self.opt_str(i)?, def) {
            (Some(s), _) => s,
            (None, Some(d)) => d.as_bytes(),
            (None, None) => self.check_str(i)?,
        };
        names
            .iter()
            .position(|n| n.as_bytes() == given)
            .ok_or_else(|| {
                self.arg_error(
                    i,
                    format_args!("invalid option '{}'", String::from_utf8_lossy(given)),
                )
            })
    }
    /// Truth of argument `i`.
    pub fn to_bool(&self, i: usize) -> bool {
        !self.arg(i).is_falsy()
    }
    /// The block of a full userdata whose metatable is the registry's `tname`.
    pub fn check_udata(&self, i: usize, tname: &str) -> LResult<*mut u8> {
        self.test_udata(self.arg(i), tname)
            .ok_or_else(|| self.type_error(i, tname))
    }
    /// As [`Ctx::check_udata`] for a value. A block that owns a Rust value is none, whatever the metatable says.
    pub fn test_udata(&self, v: Value, tname: &str) -> Option<*mut u8> {
        if v.tag != Tag::USERDATA {
            return None;
        }
        // SAFETY: [GC-LIVE] a userdata value.
        unsafe {
            let u = v.as_ptr::<Userdata>();
            let mt = self.registry_get(tname);
            (mt.tag == Tag::TABLE && mt.as_ptr::<Table>() == (*u).metatable && (*u).owner == 0)
                .then(|| (u as *mut u8).add(Userdata::block_offset((*u).nuv())))
        }
    }

    // ---- errors ----------------------------------------------------------------------------------------------

    /// An error with the position of the caller (level 1), as luaL_error.
    #[cold]
    pub fn error(&self, msg: impl fmt::Display) -> Throw {
        let mut m = debuginfo::where_(*self, 1);
        m.extend_from_slice(msg.to_string().as_bytes());
        self.throw(self.str(&m))
    }
    /// An error from bytes, with the position of the caller.
    #[cold]
    pub fn error_bytes(&self, msg: &[u8]) -> Throw {
        let mut m = debuginfo::where_(*self, 1);
        m.extend_from_slice(msg);
        self.throw(self.str(&m))
    }
    /// Raises a value as it is.
    pub fn throw(&self, v: Value) -> Throw {
        // SAFETY: [NATIVE-FRAME]
        unsafe { throw::set_error(self.l, v, 2) }
    }
    /// Takes the value of an error that was caught by other means than pcall.
    pub fn take_error(&self) -> Value {
        let h = &mut self.g().hot;
        h.error_handled = 0;
        std::mem::replace(&mut h.error_value, Value::NIL)
    }

    // ---- operations that may call metamethods (not yieldable) ----------------------------------------------------

    /// `t[k]`.
    pub fn index(&self, t: Value, k: Value) -> LResult<Value> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::index(self.l, t, k) }
    }
    /// `t[k] = v`.
    pub fn set_index(&self, t: Value, k: Value, v: Value) -> LResult<()> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::set_index(self.l, t, k, v) }
    }
    /// `t[i]`.
    pub fn geti(&self, t: Value, i: i64) -> LResult<Value> {
        if t.tag == Tag::TABLE {
            // SAFETY: [GC-LIVE]
            let v = unsafe { table::table_get_int(t.as_ptr(), i) };
            // SAFETY: [GC-LIVE]
            if !v.is_nil() || unsafe { (*t.as_ptr::<Table>()).metatable.is_null() } {
                return Ok(v);
            }
        }
        self.index(t, Value::int(i))
    }
    /// `t[i] = v`.
    pub fn seti(&self, t: Value, i: i64, v: Value) -> LResult<()> {
        self.set_index(t, Value::int(i), v)
    }
    /// `#v` as integer ("object length is not an integer" otherwise).
    pub fn len(&self, v: Value) -> LResult<i64> {
        // SAFETY: [NATIVE-FRAME]
        let n = unsafe { exec::len(self.l, v)? };
        number::tointeger_ns(n).ok_or_else(|| self.error("object length is not an integer"))
    }
    /// `a == b`.
    pub fn equals(&self, a: Value, b: Value) -> LResult<bool> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::equals(self.l, a, b) }
    }
    /// `a < b`.
    pub fn less_than(&self, a: Value, b: Value) -> LResult<bool> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::less_than(self.l, a, b) }
    }
    /// `tostring(v)`: a string value.
    pub fn tostring(&self, v: Value) -> LResult<Value> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { exec::tostring(self.l, v) }
    }
    /// Field of the metatable of `v`, nil if there is none.
    pub fn metafield(&self, v: Value, name: &str) -> Value {
        // SAFETY: [GC-LIVE]
        unsafe {
            let mt = exec::metatable_of(self.g(), v);
            if mt.is_null() {
                Value::NIL
            } else {
                self.raw_get_field(mt, name)
            }
        }
    }
    /// Metamethod of `v`.
    pub fn metamethod(&self, v: Value, e: MetaMethod) -> Value {
        // SAFETY: [GC-LIVE]
        unsafe { exec::metamethod(self.g(), v, e) }
    }

    // ---- calls -----------------------------------------------------------------------------------------------

    /// Calls the function below the topmost `nargs` values; both are replaced by the results: `nresults`, or all if
    /// negative. Returns how many. Not yieldable.
    pub fn call(&self, nargs: usize, nresults: i32) -> LResult<usize> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { call::call(self.l, nargs, nresults) }
    }
    /// Calls the function below the topmost `nargs` values as the last thing that this function does: its results (3, or
    /// all if `None`) are this one's. Yields may cross the call.
    pub fn call_pass(&self, nargs: usize, results: Option<u16>) -> LResult<usize> {
        // SAFETY: [NATIVE-FRAME] the values are on top; the frame stays below the callee's.
        unsafe {
            let func = (*self.l).top.sub(nargs + 1);
            let delta = func.offset_from((*self.l).base) as u64 + 1;
            let word = frame::word(
                frame::kind::CONT,
                dispatch::cont_pass(results) as u64,
                delta,
            );
            (*(*self.l).global).next_pc = call::precall(self.l, func, nargs, word);
        }
        Ok(SWITCHED)
    }
    /// As [`Ctx::call`], protected: on error the function and arguments are replaced by the error value. `handler`
    /// (a function or nil) is called with the error value at the point of the error.
    pub fn pcall(&self, nargs: usize, nresults: i32, handler: Value) -> Result<usize, u32> {
        // SAFETY: [NATIVE-FRAME]
        unsafe { call::pcall(self.l, nargs, nresults, handler) }
    }
    /// Pushes `f` and the arguments, calls, and takes the first result off.
    pub fn call1(&self, f: Value, args: &[Value]) -> LResult<Value> {
        self.push(f);
        for &a in args {
            self.push(a);
        }
        self.call(args.len(), 1)?;
        Ok(self.pop())
    }

    // ---- raw table access ------------------------------------------------------------------------------------

    /// Raw `t.name`.
    pub fn raw_get_field(&self, t: *mut Table, name: &str) -> Value {
        // SAFETY: [GC-LIVE]
        unsafe { table::table_get_str(t, self.g().str_new(name.as_bytes())) }
    }
    /// Raw `t.name = v` (constant-key store).
    pub fn raw_set_field(&self, t: *mut Table, name: &str, v: Value) {
        // SAFETY: [GC-LIVE] [GC-BARRIER] in the callee.
        unsafe {
            let k = self.g().str_new(name.as_bytes());
            table::table_set_field(self.g(), t, k, v)
        }
    }
    /// Raw `t[k] = v`; the key must be neither nil nor NaN.
    pub fn raw_set(&self, t: *mut Table, k: Value, v: Value) -> LResult<()> {
        // SAFETY: [GC-LIVE] [GC-BARRIER] in the callee.
        unsafe { exec::raw_set(self.l, t, k, v) }
    }
    /// Registers native functions in a table.
    pub fn set_funcs(&self, t: *mut Table, funcs: &[(&'static str, NativeFn)]) {
        for &(name, f) in funcs {
            let v = self.new_native(name, f, &[]);
            self.raw_set_field(t, name, v);
        }
    }
    /// Raw registry field.
    pub fn registry_get(&self, name: &str) -> Value {
        self.raw_get_field(self.g().hot.registry, name)
    }
    /// Sets a registry field.
    pub fn registry_set(&self, name: &str, v: Value) {
        self.raw_set_field(self.g().hot.registry, name, v)
    }
    /// The registry's subtable `name`, made when absent.
    pub fn registry_table(&self, name: &str) -> *mut Table {
        let v = self.registry_get(name);
        if v.tag == Tag::TABLE {
            return v.as_ptr();
        }
        let t = self.new_table(0, 4);
        self.registry_set(name, Value::ptr(t, Tag::TABLE));
        t
    }
    /// As luaL_newmetatable: the registry's metatable `tname` with `__name` set; true if it was made.
    pub fn new_metatable(&self, tname: &str) -> (*mut Table, bool) {
        let v = self.registry_get(tname);
        if v.tag == Tag::TABLE {
            return (v.as_ptr(), false);
        }
        let t = self.new_table(0, 4);
        self.raw_set_field(t, "__name", self.str(tname));
        self.registry_set(tname, Value::ptr(t, Tag::TABLE));
        (t, true)
    }
    /// `setmetatable` without checks (registers a finalizer where `__gc` is present).
    pub fn set_metatable(&self, v: Value, mt: *mut Table) {
        // SAFETY: [GC-LIVE]
        unsafe { exec::set_metatable(self.g(), v, mt) }
    }
    /// Metatable or null.
    pub fn metatable_of(&self, v: Value) -> *mut Table {
        // SAFETY: [GC-LIVE]
        unsafe { exec::metatable_of(self.g(), v) }
    }
    /// Globals table.
    pub fn globals(&self) -> *mut Table {
        self.g().hot.globals
    }
    /// Bytes of a string value. They live while the value is reachable.
    #[inline]
    pub fn bytes(&self, v: Value) -> &'c [u8] {
        debug_assert!(v.tag == Tag::STRING);
        // SAFETY: [GC-LIVE] the caller keeps it reachable.
        unsafe { str_bytes(v.as_ptr()) }
    }
}
