//! Machine code for a trace: replays an allocation ([`crate::ra`]) through the portable macro-assembler.
//!
//! **Order of the code:**
//!
//! ```text
//! entry     head moves, the part before LOOP
//! loop      aligned; top moves, the body, back edge moves, jump to loop
//! cold      slow paths of allocations, barriers, divisions, polls
//! stubs     one for each snapshot, aligned to 8: scratch = exit's number, jump to the exit thunk
//! pool      float constants
//! ```
//! A guard is a compare and a branch to its snapshot's stub.
//!
//! **Entry.** `BASE` and `GLOBAL` are valid, FP is the native frame of the interpreter's entry; everything else is undefined.
//! Code of a trace runs at one address only.
//!
//! Nothing here knows a target; what differs is in [`arch`]. Nothing is unsafe: code memory ([`area`]) is safe to write and patch.
#![forbid(unsafe_code)]

pub mod arch;
pub mod area;
mod call;
mod count;
pub mod exit;
mod guard;
mod memory;
mod number;
mod object;
mod short;

use std::mem::offset_of;
use traceorus_asm::{AluOp, Fpr, Gpr, Label, LoadKind, RegImm, ShiftOp, Size, d};

use traceorus_base::objects::{GlobalHot, Thread};
use traceorus_base::{Tag, frame};

use traceorus_asm::{BitCond, Cond, at};

use crate::abort::Abort;
use crate::ir::{EntryCheck, IrBuf, IrOp, Konst, Ref, Snap, SnapNo};
use crate::loc::{
    ExitMap, ExitObject, ExitPart, ExitSlot, FIRST_SPILL, Inherited, Link, Loc, NewObject,
};
use crate::ra::{self, Allocation, InsAlloc, Job, Move, Place, Plan, Reg, RegInfo, parmove};

pub use arch::TraceRegs;
pub use area::CodeArea;
pub use exit::{EVENTS, RustEntry, Thunks, emit_thunks, event_index, spill_index};
pub use short::{ShortInput, short_exit};

const B8: Size = Size::B8;
const B32: Size = Size::B32;
const B64: Size = Size::B64;
const U64: LoadKind = LoadKind::U64;

/// What is to be assembled.
#[derive(Clone, Copy, Debug)]
pub struct CodeInput<'a> {
    /// The trace.
    pub ir: &'a IrBuf,
    /// How it ends.
    pub link: Link,
    /// Places of inherited values, by PVAL number.
    pub inherited: &'a [Inherited],
    /// Spill slots of the parent (and its ancestors): those below are not used for anything else.
    pub parent_spills: u16,
    /// Number of the trace.
    pub trace: u16,
    /// It is a root trace of a loop or function: its entry is where the interpreter would go on at its first instruction.
    pub is_entry: bool,
    /// Slots that BASE goes down by at the entry: continuations find it where the function that returned had it.
    pub down: i16,
    /// For [`Link::Entry`]: the jump can be made one to an exit that goes on at this pc, with room for so many slots above BASE, when the target
    /// is gone. It is the last exit.
    pub unlinked: Option<(u64, u16)>,
    /// See [`Job::random`].
    pub random: u32,
    /// Where the code will be, a multiple of 16.
    pub address: u64,
    /// For [`Link::SelfEntry`]: what the entry checks has been proved.
    pub proved: bool,
    /// The state's thunks.
    pub thunks: &'a Thunks,
}

/// A finished trace.
#[derive(Clone, Debug)]
pub struct CodeOutput {
    /// Machine code for [`CodeInput::address`].
    pub bytes: Vec<u8>,
    /// Offset of the entry.
    pub entry: u32,
    /// Offset of the entry for those who have proved what the other one checks.
    pub checked: u32,
    /// Offset of the loop's head.
    pub loop_head: Option<u32>,
    /// What is where at the loop's head: a jump there has to establish all of it. A value may be listed twice (register and
    /// spill slot); constants that the loop keeps in registers are listed, too.
    pub contract: Vec<(Ref, Loc)>,
    /// For each snapshot in a loop's body the invariants of the loop and where they are then; in a trace with [`Link::Body`] the
    /// inherited values that its end needs. So a side trace can inherit what it takes to come back to the body.
    pub through: Vec<(SnapNo, Ref, Loc)>,
    /// By snapshot. Empty slots where no guard uses it. Then that of [`CodeInput::unlinked`].
    pub exits: Vec<ExitMap>,
    /// Offset of the jump that [`CodeInput::unlinked`] is about, a multiple of 8: [`TraceRegs::link_stub`] makes the bytes for it.
    pub link: Option<u32>,
    /// Offsets of the exit stubs, by snapshot.
    pub stubs: Vec<u32>,
    /// Spill slots used, the parent's included.
    pub spills: u16,
    /// Where the code of an instruction begins, in order of offsets.
    pub ins_offsets: Vec<(u32, Ref)>,
}

