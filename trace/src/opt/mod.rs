//! The optimiser.
//!
//! **Streaming part.** The recorder and the loop pass emit through [`OptCx::emit`]: [`fold`] (constants, algebra, guards on constants), then
//! by class: guards that earlier ones imply go ([`facts`]), pure instructions and loads are looked up ([`cse`]), loads are forwarded from
//! stores and dead stores removed ([`memory`]), always subject to [`alias`]. What is left is appended.
//! **After the recording**: [`loops`] peels (it re-emits the recorded iteration through the same pipeline), then [`finish`] removes dead code.
//!
//! **Cost.** Look-ups walk the chain of one op and stop at the younger operand, as LuaJIT's do; nothing is allocated per call.
//!
//! **Contract with the recorder.** Emit in the order of execution. A guard's snapshot is the last one added to the buffer. A payload that
//! was loaded without knowing its type is `Any`; asking for the same load with a type narrows it in place.

pub mod alias;
mod appends;
pub(crate) mod cse;
pub mod dce;
pub mod entry;
pub mod facts;
mod fold;
pub mod known;
pub mod loops;
mod memory;
pub mod range;
pub mod reentry;
mod sink;

use crate::abort::Abort;
use crate::ir::{Class, Ins, IrBuf, IrOp, REF_BASE, REF_NONE, Ref, Ty};

pub use dce::finish;
pub use loops::{Carried, peel, peel_observed};

macro_rules! passes {
    ($($(#[$doc:meta])* $name:ident = $text:literal $bit:literal;)*) => {
        impl Passes {
            $($(#[$doc])* pub const $name: Passes = Passes(1 << $bit);)*
            /// Every pass.
            pub const ALL: Passes = Passes($(1 << $bit)|*);
            /// Names and bits.
            pub const NAMES: &'static [(&'static str, Passes)] = &[$(($text, Passes::$name),)*];
        }
    };
}

/// A set of passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes(pub u16);

passes! {
    /// Constants and algebra. (Guards on constants are always decided.)
    FOLD = "fold" 0;
    /// Common subexpressions.
    CSE = "cse" 1;
    /// Loads from stores.
    FWD = "fwd" 2;
    /// Dead stores.
    DSE = "dse" 3;
    /// Guards that are implied.
    GUARDS = "guards" 4;
    /// Hoisting out of loops. (Without it loops are peeled all the same, but the body does everything again.)
    LOOP = "loop" 5;
    /// Dead code.
    DCE = "dce" 6;
    /// Allocation sinking.
    SINK = "sink" 7;
    /// Bounds of induction variables.
    RANGE = "range" 8;
    /// Branches become selections.
    SELECT = "select" 9;
    /// Side traces go on in the bodies of loops.
    ENTER = "enter" 10;
    /// Side traces know what their parents have proved.
    INHERIT = "inherit" 11;
}

impl Passes {
    /// No pass.
    pub const NONE: Passes = Passes(0);
    /// All of `o` are in it.
    #[inline]
    pub fn has(self, o: Passes) -> bool {
        self.0 & o.0 == o.0
    }
    /// Both.
    pub fn with(self, o: Passes) -> Passes {
        Passes(self.0 | o.0)
    }
    /// Without `o`.
    pub fn without(self, o: Passes) -> Passes {
        Passes(self.0 & !o.0)
    }
    /// `fold,cse` (just these), or `+sink,-fold` (changes to `self`); `all` and `none`. `None`: an unknown name.
    pub fn parse(self, text: &str) -> Option<Passes> {
        let mut p = if text.trim().starts_with(['+', '-']) {
            self
        } else {
            Passes::NONE
        };
        for w in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (minus, name) = match w.strip_prefix('-') {
                Some(n) => (true, n),
                None => (false, w.strip_prefix('+').unwrap_or(w)),
            };
            let bits = match name {
                "all" => Passes::ALL,
                "none" => Passes::NONE,
                _ => Passes::NAMES.iter().find(|(n, _)| *n == name)?.1,
            };
            p = if minus { p.without(bits) } else { p.with(bits) };
        }
        Some(p)
    }
}

/// What the passes did, in instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OptStats {
    /// Asked for.
    pub asked: u32,
    /// Appended.
    pub emitted: u32,
    /// Answered by folding.
    pub folded: u32,
    /// Found again.
    pub cse: u32,
    /// Loads answered by stores.
    pub forwarded: u32,
    /// Stores removed.
    pub dead_stores: u32,
    /// Guards asked for.
    pub guards_asked: u32,
    /// Guards appended.
    pub guards_emitted: u32,
    /// Guards asked for again, for a loop's body.
    pub guards_repeated: u32,
    /// Guards that were proved.
    pub guards_proved: u32,
    /// Guards of a loop's body that only its first iteration checks.
    pub guards_hoisted: u32,
    /// Values of a loop's body that only its first iteration computes.
    pub hoisted: u32,
    /// Loops peeled.
    pub loops: u32,
    /// Bound checks of loop variables that guards before the loop replace.
    pub ranged: u32,
    /// Branches that became selections.
    pub selects: u32,
    /// PHIs made.
    pub phis: u32,
    /// Allocations sunk.
    pub sunk: u32,
    /// Dead instructions removed.
    pub dead: u32,
}

