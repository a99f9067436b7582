//! The portable macro-assembler.
//!
//! Contract, for every method and target:
//! - **No flags live** from one call to the next; tests are fused with their branch, set or select.
//! - **Nothing is changed but the destination**, except where a method lists clobbers, and the registers that belong to
//!   the expansions (see below). Any register may appear in any position, several times,
//!   unless a method says otherwise; sources are read before destinations are written.
//! - **Any constant fits.** Immediates and displacements of any value are legal; those that do not fit an instruction
//!   are built in the scratch register.
//! - **Immediates are cut to the operand size**: with `B32`, `-1` and `0xffff_ffff` are the same.
//! - **32-bit results have a zero upper half**, on every target. 32-bit operands ignore the upper half of registers.
//! - Register operations come in `B32` and `B64`; comparisons, tests, stores and read-modify-write of memory in all sizes.
//! - Errors are latched in the buffer and reported by [`Masm::finalize`].
//!
//! Register roles are the same in the interpreter and in traces:
//!
//! ```text
//! role      kept by    x86-64       AArch64      RISC-V
//! PC        callee     rbx          x19          s1
//! BASE      callee     r13          x20          s2
//! THREAD    callee     r12          x21          s3
//! CODE      callee     r14          x22          s4
//! GLOBAL    callee     r15          x23          s5
//! FP, SP               rbp, rsp     x29, sp      s0, sp
//! T0..T7    nobody     rax rcx rdx rsi rdi r8 r9 r10   x0..x7    a0..a7
//! F0..F7    nobody     xmm0..7      v0..v7       fa0..fa7
//! SCRATCH   nobody     r11          x9           t3
//! expansions           r11          x14..x17     t0 t1 t2 t4 t5
//! float scratch        xmm15        v31          ft11
//! ```
//!
//! `ARG0..ARG5`, `RET0`, `RET1`, `FARG0`, ... **alias the temporaries**, differently on each target (x86-64: ARG0..5 =
//! T4 T3 T2 T1 T5 T6, RET0 = T0, RET1 = T2; AArch64 and RISC-V: ARGn = Tn, RETn = Tn; everywhere FARGn = Fn, FRET0 =
//! F0). So set up arguments with [`Masm::move_args`], which does all moves at once, and read results before anything else.

use crate::buffer::{Code, CodeBuffer};
use crate::error::AsmError;
use crate::label::Label;
use crate::operand::{
    Addr, AluCond, AluOp, BitCond, Cond, FAlu, FCond, FOperand, LoadKind, Operand, RegImm,
    RoundMode, ShiftOp, Size,
};
use crate::reg::{Dst, Fpr, Gpr, d};

/// The portable macro-assembler; see the module documentation for the contract of all methods.
#[allow(
    clippy::too_many_arguments,
    reason = "fused operations carry the operands of two instructions"
)]
pub trait Masm: Sized {
    /// Bytecode position.
    const PC: Gpr;
    /// Base of the current Lua frame.
    const BASE: Gpr;
    /// Current thread state.
    const THREAD: Gpr;
    /// Base of the dispatch region.
    const CODE: Gpr;
    /// Global state.
    const GLOBAL: Gpr;
    /// Native frame pointer; set by `prologue`.
    const FP: Gpr;
    /// Native stack pointer: a base, never an index.
    const SP: Gpr;
    /// The register that `with_scratch` lends (and nobody gets at otherwise).
    const SCRATCH: Gpr;
    /// Caller-saved temporaries.
    const T: [Gpr; 8];
    /// `T[0]`
    const T0: Gpr = Self::T[0];
    /// `T[1]`
    const T1: Gpr = Self::T[1];
    /// `T[2]`
    const T2: Gpr = Self::T[2];
    /// `T[3]`
    const T3: Gpr = Self::T[3];
    /// `T[4]`
    const T4: Gpr = Self::T[4];
    /// `T[5]`
    const T5: Gpr = Self::T[5];
    /// `T[6]`
    const T6: Gpr = Self::T[6];
    /// `T[7]`
    const T7: Gpr = Self::T[7];
    /// Integer arguments of native calls; aliases of temporaries.
    const ARG: [Gpr; 6];
    /// `ARG[0]`
    const ARG0: Gpr = Self::ARG[0];
    /// `ARG[1]`
    const ARG1: Gpr = Self::ARG[1];
    /// `ARG[2]`
    const ARG2: Gpr = Self::ARG[2];
    /// `ARG[3]`
    const ARG3: Gpr = Self::ARG[3];
    /// `ARG[4]`
    const ARG4: Gpr = Self::ARG[4];
    /// `ARG[5]`
    const ARG5: Gpr = Self::ARG[5];
    /// First integer result of native calls; alias of a temporary.
    const RET0: Gpr;
    /// Second integer result of native calls (a 16-byte struct of two integers); alias of a temporary.
    const RET1: Gpr;
    /// Caller-saved float temporaries; `FARGn` of native calls is `F[n]`, the float result is `F[0]`.
    const F: [Fpr; 8];
    /// `F[0]`
    const F0: Fpr = Self::F[0];
    /// `F[1]`
    const F1: Fpr = Self::F[1];
    /// `F[2]`
    const F2: Fpr = Self::F[2];
    /// `F[3]`
    const F3: Fpr = Self::F[3];
    /// `F[4]`
    const F4: Fpr = Self::F[4];
    /// `F[5]`
    const F5: Fpr = Self::F[5];
    /// `F[6]`
    const F6: Fpr = Self::F[6];
    /// `F[7]`
    const F7: Fpr = Self::F[7];
    /// What integer division and `umulh` may destroy, besides its destinations (all temporaries; empty on some targets).
    const DIV_CLOBBERS: &'static [Gpr];