/// Allocates registers and emits the code of a trace.
///
/// Fails with `Registers` (too many values alive), `Assembler` or `Internal` (the IR breaks its rules).
pub fn assemble<M: TraceRegs>(input: &CodeInput<'_>) -> Result<CodeOutput, Abort> {
    assemble_into::<M>(input, &[])
}

/// As [`assemble`], for a trace whose link is [`Link::Body`]: `reenter` says which of its values (or constants) goes where, for
/// each item of the loop's contract.
pub fn assemble_into<M: TraceRegs>(
    input: &CodeInput<'_>,
    reenter: &[(Ref, Loc)],
) -> Result<CodeOutput, Abort> {
    let plan = Plan::new(input.ir);
    let job = job::<M>(input, &plan, reenter);
    let al = ra::allocate(&job)?;
    if cfg!(debug_assertions)
        && let Err(e) = ra::check::check(&job, &al)
    {
        panic!("register allocation: {e}");
    }
    emit::<M>(input, &plan, &al)
}

/// Emits the code of a trace as `al`, which must be sound ([`ra::check`]), has it.
pub fn emit<M: TraceRegs>(
    input: &CodeInput<'_>,
    plan: &Plan,
    al: &Allocation,
) -> Result<CodeOutput, Abort> {
    let mut low = Lower::<M>::new(input, plan, al);
    low.run()?;
    low.finish()
}

/// The allocation of a trace as text.
pub fn print_allocation<M: TraceRegs>(
    input: &CodeInput<'_>,
    reenter: &[(Ref, Loc)],
) -> Result<String, Abort> {
    let plan = Plan::new(input.ir);
    let job = job::<M>(input, &plan, reenter);
    Ok(ra::print::print(&job, &ra::allocate(&job)?))
}

fn job<'a, M: TraceRegs>(
    input: &CodeInput<'a>,
    plan: &'a Plan,
    reenter: &'a [(Ref, Loc)],
) -> Job<'a> {
    Job {
        ir: input.ir,
        plan,
        regs: M::regs(),
        link: input.link,
        inherited: input.inherited,
        parent_spills: input.parent_spills,
        reenter,
        random: input.random,
    }
}

/// Code that is emitted behind the trace.
enum Cold {
    Barrier {
        from: Label,
        back: Label,
        object: Gpr,
        value: Val,
        tag: Val,
    },
    Alloc {
        from: Label,
        back: Label,
        dst: Gpr,
        bytes: i32,
    },
    Charge {
        from: Label,
        back: Label,
    },
    LookUp {
        /// Of SLOTOF: there is no such field while the epoch lasts. The second: nothing is known.
        from: [Label; 2],
        back: Label,
        dst: Gpr,
        /// Thunk.
        function: u64,
    },
    Poll {
        from: Label,
        back: Label,
        snap: SnapNo,
    },
    /// An instruction that its handler has performed does not go on where it should: the interpreter takes over there.
    Leave {
        from: Label,
    },
    Divide {
        from: Label,
        back: Label,
        modulo: bool,
        dst: Gpr,
        a: Gpr,
        b: Gpr,
    },
}

/// An operand: a register or a constant.
#[derive(Clone, Copy, Debug)]
enum Val {
    Gpr(Gpr),
    Fpr(Fpr),
    Const(Konst),
}

struct Lower<'a, M> {
    m: M,
    input: &'a CodeInput<'a>,
    ir: &'a IrBuf,
    plan: &'a Plan,
    al: &'a Allocation,
    regs: &'static RegInfo,
    stubs: Vec<Label>,
    cold: Vec<Cold>,
    pool: Vec<(u64, Label)>,
    ins_labels: Vec<(Label, Ref)>,
    entry: Label,
    checked: Label,
    loop_head: Option<Label>,
    /// Leaves for the interpreter with the next pc in RET0.
    leave: Option<Label>,
    /// The jump to another trace.
    link: Option<Label>,
    /// Moves of the allocation that are still to come.
    moves_left: usize,
    gap: Vec<Move>,
    ordered: Vec<Move>,
    counted: count::Counted,
}

