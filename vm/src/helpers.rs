//! The complete meaning of every instruction, as one function per op.
//!
//! Protocol: `helper(l, pc) -> next pc`. The caller has stored `Thread::base` and `Thread::pc`; after the call it reloads
//! thread (`GlobalHot::current`), base and dispatch base and goes on at the returned pc. A helper that starts a call has
//! pushed the frame and returns the callee's first pc; one that raises returns what [`throw::raise`] gives; null leaves
//! the interpreter. Emitted code jumps here for whatever its fast paths do not cover, so every helper does the whole op.

use traceorus_base::bytecode::{self, MULTI, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::arith::{self, ArithOp};
use crate::call::{self, word_at};
use crate::ctx::{LResult, Throw};
use crate::debuginfo::{self, ErrKind};
use crate::exec::{self, Access};
use crate::jithooks;
use crate::number::{ForError, ForPrep};
use crate::state::Global;
use crate::{dispatch, number, string, table, throw};

// emitted allocation finds its free lists by `small_class`
const _: () = {
    let mut n = 1;
    while n <= SMALL_STEP_MAX {
        assert!(small_class(n) == traceorus_gc::const_size_class(n));
        n += 1;
    }
};

/// A helper; see the module.
pub type Helper = unsafe extern "C" fn(*mut Thread, *const Instr) -> *const Instr;

/// Operands of the instruction at `pc` in the running frame of `l`.
#[derive(Clone, Copy)]
struct Ins {
    l: *mut Thread,
    pc: *const Instr,
    w: Instr,
}

impl Ins {
    #[inline(always)]
    unsafe fn new(l: *mut Thread, pc: *const Instr) -> Ins {
        // SAFETY: [CODE] pc is at an instruction.
        unsafe { Ins { l, pc, w: *pc } }
    }
    #[inline(always)]
    unsafe fn slot(&self, off: u16) -> *mut Value {
        // SAFETY: [CODE] register operands are inside the frame; [STACK-STABLE] the base is read anew.
        unsafe { (*self.l).base.byte_add(off as usize) }
    }
    #[inline(always)]
    unsafe fn a(&self) -> *mut Value {
        // SAFETY: as `slot`.
        unsafe { self.slot(bytecode::a(self.w)) }
    }
    #[inline(always)]
    unsafe fn b(&self) -> *mut Value {
        // SAFETY: as `slot`.
        unsafe { self.slot(bytecode::b(self.w)) }
    }
    #[inline(always)]
    unsafe fn c(&self) -> *mut Value {
        // SAFETY: as `slot`.
        unsafe { self.slot(bytecode::c(self.w)) }
    }
    #[inline(always)]
    unsafe fn word(&self, i: usize) -> Instr {
        // SAFETY: [CODE] the op has that many words.
        unsafe { *self.pc.add(i) }
    }
    #[inline(always)]
    fn g<'a>(&self) -> &'a mut Global {
        // SAFETY: a live thread's global is live.
        unsafe { Global::of((*self.l).global) }
    }
    #[inline(always)]
    fn next(&self, words: usize) -> *const Instr {
        self.pc.wrapping_add(words)
    }
    #[inline(always)]
    fn jump16(&self, words: usize) -> *const Instr {
        self.next(words)
            .wrapping_offset(bytecode::jump16(self.w) as isize)
    }
    #[inline(always)]
    fn jump32(&self) -> *const Instr {
        self.next(1)
            .wrapping_offset(bytecode::jump32(self.w) as isize)
    }
    /// The constant of a K form: tag in C.
    #[inline(always)]
    unsafe fn konst_c(&self) -> Value {
        // SAFETY: [CODE] K forms have a constant word.
        unsafe { Value::new(self.word(1), Tag(bytecode::c(self.w) as i16 as i32)) }
    }
    /// The running closure.
    #[inline(always)]
    unsafe fn closure(&self) -> *mut LuaClosure {
        // SAFETY: the function slot of a Lua frame holds its closure.
        unsafe { (*(*self.l).base.sub(1)).payload as *mut LuaClosure }
    }
    #[inline(always)]
    unsafe fn upcell(&self, off: u16) -> *mut Cell {
        // SAFETY: [CODE] upvalue operands are in range.
        unsafe {
            *((self.closure() as *mut u8).add(LuaClosure::UPVALS + off as usize) as *mut *mut Cell)
        }
    }
    unsafe fn raise(&self) -> *const Instr {
        // SAFETY: an error is registered.
        unsafe { throw::raise(self.l) }
    }
    unsafe fn op_error(&self, k: ErrKind, a: Value, b: Value) -> *const Instr {
        // SAFETY: `l` runs this instruction.
        unsafe {
            debuginfo::op_error(self.l, self.pc, k, a, b);
            self.raise()
        }
    }
    /// Work at the boundary before `pc`, if any waits.
    #[inline(always)]
    unsafe fn poll(&self, pc: *const Instr) -> *const Instr {
        // SAFETY: all registers live at `pc` hold values.
        unsafe {
            if (*(*self.l).global).poll != 0 {
                return call::poll_at(self.l, pc);
            }
            pc
        }
    }
    /// Goes back to `pc` in a loop that counts.
    #[inline(always)]
    unsafe fn back_edge(&self, pc: *const Instr) -> *const Instr {
        // SAFETY: as `poll`.
        unsafe {
            let next = self.poll(pc);
            if next == pc && jithooks::ran_out(self.l, self.pc) {
                jithooks::hot(self.l, self.pc, pc);
            }
            next
        }
    }
    /// Calls the metamethod `args[0]` for `ev`.
    unsafe fn meta(&self, ev: MetaMethod, args: &[Value]) -> *const Instr {
        // SAFETY: `l` runs this instruction.
        unsafe {
            for &o in &args[1..3] {
                dispatch::cache_meta(self.g(), o, ev, args[0]);
            }
            call::call_meta(self.l, self.pc, args)
        }
    }
}

#[inline(always)]
unsafe fn cell_set(g: &mut Global, c: *mut Cell, v: Value) {
    // SAFETY: [GC-BARRIER]
    unsafe {
        (*c).value = Value::new(v.payload, v.tag);
        if (*c).hdr.barrier != 0 {
            g.heap.barrier(c as *mut GcHeader, v);
        }
    }
}

macro_rules! helpers {
    ($($name:ident($i:ident) $body:block)*) => { $(
        unsafe extern "C" fn $name(l: *mut Thread, pc: *const Instr) -> *const Instr {
            // SAFETY: [CODE] the interpreter runs verified code; operands are inside the frame.
            unsafe {
                let $i = Ins::new(l, pc);
                $body
            }
        }
    )* };
}

// ---- generic bodies ----------------------------------------------------------------------------------------------

unsafe fn do_index(i: Ins, t: Value, k: Value, words: usize) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        match exec::index_step(i.g(), t, k) {
            Access::Done(v) => {
                *i.a() = v;
                i.next(words)
            }
            Access::Call(f, o) => i.meta(MetaMethod::Index, &[f, o, k]),
            Access::NotIndexable(o) => i.op_error(ErrKind::Index, o, k),
            Access::Loop => {
                throw::run_error(i.l, "'__index' chain too long; possible loop");
                i.raise()
            }
        }
    }
}

