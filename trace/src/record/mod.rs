//! The recorder: bytecode, as it is executed, becomes IR.
//!
//! **When.** While `Global::recording` is set the vm calls [`Recorder::step`] before each instruction, which its helper then performs. So at `step`
//! the operands' values are on the stack, to be looked at; results of the previous instruction, the way that it jumped and the frame in
//! which execution goes on are known at the next `step`.
//!
//! **Slots.** [`Slot`] says what is known of each stack slot from the function slot of the entry frame (-1) upwards: nothing (a load is emitted
//! when it is first needed), or a payload and a tag, and whether memory has them too. The snapshot of a guard is the list of
//! dirty slots below the live extent, at the start of the bytecode instruction that needs the guard: all guards of an instruction come
//! before its first effect, and its results are noted last.
//!
//! **Every instruction can be recorded.** What has no IR of its own becomes an XOP ([`generic`]): dirty live slots are stored to the stack,
//! the trace calls the helper that the interpreter would call, and goes on if the helper answers with the same next instruction as it
//! did while recording. If another frame or another coroutine runs then, the numbering of slots starts anew from its base (XOPR).
//!
//! **Inlined calls** cost nothing: a frame is a function slot whose tag is a frame word constant, written by exits only.

mod arith;
mod call;
mod closing;
mod compare;
mod construct;
mod coroutine;
pub(crate) mod enter;
mod failing;
mod fastfn;
mod generic;
mod index;
mod inherit;
mod iter;
mod join;
mod loops;
mod meta;
mod protect;
pub(crate) mod select;
mod slots;
mod table;
mod tbc;
mod upval;
mod varargs;
mod weak;

use rustc_hash::{FxHashMap, FxHashSet};

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;

use crate::abort::Abort;
use crate::ir::{Class, IrBuf, IrOp, Progress, REF_NONE, Ref, Ty};
use crate::loc::{Inherited, Link, Loc};
use crate::opt::{OptCx, alias};
use crate::params::Params;

pub use generic::Performed;
pub(crate) use slots::{Slot, Tv};

/// Result of recording a step.
pub(crate) type Rec<T> = Result<T, Abort>;

/// What is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A loop: from its header, where the anchor jumps, back to it.
    Loop,
    /// A function from its first instruction.
    Func,
    /// What follows the call at this address, when compiled code returns to it.
    Cont {
        /// The call.
        call: *const Instr,
    },
    /// What follows the instruction that has called a metamethod, when compiled code returns to it.
    Event {
        /// The frame word.
        word: u64,
    },
    /// What follows a hot exit.
    Side {
        /// The trace that is left.
        parent: u16,
        /// Through this snapshot.
        exit: u16,
    },
}

/// What an inlined frame was entered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    /// A call instruction (kind LUA or TAIL).
    Call,
    /// An instruction that calls a metamethod (kind CONT).
    Meta,
    /// A call of pcall (`delta` 1) or xpcall (2), whose own frame lies below it (kind PCALL).
    Protected {
        /// Slots from the base of pcall's frame.
        delta: i16,
    },
}

/// A frame of the trace: the entry's, or one that was inlined.
pub(crate) struct Frame {
    /// First register, as slot number.
    pub base: i16,
    /// Function slot that the call used (the one below `base`, except in vararg functions).
    pub func: i16,
    /// The closure that ran when recording. Only `proto` is a fact, unless `known`.
    pub closure: *mut LuaClosure,
    /// Guarded to be this very closure.
    pub known: bool,
    /// Its prototype.
    pub proto: *mut Proto,
    /// The instruction that entered it, null for the entry's frame.
    pub call_pc: *const Instr,
    /// What becomes of its results.
    pub how: How,
    /// Number of extra arguments of an inlined vararg function, which are in the slots before the one below `base`.
    pub nextra: Option<u16>,
}

/// How the trace ends, if a step decides so.
pub(crate) enum Step {
    /// Go on.
    More,
    /// Done: compile.
    Stop(Link),
}

/// Whether the trace of a function leads to its own entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Recursion {
    /// It does not.
    No,
    /// Where other closures of the function are called.
    Others,
    /// Where the same closure is called.
    Itself,
}

