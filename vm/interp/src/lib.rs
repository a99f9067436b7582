//! Generator of the interpreter: one handler per instruction, written once against [`Masm`].
//!
//! Runs in `vm/build.rs` and yields code, handler offsets and symbols; the build script turns them into an assembler
//! file. Layout of the code:
//!
//! ```text
//! base:    handlers (hot paths), each 8-aligned with its op number in the two bytes before it
//!          cold paths, stubs, the entry from native code
//! active:  a mirror of the same size: at each handler's offset a jump to the stub that calls `active_step`
//! back:    another one, for the stub that jumps to the trace that waits
//! count:   another one, for the stub that counts and goes on in the normal handler
//! ```
//! A handler covers the common cases of its op and jumps to the op's slow stub for the rest, *before it has changed any
//! state*; the stub calls the helper, which does the whole op (see `vm::helpers`, protocol there). Register roles are
//! [`Masm`]'s; values are moved as two halves (payload, 32-bit tag), never as 16 bytes.

#![forbid(unsafe_code)]

mod alloc;
mod arith;
mod calls;
mod compare;
mod fastfn;
mod loops;
mod meta;
mod misc;
mod tables;

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{Addr, AluOp, AsmError, Cond, Gpr, Label, LoadKind, Masm, Scale, Size, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::{CALL_WORDS, Op};
use traceorus_base::frame::{BACK_SLOT, JIT_SLOTS};
use traceorus_base::objects::{GlobalHot, Thread};

pub(crate) use LoadKind::{S8To32, S16To32, S16To64, S32To64, U16, U32, U64};
pub(crate) use Size::{B8, B16, B32, B64};

/// Helpers beyond those of the ops, numbered after them in the helper table (ORDER ExtraHelper).
pub mod extra {
    /// `active_step(l, pc) -> pc`
    pub const ACTIVE_STEP: usize = 0;
    /// `raise(l) -> pc`
    pub const RAISE: usize = 1;
    /// `native_return(l, n) -> pc`
    pub const NATIVE_RETURN: usize = 2;
    /// `poll_step(l, pc) -> pc`
    pub const POLL_STEP: usize = 3;
    /// `precall(l, func, nargs, word) -> pc`
    pub const PRECALL: usize = 4;
    /// `dict_step(table, key payload, key tag) -> entry or null`
    pub const DICT_STEP: usize = 5;
    /// `string_step(string, string) -> i64`, negative, 0 or positive as the first is less, equal or greater
    pub const STRING_STEP: usize = 6;
    /// `pow_step(f64, f64) -> f64`
    pub const POW_STEP: usize = 7;
}

/// The generated interpreter.
pub struct Interp {
    /// Machine code of the normal region, then of the active one.
    pub bytes: Vec<u8>,
    /// Byte offset of the active region, a multiple of 64 (the regions mirror each other).
    pub active: u32,
    /// Handler offsets by op number, in bytes from the base.
    pub handlers: Vec<u32>,
    /// Offset of the entry from native code.
    pub enter: u32,
    /// Offset of the entry into a trace from native code.
    pub enter_trace: u32,
    /// Byte offset of the back region.
    pub back: u32,
    /// Byte offset of the counting region.
    pub count: u32,
    /// Offset of what the back region leads to while no trace waits.
    pub back_default: u32,
    /// Offset of the place where traces go on in the interpreter (RET0: next pc).
    pub resume: u32,
    /// Named ranges: name, start, end.
    pub symbols: Vec<(String, u32, u32)>,
}

/// How to jump from `from` to `to` (offsets) in raw bytes; for the mirror, whose entries have fixed places.
pub type RawJump = fn(from: u32, to: u32) -> Vec<u8>;

/// A cold path: emitted after all handlers.
type Cold<M> = Box<dyn FnOnce(&mut Gen<M>)>;

/// Generator state.
pub(crate) struct Gen<M: Masm> {
    pub m: M,
    /// Start of the code.
    base: Label,
    entry: Vec<Label>,
    slow: Vec<Label>,
    slow_used: Vec<bool>,
    op: Op,
    cold: Vec<(Op, Cold<M>)>,
    /// Calls the helper whose table offset is in T0, then goes on at the pc that it returns.
    call_helper: Label,
    /// After a helper: T0 (= RET0) is the next pc.
    resume: Label,
    /// Leaves the interpreter.
    leave: Label,
    /// Calls a metamethod with two or three arguments (`meta::common`).
    meta_call: Label,
    meta_call3: Label,
}

/// Offset of a field of the hot state.
macro_rules! goff {
    ($($f:tt)+) => { std::mem::offset_of!(traceorus_base::objects::GlobalHot, $($f)+) as i32 };
}
/// Offset of a field of the thread.
macro_rules! toff {
    ($f:ident) => {
        std::mem::offset_of!(traceorus_base::objects::Thread, $f) as i32
    };
}
pub(crate) use {goff, toff};

/// Words of an instruction that calls.
pub(crate) const CALL: i32 = CALL_WORDS as i32;
pub(crate) const NIL: i64 = Tag::NIL.0 as i64;
pub(crate) const FALSY: i64 = Tag::FALSE.0 as i64;

impl<M: Masm> Gen<M> {
    // ---- operands ------------------------------------------------------------------------------------------------

    /// Loads the register offset operands A, B, C into T1, T2, T3.
    pub fn dec_a(&mut self) {
        self.m.load(U16, d(M::T1), at(M::PC, 2));
    }
    pub fn dec_b(&mut self) {
        self.m.load(U16, d(M::T2), at(M::PC, 4));
    }
    pub fn dec_c(&mut self) {
        self.m.load(U16, d(M::T3), at(M::PC, 6));
    }
    pub fn dec_ab(&mut self) {
        self.dec_a();
        self.dec_b();
    }
    pub fn dec_abc(&mut self) {
        self.dec_a();
        self.dec_b();
        self.dec_c();
    }
    /// Payload of the register whose offset is in `r`.
    pub fn pay(r: Gpr) -> Addr {
        at_index(M::BASE, r, Scale::S1, 0)
    }
    /// Tag of the register whose offset is in `r`.
    pub fn tag(r: Gpr) -> Addr {
        at_index(M::BASE, r, Scale::S1, 8)
    }
    /// Same with a distance in bytes.
    pub fn reg(r: Gpr, disp: i32) -> Addr {
        at_index(M::BASE, r, Scale::S1, disp)
    }

    // ---- control ---------------------------------------------------------------------------------------------------

    /// Goes on with the instruction `words` further.
    pub fn next(&mut self, words: i32) {
        self.m.load(U16, d(M::T0), at(M::PC, 8 * words));
        if words != 0 {
            self.m
                .alu(AluOp::Add, B64, d(M::PC), M::PC, i64::from(8 * words));
        }
        self.go();
    }
    /// Dispatches on the handler offset in T0.
    fn go(&mut self) {
        self.m.lea(d(M::T0), at_index(M::CODE, M::T0, Scale::S8, 0));
        self.m.jump_reg(M::T0);
    }
    /// Jumps by the 16-bit operand C from the instruction of `words` words.
    pub fn jump_c(&mut self, words: i32) {
        self.m.load(S16To64, d(M::T0), at(M::PC, 6));
        self.m
            .lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8 * words));
        self.next(0);
    }
    /// Jumps by the 32-bit operand from a one-word instruction.
    pub fn jump_bc(&mut self) {
        self.m.load(S32To64, d(M::T0), at(M::PC, 4));
        self.m.lea(d(M::PC), at_index(M::PC, M::T0, Scale::S8, 8));
        self.next(0);
    }
    /// The label of the current op's slow stub.
    pub fn slow(&mut self) -> Label {
        self.slow_used[self.op as usize] = true;
        self.slow[self.op as usize]
    }
    /// Emits `body` after the handlers, at the label that is returned.
    pub fn cold(&mut self, body: impl FnOnce(&mut Gen<M>) + 'static) -> Label {
        let label = self.m.new_label();
        self.cold.push((
            self.op,
            Box::new(move |g| {
                g.m.bind(label);
                body(g);
            }),
        ));
        label
    }
    /// The dispatch base may have been changed by a hook or a signal: reads it again.
    pub fn reload_code(&mut self) {
        self.m.load(U64, d(M::CODE), at(M::THREAD, toff!(dispatch)));
    }
    /// Leaves for `poll_step` at the pc in PC when something waits (and then dispatches at PC).
    pub fn poll(&mut self) {
        let cold = self.cold(|g| {
            g.m.mov_imm(d(M::T0), 8 * (Op::ALL.len() + extra::POLL_STEP) as i64);
            let l = g.call_helper;
            g.m.jump(l);
        });
        self.m
            .branch_mem(Cond::Ne, B32, at(M::GLOBAL, goff!(poll)), 0, cold);
    }
    /// Enters the trace whose number is in T1, with BASE, THREAD and GLOBAL as ever and PC = the next instruction.
    pub fn enter_trace(&mut self) {
        // the trace uses the native frame's slots: one that waits for an instruction does not go on
        self.m
            .load(U64, d(M::T0), at(M::GLOBAL, goff!(back_default)));
        self.m.store(B64, M::local(BACK_SLOT), M::T0);
        self.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(traces)));
        self.m
            .load(U64, d(M::T0), at_index(M::T0, M::T1, Scale::S8, 0));
        self.m.jump_reg(M::T0);
    }
    /// T7 = the address of an extra helper.
    pub fn extra(&mut self, n: usize) {
        self.m.load(U64, d(M::T7), at(M::GLOBAL, goff!(helpers)));
        self.m
            .load(U64, d(M::T7), at(M::T7, 8 * (Op::ALL.len() + n) as i32));
    }
    /// Table offset of an extra helper in T0, then the common call.
    pub fn call_extra(&mut self, n: usize) {
        self.m.mov_imm(d(M::T0), 8 * (Op::ALL.len() + n) as i64);
    }

    // ---- values ------------------------------------------------------------------------------------------------------

    /// Stores the payload `p` and the tag in the low half of `t` into register `r`.
    pub fn put(&mut self, r: Gpr, p: Gpr, t: Gpr) {
        self.m.store(B64, Self::pay(r), p);
        self.m.store(B32, Self::tag(r), t);
    }
    /// Branches unless the tag of register `r` is `t`.
    pub fn expect(&mut self, r: Gpr, t: Tag, otherwise: Label) {
        self.m
            .branch_mem(Cond::Ne, B32, Self::tag(r), i64::from(t.0), otherwise);
    }

    // ---- frame of the generator ----------------------------------------------------------------------------------------

    fn new() -> Gen<M> {
        let mut m = M::new();
        let base = m.here();
        let n = Op::ALL.len();
        let entry = (0..n).map(|_| m.new_label()).collect();
        let slow = (0..n).map(|_| m.new_label()).collect();
        let call_helper = m.new_label();
        let resume = m.new_label();
        let leave = m.new_label();
        let (meta_call, meta_call3) = (m.new_label(), m.new_label());
        Gen {
            m,
            base,
            entry,
            slow,
            slow_used: vec![false; n],
            op: Op::Move,
            cold: Vec::new(),
            call_helper,
            resume,
            leave,
            meta_call,
            meta_call3,
        }
    }

    fn flush_cold(&mut self) {
        while !self.cold.is_empty() {
            for (op, body) in std::mem::take(&mut self.cold) {
                self.op = op;
                body(self);
            }
        }
    }

    fn handler(&mut self, op: Op) {
        self.op = op;
        // the op number sits right before the entry, and before that what the end of a metamethod's call needs
        self.m.align(8);
        self.m.emit_bytes(&[0xCC; 4]);
        self.m.emit_u16(op.meta_end());
        self.m.emit_u16(op as u16);
        let entry = self.entry[op as usize];
        self.m.bind(entry);
        self.m
            .begin_symbol(&format!("traceorus_op_{}", op.info().name));
        self.emit(op);
        self.m.end_symbol();
    }

    fn emit(&mut self, op: Op) {
        let done = misc::emit(self, op)
            || arith::emit(self, op)
            || compare::emit(self, op)
            || tables::emit(self, op)
            || alloc::emit(self, op)
            || loops::emit(self, op)
            || fastfn::emit(self, op)
            || calls::emit(self, op);
        if !done {
            let slow = self.slow();
            self.m.jump(slow);
        }
    }

    fn stubs(&mut self) {
        self.m.begin_symbol("traceorus_slow_stubs");
        for &op in Op::ALL {
            if self.slow_used[op as usize] {
                let l = self.slow[op as usize];
                self.m.bind(l);
                self.m.mov_imm(d(M::T0), 8 * op as i64);
                let common = self.call_helper;
                self.m.jump(common);
            }
        }
        self.m.end_symbol();
    }

    fn common(&mut self) -> Common {
        let (helper, resume) = (self.call_helper, self.resume);
        self.m.align(16);
        self.m.begin_symbol("traceorus_call_helper");
        self.m.bind(helper);
        self.m.store(B64, at(M::THREAD, toff!(base)), M::BASE);
        self.m.store(B64, at(M::THREAD, toff!(pc)), M::PC);
        self.m.load(U64, d(M::T1), at(M::GLOBAL, goff!(helpers)));
        self.m
            .load(U64, d(M::T7), at_index(M::T1, M::T0, Scale::S1, 0));
        self.m.move_args(&[M::THREAD.into(), M::PC.into()]);
        self.m.call_reg(M::T7);
        self.m.bind(resume);
        self.m.mov(d(M::PC), M::RET0);
        self.m
            .load(U64, d(M::THREAD), at(M::GLOBAL, goff!(current)));
        let leave = self.leave;
        self.m.branch(Cond::Eq, B64, M::PC, 0, leave);
        self.m.load(U64, d(M::BASE), at(M::THREAD, toff!(base)));
        self.reload_code();
        self.next(0);
        self.m.bind(leave);
        self.m.epilogue();
        self.m.ret();
        self.m.end_symbol();

        self.m.begin_symbol("traceorus_meta_call");
        meta::common(self);
        self.m.end_symbol();

        self.m.align(16);
        self.m.begin_symbol("traceorus_active_stub");
        let active = self.m.here();
        self.call_extra(extra::ACTIVE_STEP);
        self.m.jump(helper);
        self.m.end_symbol();

        self.m.align(16);
        self.m.begin_symbol("traceorus_back_stub");
        let back = self.m.here();
        self.m.jump_mem(M::local(BACK_SLOT));
        // no trace waits: the thread's region is the normal one again, unless something else has been asked for
        let default = self.m.here();
        let kept = self.m.new_label();
        self.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(code_back)));
        self.m
            .branch(Cond::Ne, B64, M::T0, at(M::THREAD, toff!(dispatch)), kept);
        self.m.load(U64, d(M::T0), at(M::GLOBAL, goff!(code_base)));
        self.m.store(B64, at(M::THREAD, toff!(dispatch)), M::T0);
        self.m.bind(kept);
        self.reload_code();
        self.next(0);
        self.m.end_symbol();

        self.m.align(16);
        self.m.begin_symbol("traceorus_count_stub");
        let count = self.m.here();
        let counter = at(M::GLOBAL, goff!(counts.interpreted));
        self.m.alu_to_mem(AluOp::Add, B64, counter, 1);
        let base = self.base;
        self.m.label_addr(d(M::T1), base);
        self.m.load(U16, d(M::T0), at(M::PC, 0));
        self.m.lea(d(M::T0), at_index(M::T1, M::T0, Scale::S8, 0));
        self.m.jump_reg(M::T0);
        self.m.end_symbol();

        self.m.align(16);
        self.m.begin_symbol("traceorus_enter_body");
        let enter = self.m.here();
        self.m.prologue(2 + JIT_SLOTS);
        self.m.load(U64, d(M::T7), at(M::ARG0, goff!(back_default)));
        self.m.store(B64, M::local(BACK_SLOT), M::T7);
        self.m
            .parallel_move(&[(M::GLOBAL, M::ARG0.into()), (M::PC, M::ARG1.into())]);
        self.m
            .load(U64, d(M::THREAD), at(M::GLOBAL, goff!(current)));
        self.m.load(U64, d(M::BASE), at(M::THREAD, toff!(base)));
        self.reload_code();
        self.next(0);
        self.m.end_symbol();

        self.m.align(16);
        self.m.begin_symbol("traceorus_enter_trace_body");
        let enter_trace = self.m.here();
        self.m.prologue(2 + JIT_SLOTS);
        self.m.load(U64, d(M::T7), at(M::ARG0, goff!(back_default)));
        self.m.store(B64, M::local(BACK_SLOT), M::T7);
        self.m.parallel_move(&[
            (M::GLOBAL, M::ARG0.into()),
            (M::PC, M::ARG1.into()),
            (M::T0, M::ARG2.into()),
        ]);
        self.m
            .load(U64, d(M::THREAD), at(M::GLOBAL, goff!(current)));
        self.m.load(U64, d(M::BASE), at(M::THREAD, toff!(base)));
        self.m.jump_reg(M::T0);
        self.m.end_symbol();
        Common {
            active,
            back,
            count,
            default,
            enter,
            enter_trace,
        }
    }
}

