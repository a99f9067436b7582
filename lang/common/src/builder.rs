//! Building one function: code with its line and liveness tables, labels and jumps of any distance, constants,
//! debug information.
//!
//! Registers are a stack: [`FuncBuilder::free`] is the first register that holds nothing, and every instruction is
//! recorded with it as its number of live registers, so a caller raises it only once a register has been written
//! (operands still counted, result not yet). Jumps name labels; distances are filled in by [`FuncBuilder::finish`],
//! which also widens the 16-bit ones that turn out too long:
//! ```text
//!   JLt a b -> L          JNLt a b -> +1          ForLoop a -> L        Jmp -> +1
//!                         Jmp -> L                                   T: Loop -> L
//!                                                                       ForLoop a -> T
//! ```
//! Errors are latched: a frame that grows beyond [`MAX_FRAME`] registers is reported once, at the end.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use traceorus_base::bytecode::{Op, pack};
use traceorus_base::chunk::{Const, Function, LocVarInfo, StrNum};

/// Largest frame, in registers.
pub const MAX_FRAME: u32 = 250;

/// Position in the code, in words.
pub type Pc = u32;

/// A place in the code, known now or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(u32);

const UNBOUND: Pc = Pc::MAX;

#[derive(Clone, Copy, Debug)]
struct Jump {
    at: Pc,
    to: Label,
}

/// Multiplicative hashing for keys that are already words.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

/// Builder of a [`Function`], and then of another one.
#[derive(Default)]
pub struct FuncBuilder {
    /// The function so far. `code`, `lines` and `live` grow together; jump operands are 0 until the end.
    pub f: Function,
    /// First register that holds nothing.
    pub free: u32,
    max: u32,
    overflowed: bool,
    labels: Vec<Pc>,
    jumps: Vec<Jump>,
    last_target: Pc,
    last_op: Pc,
    numbers: HashMap<(u8, u64), u32, BuildHasherDefault<WordHasher>>,
}

impl FuncBuilder {
    /// Starts a function whose first `nparams` registers are its parameters. The buffers of the one before are used
    /// again.
    pub fn start(&mut self, nparams: u8) {
        let n = u32::from(nparams);
        let f = &mut self.f;
        f.nparams = nparams;
        f.code.clear();
        f.lines.clear();
        f.live.clear();
        f.consts.clear();
        f.templates.clear();
        f.upvals.clear();
        f.locvars.clear();
        self.free = n;
        self.max = n;
        self.overflowed = false;
        self.labels.clear();
        self.jumps.clear();
        self.last_target = 0;
        self.last_op = UNBOUND;
        self.numbers.clear();
    }

    /// Position of the next instruction.
    #[inline]
    pub fn pc(&self) -> Pc {
        self.f.code.len() as Pc
    }

    /// Makes `n` registers live, which the instructions just emitted have written.
    #[inline]
    pub fn reserve(&mut self, n: u32) {
        self.free += n;
        self.need(0);
    }

    /// Makes sure that the frame has `n` registers above the live ones.
    #[inline]
    pub fn need(&mut self, n: u32) {
        if self.free + n > self.max {
            self.max = self.free + n;
            self.overflowed |= self.max > MAX_FRAME;
        }
    }

    /// True once the frame has become too large.
    #[inline]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Emits an instruction without further words.
    #[inline]
    pub fn emit(&mut self, op: Op, a: u32, b: u32, c: u32, line: u32) -> Pc {
        let live = self.free;
        self.emit_live(op, a, b, c, line, live)
    }

    /// As [`Self::emit`], with an explicit number of live registers.
    #[inline]
    pub fn emit_live(&mut self, op: Op, a: u32, b: u32, c: u32, line: u32, live: u32) -> Pc {
        let at = self.pc();
        self.last_op = at;
        self.f
            .code
            .push(pack(op as u16, a as u16, b as u16, c as u16));
        self.f.lines.push(line);
        self.f.live.push(live as u8);
        at
    }