/// What is left to do when the running instruction has been performed.
pub(crate) enum Pending {
    /// Nothing.
    None,
    /// Emit the XOP of the instruction at this pc, performed in the frame with this base (bytes from the stack's start).
    Generic {
        pc: *const Instr,
        base: isize,
        /// It is the call of a function that is quiet with these arguments (`base::fastfn::Quiet`).
        quiet: bool,
    },
    /// An inlined frame must be running at this pc.
    Expect { pc: *const Instr, base: i16 },
}

/// State of a recording.
pub struct Recorder {
    /// The IR.
    pub buf: IrBuf,
    /// The pipeline.
    pub opt: OptCx,
    /// What is recorded.
    pub kind: Kind,
    /// Where it began: header of the loop, first instruction, or pc of the exit.
    pub start_pc: *const Instr,
    /// Loop instruction or header word that became hot (null for side traces).
    pub anchor: *mut Instr,
    /// Inherited values of a side trace.
    pub inherited: Vec<Inherited>,
    /// Invariants of the loop that the parent is in: their names in the loop's trace, and the inherited values.
    through: Vec<(Ref, Ref)>,
    /// That trace; 0: there is none.
    pub(crate) through_of: u16,
    /// If the trace ends in the loop's body: values and their places there.
    pub(crate) reenter: Vec<(Ref, Loc)>,
    /// Bytecode instructions recorded.
    pub nbc: u32,
    /// Where the last one was (for reports).
    pub last_pc: *const Instr,
    /// Objects that the trace must keep alive besides its constants.
    pub keep: Vec<Value>,
    /// Prototypes whose bytecode the trace refers to.
    pub protos: Vec<*mut Proto>,
    pub(crate) params: Params,
    /// The running thread; after an instruction that has ended it, it may be gone.
    pub(crate) l: *mut Thread,
    hot: *mut GlobalHot,
    pub(crate) activation: *mut Activation,
    pub(crate) slots: Vec<Slot>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) pending: Pending,
    /// Address of the entry frame's base in bytes from the start of the stack.
    pub(crate) base0: isize,
    need_snap: bool,
    snap_pc: *const Instr,
    /// The next guard decides where a branch goes, and `snap_pc` is where that goes otherwise.
    decides: bool,
    /// The next guards are the program's own questions.
    asks: bool,
    /// Back edges of other loops taken, by instruction.
    pub(crate) unrolled: FxHashMap<usize, u32>,
    /// It begins where a branch of the parent goes the other way, so it may end at once: execution has got ahead.
    pub(crate) after_branch: bool,
    /// First instruction of the iteration that is being recorded.
    iteration: Ref,
    /// Slots as they were known then (iterations after the first).
    header: Vec<crate::opt::Carried>,
    /// Slots that have changed since the iteration began (index: slot + 1), or all of them.
    changed: Vec<bool>,
    changed_all: bool,
    start_base: isize,
    /// BASE of the trace's first frame (of side traces: of the parent's), as `base0`.
    entry_base: isize,
    pub(crate) start_l: *mut Thread,
    /// Guards before this hold without being asked: the parent has proved them.
    pub(crate) known_until: Ref,
    /// Integers that payloads had when they were looked at, for the optimiser to judge by.
    pub(crate) seen: FxHashMap<Ref, i64>,
    /// Iterations recorded.
    pub(crate) iterations: u32,
    /// What is left to helpers, for reports.
    pub performed: Vec<Performed>,
    /// Most slots above BASE for which there was a check.
    pub(crate) checked: u16,
    /// The root trace of the tree is one of a loop (this one, if it is a root).
    pub(crate) in_loop: bool,
    /// Compiled functions by prototype: address of the entry, and whether it calls itself.
    pub(crate) funcs: *const FxHashMap<usize, (u64, Recursion)>,
    /// Instructions that meet too many shapes or functions for guards on them; may be null.
    pub(crate) joins: *const FxHashSet<usize>,
    /// Instructions that are left to their helpers, since guards have not held there again and again; may be null.
    pub(crate) helped: *const FxHashSet<usize>,
    /// Calls that tell closures by their prototype only; may be null.
    pub(crate) by_prototype: *const FxHashSet<usize>,
    /// More of them.
    pub(crate) varying: Vec<usize>,
    /// Closures, called or running, that were guarded to be the very ones.
    pub(crate) told: FxHashMap<(usize, usize), Told>,
    /// The running instruction has ended the trace.
    pub(crate) end: Option<Link>,
    /// Tables whose shape such an instruction has not looked at.
    pub(crate) shapeless: Vec<Ref>,
    /// A POLL is to be emitted as soon as nothing lies above the live slots.
    pub(crate) wants_poll: bool,
    /// That POLL.
    first_poll: Ref,
    /// Header of the function, or loop instruction, that has to be compiled first ([`Abort::CalleeFirst`], [`Abort::OuterFirst`]).
    pub(crate) first: *mut Instr,
    /// The last loop instruction by which the recording has gone around another loop than its own.
    pub(crate) outer: *mut Instr,
    /// What is recorded is the rest of a loop's iteration, and the next one begins here.
    pub(crate) around: *const Instr,
    /// Side traces that the tree has.
    pub(crate) sides: u32,
    /// How branches went; may be null.
    pub(crate) profile: *const select::Profile,
    /// Instructions up to here have been recorded; null: none.
    skip_to: *const Instr,
    /// Strings of one byte; may be null.
    pub(crate) chars: *mut crate::chars::Chars,
    /// Bytecode instructions without headers, the running one included.
    pub(crate) begun: u32,
    /// Whether the function calls itself by its own entry.
    pub(crate) recursive: Recursion,
    /// The running instruction raises an error, which has been recorded.
    pub(crate) raising: bool,
    /// Tables that were found in `__newindex` for the running instruction.
    pub(crate) newindex_depth: u8,
    /// Frames of pcall that `Thread::pcall_depth` in memory does not count.
    pub(crate) pcalls: u16,
    /// Step at which a test wants the recording to be given up; 0: none.
    pub(crate) die_at: u32,
    /// Variables to be closed whose registration is on the trace, in the order of their slots.
    pub(crate) pending_close: Vec<tbc::Pending>,
    /// A frame was changed from outside since the last instruction.
    pub(crate) disturbed: bool,
    /// `Global::finalizer_runs` as it was at the last instruction.
    pub(crate) finalizer_runs: u64,
    /// The instruction here takes values up to a top that is known; it comes right after the one that made them.
    multi: Multi,
    /// The running thread; none: not loaded yet.
    thread: Ref,
    /// Threads that wait, on this trace, for those that they have resumed: the last one for the running thread.
    waiting: Vec<coroutine::Waiting>,
}