/// Places in the code that all handlers share.
struct Common {
    active: Label,
    back: Label,
    count: Label,
    default: Label,
    enter: Label,
    enter_trace: Label,
}

/// Generates the interpreter for the target of `M`.
pub fn generate<M: Masm>(raw_jump: RawJump) -> Result<Interp, AsmError> {
    let mut g = Gen::<M>::new();
    for &op in Op::ALL {
        g.handler(op);
    }
    g.m.begin_symbol("traceorus_cold");
    g.flush_cold();
    g.m.end_symbol();
    g.stubs();
    let common = g.common();
    let (entry, resume) = (g.entry.clone(), g.resume);
    let code = g.m.finalize()?;
    let off = |l: Label| code.label_offset(l).expect("bound");
    let handlers: Vec<u32> = entry.iter().map(|&l| off(l)).collect();
    let mut bytes = code.bytes.clone();
    // mirrors: only as long as the handlers reach
    let mut mirror = |target: &dyn Fn(Op, u32) -> u32| {
        bytes.resize(bytes.len().next_multiple_of(64), 0xCC);
        let base = bytes.len() as u32;
        for (&op, &h) in Op::ALL.iter().zip(&handlers) {
            assert!(
                h % 8 == 0 && h / 8 <= u32::from(u16::MAX),
                "handler of {op:?} out of reach"
            );
            bytes.resize((base + h - 4) as usize, 0xCC);
            // what handlers look for before an entry
            bytes.extend_from_within((h - 4) as usize..h as usize);
            let jump = raw_jump(base + h, target(op, h));
            bytes.extend_from_slice(&jump);
        }
        (base, bytes.len() as u32)
    };
    let (active, back, count) = (off(common.active), off(common.back), off(common.count));
    let active = mirror(&|_, _| active);
    let back = mirror(&|_, _| back);
    // headers are no instructions, and get their operands in registers
    let count = mirror(&|op, h| if op.original() < Op::FuncF { count } else { h });
    let mut symbols: Vec<(String, u32, u32)> = code
        .symbols
        .iter()
        .map(|s| (s.name.clone(), s.start, s.end))
        .collect();
    symbols.push(("traceorus_active_region".into(), active.0, active.1));
    symbols.push(("traceorus_back_region".into(), back.0, back.1));
    symbols.push(("traceorus_count_region".into(), count.0, count.1));
    Ok(Interp {
        bytes,
        active: active.0,
        back: back.0,
        count: count.0,
        back_default: off(common.default),
        handlers,
        enter: off(common.enter),
        enter_trace: off(common.enter_trace),
        resume: off(resume),
        symbols,
    })
}

/// `jmp rel32`.
pub fn raw_jump_x64(from: u32, to: u32) -> Vec<u8> {
    let mut b = vec![0xE9];
    b.extend_from_slice(&(to as i32 - (from as i32 + 5)).to_le_bytes());
    b
}

const _: () = assert!(offset_of!(GlobalHot, current) == 0 && offset_of!(Thread, hdr) == 0);

/// The assembler for x86-64.
pub use traceorus_asm::arch::x64::X64Masm as X64;