/// State of the optimiser for one trace.
#[derive(Clone, Debug)]
pub struct OptCx {
    /// Which passes run.
    pub passes: Passes,
    /// Counters since the creation; never reset here.
    pub stats: OptStats,
    /// Limit of instructions in a trace.
    pub max_ins: usize,
    /// Limit of constants in a trace.
    pub max_consts: usize,
    /// The back end can rebuild sunk objects at exits (`IrBuf::recipes`): without that nothing is sunk.
    pub rebuilds: bool,
    /// Loads older than this are not reused, and allocations older than this are not known to be fresh: see
    /// [`OptCx::begin_iteration`].
    floor: Ref,
    /// Nothing older than this is looked up: LOOP, if its body is to be emitted without the first part's help.
    barrier: Ref,
    peel: loops::Scratch,
    /// While peeling: payloads narrowed in place, with their former types.
    narrowed: Option<Vec<(Ref, Ty)>>,
    /// While peeling: by instruction, the value of one iteration that the next one takes over.
    carried: Vec<bool>,
    /// While peeling: the body may be entered by other traces; see [`reentry`].
    entered: bool,
    /// The slot of the variable of the loop that is closed next, if only the loop's own instruction changes it: by a step that stays the same, until it is
    /// the last value, which stays the same. (Their slots are written only where such a loop begins.)
    pub index: Option<i16>,
    /// The loop that was closed last may be entered so.
    pub reentry: Option<reentry::Reentry>,
}

impl Default for OptCx {
    fn default() -> OptCx {
        OptCx::new(Passes::ALL)
    }
}

impl OptCx {
    /// With these passes.
    pub fn new(passes: Passes) -> OptCx {
        OptCx {
            passes,
            stats: OptStats::default(),
            max_ins: 8000,
            max_consts: 1000,
            rebuilds: false,
            floor: REF_BASE,
            barrier: REF_BASE,
            peel: loops::Scratch::default(),
            narrowed: None,
            carried: Vec::new(),
            entered: false,
            index: None,
            reentry: None,
        }
    }
    /// Before another trace. Counters and passes stay.
    pub fn reset(&mut self) {
        self.floor = REF_BASE;
        self.reentry = None;
        self.index = None;
    }
    /// Says that another iteration of the loop being recorded begins here, as the body will begin if `peel` is called with the
    /// result as its `start`. Emit the COPYs of the header before.
    ///
    /// The recorder must know each slot either by such a COPY, or not at all (so that it is loaded again when it is needed): what it knew of
    /// earlier iterations holds for the model, but not for the body if the model changes the slot; and guards of earlier iterations
    /// are not part of the model. For the same reason loads of earlier iterations are not reused from here on: nothing in the
    /// model iteration would tell that a store at its end changes them.
    pub fn begin_iteration(&mut self, buf: &IrBuf) -> Ref {
        self.floor = buf.next();
        self.floor
    }
    /// After the buffer has been truncated.
    pub fn truncated(&mut self, buf: &IrBuf) {
        self.floor = self.floor.min(buf.next());
    }