/// A closure that is guarded by an instruction (address) to be this one of its prototype (address): by those two.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    /// Its address.
    pub closure: usize,
    /// Closures of the prototype that had been made.
    pub made: u32,
}

/// Results of an instruction that are all wanted, and their end.
#[derive(Clone, Copy)]
struct Multi {
    /// The instruction that takes them; null if there are none.
    pc: *const Instr,
    /// Slot above the last one.
    top: i16,
}

impl Recorder {
    /// Starts at the running frame of `l`.
    ///
    /// # Safety
    /// [CODE] `l` runs a Lua function and goes on at `pc`.
    pub unsafe fn new(
        l: *mut Thread,
        kind: Kind,
        anchor: *mut Instr,
        pc: *const Instr,
        params: Params,
    ) -> Recorder {
        // SAFETY: as promised.
        unsafe {
            let g = Global::of((*l).global);
            let mut r = Recorder {
                buf: IrBuf::new(),
                opt: OptCx::default(),
                kind,
                start_pc: pc,
                anchor,
                inherited: Vec::new(),
                through: Vec::new(),
                through_of: 0,
                reenter: Vec::new(),
                nbc: 0,
                last_pc: pc,
                keep: Vec::new(),
                protos: Vec::new(),
                params,
                l,
                hot: (*l).global,
                activation: g.hot.activation,
                slots: Vec::new(),
                frames: Vec::new(),
                pending: Pending::None,
                base0: (*l).base.byte_offset_from((*l).stack),
                need_snap: true,
                snap_pc: pc,
                decides: false,
                asks: false,
                unrolled: FxHashMap::default(),
                after_branch: false,
                iteration: Ref::from_ins(1),
                header: Vec::new(),
                changed: Vec::new(),
                changed_all: false,
                start_base: (*l).base.byte_offset_from((*l).stack),
                entry_base: (*l).base.byte_offset_from((*l).stack),
                start_l: l,
                known_until: Ref::from_ins(1),
                seen: FxHashMap::default(),
                iterations: 0,
                performed: Vec::new(),
                checked: 0,
                multi: Multi {
                    pc: std::ptr::null(),
                    top: 0,
                },
                thread: REF_NONE,
                waiting: Vec::new(),
                in_loop: kind == Kind::Loop,
                funcs: std::ptr::null(),
                joins: std::ptr::null(),
                helped: std::ptr::null(),
                by_prototype: std::ptr::null(),
                varying: Vec::new(),
                told: FxHashMap::default(),
                end: None,
                shapeless: Vec::new(),
                first_poll: REF_NONE,
                wants_poll: kind != Kind::Loop,
                first: std::ptr::null_mut(),
                outer: std::ptr::null_mut(),
                around: std::ptr::null(),
                sides: 0,
                profile: std::ptr::null(),
                skip_to: std::ptr::null(),
                chars: std::ptr::null_mut(),
                begun: 0,
                recursive: Recursion::No,
                raising: false,
                newindex_depth: 0,
                pcalls: 0,
                die_at: 0,
                pending_close: Vec::new(),
                disturbed: false,
                finalizer_runs: g.finalizer_runs,
            };
            r.opt.passes = params.passes;
            r.opt.rebuilds = true;
            r.reset_frames();
            r.changed_all = false;
            r
        }
    }