    /// Adds a further word to the instruction just emitted.
    #[inline]
    pub fn word(&mut self, w: u64) {
        let last = self.f.code.len() - 1;
        self.f.code.push(w);
        self.f.lines.push(self.f.lines[last]);
        self.f.live.push(self.f.live[last]);
    }

    /// The instruction emitted last, if control can only have come through it to here.
    #[inline]
    pub fn previous(&self) -> Option<(Pc, Op)> {
        if self.last_op == UNBOUND || self.last_target == self.pc() {
            return None;
        }
        let op = Op::from_u16(traceorus_base::bytecode::op_field(
            self.f.code[self.last_op as usize],
        ))?;
        Some((self.last_op, op))
    }

    /// True if control cannot come here: after a return or a jump, at no label.
    pub fn unreachable(&self) -> bool {
        self.previous().is_some_and(|(_, op)| !falls_through(op))
    }

    /// A label to be bound later.
    #[inline]
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds a label to this place. Each label is bound once.
    #[inline]
    pub fn bind(&mut self, l: Label) {
        debug_assert_eq!(self.labels[l.0 as usize], UNBOUND);
        self.labels[l.0 as usize] = self.pc();
        self.last_target = self.pc();
    }

    /// A label bound to this place.
    #[inline]
    pub fn here(&mut self) -> Label {
        let l = self.label();
        self.bind(l);
        l
    }

    /// Emits a jumping instruction; its jump operand is `to`.
    #[inline]
    pub fn jump(&mut self, op: Op, a: u32, b: u32, to: Label, line: u32) -> Pc {
        let at = self.emit(op, a, b, 0, line);
        self.jumps.push(Jump { at, to });
        at
    }

    /// A jump to a label: a back edge if it is bound already. Left out where control cannot come.
    pub fn goto(&mut self, to: Label, line: u32) {
        if self.unreachable() {
            return;
        }
        let op = if self.labels[to.0 as usize] == UNBOUND {
            Op::Jmp
        } else {
            Op::Loop
        };
        self.jump(op, 0, 0, to, line);
    }

    /// Gives the words from `from` up to `to` the line of the instruction at `to`.
    pub fn same_line(&mut self, from: usize, to: usize) {
        if let Some(&line) = self.f.lines.get(to) {
            self.f.lines[from..to].fill(line);
        }
    }

    /// Adds a constant that is known to be new.
    pub fn push_const(&mut self, k: Const) -> u32 {
        self.f.consts.push(k);
        self.f.consts.len() as u32 - 1
    }

    /// The number of an integer constant.
    pub fn int_const(&mut self, i: i64) -> u32 {
        if let Some(&n) = self.numbers.get(&(0, i as u64)) {
            return n;
        }
        let n = self.push_const(Const::Int(i));
        self.numbers.insert((0, i as u64), n);
        n
    }

    /// The number of a float constant.
    pub fn float_const(&mut self, x: f64) -> u32 {
        if let Some(&n) = self.numbers.get(&(1, x.to_bits())) {
            return n;
        }
        let n = self.push_const(Const::Float(x));
        self.numbers.insert((1, x.to_bits()), n);
        n
    }

    /// Declares a local variable, active from here on. Returns its number, for [`Self::end_local`].
    pub fn start_local(&mut self, name: StrNum, reg: u32, boxed: bool) -> u32 {
        let start_pc = self.pc();
        let info = LocVarInfo {
            name,
            start_pc,
            end_pc: start_pc,
            reg: reg as u8,
            boxed,
        };
        self.f.locvars.push(info);
        self.f.locvars.len() as u32 - 1
    }

    /// Ends the scope of a local variable here.
    pub fn end_local(&mut self, n: u32) {
        self.f.locvars[n as usize].end_pc = self.pc();
    }