    // ---- the buffer ----

    /// An assembler for code that may run at any address, such as the interpreter in a build script.
    fn new() -> Self;
    /// An assembler for code that will run at `address`; `jump_abs` and `call_abs` then reach near targets directly.
    fn new_at(address: u64) -> Self;
    /// The buffer underneath.
    fn buffer(&mut self) -> &mut CodeBuffer;
    /// Resolves labels and branch lengths and returns the code, or the first error.
    fn finalize(self) -> Result<Code, AsmError>;

    /// A label, not bound yet.
    fn new_label(&mut self) -> Label {
        self.buffer().new_label()
    }
    /// Places `label` here.
    fn bind(&mut self, label: Label) {
        self.buffer().bind(label);
    }
    /// A label bound here.
    fn here(&mut self) -> Label {
        let label = self.new_label();
        self.bind(label);
        label
    }
    /// Pads to a multiple of `bytes` (a power of two) with instructions that do nothing.
    fn align(&mut self, bytes: u32) {
        self.buffer().align(bytes);
    }
    /// Upper bound of the current offset: branches count with their longest form until `finalize`. Exact offsets come
    /// from labels and symbols of the finished code.
    fn offset(&mut self) -> u32 {
        self.buffer().offset_bound()
    }
    /// Appends 16 bits of data.
    fn emit_u16(&mut self, value: u16) {
        self.buffer().put(&value.to_le_bytes());
    }
    /// Appends 32 bits of data.
    fn emit_u32(&mut self, value: u32) {
        self.buffer().put(&value.to_le_bytes());
    }
    /// Appends 64 bits of data.
    fn emit_u64(&mut self, value: u64) {
        self.buffer().put(&value.to_le_bytes());
    }
    /// Appends bytes of data.
    fn emit_bytes(&mut self, bytes: &[u8]) {
        self.buffer().put(bytes);
    }
    /// Appends the 32-bit distance `label - base`.
    fn emit_label_diff(&mut self, label: Label, base: Label) {
        self.buffer().label_diff(label, base);
    }
    /// Starts a named range of code. Symbols do not nest.
    fn begin_symbol(&mut self, name: &str) {
        self.buffer().begin_symbol(name);
    }
    /// Ends the named range.
    fn end_symbol(&mut self) {
        self.buffer().end_symbol();
    }

    /// Lends the scratch register to `body`. An operation inside whose expansion needs the scratch itself (an immediate
    /// or displacement that does not fit, a variable shift, ...) latches [`AsmError::ScratchBusy`]; that is so
    /// on x86-64 only, where the expansions have no register but this one: keep bodies to moves, plain loads and stores.
    fn with_scratch(&mut self, body: impl FnOnce(&mut Self, Gpr));

    // ---- moves ----

    /// `dst = src`, 64 bits; nothing if they are the same.
    fn mov(&mut self, dst: Dst<Gpr>, src: Gpr);
    /// `dst = value`, 64 bits, in the shortest way.
    fn mov_imm(&mut self, dst: Dst<Gpr>, value: i64);
    /// `dst =` address of `label`, relative to the program counter.
    fn label_addr(&mut self, dst: Dst<Gpr>, label: Label);
    /// `dst =` the low bits of `src`, extended as a load of `kind` would.
    fn extend(&mut self, kind: LoadKind, dst: Dst<Gpr>, src: Gpr);
    /// `dst = addr` (the address, 64 bits).
    fn lea(&mut self, dst: Dst<Gpr>, addr: Addr);
    /// `dst = [addr]`
    fn load(&mut self, kind: LoadKind, dst: Dst<Gpr>, addr: Addr);
    /// `[addr] =` the low bits of `src`.
    fn store(&mut self, size: Size, addr: Addr, src: Gpr);
    /// `[addr] = value`; with `B64` the value is sign-extended from 32 bits.
    fn store_imm(&mut self, size: Size, addr: Addr, value: i32);