    /// The running frame is the only one that is known of, and of its slots nothing.
    pub(crate) unsafe fn reset_frames(&mut self) {
        // SAFETY: the running frame is a Lua function's.
        unsafe {
            self.begin_at((*self.l).base);
        }
    }

    /// The frame with this base, of a Lua function of the thread `l`, is the only one that is known of, and of its slots nothing.
    pub(crate) unsafe fn begin_at(&mut self, base: *mut Value) {
        // SAFETY: as `reset_frames`.
        unsafe {
            self.base0 = base.byte_offset_from((*self.l).stack);
            self.slots.clear();
            self.pending_close.clear();
            self.frames.clear();
            self.checked = 0;
            self.pcalls = 0;
            self.changed_all = true;
            let closure = (*base.sub(1)).payload as *mut LuaClosure;
            let proto = (*closure).proto;
            self.note_proto(proto);
            self.frames.push(Frame {
                base: 0,
                func: -1,
                closure,
                known: false,
                proto,
                call_pc: std::ptr::null(),
                how: How::Call,
                nextra: None,
            });
        }
    }

    pub(crate) fn note_proto(&mut self, p: *mut Proto) {
        if !self.protos.contains(&p) {
            self.protos.push(p);
        }
    }

    pub(crate) fn frame(&self) -> &Frame {
        self.frames.last().expect("the entry's frame")
    }
    /// Base of the running frame as slot number.
    pub(crate) fn base(&self) -> i16 {
        self.frame().base
    }
    /// The instruction at `pc`, which is next, takes values up to `top` (a slot number), all of which are known.
    pub(crate) fn set_multi(&mut self, pc: *const Instr, top: i16) {
        self.multi = Multi { pc, top };
    }
    /// The top that the instruction at `pc` uses, as slot number, if it is known.
    pub(crate) fn multi_top(&self, pc: *const Instr) -> Option<i16> {
        (self.multi.pc == pc).then_some(self.multi.top)
    }
    pub(crate) fn global(&self) -> &'static mut Global {
        // SAFETY: a live thread's state is live; the recorder uses it while nothing else runs.
        unsafe { Global::of(self.hot) }
    }

    /// Before the instruction at `pc` is performed.
    ///
    /// # Safety
    /// [CODE] `l` is the thread that is recorded, in its activation, and goes on at `pc`.
    pub(crate) unsafe fn step(&mut self, pc: *const Instr) -> Rec<Step> {
        // SAFETY: as promised.
        unsafe {
            self.last_pc = pc;
            self.note_progress(self.begun);
            self.finish_pending(pc)?;
            if let Some(link) = self.end {
                return Ok(Step::Stop(link));
            }
            if self.multi.pc != pc {
                self.multi.pc = std::ptr::null();
            }
            self.nbc += 1;
            self.begun += u32::from(dispatch::op_at(pc) < Op::FuncF);
            if self.nbc == self.die_at {
                return Err(Abort::Random);
            }
            if self.nbc > self.params.maxrecord {
                return Err(Abort::RecordLimit);
            }
            self.raising = false;
            self.new_snap(pc);
            Ok(Step::More)
        }
    }

    /// `complete` instructions and all guards so far are behind us.
    pub(crate) fn note_progress(&mut self, complete: u32) {
        let s = &self.opt.stats;
        self.buf.done = Progress {
            instructions: complete,
            guards: s.guards_asked - s.guards_repeated,
        };
    }

    unsafe fn finish_pending(&mut self, pc: *const Instr) -> Rec<()> {
        // SAFETY: as the caller.
        unsafe {
            match std::mem::replace(&mut self.pending, Pending::None) {
                Pending::None => Ok(()),
                Pending::Generic {
                    pc: at,
                    base,
                    quiet,
                } => self.finish_generic(at, base, quiet, pc),
                Pending::Expect { pc: want, base } => {
                    let is = (*self.l).base.byte_offset_from((*self.l).stack);
                    if want != pc || is != self.base0 + 16 * base as isize {
                        return Err(Abort::Internal);
                    }
                    Ok(())
                }
            }
        }
    }

    /// Records the instruction at `pc`.
    ///
    /// # Safety
    /// As [`Recorder::step`], which was called.
    pub(crate) unsafe fn instruction(&mut self, pc: *const Instr) -> Rec<Step> {
        use Op::*;
        // SAFETY: as promised.
        unsafe {
            // values that wait for this instruction lie above what the poll's snapshot knows of
            let waits = matches!(dispatch::op_at(pc), CallM | TailCallM | RetM | SetListM);
            if self.wants_poll && !waits {
                self.wants_poll = false;
                self.first_poll = self.guard(IrOp::Poll, Ty::Void, REF_NONE, REF_NONE)?;
            }
            let w = *pc;
            let op = dispatch::op_at(pc);
            let i = Cursor { pc, w, op };
            match op {
                Move => {
                    let v = self.tv(i.rb())?;
                    self.set(i.ra(), v);
                }
                LoadI => {
                    let v = self.int_tv(i64::from(bc::b(w) as i16));
                    self.set(i.ra(), v);
                }
                LoadK => {
                    let v = self.konst(Value::new(*pc.add(1), Tag(bc::c(w) as i16 as i32)));
                    self.set(i.ra(), v);
                }
                LoadPrim => {
                    let v = self.konst(Value::new(0, Tag(bc::b(w) as i16 as i32)));
                    self.set(i.ra(), v);
                }
                LoadNil => {
                    let nil = self.konst(Value::NIL);
                    for k in 0..bc::b(w) {
                        self.set(i.ra() + k as i16, nil);
                    }
                }
                GetUpval | SetUpval | NewCell | GetCell | SetCell | Closure => {
                    return self.upvalue(i);
                }
                GetGlobal | SetGlobal | GetField | SetField | SelfGet | GetIndex | SetIndex
                | GetInt | SetInt | NewTable | NewRecord | SetList | SetListM | Len => {
                    return self.table(i);
                }
                Add | Sub | Mul | Div | Mod | Pow | IDiv | BAnd | BOr | BXor | Shl | Shr | AddK
                | SubK | MulK | DivK | ModK | PowK | IDivK | BAndK | BOrK | BXorK | ShlK | ShrK
                | AddKR | SubKR | MulKR | DivKR | ModKR | PowKR | IDivKR | BAndKR | BOrKR
                | BXorKR | ShlKR | ShrKR | AddI | SubI | Unm | BNot => return self.arith(i),
                Not => {
                    let v = self.tv(i.rb())?;
                    let falsy = self.guard_truth(v, self.observed(i.rb()).is_falsy())?;
                    let v = self.konst(Value::bool(falsy));
                    self.set(i.ra(), v);
                }
                Jmp => {}
                Loop | ForLoop | ForLoopV | ForPrep | TForPrep | TForCall | TForLoop => {
                    return self.looping(i);
                }
                JLt | JNLt | JLe | JNLe | JEq | JNe | JLtI | JNLtI | JLeI | JNLeI | JGtI
                | JNGtI | JGeI | JNGeI | JEqI | JNeI | JEqK | JNeK | JEqP | JNeP | JT | JF
                | JTSet | JFSet => return self.compare(i),
                Call | CallM | TailCall | TailCallM => return self.call(i),
                Ret0 | Ret1 | Ret | RetM | RetC => return self.ret(i),
                Vararg | VarargM => return self.vararg(i),
                Concat => return self.concat(i),
                Tbc => return self.register_pending(i),
                Close => return self.close(i),
                _ => return self.generic(i),
            }
            Ok(Step::More)
        }
    }

    /// A trace that makes nothing need not see whether the collector waits; an interrupt takes the stack's limit away.
    /// (Traces outside of loops poll where they begin: recursion goes from trace to trace.)
    pub(crate) fn drop_poll(&mut self) {
        if self.first_poll.is_none() {
            return;
        }
        let makes = self.buf.ins.iter().any(|i| match i.op {
            IrOp::XOp | IrOp::XOpQ | IrOp::XOpR | IrOp::Sunk => true,
            IrOp::Call | IrOp::CallN | IrOp::CallL => alias::makes(i),
            op => op.class() == Class::A,
        });
        if !makes {
            self.buf.kill(self.first_poll);
        }
    }

    // ---- emission -------------------------------------------------------------------------------------------------

    /// Emits an instruction that is no guard.
    pub(crate) fn emit(&mut self, op: IrOp, ty: Ty, a: Ref, b: Ref) -> Rec<Ref> {
        debug_assert!(!op.is_guard());
        self.opt.emit(&mut self.buf, op, ty, a, b)
    }
    /// Emits a guard, with the snapshot of the running instruction's start.
    pub(crate) fn guard(&mut self, op: IrOp, ty: Ty, a: Ref, b: Ref) -> Rec<Ref> {
        debug_assert!(op.is_guard());
        self.pin_snap()?;
        self.opt.emit(&mut self.buf, op, ty, a, b)
    }
    /// The slots are about to change, but guards of the running instruction may follow: they have the snapshot of now.
    pub(crate) fn pin_snap(&mut self) -> Rec<()> {
        if std::mem::take(&mut self.need_snap) {
            self.snapshot(self.snap_pc)?;
        }
        Ok(())
    }
    /// From here on guards go back to the instruction at `pc`, with the slots as they are then known.
    pub(crate) fn new_snap(&mut self, pc: *const Instr) {
        self.need_snap = true;
        self.snap_pc = pc;
        self.decides = false;
        self.asks = false;
    }
    /// The program asks for the type of `v`, which is guarded (as it is now, `tag`), under a snapshot of its own.
    pub(crate) fn asked_tag(&mut self, v: Tv, tag: Tag) -> Rec<Tv> {
        self.asks(true);
        let v = self.guard_tag(v, tag)?;
        self.asks(false);
        Ok(v)
    }
    /// The guards that follow are (or are no longer) the program's own questions; they go back to the same place as those before.
    pub(crate) fn asks(&mut self, asks: bool) {
        let pc = self.snap_pc;
        self.new_snap(pc);
        self.asks = asks;
    }
    /// The running instruction is a branch that does nothing else, all of whose other guards have been emitted. The next one decides it: if that does not
    /// hold, the branch goes to `other`. An exit goes on there, and need not make what the branch has looked at, nor a side trace look at it again.
    pub(crate) fn decides(&mut self, other: *const Instr) {
        self.new_snap(other);
        self.decides = true;
        self.asks = true;
        self.note_progress(self.begun);
    }
    /// A literal operand.
    pub(crate) fn lit(n: u16) -> Ref {
        Ref(n)
    }
    /// A slot number as operand.
    pub(crate) fn slot_lit(n: i16) -> Ref {
        Ref(n as u16)
    }
}