unsafe fn do_set(i: Ins, t: Value, k: Value, v: Value, field: bool, words: usize) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        let done = exec::set_step(i.l, t, k, v, field);
        end_set(i, done, k, v, words)
    }
}

/// Goes on after [`exec::set_step`].
unsafe fn end_set(i: Ins, done: LResult<Access>, k: Value, v: Value, words: usize) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        match done {
            Ok(Access::Done(_)) => i.next(words),
            Ok(Access::Call(f, o)) => i.meta(MetaMethod::NewIndex, &[f, o, k, v]),
            Ok(Access::NotIndexable(o)) => i.op_error(ErrKind::Index, o, k),
            Ok(Access::Loop) => {
                throw::run_error(i.l, "'__newindex' chain too long; possible loop");
                i.raise()
            }
            Err(Throw) => i.raise(),
        }
    }
}

#[inline]
unsafe fn do_arith(i: Ins, op: ArithOp, a: Value, b: Value, words: usize) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        match arith::arith(op, a, b) {
            Ok(v) => {
                *i.a() = v;
                i.next(words)
            }
            Err(e) => {
                let g = i.g();
                let mut mm = Value::NIL;
                if !(a.tag.is_number() && b.tag.is_number()) {
                    mm = exec::metamethod(g, a, op.event());
                    if mm.is_nil() {
                        mm = exec::metamethod(g, b, op.event());
                    }
                }
                if mm.is_nil() {
                    exec::arith_error(i.l, i.pc, e, op.is_bitwise(), a, b);
                    return i.raise();
                }
                i.meta(op.event(), &[mm, a, b])
            }
        }
    }
}

/// `a < b` or `a <= b`; jumps (16 bits) when the answer equals `sense`.
unsafe fn do_order(i: Ins, a: Value, b: Value, or_equal: bool, sense: bool) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        if let Some(r) = exec::order_raw(a, b, or_equal) {
            return if r == sense { i.jump16(1) } else { i.next(1) };
        }
        let (mm, swapped) = exec::order_meta(i.g(), a, b, or_equal);
        if mm.is_nil() {
            return i.op_error(ErrKind::Compare, a, b);
        }
        if swapped {
            // `not (b < a)`: rare, so by a nested call
            (*i.l).top = (*i.l).base;
            return match exec::nested(i.l, &[mm, b, a]) {
                Ok(v) if v.is_falsy() == sense => i.jump16(1),
                Ok(_) => i.next(1),
                Err(Throw) => i.raise(),
            };
        }
        i.meta(
            if or_equal {
                MetaMethod::Le
            } else {
                MetaMethod::Lt
            },
            &[mm, a, b],
        )
    }
}

unsafe fn do_equal(i: Ins, a: Value, b: Value, sense: bool) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        match exec::equals_step(i.g(), a, b) {
            Ok(r) => {
                if r == sense {
                    i.jump16(1)
                } else {
                    i.next(1)
                }
            }
            Err(mm) => i.meta(MetaMethod::Eq, &[mm, a, b]),
        }
    }
}

unsafe fn concat(i: Ins, mut n: usize) -> *const Instr {
    // SAFETY: as the caller; registers B .. B+n hold the operands.
    unsafe {
        let g = i.g();
        while n > 1 {
            let top = i.b().add(n);
            let (x, y) = (*top.sub(2), *top.sub(1));
            let ok = |v: Value| v.tag == Tag::STRING || v.tag.is_number();
            if !(ok(x) && ok(y)) {
                let mut mm = exec::metamethod(g, x, MetaMethod::Concat);
                if mm.is_nil() {
                    mm = exec::metamethod(g, y, MetaMethod::Concat);
                }
                if mm.is_nil() {
                    let r = top.sub(2).offset_from((*i.l).base) as usize;
                    debuginfo::concat_error(i.l, i.pc, r);
                    return i.raise();
                }
                // the function slot is right above the operands that are left: its distance tells how many they are
                for o in [x, y] {
                    dispatch::cache_meta(g, o, MetaMethod::Concat, mm);
                }
                let slot = top.offset_from((*i.l).base) as usize;
                return call::call_meta_at(i.l, i.pc, &[mm, x, y], slot);
            }
            // the longest run of strings and numbers from the right
            let mut k = 2;
            while k < n && ok(*top.sub(k + 1)) {
                k += 1;
            }
            match join(i, top.sub(k), k) {
                Ok(v) => *top.sub(k) = v,
                Err(Throw) => return i.raise(),
            }
            n -= k - 1;
        }
        *i.a() = *i.b();
        i.poll(i.next(1))
    }
}