    /// `dst = src` for register or constant, several at once: every source is read before any destination is written.
    /// Destinations must differ from one another.
    fn parallel_move(&mut self, moves: &[(Gpr, RegImm)]) {
        let mut pending: Vec<(Gpr, Gpr)> = Vec::with_capacity(moves.len());
        for &(dst, src) in moves {
            if let RegImm::Reg(src) = src
                && src != dst
            {
                pending.push((dst, src));
            }
        }
        let mut lent = false;
        while !pending.is_empty() {
            let free = pending
                .iter()
                .position(|&(dst, _)| pending.iter().all(|&(_, src)| src != dst));
            if let Some(free) = free {
                let (dst, src) = pending.swap_remove(free);
                self.mov(d(dst), src);
                continue;
            }
            // Only cycles are left: park one destination's old value and read it from there. Cycles are disjoint, and
            // the parked value is used up before the next cycle is opened.
            let parked = pending[0].0;
            debug_assert!(!lent || pending.iter().all(|&(_, src)| src != Self::SCRATCH));
            lent = true;
            self.mov(d(Self::SCRATCH), parked);
            for entry in &mut pending {
                if entry.1 == parked {
                    entry.1 = Self::SCRATCH;
                }
            }
        }
        for &(dst, src) in moves {
            if let RegImm::Imm(value) = src {
                self.mov_imm(d(dst), value);
            }
        }
    }
    /// Puts up to six integer arguments in place, in parallel.
    fn move_args(&mut self, args: &[RegImm]) {
        let moves: Vec<_> = args
            .iter()
            .enumerate()
            .map(|(i, &arg)| (Self::ARG[i], arg))
            .collect();
        self.parallel_move(&moves);
    }

    // ---- integer arithmetic: B32 and B64 ----

