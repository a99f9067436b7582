//! Calls of C functions, and leaving them without a return.
//!
//! A C function is a [`NativeClosure`] whose `func` is [`c_entry`] and whose `cfunc` is the `lua_CFunction`. One without upvalues
//! exists once per state and address ([`light`]), so that all values made of it are equal.
//!
//! Every call of C code that may raise or yield goes through a stub that saves what a callee must preserve and links a
//! [`Boundary`], which lies on the native stack, into `GlobalHot::boundary`. [`raise`] and [`switched`] go back to the
//! innermost (or an outer) boundary: its stub returns -1 or -2, as a native function does, and nothing runs in the Rust or C frames in
//! between. So Rust functions that C code calls keep nothing that must be dropped while they call what may raise.
//!
//! An error never crosses an entry of the interpreter: what C code has called returns `Err` to the API function, which then raises again. A
//! yield does, where all C functions in between have given a continuation; see [`crate::ccall`].
//!
//! The stubs are the one thing here that depends on the architecture.

use std::ffi::{c_char, c_int, c_void};

use traceorus_base::bytecode::{self, Op};
use traceorus_base::frame;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_gc::Marker;

use crate::call::{self, MIN_NATIVE};
use crate::state::Global;
use crate::{dispatch, exec, throw};

/// What C knows of a thread: the address behind its [`Thread`], see [`state_of`].
pub type CState = c_void;
/// `lua_CFunction`.
pub type CFunction = unsafe extern "C" fn(*mut CState) -> c_int;
/// `lua_KFunction`.
pub type KFunction = unsafe extern "C" fn(*mut CState, c_int, isize) -> c_int;

/// Wraps a [`crate::ctx::RustFn`] as `lua_CFunction`, which [`call_c`] may call.
#[macro_export]
macro_rules! c_function {
    ($f:path) => {{
        unsafe extern "C" fn entry(s: *mut $crate::cfunc::CState) -> std::ffi::c_int {
            // SAFETY: [NATIVE-FRAME] called for the running thread; nothing is to be dropped when the error is raised.
            unsafe {
                let l = $crate::cfunc::thread_of(s);
                match $f($crate::ctx::Ctx::new(l)) {
                    Ok(n) => n as std::ffi::c_int,
                    Err($crate::ctx::Throw) => $crate::cfunc::raise(l),
                }
            }
        }
        entry as $crate::cfunc::CFunction
    }};
}

/// The `lua_State *` of a thread. The word before it is its extra space.
///
/// # Safety
/// `l` is a live thread.
#[inline(always)]
pub unsafe fn state_of(l: *mut Thread) -> *mut CState {
    // SAFETY: the end of the object.
    unsafe { l.add(1).cast() }
}

/// The thread of a `lua_State *`.
///
/// # Safety
/// `s` is from [`state_of`].
#[inline(always)]
pub unsafe fn thread_of(s: *mut CState) -> *mut Thread {
    // SAFETY: as promised.
    unsafe { s.cast::<Thread>().sub(1) }
}

/// A call of C code under way, on the native stack. What follows it there belongs to the stub.
#[repr(C)]
pub struct Boundary {
    /// The enclosing one or null.
    pub prev: *mut Boundary,
    /// `GlobalHot::activation` at the call.
    pub activation: *mut Activation,
    /// The thread for which the code runs.
    pub thread: *mut Thread,
    global: *mut GlobalHot,
    out: *mut u64,
}

/// What C code can set or see of a state as a whole.
pub struct CData {
    /// The registry as a value, for its pseudo-index.
    pub registry: Value,
    /// `lua_atpanic`.
    pub panic: Option<CFunction>,
    /// `lua_setwarnf`.
    pub warn: Option<unsafe extern "C" fn(*mut c_void, *const c_char, c_int)>,
    /// Its first argument.
    pub warn_data: usize,
    /// Closures by the address of their function, see [`light`]: open addressing, a power of two or empty.
    light: Vec<*mut NativeClosure>,
    light_len: usize,
    /// Strings whose text C has got and nothing else is sure to keep, see [`keep`].
    kept: [*mut Str; KEPT],
    next_kept: usize,
    /// Strings that were made of C strings lately, by the address of these; see [`name`].
    names: Vec<*mut Str>,
}