    /// Ends the function: resolves the jumps. The frame gets at least two registers, as in PUC.
    pub fn finish(&mut self) {
        self.f.frame_size = self.max.clamp(2, 255) as u8;
        self.thread_jumps();
        if !self.patch() {
            self.widen();
        }
    }

    fn target(&self, l: Label) -> Pc {
        let pc = self.labels[l.0 as usize];
        debug_assert_ne!(pc, UNBOUND, "label {} was never bound", l.0);
        pc
    }

    /// Lets forward jumps to an unconditional forward jump go to that one's target.
    fn thread_jumps(&mut self) {
        // From the end backwards, so that a chain has been followed from behind when its first jump is looked at.
        // `jumps` is in order of position.
        for i in (0..self.jumps.len()).rev() {
            let Jump { at, to } = self.jumps[i];
            let target = self.target(to);
            if target <= at || op_at(&self.f.code, target) != Some(Op::Jmp) {
                continue;
            }
            if let Ok(next) = self.jumps[i..].binary_search_by_key(&target, |j| j.at) {
                let behind = self.jumps[i + next];
                // A jump that only skips to the next instruction leads nowhere new but does no harm.
                self.jumps[i].to = behind.to;
            }
        }
    }

    /// Writes the distances. False if one does not fit.
    fn patch(&mut self) -> bool {
        for &Jump { at, to } in &self.jumps {
            let i = at as usize;
            let Some(op) = op_at(&self.f.code, at) else {
                return false;
            };
            let target = self.labels[to.0 as usize];
            let distance = i64::from(target) - i64::from(at) - op.words() as i64;
            if is_wide(op) {
                self.f.code[i] =
                    self.f.code[i] & 0xffff_ffff | (distance as i32 as u32 as u64) << 32;
            } else if i16::try_from(distance).is_ok() {
                self.f.code[i] =
                    self.f.code[i] & !(0xffff << 48) | (distance as i16 as u16 as u64) << 48;
            } else {
                return false;
            }
        }
        true
    }