impl<'a, M: TraceRegs> Lower<'a, M> {
    fn new(input: &'a CodeInput<'a>, plan: &'a Plan, al: &'a Allocation) -> Self {
        let mut m = M::new_at(input.address);
        let exits = input.ir.snaps.len() + usize::from(input.unlinked.is_some());
        let stubs = (0..exits).map(|_| m.new_label()).collect();
        let entry = m.here();
        Lower {
            m,
            input,
            ir: input.ir,
            plan,
            al,
            regs: M::regs(),
            stubs,
            cold: Vec::new(),
            pool: Vec::new(),
            ins_labels: Vec::with_capacity(input.ir.len()),
            entry,
            checked: entry,
            loop_head: None,
            leave: None,
            link: None,
            moves_left: al.moves.len(),
            gap: Vec::new(),
            ordered: Vec::new(),
            counted: count::Counted::default(),
        }
    }

    fn run(&mut self) -> Result<(), Abort> {
        let al = self.al;
        self.tell_entry();
        self.add_base(-self.input.down);
        self.entry_checks();
        self.parallel(&al.head);
        for i in 0..self.ir.len() {
            self.emit_gap(2 * i as u32);
            let r = Ref::from_ins(i);
            self.count_up_to(r);
            if self.ir.ins[i].op == IrOp::Loop {
                self.m.align(16);
                self.loop_head = Some(self.m.here());
                self.parallel(&al.loop_top);
            } else if !al.ins[i].skip {
                let label = self.m.here();
                self.ins_labels.push((label, r));
                self.unneeded_exit(r)?;
                self.count_before(r);
                self.instruction(r, al.ins[i])?;
                self.count_behind(r);
            }
            self.emit_gap(2 * i as u32 + 1);
        }
        self.count_rest();
        self.link()?;
        self.cold_paths();
        self.exit_stubs();
        self.constants();
        Ok(())
    }

    /// For tests: says that the trace is entered.
    fn tell_entry(&mut self) {
        let scratch = offset_of!(GlobalHot, jit_scratch) as i32;
        if let Some(entered) = self.input.thunks.entered
            && self.input.is_entry
        {
            let number = i64::from(self.input.trace);
            self.m.store(B64, at(M::GLOBAL, scratch), M::BASE);
            self.m.with_scratch(|m, s| {
                m.mov_imm(d(s), number);
                m.store(B64, at(M::GLOBAL, scratch + 8), s);
            });
            self.m.call_abs(entered);
        }
    }

    /// What slots hold; see [`crate::opt::entry`].
    #[inline(never)]
    fn entry_checks(&mut self) {
        if self.ir.entry.is_empty() {
            return;
        }
        let exit = self.stubs[0];
        for &check in &self.ir.entry {
            self.count_guard();
            let slot = 16 * i32::from(check.slot());
            match check {
                EntryCheck::Tag(_, tag) => {
                    let addr = at(M::BASE, slot + 8);
                    self.m
                        .branch_mem(Cond::Ne, B32, addr, i64::from(tag.0), exit);
                }
                EntryCheck::Bits(_, bits) => {
                    self.m
                        .branch_mem(Cond::Ne, B64, at(M::BASE, slot), bits as i64, exit);
                }
            }
        }
        // tests want to know of each entry
        if self.input.thunks.entered.is_none() {
            self.checked = self.m.here();
        }
    }

    /// For tests: leaves through the guard `r` now and then, though it holds.
    #[inline(never)]
    fn unneeded_exit(&mut self, r: Ref) -> Result<(), Abort> {
        let Some(offset) = self.input.thunks.exit_left_offset else {
            return Ok(());
        };
        let ins = self.ir.at(r);
        // that a call has done nothing: if it has, the exit would do it again
        let refused = matches!(ins.op, IrOp::Eq | IrOp::Ne)
            && ins.a.is_ins()
            && self.ir.at(ins.a).op == IrOp::Call;
        // nor would a branch go where this exit does
        let decided = self
            .ir
            .snap_of(r)
            .is_some_and(|n| self.ir.snaps[n.0 as usize].decided);
        if ins.op.is_guard() && !refused && !decided {
            let exit = self.stub(r)?;
            self.m.with_scratch(|m, s| {
                m.load(LoadKind::U32, d(s), at(M::GLOBAL, offset));
                m.alu(AluOp::Sub, B32, d(s), s, 1);
                m.store(B32, at(M::GLOBAL, offset), s);
                m.branch(Cond::Eq, B32, s, 0, exit);
            });
        }
        Ok(())
    }