impl CData {
    pub(crate) fn new() -> CData {
        CData {
            registry: Value::NIL,
            panic: None,
            warn: None,
            warn_data: 0,
            light: Vec::new(),
            light_len: 0,
            kept: [std::ptr::null_mut(); KEPT],
            next_kept: 0,
            names: Vec::new(),
        }
    }
    pub(crate) fn mark(&self, m: &mut Marker<'_>) {
        for &c in &self.light {
            // SAFETY: [GC-LIVE] null or live: they are roots.
            unsafe { m.object(c) }
        }
        for s in self.kept {
            // SAFETY: as above.
            unsafe { m.object(s) }
        }
    }
    /// Strings may be freed now.
    pub(crate) fn forget_names(&mut self) {
        self.names.fill(std::ptr::null_mut());
    }
}

// ---- stubs ------------------------------------------------------------------------------------------------------

#[cfg(target_arch = "x86_64")]
mod stub {
    use super::*;
    use std::mem::offset_of;

    unsafe extern "C" {
        pub fn traceorus_c_entry(l: *mut Thread) -> i64;
        pub fn traceorus_c_call(
            l: *mut Thread,
            f: usize,
            a0: usize,
            a1: usize,
            a2: usize,
            out: *mut u64,
        ) -> i64;
        pub fn traceorus_c_leave(b: *mut Boundary, code: i64) -> !;
    }

    // The record is at the stack pointer while C code runs; behind it are rbx and r12 to r15. rbx is the state.
    std::arch::global_asm!(
        ".macro TRACEORUS_C_ENTER",
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "sub rsp, {record}",
        "mov rbx, [rdi + {t_global}]",
        "mov rax, [rbx + {g_boundary}]",
        "mov [rsp + {b_prev}], rax",
        "mov [rbx + {g_boundary}], rsp",
        "mov rax, [rbx + {g_activation}]",
        "mov [rsp + {b_activation}], rax",
        "mov [rsp + {b_thread}], rdi",
        "mov [rsp + {b_global}], rbx",
        ".endm",
        ".macro TRACEORUS_C_LEAVE",
        "mov rcx, [rsp + {b_prev}]",
        "mov [rbx + {g_boundary}], rcx",
        "add rsp, {record}",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        ".endm",
        ".text",
        ".balign 16",
        ".globl traceorus_c_entry",
        ".hidden traceorus_c_entry",
        ".type traceorus_c_entry, @function",
        "traceorus_c_entry:",
        "TRACEORUS_C_ENTER",
        "mov rax, [rdi + {t_base}]",
        "add rdi, {t_size}",
        "mov rax, [rax - 16]",
        "call [rax + {n_cfunc}]",
        "movsxd rax, eax",
        // slots to be closed
        "mov rdi, [rsp + {b_thread}]",
        "cmp dword ptr [rdi + {t_tbc_len}], 0",
        "jne 3f",
        "2:",
        "TRACEORUS_C_LEAVE",
        ".cfi_startproc",
        ".cfi_def_cfa rbp, 16",
        "3:",
        "mov rsi, rax",
        "call {close_frame}",
        "jmp 2b",
        ".cfi_endproc",
        ".size traceorus_c_entry, . - traceorus_c_entry",
        ".balign 16",
        ".globl traceorus_c_call",
        ".hidden traceorus_c_call",
        ".type traceorus_c_call, @function",
        "traceorus_c_call:",
        "TRACEORUS_C_ENTER",
        "mov r12, r9",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "mov rdx, r8",
        "call rax",
        "mov [r12], rax",
        "xor eax, eax",
        "TRACEORUS_C_LEAVE",
        ".size traceorus_c_call, . - traceorus_c_call",
        ".balign 16",
        ".globl traceorus_c_leave",
        ".hidden traceorus_c_leave",
        ".type traceorus_c_leave, @function",
        "traceorus_c_leave:",
        ".cfi_startproc",
        // a host with AddressSanitizer has marked the surroundings of variables in the frames that end here; as `longjmp` does
        ".weak __asan_handle_no_return",
        "mov rax, [rip + __asan_handle_no_return@GOTPCREL]",
        "test rax, rax",
        "je 2f",
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call rax",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "2:",
        "mov rsp, rdi",
        "mov rax, rsi",
        "mov rbx, [rdi + {b_global}]",
        "lea rbp, [rdi + {record} + 40]",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "TRACEORUS_C_LEAVE",
        ".size traceorus_c_leave, . - traceorus_c_leave",
        record = const size_of::<Boundary>(),
        t_global = const offset_of!(Thread, global),
        t_base = const offset_of!(Thread, base),
        t_tbc_len = const offset_of!(Thread, tbc_len),
        close_frame = sym close_frame,
        t_size = const size_of::<Thread>(),
        g_boundary = const offset_of!(GlobalHot, boundary),
        g_activation = const offset_of!(GlobalHot, activation),
        b_prev = const offset_of!(Boundary, prev),
        b_activation = const offset_of!(Boundary, activation),
        b_thread = const offset_of!(Boundary, thread),
        b_global = const offset_of!(Boundary, global),
        n_cfunc = const offset_of!(NativeClosure, cfunc),
    );
    // with six registers and the return address above it the stack is aligned
    const _: () = assert!(size_of::<Boundary>() % 16 == 8);
}