/// Concatenates the `k` strings and numbers from `first` on.
unsafe fn join(i: Ins, first: *mut Value, k: usize) -> LResult<Value> {
    // SAFETY: as the caller.
    unsafe {
        let g = i.g();
        if let Some(s) = string::str_join(g, std::slice::from_raw_parts(first, k)) {
            return Ok(string::str_val(s));
        }
        let mut total = 0usize;
        for j in 0..k {
            let p = first.add(j);
            if (*p).tag != Tag::STRING {
                *p = exec::number_to_str(g, *p);
            }
            total += (*(*p).as_ptr::<Str>()).len as usize;
            if total > isize::MAX as usize - 64 {
                return Err(throw::run_error(i.l, "string length overflow"));
            }
        }
        if k == 2 {
            let (x, y) = ((*first).as_ptr::<Str>(), (*first.add(1)).as_ptr::<Str>());
            if (*y).len == 0 {
                return Ok(*first);
            }
            if (*x).len == 0 {
                return Ok(*first.add(1));
            }
        }
        if total > 1024 {
            throw::reserve(i.l, total + 64)?;
        }
        let s = g.str_alloc_long(total);
        let mut to = string::str_data(s);
        for j in 0..k {
            let b = string::str_bytes((*first.add(j)).as_ptr());
            std::ptr::copy_nonoverlapping(b.as_ptr(), to, b.len());
            to = to.add(b.len());
        }
        Ok(string::str_val(s))
    }
}

/// Ends the running frame with `n` results at `res`.
#[inline]
unsafe fn ret(i: Ins, res: *mut Value, n: usize) -> *const Instr {
    // SAFETY: as the callers.
    unsafe { call::finish_return(i.l, res, n) }
}

unsafe fn top_count(i: Ins, from: *mut Value) -> usize {
    // SAFETY: a multi-result instruction has set the top.
    unsafe { (*i.l).top.offset_from(from) as usize }
}

unsafe fn tail_call(i: Ins, mut nargs: usize) -> *const Instr {
    // SAFETY: [STACK-STABLE] the frame is given up; function and arguments move down to its real function slot.
    unsafe {
        let l = i.l;
        let mut f = i.a();
        // errors and __call need the frame: resolve __call first
        let mut links = 0;
        while (*f).tag != Tag::FUNCTION {
            let mm = exec::metamethod(i.g(), *f, MetaMethod::Call);
            if mm.is_nil() {
                debuginfo::call_error(l, *f);
                return i.raise();
            }
            links += 1;
            if links == exec::MAX_LOOP {
                throw::run_error(l, "'__call' chain too long; possible loop");
                return i.raise();
            }
            let off = f.offset_from((*l).stack);
            if call::need(l, f, nargs + 2, call::slots(f, nargs + 1)).is_err() {
                return i.raise();
            }
            f = (*l).stack.offset(off);
            for k in (0..=nargs).rev() {
                *f.add(k + 1) = *f.add(k);
            }
            *f = mm;
            nargs += 1;
        }
        if (*(*f).as_ptr::<GcHeader>()).kind == ObjKind::NativeClosure as u8 {
            // as in PUC, the frame stays below a native function; the next instruction returns its results
            return call::precall(l, f, nargs, i.pc as u64);
        }
        // room first: once the frame is given up nothing may fail
        let off = f.offset_from((*l).stack);
        let args = call::slots(f, nargs + 1);
        if call::need(l, f, nargs + 256 + call::MIN_NATIVE, args).is_err() {
            return i.raise();
        }
        let f = (*l).stack.offset(off);
        let mut base = (*l).base;
        let mut w = word_at(base.sub(1));
        if frame::kind_of(w) == kind::VARARG {
            base = base.sub(frame::delta_of(w) as usize);
            w = word_at(base.sub(1));
        }
        let func = base.sub(1);
        let w = match frame::kind_of(w) {
            kind::LUA | kind::TAIL => frame::word(kind::TAIL, frame::addr_of(w), 0),
            _ => w | frame::TAIL_BIT,
        };
        std::ptr::copy(f, func, nargs + 1);
        // an interrupt may yet raise: the frame is the callee's then, at its first instruction
        let callee = (*func).as_ptr::<LuaClosure>();
        call::set_word(func, w);
        (*l).base = func.add(1);
        (*l).pc = (*callee).pc;
        call::enter_lua(l, func, nargs, w, callee)
    }
}

/// Lua frame's extra arguments: how many, and where the first is.
unsafe fn extra_args(i: Ins) -> (usize, *mut Value) {
    // SAFETY: only vararg functions have the instructions that ask.
    unsafe {
        let base = (*i.l).base;
        let w = word_at(base.sub(1));
        debug_assert!(frame::kind_of(w) == kind::VARARG);
        let delta = frame::delta_of(w) as usize;
        let np = (*(*i.closure()).proto).nparams as usize;
        (delta - 1 - np, base.sub(delta).add(np))
    }
}

