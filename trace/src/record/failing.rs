//! Instructions that fail because of the types of their operands (an index of nil, arithmetic on nil, a call of nil), and `assert`, where a pcall
//! on the trace catches the error: a jump to where that goes on, as for `error`.
//!
//! What the message says follows from the instruction and the types, which are guarded: it is a constant.

use traceorus_base::bytecode::Op;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::ArithOp;
use traceorus_vm::body;
use traceorus_vm::debuginfo::{self, ErrKind};

use super::meta::{Handler, Operand};
use super::{Cursor, How, Rec, Recorder, Step};

impl Recorder {
    /// The number of the frame of the pcall that catches the error of the running instruction and calls no message handler for it. `None`: by the helper.
    unsafe fn pcall_around(&self, i: Cursor) -> Option<usize> {
        // SAFETY: [GC-LIVE] as `instruction`; the policy's table outlives the recording.
        unsafe {
            let at = i.pc as usize;
            let protected = |x: &super::Frame| matches!(x.how, How::Protected { .. });
            let m = self.frames.iter().rposition(protected)?;
            let silent = self.frames[m].how == How::Protected { delta: 1 };
            let helped = self.helped.as_ref().is_some_and(|h| h.contains(&at));
            let own = body::is_body(self.frame().proto);
            (silent && !helped && !own && self.can_give_up(m)).then_some(m)
        }
    }

    /// That the operand has nothing for the event, and that its type's name is that of its tag, is guarded. False: it is not so, or not known.
    unsafe fn is_helpless(&mut self, v: Operand, ev: MetaMethod) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let named = match v.1.tag {
                Tag::TABLE => !(*v.1.as_ptr::<Table>()).metatable.is_null(),
                Tag::USERDATA | Tag::LIGHTUD => true,
                _ => false,
            };
            Ok(!named && matches!(self.handler(v, ev)?, Some(Handler::None)))
        }
    }

    /// The instruction at `i` can do nothing by itself with these operands (in the order of the source), nor has any of them something for the event: it
    /// fails, or is performed by its helper.
    pub(super) unsafe fn fail_at(
        &mut self,
        i: Cursor,
        what: ErrKind,
        ev: MetaMethod,
        operands: &[Operand],
    ) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let Some(m) = self.pcall_around(i) else {
                return self.generic(i);
            };
            for &v in operands {
                if !self.is_helpless(v, ev)? {
                    return self.generic(i);
                }
            }
            let (a, b) = (operands[0].1, operands[operands.len() - 1].1);
            let message = debuginfo::op_message(self.l, i.pc, what, a, b);
            self.fail_with(m, &message)
        }
    }

    unsafe fn fail_with(&mut self, m: usize, message: &[u8]) -> Rec<Step> {
        // SAFETY: as `fail_at`.
        unsafe {
            self.guard_nothing_pending()?;
            let v = self.text(message);
            self.give_up(m, v)
        }
    }

    /// Arithmetic of operands that are not both numbers and have no metamethods.
    pub(super) unsafe fn fail_arith(
        &mut self,
        i: Cursor,
        op: ArithOp,
        x: Operand,
        y: Operand,
    ) -> Rec<Step> {
        // SAFETY: as `fail_at`.
        unsafe {
            if x.1.tag == Tag::STRING || y.1.tag == Tag::STRING {
                // strings have metamethods
                return self.generic(i);
            }
            use MetaMethod::{BAnd, BNot, BOr, BXor, Shl, Shr};
            let what = match op.event() {
                BAnd | BOr | BXor | Shl | Shr | BNot => ErrKind::BitArith,
                _ => ErrKind::Arith,
            };
            self.fail_at(i, what, op.event(), &[x, y])
        }
    }

    /// An access to something that is no table, or its length.
    pub(super) unsafe fn fail_access(&mut self, i: Cursor) -> Rec<Step> {
        use Op::*;
        // SAFETY: as `fail_at`.
        unsafe {
            let (r, what, ev) = match i.op {
                GetField | SelfGet | GetIndex | GetInt => {
                    (i.rb(), ErrKind::Index, MetaMethod::Index)
                }
                SetField | SetIndex | SetInt => (i.ra(), ErrKind::Index, MetaMethod::NewIndex),
                Len => (i.rb(), ErrKind::Len, MetaMethod::Len),
                _ => return self.generic(i),
            };
            let o = self.observed(r);
            if matches!(o.tag, Tag::TABLE | Tag::STRING) {
                return self.generic(i);
            }
            let v = self.tv(r)?;
            self.fail_at(i, what, ev, &[(v, o)])
        }
    }

    /// A concatenation of `operands` that needs a metamethod, which may not be there.
    pub(super) unsafe fn fail_concat(&mut self, i: Cursor, operands: &[Operand]) -> Rec<Step> {
        // SAFETY: as `fail_at`.
        unsafe {
            let text = |o: &&Operand| o.1.tag == Tag::STRING || o.1.tag.is_number();
            let texts = operands.iter().rev().take_while(text).count();
            // those at the end are joined before
            let second = operands.len() - texts.max(1);
            let Some(m) = self.pcall_around(i).filter(|_| second > 0) else {
                return self.generic(i);
            };
            let first = second - 1;
            for &v in &operands[first..=second] {
                if !self.is_helpless(v, MetaMethod::Concat)? {
                    return self.generic(i);
                }
            }
            for &(v, o) in &operands[second + 1..] {
                self.guard_tag(v, o.tag)?;
            }
            let r = i.rb() as usize + first;
            let message = debuginfo::concat_message(self.l, i.pc, r);
            self.fail_with(m, &message)
        }
    }

    /// `assert` of a false value at `i`, `f` being the function. `None`: by the helper.
    pub(super) unsafe fn fail_assert(
        &mut self,
        i: Cursor,
        f: Value,
        nargs: i16,
    ) -> Rec<Option<Step>> {
        // SAFETY: as `native`.
        unsafe {
            let r = i.ra();
            if nargs < 1 || !self.observed(r + 1).is_falsy() {
                return Ok(None);
            }
            let Some(m) = self.pcall_around(i) else {
                return Ok(None);
            };
            let fv = self.guard_observed(r)?;
            self.guard_is(fv.val, f.payload)?;
            let v = self.tv(r + 1)?;
            self.guard_truth(v, true)?;
            let mut v = match nargs {
                1 => self.text(b"assertion failed!"),
                _ => self.guard_observed(r + 2)?,
            };
            if self.known_tag(v) == Some(Tag::STRING) {
                let place = debuginfo::where_at(self.frame().proto, i.pc);
                let place = self.text(&place);
                v = self.texts(&[place.val, v.val])?;
            }
            self.guard_nothing_pending()?;
            self.give_up(m, v).map(Some)
        }
    }
}