#[cfg(not(target_arch = "x86_64"))]
mod stub {
    use super::*;

    fn missing() -> ! {
        eprintln!("traceorus: C functions cannot be called on this architecture yet");
        std::process::abort()
    }
    pub unsafe extern "C" fn traceorus_c_entry(_: *mut Thread) -> i64 {
        missing()
    }
    pub unsafe extern "C" fn traceorus_c_call(
        _: *mut Thread,
        _: usize,
        _: usize,
        _: usize,
        _: usize,
        _: *mut u64,
    ) -> i64 {
        missing()
    }
    pub unsafe extern "C" fn traceorus_c_leave(_: *mut Boundary, _: i64) -> ! {
        missing()
    }
}

/// The [`NativeFn`] of all C functions: calls the running closure's.
pub fn c_entry() -> NativeFn {
    stub::traceorus_c_entry
}

/// How a call of C code ended.
pub enum Ended {
    /// It returned this.
    Returned(u64),
    /// An error is registered.
    Raised,
    /// Execution goes on elsewhere, at `GlobalHot::next_pc`.
    Switched,
}

/// Calls C code on behalf of the running thread `l`: `f` with up to three words.
///
/// # Safety
/// `f` is a C function that takes such arguments; the running frame of `l` is one that the code may use.
pub unsafe fn call_c(l: *mut Thread, f: usize, args: [usize; 3]) -> Ended {
    let mut out = 0;
    // SAFETY: as promised.
    match unsafe { stub::traceorus_c_call(l, f, args[0], args[1], args[2], &mut out) } {
        0 => Ended::Returned(out),
        -1 => Ended::Raised,
        _ => Ended::Switched,
    }
}

/// The running C function has returned `n` values: closes what is pending in its frame. Gives `n` if nothing is, -1 after an error,
/// or -2: execution goes on at `GlobalHot::next_pc`, and the function ends once all is closed.
///
/// # Safety
/// [NATIVE-FRAME] the values are on top.
pub(crate) unsafe extern "C" fn close_frame(l: *mut Thread, n: i64) -> i64 {
    // SAFETY: [STACK-STABLE] as promised.
    unsafe {
        if !throw::has_tbc(l, (*l).base) {
            return n;
        }
        if call::need(l, (*l).top, 1, &[]).is_err() {
            return -1;
        }
        // the thread may end and be collected with the call
        let g = (*l).global;
        let count = (*l).top;
        Value::int(n).store(count);
        (*g).next_pc = continue_return(l, count);
        -2
    }
}

/// Closes the next value that is pending for the running C function, which has returned: slot `count` says how many values, which are
/// below. Or ends it. Gives the next pc.
///
/// # Safety
/// [NATIVE-FRAME] prepared by [`close_frame`].
pub(crate) unsafe fn continue_return(l: *mut Thread, count: *mut Value) -> *const Instr {
    /// Slots of a call of `__close`, and that of the number.
    const ROOM: usize = 4;
    // SAFETY: [STACK-STABLE] as promised; what is pending stays in its slots.
    unsafe {
        let base = (*l).base.offset_from((*l).stack) as usize;
        let Some(off) = throw::pop_tbc(l, base) else {
            (*l).top = count;
            return call::native_return(l, (*count).payload as usize);
        };
        (*l).top = count.add(1);
        let at = (*l).top.offset_from((*l).stack);
        if call::need(l, (*l).top, ROOM, &[]).is_err() {
            return throw::raise(l);
        }
        let v = *(*l).stack.add(off);
        let func = (*l).stack.offset(at);
        *func = exec::metamethod(Global::of((*l).global), v, MetaMethod::Close);
        *func.add(1) = v;
        *func.add(2) = Value::NIL;
        let delta = at as u64 + 1 - base as u64;
        let word = frame::closing_word(delta) | frame::RETURNING_BIT;
        call::precall(l, func, 2, word)
    }
}