    #[inline(never)]
    fn link(&mut self) -> Result<(), Abort> {
        match self.input.link {
            Link::Loop => {
                let al = self.al;
                self.parallel(&al.back_edge);
                let head = self.loop_head.ok_or(Abort::Internal)?;
                self.m.jump(head);
            }
            Link::Body { address } => {
                let al = self.al;
                self.parallel(&al.back_edge);
                self.m.jump_abs(address);
            }
            Link::Entry { address, base } => {
                self.add_base(base);
                let aligned = self.input.unlinked.is_some();
                if aligned {
                    self.m.align(8);
                    self.link = Some(self.m.here());
                }
                self.m.jump_abs(address);
                if aligned {
                    self.m.align(8);
                }
            }
            Link::SelfEntry { base } => {
                self.add_base(base);
                let entry = match self.input.proved {
                    true => self.checked,
                    false => self.entry,
                };
                self.m.jump(entry);
            }
            Link::Resume { pc, base } => {
                self.add_base(base);
                let m = &mut self.m;
                m.load(LoadKind::U64, d(M::THREAD), at(M::GLOBAL, call::CURRENT));
                m.store(B64, at(M::THREAD, call::BASE), M::BASE);
                m.mov_imm(d(M::RET0), pc as i64);
                m.jump_abs(self.input.thunks.resume);
            }
            Link::Return { down, .. } => {
                self.add_base(-down);
                let pc = Gpr(self.al.ret.number());
                self.m.mov(d(M::PC), pc);
                let none = self.m.new_label();
                self.m.with_scratch(|m, s| {
                    m.load(LoadKind::U64, d(s), at(M::PC, 8));
                    m.branch(Cond::Eq, B64, s, 0, none);
                    m.jump_reg(s);
                });
                self.m.bind(none);
                self.m.jump_abs(self.input.thunks.ret);
            }
            Link::Event(_) => {
                let word = Gpr(self.al.ret.number());
                let none = self.m.new_label();
                self.m.mov(d(M::PC), word);
                self.m.mov(d(M::T0), M::PC);
                // as `event_index`
                self.m.shift(ShiftOp::Shr, B64, d(M::T0), M::T0, 3);
                self.m
                    .alu(AluOp::And, B32, d(M::T0), M::T0, EVENTS as i64 - 1);
                self.m.shift(ShiftOp::Shl, B64, d(M::T0), M::T0, 4);
                let table = self.input.thunks.events;
                self.m.with_scratch(|m, s| {
                    m.mov_imm(d(s), table as i64);
                    m.alu(AluOp::Add, B64, d(M::T0), M::T0, s);
                });
                self.m.branch(Cond::Ne, B64, M::PC, at(M::T0, 0), none);
                self.m.load(U64, d(M::T0), at(M::T0, 8));
                self.m.jump_reg(M::T0);
                self.m.bind(none);
                self.m.jump_abs(self.input.thunks.ret_event);
            }
            Link::Exit => {
                let stub = *self.stubs.last().ok_or(Abort::Internal)?;
                self.m.jump(stub);
            }
        }
        Ok(())
    }

    /// `BASE += slots`
    fn add_base(&mut self, slots: i16) {
        if slots != 0 {
            let bytes = i64::from(slots) * 16;
            self.m.alu(AluOp::Add, B64, d(M::BASE), M::BASE, bytes);
        }
    }