/// What happens with the results of a metamethod (or `__close`) that the instruction at `pc` has called: `n` values at
/// `res`; `delta` is that of the frame that ended. The running frame is the instruction's.
///
/// # Safety
/// As [`call::finish_return`].
pub unsafe fn finish_op(
    l: *mut Thread,
    pc: *const Instr,
    res: *mut Value,
    n: usize,
    delta: usize,
) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let i = Ins::new(l, pc);
        let op = dispatch::op_at(pc);
        let v = if n > 0 {
            Value::new((*res).payload, (*res).tag)
        } else {
            Value::NIL
        };
        let words = op.words();
        match op {
            Op::SetGlobal | Op::SetField | Op::SetIndex | Op::SetInt => i.next(words),
            Op::JLt | Op::JLe | Op::JLtI | Op::JLeI | Op::JGtI | Op::JGeI | Op::JEq => {
                if v.is_falsy() {
                    i.next(words)
                } else {
                    i.jump16(words)
                }
            }
            Op::JNLt | Op::JNLe | Op::JNLtI | Op::JNLeI | Op::JNGtI | Op::JNGeI | Op::JNe => {
                if v.is_falsy() {
                    i.jump16(words)
                } else {
                    i.next(words)
                }
            }
            Op::Concat if bytecode::c(i.w) == 2 => {
                *i.a() = v;
                i.next(words)
            }
            Op::Concat => {
                let b = (i.b().offset_from((*l).base)) as usize;
                let left = delta - 1 - b; // operands at the time of the call
                *i.b().add(left - 2) = v;
                concat(i, left - 1)
            }
            Op::Close => h_close(l, pc),
            Op::RetC => {
                if bytecode::b(i.w) == MULTI {
                    (*l).top = (*l).base.add(delta - 1);
                }
                h_retc(l, pc)
            }
            Op::ContPass => {
                let mut n = n;
                if bytecode::c(i.w) != MULTI {
                    // the frame has room: native frames keep MIN_NATIVE slots
                    for k in n..bytecode::c(i.w) as usize {
                        *res.add(k) = Value::NIL;
                    }
                    n = bytecode::c(i.w) as usize;
                }
                (*l).top = res.add(n);
                call::finish_return(l, res, n)
            }
            _ => {
                *i.a() = v;
                i.next(words)
            }
        }
    }
}

fn or_equal_order(op: Op) -> (bool, bool) {
    match op {
        Op::JLtI => (false, true),
        Op::JNLtI => (false, false),
        Op::JLeI => (true, true),
        _ => (true, false),
    }
}