    /// `dst = lhs op rhs`
    fn alu(&mut self, op: AluOp, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>);
    /// `dst = lhs op rhs`, then a branch to `label` if the result fulfils `cond`. `dst` is written on both paths.
    fn alu_branch(
        &mut self,
        op: AluOp,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        cond: AluCond,
        label: Label,
    );
    /// `[addr] = [addr] op rhs`, any size.
    fn alu_to_mem(&mut self, op: AluOp, size: Size, addr: Addr, rhs: impl Into<RegImm>);
    /// `[addr] = [addr] op rhs`, any size, then a branch to `label` if the result fulfils `cond`.
    fn alu_to_mem_branch(
        &mut self,
        op: AluOp,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        cond: AluCond,
        label: Label,
    );
    /// `dst = lhs op count`, the count modulo the size.
    fn shift(&mut self, op: ShiftOp, size: Size, dst: Dst<Gpr>, lhs: Gpr, count: impl Into<RegImm>);
    /// `dst = lhs * rhs`, wrapping.
    fn mul(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>);
    /// `dst = lhs * rhs`, wrapping, then a branch to `label` if the signed product did not fit.
    fn mul_branch_overflow(
        &mut self,
        size: Size,
        dst: Dst<Gpr>,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        label: Label,
    );
    /// `dst =` the high 64 bits of the unsigned product `lhs * rhs`. Destroys what `sdiv` does.
    fn umulh(&mut self, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr);
    /// `dst = -src`, wrapping.
    fn neg(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr);
    /// `dst = !src`
    fn not(&mut self, size: Size, dst: Dst<Gpr>, src: Gpr);
    /// `dst = lhs / rhs`, signed, truncated. Nothing is promised (a trap on x86-64) for `rhs == 0` and `MIN / -1`:
    /// callers guard. May destroy [`Self::DIV_CLOBBERS`], so operands there are lost unless they are the destination.
    fn sdiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr);
    /// `dst = lhs % rhs`, sign of `lhs`. Otherwise as `sdiv`.
    fn srem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr);
    /// Quotient and remainder at once; `quot` and `rem` differ. Otherwise as `sdiv`.
    fn sdivrem(&mut self, size: Size, quot: Dst<Gpr>, rem: Dst<Gpr>, lhs: Gpr, rhs: Gpr);
    /// `dst = lhs / rhs`, unsigned. Otherwise as `sdiv`.
    fn udiv(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr);
    /// `dst = lhs % rhs`, unsigned. Otherwise as `sdiv`.
    fn urem(&mut self, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: Gpr);

    // ---- integer comparison ----

    /// Branches to `label` if `lhs cond rhs`. All sizes (`B8` and `B16` compare the low bits).
    fn branch(&mut self, cond: Cond, size: Size, lhs: Gpr, rhs: impl Into<Operand>, label: Label);
    /// Branches to `label` if `[addr] cond rhs`. All sizes.
    fn branch_mem(
        &mut self,
        cond: Cond,
        size: Size,
        addr: Addr,
        rhs: impl Into<RegImm>,
        label: Label,
    );
    /// Branches to `label` if `reg & mask` is zero (not zero). All sizes.
    fn branch_bits(
        &mut self,
        cond: BitCond,
        size: Size,
        reg: Gpr,
        mask: impl Into<RegImm>,
        label: Label,
    );
    /// Branches to `label` if `[addr] & mask` is zero (not zero). All sizes; may read only the byte that matters.
    fn branch_bits_mem(
        &mut self,
        cond: BitCond,
        size: Size,
        addr: Addr,
        mask: impl Into<RegImm>,
        label: Label,
    );
    /// Branches to `label` if `reg` is negative.
    fn branch_sign(&mut self, size: Size, reg: Gpr, label: Label) {
        self.branch(Cond::Lt, size, reg, 0, label);
    }
    /// `dst = lhs cond rhs` as 0 or 1 (64 bits).
    fn cset(&mut self, cond: Cond, size: Size, dst: Dst<Gpr>, lhs: Gpr, rhs: impl Into<Operand>);
    /// `dst = (lhs cond rhs) ? if_true : if_false`. `size` is that of the comparison, the selected values have 64 bits.
    fn csel(
        &mut self,
        cond: Cond,
        size: Size,
        lhs: Gpr,
        rhs: impl Into<Operand>,
        dst: Dst<Gpr>,
        if_true: Gpr,
        if_false: Gpr,
    );

    // ---- doubles ----

    /// `dst = src`; nothing if they are the same.
    fn fmov(&mut self, dst: Dst<Fpr>, src: Fpr);
    /// `dst = value`
    fn fmov_imm(&mut self, dst: Dst<Fpr>, value: f64);
    /// `dst = [addr]`
    fn fload(&mut self, dst: Dst<Fpr>, addr: Addr);
    /// `dst =` the double at `label`.
    fn fload_label(&mut self, dst: Dst<Fpr>, label: Label);
    /// `[addr] = src`
    fn fstore(&mut self, addr: Addr, src: Fpr);
    /// `dst = lhs op rhs`
    fn falu(&mut self, op: FAlu, dst: Dst<Fpr>, lhs: Fpr, rhs: impl Into<FOperand>);
    /// `dst = lhs < rhs ? lhs : rhs`, so `rhs` if an operand is a NaN or both are zeros.
    fn fmin(&mut self, dst: Dst<Fpr>, lhs: Fpr, rhs: Fpr) {
        self.fselect(FCond::Lt, dst, lhs, rhs);
    }
    /// `dst = lhs > rhs ? lhs : rhs`, so `rhs` if an operand is a NaN or both are zeros.
    fn fmax(&mut self, dst: Dst<Fpr>, lhs: Fpr, rhs: Fpr) {
        self.fselect(FCond::Gt, dst, lhs, rhs);
    }
    /// `dst = (lhs cond rhs) ? lhs : rhs`
    fn fselect(&mut self, cond: FCond, dst: Dst<Fpr>, lhs: Fpr, rhs: Fpr) {
        let (left, end) = (self.new_label(), self.new_label());
        self.fcmp_branch(cond, lhs, rhs, left);
        self.fmov(dst, rhs);
        self.jump(end);
        self.bind(left);
        self.fmov(dst, lhs);
        self.bind(end);
    }
    /// `dst = sqrt(src)`
    fn fsqrt(&mut self, dst: Dst<Fpr>, src: Fpr);
    /// `dst = -src`: flips the sign bit, of NaNs too.
    fn fneg(&mut self, dst: Dst<Fpr>, src: Fpr);
    /// `dst = |src|`: clears the sign bit, of NaNs too.
    fn fabs(&mut self, dst: Dst<Fpr>, src: Fpr);
    /// Whether this processor has `fround` (x86-64: SSE4.1; asked of the processor at hand, so not for build scripts).
    fn has_fround() -> bool;
    /// `dst = src` rounded to an integral value. Only if `has_fround`.
    fn fround(&mut self, mode: RoundMode, dst: Dst<Fpr>, src: Fpr);
    /// Branches to `label` if `lhs cond rhs`, exact for NaNs.
    fn fcmp_branch(&mut self, cond: FCond, lhs: Fpr, rhs: impl Into<FOperand>, label: Label);
    /// `dst = lhs cond rhs` as 0 or 1, exact for NaNs.
    fn fcset(&mut self, cond: FCond, dst: Dst<Gpr>, lhs: Fpr, rhs: impl Into<FOperand>);
    /// `dst = src` as a double, rounded to nearest.
    fn cvt_i64_f64(&mut self, dst: Dst<Fpr>, src: Gpr);
    /// `dst =` the low 32 bits of `src`, signed, as a double.
    fn cvt_i32_f64(&mut self, dst: Dst<Fpr>, src: Gpr);
    /// `dst = src` truncated to a signed 64-bit integer; any value if it does not fit or is a NaN.
    fn cvt_f64_i64_trunc(&mut self, dst: Dst<Gpr>, src: Fpr);
    /// `dst = src` as a signed 64-bit integer; branches to `fail` if that is not exact (fraction, range, NaN). `-0.0`
    /// gives 0. `dst` is any value at `fail`.
    fn cvt_f64_i64_exact(&mut self, dst: Dst<Gpr>, src: Fpr, fail: Label);
    /// `dst =` the double with the bits `src`.
    fn bits_to_f64(&mut self, dst: Dst<Fpr>, src: Gpr);
    /// `dst =` the bits of `src`.
    fn f64_to_bits(&mut self, dst: Dst<Gpr>, src: Fpr);

    // ---- control flow ----

    /// Jumps to `label`.
    fn jump(&mut self, label: Label);
    /// Jumps to `label` through an instruction whose last four bytes are aligned to four, so that running code can be
    /// sent elsewhere by one store: at offset `after - 4` of the word from [`Masm::patch_word`], `after` being the label
    /// returned. The code itself must be placed at a multiple of four.
    fn jump_patchable(&mut self, label: Label) -> Label;
    /// The word that makes a patchable jump go `distance` bytes from its `after` label; `None` beyond its reach (2 GiB;
    /// 128 MiB on AArch64, 1 MiB on RISC-V).
    fn patch_word(distance: i64) -> Option<u32>;
    /// Jumps to the address in `reg`.
    fn jump_reg(&mut self, reg: Gpr);
    /// Jumps to the address in memory at `addr`.
    fn jump_mem(&mut self, addr: Addr);
    /// Jumps to a final address; directly if the code's own address is known and near, else through the scratch.
    fn jump_abs(&mut self, address: u64);
    /// Calls `label`. All temporaries are lost if the callee is native code.
    fn call_label(&mut self, label: Label);
    /// Calls the address in `reg`.
    fn call_reg(&mut self, reg: Gpr);
    /// Calls the address in memory at `addr`.
    fn call_mem(&mut self, addr: Addr);
    /// Calls a final address; directly if the code's own address is known and near, else through the scratch.
    fn call_abs(&mut self, address: u64);
    /// Returns to the caller.
    fn ret(&mut self);
    /// Stops the program: for code that cannot be reached.
    fn trap(&mut self);

    /// Enters a native function: saves FP and all callee-saved registers that roles use, sets FP, reserves `locals`
    /// 8-byte slots, aligns the stack for calls. The layout is fixed, so that unwind information can describe it:
    ///
    /// ```text
    /// x86-64:  FP+8 return address | FP+0 caller's FP | FP-8 rbx r12 r13 r14 r15 (FP-40) | FP-48 slot 0, FP-56 slot 1, ..
    /// AArch64: FP+8 x30, FP+0 caller's FP, FP+16.. x19 x20 x21 x22 x23 | FP-8 slot 0, FP-16 slot 1, ..
    /// RISC-V:  FP-8 ra, FP-16 caller's FP, FP-24.. s1 s2 s3 s4 s5 (FP-56) | FP-64 slot 0, FP-72 slot 1, ..
    /// ```
    fn prologue(&mut self, locals: u32);
    /// Undoes `prologue` with any number of locals (FP must be intact) and leaves RET0, RET1 and F0 alone. No return.
    fn epilogue(&mut self);
    /// The address of 8-byte local slot number `slot`, relative to FP, the same in every function and trace.
    fn local(slot: u32) -> Addr;
}