/// Leaves the innermost call of C code with the registered error. Without one: `lua_atpanic`'s function, then the end.
///
/// # Safety
/// Called from C code of the state of `l`, by functions that keep nothing to be dropped; an error is registered.
#[cold]
pub unsafe fn raise(l: *mut Thread) -> ! {
    // SAFETY: as promised.
    unsafe {
        let b = (*(*l).global).boundary.cast::<Boundary>();
        if b.is_null() {
            unprotected(l)
        }
        stub::traceorus_c_leave(b, -1)
    }
}

/// Leaves the call `b` of C code, and all that it encloses: execution goes on at `GlobalHot::next_pc`.
///
/// # Safety
/// As [`raise`]; the state is as after a native function that returned -2.
pub unsafe fn switched(b: *mut Boundary) -> ! {
    // SAFETY: as promised.
    unsafe {
        (*(*b).global).activation = (*b).activation;
        stub::traceorus_c_leave(b, -2)
    }
}

/// An error that nobody catches.
unsafe fn unprotected(l: *mut Thread) -> ! {
    // SAFETY: there is room for one more value above the top.
    unsafe {
        let g = Global::of((*l).global);
        let e = std::mem::replace(&mut g.hot.error_value, Value::NIL);
        g.hot.error_handled = 0;
        // the error is all that is left on the stack
        (*l).tbc_len = 0;
        (*l).base = (*l).stack.add(1);
        e.store((*l).base);
        (*l).top = (*l).base.add(1);
        if let Some(f) = g.c.panic {
            f(state_of(l));
        }
        std::process::abort()
    }
}

// ---- closures -----------------------------------------------------------------------------------------------------

/// A new closure of a C function.
///
/// # Safety
/// [GC-LIVE] the upvalues, at most 255, are live; the caller makes the closure reachable before the next safepoint.
pub unsafe fn closure(g: &mut Global, f: usize, upvalues: &[Value]) -> *mut NativeClosure {
    // SAFETY: a fresh object of the right size.
    unsafe {
        let size = NativeClosure::size_for(upvalues.len());
        let c = g.heap.alloc(ObjKind::NativeClosure, size) as *mut NativeClosure;
        (*c).hdr.extra = upvalues.len() as u8;
        (*c).func = c_entry();
        (*c).cfunc = f as u64;
        (*c).name = std::ptr::null();
        (*c).name_len = 0;
        let handler = dispatch::handler_of(Op::FuncN);
        (*c).header = bytecode::pack(handler, 0, MIN_NATIVE as u16, 0xFFFF);
        (*c).pc = (&raw const (*c).header).add(1);
        let up = (c as *mut u8).add(NativeClosure::UPVALS) as *mut Value;
        for (i, v) in upvalues.iter().enumerate() {
            v.store(up.add(i));
        }
        c
    }
}

/// The address by which C knows a closure: its C function or, of a function of the libraries, the entry.
unsafe fn address(c: *const NativeClosure) -> usize {
    // SAFETY: [GC-LIVE]
    unsafe {
        match (*c).cfunc {
            0 => (*c).func as usize,
            f => f as usize,
        }
    }
}

#[inline]
fn home(f: usize, len: usize) -> usize {
    ((f as u64).wrapping_mul(POINTER_FACTOR) >> 32) as usize & (len - 1)
}

/// Finds the place of the closure of the function at `f`, or where it would be. There is a free place.
#[inline]
unsafe fn place(table: &[*mut NativeClosure], f: usize) -> usize {
    // SAFETY: [GC-LIVE] the entries are roots.
    unsafe {
        let mut i = home(f, table.len());
        while !table[i].is_null() && address(table[i]) != f {
            i = (i + 1) & (table.len() - 1);
        }
        i
    }
}

/// The closure without upvalues of the C function `f`: always the same one.
///
/// # Safety
/// `f` is a `lua_CFunction`, or an address that [`function_address`] gave.
#[inline]
pub unsafe fn light(g: &mut Global, f: usize) -> *mut NativeClosure {
    // SAFETY: as promised.
    unsafe {
        if !g.c.light.is_empty() {
            let c = g.c.light[place(&g.c.light, f)];
            if !c.is_null() {
                return c;
            }
        }
        let c = closure(g, f, &[]);
        intern(g, c);
        c
    }
}