    fn instruction(&mut self, r: Ref, al: InsAlloc) -> Result<(), Abort> {
        use IrOp::*;
        let ins = self.ir.at(r);
        match ins.op {
            Base | Nop | Loop | Phi | PVal | CArg | FRef | ARef | ATRef | HRef | HTRef | CRef
            | CTRef | ERef | ETRef | XRef | VRef | UpAddr => {}
            SLoad | SLoadT | FLd | LdV | LdB | LdW | UpRef | NUpv | StrByte => self.load(r, al),
            TRun => {
                let addr = self.address(r, &al.ops);
                self.m.lea(d(Gpr(al.dst.number())), addr);
            }
            SSt | SStT | SStW | FSt | StV | StB | StW => self.store(r, al),
            TEq | TNe | TFalsy | TTruthy | Eq | Ne | Lt | Ge | Le | Gt | NLt | NLe | NGt | NGe
            | Ult | Uge | Ule | Ugt | BitsZ | BitsNz | StkChk | Poll | RetF => self.guard(r, al)?,
            Add | Sub | Mul | Div | Neg | IDiv | IMod | And | Or | Xor | Not | Shl | Shr | Sar
            | Abs | Sqrt | Min | Max | ItoF | FtoI | Cast | Copy => self.number(r, al)?,
            IsEq | IsLt | IsLe | IsGe => self.outcome(r, al),
            RetKind => {
                let exit = self.stub(r)?;
                self.frame_kind(ins.lit_a(), 0, exit);
            }
            TopEq => {
                let exit = self.stub(r)?;
                let field = offset_of!(Thread, top) as i32;
                let bytes = 16 * i64::from(ins.slot());
                self.m.with_scratch(|m, s| {
                    m.load(U64, d(s), at(M::GLOBAL, call::CURRENT));
                    m.load(U64, d(s), at(s, field));
                    m.alu(AluOp::Sub, B64, d(s), s, M::BASE);
                    m.branch(Cond::Ne, B64, s, bytes, exit);
                });
            }
            CoWord => {
                let (word, exit) = (self.ir.konst(ins.b).ok_or(Abort::Internal)?, self.stub(r)?);
                let base = Gpr(al.ops[0].number());
                self.m
                    .branch_mem(Cond::Ne, B64, at(base, -8), imm(word), exit);
            }
            CoPc => {
                let (pc, exit) = (Gpr(al.dst.number()), self.stub(r)?);
                let word = at(Gpr(al.ops[0].number()), -8);
                let kinds = traceorus_base::frame::kind::MASK as i64;
                self.m
                    .branch_bits_mem(BitCond::NonZero, Size::B8, word, kinds, exit);
                self.m.load(U64, d(pc), word);
                let wanted = i64::from(ins.lit_b());
                self.m
                    .branch_mem(Cond::Ne, Size::B16, at(pc, 6), wanted, exit);
            }
            CoLeave => {
                let (thread, base) = (Gpr(al.ops[0].number()), 16 * i32::from(ins.lit_b() as i16));
                self.m.with_scratch(|m, s| {
                    m.lea(d(s), at(M::BASE, base));
                    m.store(B64, at(thread, call::BASE), s);
                    m.store(B64, at(thread, offset_of!(Thread, top) as i32), s);
                });
            }
            CoEnter => {
                let thread = Gpr(al.ops[0].number());
                self.m.store(B64, at(M::GLOBAL, call::CURRENT), thread);
                self.m.with_scratch(|m, s| {
                    m.load(U64, d(s), at(M::GLOBAL, call::CODE_BASE));
                    m.store(B64, at(thread, call::DISPATCH), s);
                });
                self.m.load(U64, d(M::BASE), at(thread, call::BASE));
                self.add_base(-(ins.lit_b() as i16));
            }
            SetTail => {
                let tail = traceorus_base::frame::kind::TAIL as i64;
                self.m.alu_to_mem(AluOp::Or, B64, at(M::BASE, -8), tail);
            }
            STop => {
                let (current, field) = (call::CURRENT, offset_of!(Thread, top) as i32);
                self.add_base(ins.slot());
                self.m.with_scratch(|m, s| {
                    m.load(U64, d(s), at(M::GLOBAL, current));
                    m.store(B64, at(s, field), M::BASE);
                });
                self.add_base(-ins.slot());
            }
            RetWord => {
                let exit = self.stub(r)?;
                self.frame_kind(ins.lit_a(), 0, exit);
                self.m.load(U64, d(Gpr(al.dst.number())), at(M::BASE, -8));
            }
            RetPc => {
                let (pc, exit) = (Gpr(al.dst.number()), self.stub(r)?);
                let (kind, down) = (i64::from(ins.lit_b() & 7), ins.lit_b() >> 3);
                if down != 0 {
                    self.frame_kind(frame::kind::PCALL as u16, 0, exit);
                    // the delta is in the upper half; whether the function was entered by a tail call does not matter
                    let delta = i64::from(down) << (frame::DELTA_SHIFT - 32 + 1);
                    self.m.load(LoadKind::U32, d(pc), at(M::BASE, -4));
                    self.m.shift(ShiftOp::Shl, B32, d(pc), pc, 1);
                    self.m.branch(Cond::Ne, B32, pc, delta, exit);
                }
                self.frame_kind(ins.lit_b() & 7, down, exit);
                self.m
                    .load(U64, d(pc), at(M::BASE, -8 - 16 * i32::from(down)));
                if kind != 0 {
                    self.m.alu(AluOp::Sub, B64, d(pc), pc, kind);
                }
                let wanted = i64::from(ins.lit_a());
                self.m
                    .branch_mem(Cond::Ne, Size::B16, at(pc, 6), wanted, exit);
            }
            Round if self.regs.rounds => self.number(r, al)?,
            Round | Call | CallN | CallL => self.call(r)?,
            XOp | XOpQ | XOpR => self.helper(r)?,
            Bar => self.barrier(r, al),
            TNew | TArr | CNew | FNew => self.allocation(r, al)?,
            SlotOf | Method => self.look_up(r, al),
            Sunk => self.charge(ins.lit_b()),
        }
        Ok(())
    }