    /// Folds, looks up, or appends. A guard that is proved gives `REF_NONE`. Operands are refs or literals as the op's modes say.
    ///
    /// Errors: `GuardFails` for a guard that can never hold; `TooLong`, `TooManyConstants`.
    pub fn emit(
        &mut self,
        buf: &mut IrBuf,
        op: IrOp,
        ty: Ty,
        a: Ref,
        b: Ref,
    ) -> Result<Ref, Abort> {
        self.stats.asked += 1;
        if op.is_guard() {
            self.stats.guards_asked += 1;
        }
        if buf.konsts.len() > self.max_consts {
            return Err(Abort::TooManyConstants);
        }
        let mut i = Ins::new(op, ty, a, b);
        // Every rule brings an instruction nearer to its normal form; the bound only guards against a mistake.
        for _ in 0..16 {
            match fold::fold(self, buf, i) {
                fold::Fold::Next => break,
                fold::Fold::Ref(r) => {
                    self.stats.folded += 1;
                    return Ok(r);
                }
                fold::Fold::Proved => {
                    self.stats.guards_proved += 1;
                    return Ok(REF_NONE);
                }
                fold::Fold::Fails => return Err(Abort::GuardFails),
                fold::Fold::Ins(n) => i = n,
            }
        }
        self.after_fold(buf, i)
    }

    fn after_fold(&mut self, buf: &mut IrBuf, i: Ins) -> Result<Ref, Abort> {
        let found = match i.op.class() {
            Class::N if i.op == IrOp::UpRef => match memory::fresh_upvalue(self, buf, &i) {
                Some(cell) => {
                    self.stats.forwarded += 1;
                    Some(cell)
                }
                None => cse::pure(self, buf, i),
            },
            Class::N | Class::R => cse::pure(self, buf, i),
            Class::X if i.op == IrOp::CArg => cse::pure(self, buf, i),
            Class::C if i.op == IrOp::FtoI => {
                let r = cse::pure(self, buf, i);
                self.stats.guards_proved += r.is_some() as u32;
                r
            }
            // Others depend on more than their operands.
            Class::C => None,
            Class::L => memory::load(self, buf, i)?,
            Class::G => {
                if self.passes.has(Passes::GUARDS) {
                    match facts::decide(self, buf, i) {
                        Some(true) => {
                            self.stats.guards_proved += 1;
                            return Ok(REF_NONE);
                        }
                        Some(false) => return Err(Abort::GuardFails),
                        None if facts::strengthen(self, buf, i) => {
                            self.stats.guards_proved += 1;
                            return Ok(REF_NONE);
                        }
                        None => {}
                    }
                }
                None
            }
            Class::S => {
                if memory::is_there(self, buf, &i) {
                    self.stats.dead_stores += 1;
                    return Ok(REF_NONE);
                }
                if self.passes.has(Passes::DSE) {
                    memory::remove_overwritten(self, buf, i);
                }
                None
            }
            Class::A | Class::X => None,
        };
        match found {
            Some(r) => Ok(r),
            None => self.append(buf, i),
        }
    }

    /// The body of the loop that is being emitted uses `r` as carried from the iteration before.
    fn is_carried(&self, r: Ref) -> bool {
        self.carried.get(r.ins_index()).copied().unwrap_or(false)
    }
    /// Says that the payload `r`, so far `Any`, is held as a `ty`.
    fn narrow(&mut self, buf: &mut IrBuf, r: Ref, ty: Ty) {
        if let Some(n) = &mut self.narrowed {
            n.push((r, buf.ty(r)));
        }
        buf.at_mut(r).ty = ty;
    }
    /// Appends the instruction as it is.
    pub(crate) fn append(&mut self, buf: &mut IrBuf, i: Ins) -> Result<Ref, Abort> {
        if buf.len() >= self.max_ins {
            return Err(Abort::TooLong);
        }
        self.stats.emitted += 1;
        if i.op.is_guard() {
            self.stats.guards_emitted += 1;
        }
        Ok(buf.push(i))
    }
}