helpers! {
    h_move(i) { *i.a() = *i.b(); i.next(1) }
    h_loadi(i) { *i.a() = Value::int(bytecode::b(i.w) as i16 as i64); i.next(1) }
    h_loadk(i) { *i.a() = i.konst_c(); i.next(2) }
    h_loadprim(i) { *i.a() = Value::new(0, Tag(bytecode::b(i.w) as i16 as i32)); i.next(1) }
    h_loadnil(i) {
        for k in 0..bytecode::b(i.w) as usize {
            *i.a().add(k) = Value::NIL;
        }
        i.next(1)
    }

    h_getupval(i) { *i.a() = (*i.upcell(bytecode::b(i.w))).value; i.next(1) }
    h_setupval(i) { cell_set(i.g(), i.upcell(bytecode::a(i.w)), *i.b()); i.next(1) }
    h_newcell(i) {
        let v = *i.a();
        let c = exec::new_cell(i.g(), Value::new(v.payload, v.tag), bytecode::b(i.w) == 1);
        *i.a() = Value::ptr(c, Tag::CELL);
        i.poll(i.next(1))
    }
    h_getcell(i) { *i.a() = (*(*i.b()).as_ptr::<Cell>()).value; i.next(1) }
    h_setcell(i) { cell_set(i.g(), (*i.a()).as_ptr(), *i.b()); i.next(1) }

    h_getglobal(i) {
        let env = (*i.upcell(bytecode::b(i.w))).value;
        let k = Value::new(i.word(3), Tag::STRING);
        dispatch::cache_global(i.g(), i.pc, env);
        do_index(i, env, k, 4)
    }
    h_setglobal(i) {
        let env = (*i.upcell(bytecode::b(i.w))).value;
        let k = Value::new(i.word(3), Tag::STRING);
        let done = exec::set_step(i.l, env, k, *i.a(), true);
        dispatch::cache_global(i.g(), i.pc, env);
        end_set(i, done, k, *i.a(), 4)
    }
    h_getfield(i) {
        let t = *i.b();
        let k = Value::new(i.word(2), Tag::STRING);
        dispatch::cache_field(i.g(), i.pc, t);
        do_index(i, t, k, 3)
    }
    h_setfield(i) {
        let t = *i.a();
        let k = Value::new(i.word(2), Tag::STRING);
        let before = if t.tag == Tag::TABLE { (*t.as_ptr::<Table>()).shape } else { std::ptr::null_mut() };
        let done = exec::set_step(i.l, t, k, *i.b(), true);
        // before anything is called or raised, after which the table may be no more
        if t.tag == Tag::TABLE && done.is_ok() {
            dispatch::cache_addition(i.g(), i.pc, t.as_ptr(), before);
            dispatch::cache_field(i.g(), i.pc, t);
        } else if matches!(done, Ok(Access::Done(_))) {
            dispatch::cache_field(i.g(), i.pc, t);
        }
        end_set(i, done, k, *i.b(), 3)
    }
    h_selfget(i) {
        let o = *i.b();
        let k = Value::new(i.word(3), Tag::STRING);
        *i.a().add(1) = o;
        dispatch::cache_method(i.g(), i.pc, o);
        do_index(i, o, k, 4)
    }
    h_getindex(i) {
        dispatch::cache_computed(i.g(), *i.b(), *i.c(), true);
        do_index(i, *i.b(), *i.c(), 1)
    }
    h_setindex(i) {
        dispatch::cache_computed(i.g(), *i.a(), *i.b(), false);
        do_set(i, *i.a(), *i.b(), *i.c(), false, 1)
    }
    h_getint(i) { do_index(i, *i.b(), Value::int(bytecode::c(i.w) as i16 as i64), 1) }
    h_setint(i) { do_set(i, *i.a(), Value::int(bytecode::b(i.w) as i16 as i64), *i.c(), false, 1) }
    h_newtable(i) {
        let (na, nh) = (i.word(1) as u32 as usize, (i.word(1) >> 32) as usize);
        if na + nh > 200 && throw::reserve(i.l, table::table_new_bytes(na, nh)).is_err() {
            return i.raise();
        }
        let t = table::table_new(i.g(), na, nh);
        *i.a() = Value::ptr(t, Tag::TABLE);
        i.poll(i.next(2))
    }
    h_newrecord(i) {
        let t = exec::new_record(i.g(), i.word(1) as *mut Shape, i.b(), bytecode::c(i.w) as usize);
        *i.a() = Value::ptr(t, Tag::TABLE);
        i.poll(i.next(2))
    }
    h_setlist(i) {
        match set_list(i, bytecode::b(i.w) as usize) {
            Ok(()) => i.next(2),
            Err(Throw) => i.raise(),
        }
    }
    h_setlistm(i) {
        match set_list(i, top_count(i, i.a().add(1))) {
            Ok(()) => i.next(2),
            Err(Throw) => i.raise(),
        }
    }

    h_add(i) { do_arith(i, ArithOp::Add, *i.b(), *i.c(), 1) }
    h_sub(i) { do_arith(i, ArithOp::Sub, *i.b(), *i.c(), 1) }
    h_mul(i) { do_arith(i, ArithOp::Mul, *i.b(), *i.c(), 1) }
    h_div(i) { do_arith(i, ArithOp::Div, *i.b(), *i.c(), 1) }
    h_mod(i) { do_arith(i, ArithOp::Mod, *i.b(), *i.c(), 1) }
    h_pow(i) { do_arith(i, ArithOp::Pow, *i.b(), *i.c(), 1) }
    h_idiv(i) { do_arith(i, ArithOp::IDiv, *i.b(), *i.c(), 1) }
    h_band(i) { do_arith(i, ArithOp::BAnd, *i.b(), *i.c(), 1) }
    h_bor(i) { do_arith(i, ArithOp::BOr, *i.b(), *i.c(), 1) }
    h_bxor(i) { do_arith(i, ArithOp::BXor, *i.b(), *i.c(), 1) }
    h_shl(i) { do_arith(i, ArithOp::Shl, *i.b(), *i.c(), 1) }
    h_shr(i) { do_arith(i, ArithOp::Shr, *i.b(), *i.c(), 1) }
    h_addk(i) { do_arith(i, ArithOp::Add, *i.b(), i.konst_c(), 2) }
    h_subk(i) { do_arith(i, ArithOp::Sub, *i.b(), i.konst_c(), 2) }
    h_mulk(i) { do_arith(i, ArithOp::Mul, *i.b(), i.konst_c(), 2) }
    h_divk(i) { do_arith(i, ArithOp::Div, *i.b(), i.konst_c(), 2) }
    h_modk(i) { do_arith(i, ArithOp::Mod, *i.b(), i.konst_c(), 2) }
    h_powk(i) { do_arith(i, ArithOp::Pow, *i.b(), i.konst_c(), 2) }
    h_idivk(i) { do_arith(i, ArithOp::IDiv, *i.b(), i.konst_c(), 2) }
    h_bandk(i) { do_arith(i, ArithOp::BAnd, *i.b(), i.konst_c(), 2) }
    h_bork(i) { do_arith(i, ArithOp::BOr, *i.b(), i.konst_c(), 2) }
    h_bxork(i) { do_arith(i, ArithOp::BXor, *i.b(), i.konst_c(), 2) }
    h_shlk(i) { do_arith(i, ArithOp::Shl, *i.b(), i.konst_c(), 2) }
    h_shrk(i) { do_arith(i, ArithOp::Shr, *i.b(), i.konst_c(), 2) }
    h_addkr(i) { do_arith(i, ArithOp::Add, i.konst_c(), *i.b(), 2) }
    h_mulkr(i) { do_arith(i, ArithOp::Mul, i.konst_c(), *i.b(), 2) }
    h_bandkr(i) { do_arith(i, ArithOp::BAnd, i.konst_c(), *i.b(), 2) }
    h_borkr(i) { do_arith(i, ArithOp::BOr, i.konst_c(), *i.b(), 2) }
    h_bxorkr(i) { do_arith(i, ArithOp::BXor, i.konst_c(), *i.b(), 2) }
    h_subkr(i) { do_arith(i, ArithOp::Sub, i.konst_c(), *i.b(), 2) }
    h_divkr(i) { do_arith(i, ArithOp::Div, i.konst_c(), *i.b(), 2) }
    h_modkr(i) { do_arith(i, ArithOp::Mod, i.konst_c(), *i.b(), 2) }
    h_powkr(i) { do_arith(i, ArithOp::Pow, i.konst_c(), *i.b(), 2) }
    h_idivkr(i) { do_arith(i, ArithOp::IDiv, i.konst_c(), *i.b(), 2) }
    h_shlkr(i) { do_arith(i, ArithOp::Shl, i.konst_c(), *i.b(), 2) }
    h_shrkr(i) { do_arith(i, ArithOp::Shr, i.konst_c(), *i.b(), 2) }
    h_addi(i) { do_arith(i, ArithOp::Add, *i.b(), Value::int(bytecode::c(i.w) as i16 as i64), 1) }
    h_subi(i) { do_arith(i, ArithOp::Sub, *i.b(), Value::int(bytecode::c(i.w) as i16 as i64), 1) }
    h_unm(i) { do_arith(i, ArithOp::Unm, *i.b(), *i.b(), 1) }
    h_bnot(i) { do_arith(i, ArithOp::BNot, *i.b(), *i.b(), 1) }
    h_not(i) { *i.a() = Value::bool((*i.b()).is_falsy()); i.next(1) }
    h_len(i) {
        let v = *i.b();
        if v.tag == Tag::STRING {
            *i.a() = Value::int((*v.as_ptr::<Str>()).len as i64);
            return i.next(1);
        }
        let mm = exec::metamethod(i.g(), v, MetaMethod::Len);
        if !mm.is_nil() {
            return i.meta(MetaMethod::Len, &[mm, v, v]);
        }
        if v.tag == Tag::TABLE {
            *i.a() = Value::int(table::table_len(v.as_ptr()) as i64);
            return i.next(1);
        }
        i.op_error(ErrKind::Len, v, v)
    }
    h_concat(i) { concat(i, bytecode::c(i.w) as usize) }

    h_jmp(i) { i.jump32() }
    h_loop(i) { i.back_edge(i.jump32()) }
    h_jlt(i) { do_order(i, *i.a(), *i.b(), false, true) }
    h_jnlt(i) { do_order(i, *i.a(), *i.b(), false, false) }
    h_jle(i) { do_order(i, *i.a(), *i.b(), true, true) }
    h_jnle(i) { do_order(i, *i.a(), *i.b(), true, false) }
    h_jeq(i) { do_equal(i, *i.a(), *i.b(), true) }
    h_jne(i) { do_equal(i, *i.a(), *i.b(), false) }
    h_ji_lt(i) {
        let (e, s) = or_equal_order(dispatch::op_at(i.pc));
        do_order(i, *i.a(), Value::int(bytecode::b(i.w) as i16 as i64), e, s)
    }
    h_jgti(i) { do_order(i, Value::int(bytecode::b(i.w) as i16 as i64), *i.a(), false, true) }
    h_jngti(i) { do_order(i, Value::int(bytecode::b(i.w) as i16 as i64), *i.a(), false, false) }
    h_jgei(i) { do_order(i, Value::int(bytecode::b(i.w) as i16 as i64), *i.a(), true, true) }
    h_jngei(i) { do_order(i, Value::int(bytecode::b(i.w) as i16 as i64), *i.a(), true, false) }
    h_jeqi(i) {
        if arith::raw_equal(*i.a(), Value::int(bytecode::b(i.w) as i16 as i64)) { i.jump16(1) } else { i.next(1) }
    }
    h_jnei(i) {
        if arith::raw_equal(*i.a(), Value::int(bytecode::b(i.w) as i16 as i64)) { i.next(1) } else { i.jump16(1) }
    }
    h_jeqk(i) {
        let k = Value::new(i.word(1), Tag(bytecode::b(i.w) as i16 as i32));
        if arith::raw_equal(*i.a(), k) { i.jump16(2) } else { i.next(2) }
    }
    h_jnek(i) {
        let k = Value::new(i.word(1), Tag(bytecode::b(i.w) as i16 as i32));
        if arith::raw_equal(*i.a(), k) { i.next(2) } else { i.jump16(2) }
    }
    h_jeqp(i) { if (*i.a()).tag.0 == bytecode::b(i.w) as i16 as i32 { i.jump16(1) } else { i.next(1) } }
    h_jnep(i) { if (*i.a()).tag.0 == bytecode::b(i.w) as i16 as i32 { i.next(1) } else { i.jump16(1) } }
    h_jt(i) { if (*i.a()).is_falsy() { i.next(1) } else { i.jump16(1) } }
    h_jf(i) { if (*i.a()).is_falsy() { i.jump16(1) } else { i.next(1) } }
    h_jtset(i) {
        let v = *i.b();
        if v.is_falsy() { return i.next(1) }
        *i.a() = v;
        i.jump16(1)
    }
    h_jfset(i) {
        let v = *i.b();
        if !v.is_falsy() { return i.next(1) }
        *i.a() = v;
        i.jump16(1)
    }

    h_forprep(i) {
        let r = i.a();
        match number::for_prep(*r, *r.add(1), *r.add(2)) {
            Ok(ForPrep::Skip) => i.jump32(),
            Ok(ForPrep::Int { init, last, step }) => {
                *r = Value::int(init);
                *r.add(1) = Value::int(last);
                *r.add(2) = Value::int(step);
                i.next(1)
            }
            Ok(ForPrep::Float { init, limit, step }) => {
                *r = Value::float(init);
                *r.add(1) = Value::float(limit);
                *r.add(2) = Value::float(step);
                i.next(1)
            }
            Err(e) => {
                match e {
                    ForError::Init => { debuginfo::op_error(i.l, i.pc, ErrKind::ForInit, *r, *r); }
                    ForError::Limit => { debuginfo::op_error(i.l, i.pc, ErrKind::ForLimit, *r.add(1), *r); }
                    ForError::Step => { debuginfo::op_error(i.l, i.pc, ErrKind::ForStep, *r.add(2), *r); }
                    ForError::ZeroStep => { throw::run_error(i.l, "'for' step is zero"); }
                }
                i.raise()
            }
        }
    }
    h_forloop(i) { for_loop(i, false) }
    h_forloopv(i) { for_loop(i, true) }
    h_tforprep(i) {
        if throw::mark_tbc(i.l, i.a().add(3)).is_err() {
            return i.raise();
        }
        i.jump32()
    }
    h_tforcall(i) {
        if jithooks::ran_out(i.l, i.pc) {
            jithooks::hot(i.l, i.pc, i.pc);
            if i.g().recording {
                return i.pc;
            }
        }
        let a = i.a();
        for k in 0..3 {
            *a.add(k) = *a.sub(4).add(k);
        }
        call::precall(i.l, a, 2, frame::word(kind::LUA, i.pc as u64, 0))
    }
    h_tforloop(i) {
        let v = *i.a();
        if v.is_nil() {
            return i.next(1);
        }
        *i.a().sub(2) = v;
        i.poll(i.jump32())
    }

    h_call(i) { call::precall(i.l, i.a(), bytecode::b(i.w) as usize, frame::word(kind::LUA, i.pc as u64, 0)) }
    h_callm(i) {
        let f = i.a();
        call::precall(i.l, f, top_count(i, f.add(1)), frame::word(kind::LUA, i.pc as u64, 0))
    }
    h_tailcall(i) { tail_call(i, bytecode::b(i.w) as usize) }
    h_tailcallm(i) { tail_call(i, top_count(i, i.a().add(1))) }
    h_ret0(i) { ret(i, (*i.l).base, 0) }
    h_ret1(i) { ret(i, i.a(), 1) }
    h_ret(i) { ret(i, i.a(), bytecode::b(i.w) as usize) }
    h_retm(i) { ret(i, i.a(), top_count(i, i.a())) }
    h_retc(i) {
        let l = i.l;
        let level = (*l).base.offset_from((*l).stack) as usize;
        let n = if bytecode::b(i.w) == MULTI { top_count(i, i.a()) } else { bytecode::b(i.w) as usize };
        if let Some(off) = throw::pop_tbc(l, level) {
            // the results wait below the call; with MULTI the call's distance tells how many they are
            let v = *(*l).stack.add(off);
            let p = (*i.closure()).proto;
            let live = *(*p).live.add(i.pc.offset_from((*p).code) as usize) as usize;
            let slot = (i.a().offset_from((*l).base) as usize + n).max(live);
            return close_call(i, v, slot);
        }
        ret(i, i.a(), n)
    }
    h_vararg(i) {
        let want = bytecode::b(i.w) as usize;
        let (n, from) = extra_args(i);
        for k in 0..want {
            *i.a().add(k) = if k < n { *from.add(k) } else { Value::NIL };
        }
        i.next(1)
    }
    h_varargm(i) {
        let (n, from) = extra_args(i);
        let from_off = from.offset_from((*i.l).stack);
        if call::need(i.l, i.a(), n + 1, &[]).is_err() {
            return i.raise();
        }
        let from = (*i.l).stack.offset(from_off);
        let a = i.a();
        for k in 0..n {
            *a.add(k) = *from.add(k);
        }
        (*i.l).top = a.add(n);
        i.next(1)
    }
    h_closure(i) {
        let p = i.word(1) as *mut Proto;
        let n = (*p).nupvals as usize;
        let g = i.g();
        let c = g.heap.alloc(ObjKind::LuaClosure, LuaClosure::size_for(n)) as *mut LuaClosure;
        (*c).hdr.extra = n as u8;
        (*c).proto = p;
        (*c).pc = (*p).code.add(1);
        (*p).ninstances = (*p).ninstances.saturating_add(1);
        let up = (c as *mut u8).add(LuaClosure::UPVALS) as *mut *mut Cell;
        for k in 0..n {
            let d = *(*p).upvals.add(k);
            *up.add(k) = if d.in_stack != 0 {
                (*(*i.l).base.add(d.index as usize)).as_ptr()
            } else {
                i.upcell(8 * d.index as u16)
            };
        }
        *i.a() = Value::ptr(c, Tag::FUNCTION);
        i.poll(i.next(2))
    }
    h_tbc(i) {
        if throw::mark_tbc(i.l, i.a()).is_err() {
            return i.raise();
        }
        i.next(1)
    }
    h_close(i) {
        let level = i.a().offset_from((*i.l).stack) as usize;
        if let Some(off) = throw::pop_tbc(i.l, level) {
            let v = *(*i.l).stack.add(off);
            let slot = (*(*i.closure()).proto).frame_size as usize;
            return close_call(i, v, slot);
        }
        i.next(1)
    }
    h_private(i) { unreachable!("op {:?} is never executed", dispatch::op_at(i.pc)) }
}