    /// Branches to `exit` unless the word of the frame `down` slots below BASE is of this kind.
    fn frame_kind(&mut self, kind: u16, down: u16, exit: Label) {
        let word = at(M::BASE, -8 - 16 * i32::from(down));
        let kinds = traceorus_base::frame::kind::MASK as i64;
        if kind == 0 {
            self.m
                .branch_bits_mem(BitCond::NonZero, Size::B8, word, kinds, exit);
            return;
        }
        self.m.with_scratch(|m, s| {
            m.load(LoadKind::U8, d(s), word);
            m.alu(AluOp::And, B32, d(s), s, kinds);
            m.branch(Cond::Ne, B32, s, i64::from(kind), exit);
        });
    }

    /// The stub of the snapshot that serves the guard `r`.
    fn stub(&self, r: Ref) -> Result<Label, Abort> {
        let n = self.ir.snap_of(r).ok_or(Abort::Internal)?;
        Ok(self.stubs[n.0 as usize])
    }

    // ---- operands ----

    /// Input in register `q`, or the constant `r`.
    fn val(&self, q: Reg, r: Ref) -> Val {
        if q.is_none() {
            match self.ir.konst(r) {
                Some(k) => Val::Const(k),
                None => unreachable!("{r:?} has no register"), // `ra::check` excludes it
            }
        } else if q.is_fpr() {
            Val::Fpr(Fpr(q.number()))
        } else {
            Val::Gpr(Gpr(q.number()))
        }
    }

    /// A float constant in memory.
    fn pooled(&mut self, bits: u64) -> Label {
        if let Some(p) = self.pool.iter().find(|p| p.0 == bits) {
            return p.1;
        }
        let label = self.m.new_label();
        self.pool.push((bits, label));
        label
    }

    /// `dst =` the double with these bits
    fn float_const(&mut self, dst: Fpr, bits: u64) {
        if bits == 0 {
            self.m.fmov_imm(d(dst), 0.0);
        } else {
            let label = self.pooled(bits);
            self.m.fload_label(d(dst), label);
        }
    }

    // ---- moves ----

    fn emit_gap(&mut self, gap: u32) {
        let start = self.moves_left;
        while self.moves_left > 0 && self.al.moves[self.moves_left - 1].gap == gap {
            self.moves_left -= 1;
        }
        match start - self.moves_left {
            0 => {}
            1 => self.one_move(self.al.moves[self.moves_left].mv),
            _ => {
                self.gap.clear();
                let list = &self.al.moves[self.moves_left..start];
                self.gap.extend(list.iter().map(|g| g.mv));
                self.ordered_moves();
            }
        }
    }

    fn parallel(&mut self, moves: &[Move]) {
        self.gap.clear();
        self.gap.extend_from_slice(moves);
        self.ordered_moves();
    }

    /// The moves in `gap`, in an order that makes them parallel.
    fn ordered_moves(&mut self) {
        let mut ordered = std::mem::take(&mut self.ordered);
        parmove::sequence(&mut self.gap, &mut ordered);
        for &m in &ordered {
            self.one_move(m);
        }
        self.ordered = ordered;
    }

    fn one_move(&mut self, mv: Move) {
        let spill = |n: u16| M::local(FIRST_SPILL + u32::from(n));
        // the registers kept for moves are in nobody else's hands here
        let src = match mv.src {
            Place::Reg(q) => self.val(q, Ref::default()),
            Place::ParkGpr => Val::Gpr(M::SCRATCH),
            Place::ParkFpr => Val::Fpr(M::FSCRATCH),
            Place::Const(k) => self.val(Reg::NONE, k),
            Place::Slot(s) => match mv.dst {
                Place::Reg(q) if q.is_fpr() => {
                    return self.m.fload(d(Fpr(q.number())), spill(s));
                }
                Place::Reg(q) => return self.m.load(U64, d(Gpr(q.number())), spill(s)),
                Place::ParkFpr => return self.m.fload(d(M::FSCRATCH), spill(s)),
                _ => {
                    self.m.load(U64, d(M::SCRATCH), spill(s));
                    Val::Gpr(M::SCRATCH)
                }
            },
            Place::None => return,
        };
        match mv.dst {
            Place::Slot(s) => self.store_val(B64, spill(s), src),
            Place::Reg(q) if q.is_fpr() => self.set_float(Fpr(q.number()), src),
            Place::Reg(q) => self.set_general(Gpr(q.number()), src),
            Place::ParkGpr => self.set_general(M::SCRATCH, src),
            Place::ParkFpr => self.set_float(M::FSCRATCH, src),
            Place::None | Place::Const(_) => {}
        }
    }