/// The instruction that is being recorded.
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    pub pc: *const Instr,
    pub w: Instr,
    pub op: Op,
}

impl Cursor {
    /// Register in A, relative to the running frame.
    pub fn ra(&self) -> i16 {
        (bc::a(self.w) / 16) as i16
    }
    /// Register in B.
    pub fn rb(&self) -> i16 {
        (bc::b(self.w) / 16) as i16
    }
    /// Register in C.
    pub fn rc(&self) -> i16 {
        (bc::c(self.w) / 16) as i16
    }
    /// Word `n` of the instruction.
    ///
    /// # Safety
    /// [CODE] it has that many.
    pub unsafe fn word(&self, n: usize) -> u64 {
        // SAFETY: as promised.
        unsafe { *self.pc.add(n) }
    }
    /// The next instruction.
    pub fn next(&self) -> *const Instr {
        self.pc.wrapping_add(self.op.words())
    }
    /// Target of a 32-bit jump.
    pub fn target32(&self) -> *const Instr {
        self.next().wrapping_offset(bc::jump32(self.w) as isize)
    }
    /// The constant of a K form: tag in C.
    ///
    /// # Safety
    /// [CODE] it is one.
    pub unsafe fn konst_c(&self) -> Value {
        // SAFETY: as promised.
        unsafe { Value::new(self.word(1), Tag(bc::c(self.w) as i16 as i32)) }
    }
}