/// Calls `__close(v, nil)` from a frame that runs on; the instruction is executed again afterwards.
unsafe fn close_call(i: Ins, v: Value, slot: usize) -> *const Instr {
    // SAFETY: as the callers; results of a RetC lie below `slot`.
    unsafe {
        let mm = exec::metamethod(i.g(), v, MetaMethod::Close);
        if mm.is_nil() {
            debuginfo::close_error(i.l, v);
            return i.raise();
        }
        if slot as u64 >= frame::MAX_DELTA {
            throw::run_error(
                i.l,
                "too many results to return past to-be-closed variables",
            );
            return i.raise();
        }
        let full = if dispatch::op_at(i.pc) == Op::RetC {
            frame::FULL_BIT
        } else {
            0
        };
        call::call_meta_full(i.l, i.pc, &[mm, v, Value::NIL], slot, full)
    }
}

unsafe fn set_list(i: Ins, n: usize) -> LResult<()> {
    // SAFETY: the values are in the registers above A.
    unsafe {
        let w = i.word(1);
        let (start, total) = (w as u32 as usize, (w >> 32) as usize);
        let t = (*i.a()).as_ptr::<Table>();
        let g = i.g();
        let last = start + n;
        if last.max(total) > 200 {
            throw::reserve(i.l, 9 * last.max(total) + 64)?;
        }
        if (*t).arr_cap as usize <= last && table::table_resize(g, t, last.max(total), 0).is_err() {
            return Err(throw::run_error(i.l, "table overflow"));
        }
        for k in 0..n {
            table::table_set_int(g, t, (start + k + 1) as i64, *i.a().add(1 + k));
        }
        if n != 0 && last < (*t).arr_cap as usize && !(*i.a().add(n)).is_nil() {
            table::table_settle(t, last as u32);
        }
        Ok(())
    }
}