    fn set_general(&mut self, dst: Gpr, src: Val) {
        match src {
            Val::Gpr(s) => self.m.mov(d(dst), s),
            Val::Fpr(s) => self.m.f64_to_bits(d(dst), s),
            Val::Const(k) => self.m.mov_imm(d(dst), k.bits as i64),
        }
    }

    fn set_float(&mut self, dst: Fpr, src: Val) {
        match src {
            Val::Gpr(s) => self.m.bits_to_f64(d(dst), s),
            Val::Fpr(s) => self.m.fmov(d(dst), s),
            Val::Const(k) => self.float_const(dst, k.bits),
        }
    }

    // ---- behind the trace ----

    #[inline(never)]
    fn cold_paths(&mut self) {
        for cold in std::mem::take(&mut self.cold) {
            match cold {
                Cold::Leave { from } => {
                    self.m.bind(from);
                    self.m.store(B64, at(M::THREAD, call::BASE), M::BASE);
                    self.m.mov(d(M::RET0), M::PC);
                    self.m.jump_abs(self.input.thunks.resume);
                }
                Cold::Barrier {
                    from,
                    back,
                    object,
                    value,
                    tag,
                } => self.cold_barrier(from, back, object, value, tag),
                Cold::Alloc {
                    from,
                    back,
                    dst,
                    bytes,
                } => self.cold_alloc(from, back, dst, bytes),
                Cold::LookUp {
                    from,
                    back,
                    dst,
                    function,
                } => self.cold_look_up(from, back, dst, function),
                Cold::Poll { from, back, snap } => {
                    self.m.bind(from);
                    self.exit_number(snap);
                    self.m.call_abs(self.input.thunks.poll);
                    self.m.jump(back);
                }
                Cold::Charge { from, back } => {
                    self.m.bind(from);
                    self.m.call_abs(self.input.thunks.charge);
                    self.m.jump(back);
                }
                Cold::Divide {
                    from,
                    back,
                    modulo,
                    dst,
                    a,
                    b,
                } => self.cold_divide(from, back, modulo, dst, a, b),
            }
        }
        if let Some(leave) = self.leave {
            self.m.bind(leave);
            self.m.jump_abs(self.input.thunks.resume);
        }
    }

    /// The scratch register = the number of the exit of snapshot `n`
    fn exit_number(&mut self, n: SnapNo) {
        let id = i64::from(self.input.trace) << 16 | i64::from(n.0);
        self.m.with_scratch(|m, s| m.mov_imm(d(s), id));
    }

    fn exit_stubs(&mut self) {
        for n in 0..self.stubs.len() {
            self.m.align(8);
            self.m.bind(self.stubs[n]);
            self.exit_number(SnapNo(n as u16));
            self.m.jump_abs(self.input.thunks.exit);
        }
    }

    fn constants(&mut self) {
        if !self.pool.is_empty() {
            self.m.align(8);
        }
        for (bits, label) in std::mem::take(&mut self.pool) {
            self.m.bind(label);
            self.m.emit_u64(bits);
        }
    }

    // ---- result ----

    fn finish(self) -> Result<CodeOutput, Abort> {
        let (ir, al) = (self.ir, self.al);
        let mut exits: Vec<ExitMap> = (0..ir.snaps.len())
            .map(|n| exit_map(ir, al, SnapNo(n as u16)))
            .collect();
        if let Some((pc, room)) = self.input.unlinked {
            exits.push(ExitMap {
                pc,
                base: 0,
                top: Snap::NO_TOP,
                pcalls: 0,
                poll: false,
                room,
                slots: Vec::new(),
                objects: Vec::new(),
                roots: Vec::new(),
            });
        }
        let through = al
            .through
            .iter()
            .map(|t| (SnapNo(t.snap), t.val, loc(ir, t.place)))
            .collect();
        let contract = al.contract.iter().map(|&(r, p)| (r, loc(ir, p))).collect();
        let code = self.m.finalize().map_err(|_| Abort::Assembler)?;
        let offset = |l: Label| code.label_offset(l).ok_or(Abort::Assembler);
        Ok(CodeOutput {
            entry: offset(self.entry)?,
            checked: offset(self.checked)?,
            loop_head: self.loop_head.map(offset).transpose()?,
            link: self.link.map(offset).transpose()?,
            contract,
            through,
            exits,
            stubs: self
                .stubs
                .iter()
                .map(|&l| offset(l))
                .collect::<Result<_, _>>()?,
            spills: al.spills,
            ins_offsets: self
                .ins_labels
                .iter()
                .map(|&(l, r)| Ok((offset(l)?, r)))
                .collect::<Result<_, Abort>>()?,
            bytes: code.bytes,
        })
    }
}