    /// Replaces 16-bit jumps that are too long. Rare and linear: which jumps to replace is decided once, against
    /// a limit that leaves room for all the words that this can add between a jump and its target.
    fn widen(&mut self) {
        let old_len = self.f.code.len();
        let far: Vec<bool> = self
            .jumps
            .iter()
            .map(|&Jump { at, to }| match op_at(&self.f.code, at) {
                Some(op) if !is_wide(op) => {
                    (i64::from(self.target(to)) - i64::from(at)).abs() > 32_000 / 4
                }
                _ => false,
            })
            .collect();
        let mut map: Vec<Pc> = Vec::with_capacity(old_len + 1);
        let mut out = Function::default();
        let mut jumps = Vec::with_capacity(self.jumps.len() + far.len());
        let mut labels = core::mem::take(&mut self.labels);
        let (code, lines, live) = (&self.f.code, &self.f.lines, &self.f.live);
        let mut next_jump = 0;
        let mut i = 0;
        while i < old_len {
            let op = Op::from_u16(traceorus_base::bytecode::op_field(code[i])).unwrap_or(Op::Move);
            let new_at = out.code.len() as Pc;
            map.extend(core::iter::repeat_n(new_at, op.words()));
            let mut push = |w: u64| {
                out.code.push(w);
                out.lines.push(lines[i]);
                out.live.push(live[i]);
                out.code.len() as Pc - 1
            };
            let jump = self
                .jumps
                .get(next_jump)
                .filter(|j| j.at as usize == i)
                .copied();
            let is_far = jump.is_some() && far[next_jump];
            next_jump += usize::from(jump.is_some());
            match jump {
                Some(Jump { to, .. }) if is_far => {
                    let (a, b) = (
                        traceorus_base::bytecode::a(code[i]),
                        traceorus_base::bytecode::b(code[i]),
                    );
                    let skip = |n: i16| (n as u16 as u64) << 48;
                    match op {
                        Op::ForLoop | Op::ForLoopV => {
                            push(pack(Op::Jmp as u16, 0, 1, 0));
                            let at = push(pack(Op::Loop as u16, 0, 0, 0));
                            jumps.push(Jump { at, to });
                            push(code[i] & !(0xffff << 48) | skip(-2));
                        }
                        Op::JTSet | Op::JFSet => {
                            let test = if op == Op::JTSet { Op::JF } else { Op::JT };
                            push(pack(test as u16, b, 0, 0) | skip(2));
                            push(pack(Op::Move as u16, a, b, 0));
                            let at = push(pack(Op::Jmp as u16, 0, 0, 0));
                            jumps.push(Jump { at, to });
                            // Between the two, the register has been written and must live.
                            let live = &mut out.live[at as usize];
                            *live = (*live).max(a as u8 + 1);
                        }
                        _ => {
                            push(pack(inverse(op) as u16, a, b, 0) | skip(1));
                            for &w in &code[i + 1..i + op.words()] {
                                push(w);
                            }
                            let at = push(pack(Op::Jmp as u16, 0, 0, 0));
                            jumps.push(Jump { at, to });
                        }
                    }
                }
                _ => {
                    for &w in &code[i..i + op.words()] {
                        push(w);
                    }
                    if let Some(Jump { to, .. }) = jump {
                        jumps.push(Jump { at: new_at, to });
                    }
                }
            }
            i += op.words();
        }
        map.push(out.code.len() as Pc);
        for l in &mut labels {
            if *l != UNBOUND {
                *l = map[*l as usize];
            }
        }
        for v in &mut self.f.locvars {
            v.start_pc = map[v.start_pc as usize];
            v.end_pc = map[v.end_pc as usize];
        }
        self.f.code = out.code;
        self.f.lines = out.lines;
        self.f.live = out.live;
        self.labels = labels;
        self.jumps = jumps;
        let done = self.patch();
        debug_assert!(done, "a 16-bit jump is still too long");
    }
}

fn op_at(code: &[u64], pc: Pc) -> Option<Op> {
    Op::from_u16(traceorus_base::bytecode::op_field(*code.get(pc as usize)?))
}

/// True for instructions with a 32-bit jump operand.
pub fn is_wide(op: Op) -> bool {
    matches!(
        op,
        Op::Jmp | Op::Loop | Op::ForPrep | Op::TForPrep | Op::TForLoop
    )
}

/// True if control can go on behind the instruction.
pub fn falls_through(op: Op) -> bool {
    !matches!(
        op,
        Op::Jmp | Op::Loop | Op::TForPrep | Op::Ret0 | Op::Ret1 | Op::Ret | Op::RetM | Op::RetC
    )
}

/// The conditional jump with the opposite condition. Others are returned as they are.
pub fn inverse(op: Op) -> Op {
    match op {
        Op::JLt => Op::JNLt,
        Op::JNLt => Op::JLt,
        Op::JLe => Op::JNLe,
        Op::JNLe => Op::JLe,
        Op::JEq => Op::JNe,
        Op::JNe => Op::JEq,
        Op::JLtI => Op::JNLtI,
        Op::JNLtI => Op::JLtI,
        Op::JLeI => Op::JNLeI,
        Op::JNLeI => Op::JLeI,
        Op::JGtI => Op::JNGtI,
        Op::JNGtI => Op::JGtI,
        Op::JGeI => Op::JNGeI,
        Op::JNGeI => Op::JGeI,
        Op::JEqI => Op::JNeI,
        Op::JNeI => Op::JEqI,
        Op::JEqK => Op::JNeK,
        Op::JNeK => Op::JEqK,
        Op::JEqP => Op::JNeP,
        Op::JNeP => Op::JEqP,
        Op::JT => Op::JF,
        Op::JF => Op::JT,
        other => other,
    }
}