unsafe fn for_loop(i: Ins, copy: bool) -> *const Instr {
    // SAFETY: as the callers.
    unsafe {
        let r = i.a();
        let step = *r.add(2);
        if (*r).tag == Tag::INT {
            let v = (*r).as_int();
            if v == (*r.add(1)).as_int() {
                return i.next(1);
            }
            (*r).payload = v.wrapping_add(step.as_int()) as u64;
        } else {
            let v = (*r).as_float() + step.as_float();
            let limit = (*r.add(1)).as_float();
            if !(if step.as_float() > 0.0 {
                v <= limit
            } else {
                limit <= v
            }) {
                return i.next(1);
            }
            *r = Value::float(v);
        }
        if copy {
            *r.add(3) = *r;
        }
        i.back_edge(i.jump16(1))
    }
}

/// Not an instruction of a function: execution goes on here when C functions that an error passes have been left.
unsafe extern "C" fn h_cont_catch(l: *mut Thread, _: *const Instr) -> *const Instr {
    // SAFETY: `ccall::catch` has prepared it.
    unsafe { throw::raise(l) }
}

/// Helpers by op number.
pub static HELPERS: [Helper; Op::ALL.len()] = {
    let mut t: [Helper; Op::ALL.len()] = [h_private; Op::ALL.len()];
    macro_rules! set { ($($op:ident => $f:ident,)*) => { $( t[Op::$op as usize] = $f; )* } }
    set! {
        Move => h_move, LoadI => h_loadi, LoadK => h_loadk, LoadPrim => h_loadprim, LoadNil => h_loadnil,
        GetUpval => h_getupval, SetUpval => h_setupval, NewCell => h_newcell, GetCell => h_getcell, SetCell => h_setcell,
        GetGlobal => h_getglobal, SetGlobal => h_setglobal, GetField => h_getfield, SetField => h_setfield,
        SelfGet => h_selfget, GetIndex => h_getindex, SetIndex => h_setindex, GetInt => h_getint, SetInt => h_setint,
        NewTable => h_newtable, NewRecord => h_newrecord, SetList => h_setlist, SetListM => h_setlistm,
        Add => h_add, Sub => h_sub, Mul => h_mul, Div => h_div, Mod => h_mod, Pow => h_pow, IDiv => h_idiv,
        BAnd => h_band, BOr => h_bor, BXor => h_bxor, Shl => h_shl, Shr => h_shr,
        AddK => h_addk, SubK => h_subk, MulK => h_mulk, DivK => h_divk, ModK => h_modk, PowK => h_powk, IDivK => h_idivk,
        BAndK => h_bandk, BOrK => h_bork, BXorK => h_bxork, ShlK => h_shlk, ShrK => h_shrk,
        AddKR => h_addkr, MulKR => h_mulkr, BAndKR => h_bandkr, BOrKR => h_borkr, BXorKR => h_bxorkr,
        SubKR => h_subkr, DivKR => h_divkr, ModKR => h_modkr, PowKR => h_powkr, IDivKR => h_idivkr,
        ShlKR => h_shlkr, ShrKR => h_shrkr, AddI => h_addi, SubI => h_subi,
        Unm => h_unm, BNot => h_bnot, Not => h_not, Len => h_len, Concat => h_concat,
        Jmp => h_jmp, Loop => h_loop, JLt => h_jlt, JNLt => h_jnlt, JLe => h_jle, JNLe => h_jnle, JEq => h_jeq, JNe => h_jne,
        JLtI => h_ji_lt, JNLtI => h_ji_lt, JLeI => h_ji_lt, JNLeI => h_ji_lt,
        JGtI => h_jgti, JNGtI => h_jngti, JGeI => h_jgei, JNGeI => h_jngei, JEqI => h_jeqi, JNeI => h_jnei,
        JEqK => h_jeqk, JNeK => h_jnek, JEqP => h_jeqp, JNeP => h_jnep, JT => h_jt, JF => h_jf, JTSet => h_jtset, JFSet => h_jfset,
        ForPrep => h_forprep, ForLoop => h_forloop, ForLoopV => h_forloopv,
        TForPrep => h_tforprep, TForCall => h_tforcall, TForLoop => h_tforloop,
        Call => h_call, CallM => h_callm, TailCall => h_tailcall, TailCallM => h_tailcallm,
        Ret0 => h_ret0, Ret1 => h_ret1, Ret => h_ret, RetM => h_retm, RetC => h_retc,
        JLoop => h_loop, JForLoop => h_forloop, JForLoopV => h_forloopv, JTForCall => h_tforcall,
        Vararg => h_vararg, VarargM => h_varargm, Closure => h_closure, Tbc => h_tbc, Close => h_close,
        ContCatch => h_cont_catch,
    }
    t
};