/// What the exit of snapshot `n` restores.
fn exit_map(ir: &IrBuf, al: &Allocation, n: SnapNo) -> ExitMap {
    let snap = &ir.snaps[n.0 as usize];
    let used = al.snap_used[n.0 as usize];
    let (range, recipes) = if used {
        (snap.start as usize..snap.end as usize, ir.snap_recipes(n))
    } else {
        (0..0, &[][..])
    };
    // a sunk object is known by its number in the exit
    let place = |r: Ref, p: Place| match recipes.iter().position(|q| q.object == r) {
        Some(k) => Loc::Sunk(k as u16),
        None => loc(ir, p),
    };
    let objects = recipes
        .iter()
        .map(|recipe| ExitObject {
            new: new_object(ir, recipe.object),
            parts: (recipe.start as usize..recipe.end as usize)
                .map(|f| {
                    let (filling, [val, tag]) = (ir.fillings[f], al.fillings[f]);
                    ExitPart {
                        part: filling.part,
                        val: place(filling.val, val),
                        tag: loc(ir, tag),
                        ty: ir.ty(filling.val),
                    }
                })
                .collect(),
        })
        .collect();
    let slots = range
        .map(|e| {
            let entry = ir.entries[e];
            let [val, tag] = al.snaps[e];
            ExitSlot {
                slot: entry.slot,
                word: ir.ty(entry.tag) == crate::ir::Ty::Word,
                val: if ir.ty(entry.val).is_prim() {
                    Loc::None
                } else {
                    place(entry.val, val)
                },
                tag: loc(ir, tag),
                ty: ir.ty(entry.val),
            }
        })
        .collect();
    let roots = al
        .roots
        .iter()
        .filter(|r| r.snap == n.0)
        .map(|r| {
            let tag = match r.places[1] {
                Place::None => Loc::Const(tag_bits(ir.ty(r.val).tag().unwrap_or(Tag::ANY))),
                p => loc(ir, p),
            };
            (loc(ir, r.places[0]), tag)
        })
        .collect();
    let guards = ir.snap_guards(n);
    let rooms = guards.iter().filter(|i| i.op == IrOp::StkChk);
    ExitMap {
        pc: snap.pc,
        base: snap.base,
        top: snap.top,
        pcalls: snap.pcalls,
        poll: guards.iter().any(|i| i.op == IrOp::Poll),
        room: rooms.map(|i| i.lit_a()).max().unwrap_or(0),
        slots,
        objects,
        roots,
    }
}

/// What the exits have to make of the SUNK instruction `r`.
fn new_object(ir: &IrBuf, r: Ref) -> NewObject {
    let was = ir.objects[ir.at(r).lit_a() as usize];
    let (a, n) = (ir.konst(was.a).map_or(0, |k| k.bits), was.lit_b());
    match was.op {
        IrOp::TNew => NewObject::Table { shape: a, slots: n },
        IrOp::TArr => NewObject::Array { shape: a, slots: n },
        IrOp::CNew => NewObject::Cell { readonly: n != 0 },
        _ => NewObject::Closure {
            proto: a,
            upvals: n,
        },
    }
}

/// A tag as the bits of a constant.
fn tag_bits(tag: Tag) -> u64 {
    i64::from(tag.0) as u64
}

fn loc(ir: &IrBuf, p: Place) -> Loc {
    match p {
        Place::None | Place::ParkGpr | Place::ParkFpr => Loc::None,
        Place::Reg(r) if r.is_fpr() => Loc::Fpr(r.number()),
        Place::Reg(r) => Loc::Gpr(r.number()),
        Place::Slot(s) => Loc::Spill(s),
        Place::Const(k) => Loc::Const(ir.konst(k).map_or(0, |k| k.bits)),
    }
}

/// Bits of a constant as an operand.
fn imm(k: Konst) -> RegImm {
    RegImm::Imm(k.bits as i64)
}