unsafe fn intern(g: &mut Global, c: *mut NativeClosure) {
    // SAFETY: [GC-LIVE] the entries are roots.
    unsafe {
        if (g.c.light_len + 1) * 2 > g.c.light.len() {
            let mut bigger = vec![std::ptr::null_mut(); (g.c.light.len() * 2).max(64)];
            for &old in g.c.light.iter().filter(|c| !c.is_null()) {
                let i = place(&bigger, address(old));
                bigger[i] = old;
            }
            g.c.light = bigger;
        }
        let i = place(&g.c.light, address(c));
        if g.c.light[i].is_null() {
            g.c.light[i] = c;
            g.c.light_len += 1;
        }
    }
}

/// `lua_tocfunction`: the address of the C function. For a function of the libraries that is its entry, which C cannot call, but
/// which [`light`] and [`library_function`] take for the function.
///
/// # Safety
/// [GC-LIVE] `c` is a live closure of this state.
pub unsafe fn function_address(g: &mut Global, c: *mut NativeClosure) -> usize {
    // SAFETY: as promised.
    unsafe {
        if (*c).cfunc == 0 {
            intern(g, c);
        }
        address(c)
    }
}

/// The closure of a function of the libraries whose address C has got from [`function_address`].
///
/// # Safety
/// As [`light`].
pub unsafe fn library_function(g: &mut Global, f: usize) -> Option<*mut NativeClosure> {
    // SAFETY: [GC-LIVE] the entries are roots.
    unsafe {
        if g.c.light.is_empty() {
            return None;
        }
        let c = g.c.light[place(&g.c.light, f)];
        (!c.is_null() && (*c).cfunc == 0).then_some(c)
    }
}

/// How many texts [`keep`] keeps.
const KEPT: usize = 32;

/// The address of a copy of the text, with a NUL, that lives until many more were asked for: names in `lua_Debug`, which mostly are
/// strings of a program anyway.
///
/// # Safety
/// The state is complete.
pub unsafe fn keep(g: &mut Global, text: &[u8]) -> *const c_char {
    // SAFETY: [GC-LIVE] a root from here on.
    unsafe {
        let s = g.str_new(text);
        g.c.kept[g.c.next_kept % KEPT] = s;
        g.c.next_kept += 1;
        crate::string::str_data(s).cast()
    }
}

// ---- names --------------------------------------------------------------------------------------------------------

/// Places for [`name`], a power of two.
const NAMES: usize = 256;

/// The string with the text of the C string `s`. The last one made of the same address is tried first: most are constants of a program.
///
/// # Safety
/// `s` ends in a NUL; [GC-LIVE] the caller makes the string reachable before the next safepoint.
#[inline]
pub unsafe fn name(g: &mut Global, s: *const c_char) -> *mut Str {
    // SAFETY: as promised.
    unsafe { known_name(g, s).unwrap_or_else(|| make_name(g, s)) }
}

/// [`name`], if it is the one that was made of this address last.
///
/// # Safety
/// As [`name`].
#[inline]
pub unsafe fn known_name(g: &Global, s: *const c_char) -> Option<*mut Str> {
    // SAFETY: as promised; an entry is a live string until `forget_names`, and its text ends in a NUL, too.
    unsafe {
        let known = *g.c.names.get(name_place(s))?;
        let same =
            !known.is_null() && libc::strcmp(s, known.cast::<u8>().add(Str::DATA).cast()) == 0;
        same.then_some(known)
    }
}

fn name_place(s: *const c_char) -> usize {
    (s as usize ^ s as usize >> 8) % NAMES
}

#[cold]
unsafe fn make_name(g: &mut Global, s: *const c_char) -> *mut Str {
    // SAFETY: as `name`.
    unsafe {
        let bytes = std::ffi::CStr::from_ptr(s).to_bytes();
        let known = g.str_new(bytes);
        if g.c.names.is_empty() {
            g.c.names = vec![std::ptr::null_mut(); NAMES];
        }
        g.c.names[name_place(s)] = known;
        known
    }
}

/// A closure as a value.
#[inline(always)]
pub fn value(c: *mut NativeClosure) -> Value {
    Value::ptr(c, Tag::FUNCTION)
}
