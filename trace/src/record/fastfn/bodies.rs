//! Library functions that give their frame to a body, which is a Lua function (`vm::body`): calls of them are calls of the body.

use traceorus_base::bytecode::Op;
use traceorus_base::fastfn::FastFn;
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::body::{self, DEPTH_ONE, MAX_DEPTH};
use traceorus_vm::string::str_bytes;
use traceorus_vm::table::{self, table_len};

use super::string::Item;
use super::{Native, Results};
use crate::ir::{CallId, FieldId, IrOp, Ty};
use crate::record::call::Callee;
use crate::record::meta::{Handler, Operand};
use crate::record::{Cursor, How, Rec, Recorder, Slot, Step, Tv};

/// A body, and what it gets as arguments.
struct Call {
    closure: *mut LuaClosure,
    args: Vec<Tv>,
}

impl Recorder {
    /// The call of the function `id`, which is guarded, if its body performs it. `None`: nothing has been emitted that has an effect.
    pub(super) unsafe fn body_call(&mut self, id: FastFn, c: Native) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let call = match id {
                FastFn::Sort => self.sort_body(c)?,
                FastFn::ToString => self.event_body(c, body::TOSTRING, MetaMethod::ToString)?,
                FastFn::Format => self.format_body(c)?,
                FastFn::Gsub => self.gsub_body(c)?,
                FastFn::Pairs => self.event_body(c, body::PAIRS, MetaMethod::Pairs)?,
                _ => None,
            };
            match call {
                Some(call) => self.enter_body(c.i, call),
                None => Ok(None),
            }
        }
    }

    /// The instance of body `id` for calls of `f`, now `o`, whose prototype is guarded then.
    unsafe fn instance(&mut self, id: u8, f: Tv, o: Value) -> Rec<Option<*mut LuaClosure>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let bodies = &mut self.global().bodies;
            let way = bodies.way_for(id, o);
            let Some(instance) = way.and_then(|way| bodies.instance(id, way)) else {
                return Ok(None);
            };
            let f = self.guard_tag(f, Tag::FUNCTION)?;
            match (*o.as_ptr::<GcHeader>()).kind {
                k if k == ObjKind::LuaClosure as u8 => {
                    self.guard_function(f, o.as_ptr())?;
                }
                _ => {
                    self.guard_is(f.val, o.payload)?;
                }
            }
            Ok(Some(instance))
        }
    }

    /// A function of one object, if that has a metamethod which is a Lua function.
    unsafe fn event_body(&mut self, c: Native, id: u8, ev: MetaMethod) -> Rec<Option<Call>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let o = self.oarg(c, 1);
            if c.nargs != 1 || !matches!(o.tag, Tag::TABLE | Tag::USERDATA) {
                return Ok(None);
            }
            let mt = match o.tag {
                Tag::TABLE => (*o.as_ptr::<Table>()).metatable,
                _ => (*o.as_ptr::<Userdata>()).metatable,
            };
            // what is done without one guards what that needs
            if table::meta_get(self.global(), mt, ev).is_nil() {
                return Ok(None);
            }
            let v = self.any_arg(c, 1)?;
            let Some(Handler::Call(f, of)) = self.handler((v, o), ev)? else {
                return Ok(None);
            };
            let Some(closure) = self.instance(id, f, of)? else {
                return Ok(None);
            };
            let args = vec![self.any_arg(c, 1)?, f];
            Ok(Some(Call { closure, args }))
        }
    }

    /// `string.format` of objects with `__tostring`.
    unsafe fn format_body(&mut self, c: Native) -> Rec<Option<Call>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let os = self.oarg(c, 1);
            let object = |o: Value| matches!(o.tag, Tag::TABLE | Tag::USERDATA);
            if os.tag != Tag::STRING || !(2..=c.nargs).any(|n| object(self.oarg(c, n))) {
                return Ok(None);
            }
            let Some(items) = self.format_items(c, str_bytes(os.as_ptr())) else {
                return Ok(None);
            };
            let s = self.arg(c, 1)?.val;
            self.guard_is(s, os.payload)?;
            let (mut closure, mut first, mut count) = (None, 0, 0);
            for item in items {
                let Item::Arg(n, _) = item else {
                    continue;
                };
                count += 1;
                let v = (self.arg(c, n)?, self.oarg(c, n));
                if closure.is_some() && object(v.1) {
                    // the body looks at it when it has shown the others
                    continue;
                }
                match self.handler(v, MetaMethod::ToString)? {
                    Some(Handler::None) => {}
                    Some(Handler::Call(f, of)) if object(v.1) => {
                        closure = self.instance(body::FORMAT, f, of)?;
                        first = i64::from(n) - 1;
                        if closure.is_none() {
                            return Ok(None);
                        }
                    }
                    _ => return Ok(None),
                }
            }
            let Some(closure) = closure.filter(|_| count as usize <= body::FORMAT_ARGS) else {
                return Ok(None);
            };
            let mut args = vec![self.int_tv(count), self.int_tv(first)];
            for n in 1..=count as i16 + 1 {
                args.push(self.any_arg(c, n)?);
            }
            Ok(Some(Call { closure, args }))
        }
    }

    /// `string.gsub` with a function.
    unsafe fn gsub_body(&mut self, c: Native) -> Rec<Option<Call>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let [os, op, of] = [1, 2, 3].map(|n| self.oarg(c, n));
            let texts = os.tag == Tag::STRING && op.tag == Tag::STRING;
            if !texts || of.tag != Tag::FUNCTION {
                return Ok(None);
            }
            let Some((max, _)) = self.int_arg(c, 4, i64::MAX)? else {
                return Ok(None);
            };
            let f = self.any_arg(c, 3)?;
            let Some(closure) = self.instance(body::GSUB, f, of)? else {
                return Ok(None);
            };
            let (s, p) = (self.arg(c, 1)?, self.arg(c, 2)?);
            let start = self.rt(IrOp::Call, CallId::GsubStart, &[])?;
            let args = vec![s, p, f, self.typed(max), self.typed(start)];
            Ok(Some(Call { closure, args }))
        }
    }

    /// `table.sort` with an order function.
    unsafe fn sort_body(&mut self, c: Native) -> Rec<Option<Call>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            if c.nargs != 2 || self.oarg(c, 2).tag != Tag::FUNCTION {
                return Ok(None);
            }
            let Some((t, p)) = self.plain_table(c, 1)? else {
                return Ok(None);
            };
            if (table_len(p) as i64) < body::FEW {
                return Ok(None);
            }
            let (f, of) = (self.any_arg(c, 2)?, self.oarg(c, 2));
            let Some(closure) = self.instance(body::SORT, f, of)? else {
                return Ok(None);
            };
            let n = self.rt(IrOp::CallL, CallId::TabLen, &[t])?;
            let (few, most) = (
                self.buf.k_int(body::FEW),
                self.buf.k_int(i64::from(i32::MAX)),
            );
            self.guard(IrOp::Ge, Ty::Int, n, few)?;
            self.guard(IrOp::Lt, Ty::Int, n, most)?;
            let args = vec![self.any_arg(c, 1)?, self.any_arg(c, 2)?, self.typed(n)];
            Ok(Some(Call { closure, args }))
        }
    }

    /// The body of `error`, called at `i`, calls the message handler `h` with `v`.
    pub(in crate::record) unsafe fn error_body(
        &mut self,
        i: Cursor,
        (f, of): Operand,
        v: Tv,
    ) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] as `enter_body`.
        unsafe {
            let Some(closure) = self.instance(body::ERROR, f, of)? else {
                return Ok(None);
            };
            let args = vec![f, v];
            self.enter_body(i, Call { closure, args })
        }
    }

    /// The frame of the native function that is called at `i` becomes that of its body.
    unsafe fn enter_body(&mut self, i: Cursor, call: Call) -> Rec<Option<Step>> {
        // SAFETY: [GC-LIVE] the state keeps bodies.
        unsafe {
            let proto = (*call.closure).proto;
            let inside = self.frames.iter().any(|x| x.proto == proto);
            // a frame of another kind may be what errors unwind to, or belong to an entry
            let plain = matches!(i.op, Op::Call | Op::CallM | Op::TailCall | Op::TailCallM);
            if inside || !plain || self.frames.len() as u32 > self.params.maxdepth {
                return Ok(None);
            }
            if body::is_closed(proto) && (*self.l).ncalls >= MAX_DEPTH * DEPTH_ONE {
                return Ok(None);
            }
            let func = self.base() + i.ra();
            let nargs = call.args.len() as i16;
            if !self.room_to_call(func, proto, nargs)? {
                return Ok(None);
            }
            if body::is_closed(proto) {
                let l = self.running()?;
                let depth = self.field(l, FieldId::ThreadCalls)?;
                let most = self.buf.k(Ty::U32, (MAX_DEPTH * DEPTH_ONE).into());
                self.guard(IrOp::Ult, Ty::U32, depth, most)?;
            }
            self.pin_snap()?;
            if body::is_closed(proto) {
                self.change_bodies(1)?;
            }
            for (k, &v) in call.args.iter().enumerate() {
                self.put_slot(func + 1 + k as i16, Slot::Known { v, dirty: true });
            }
            let val = self.buf.k(Ty::Func, call.closure as u64);
            let word = self.buf.k(Ty::Word, frame::word(kind::LUA, i.pc as u64, 0));
            self.enter_frame(Callee {
                func,
                val,
                closure: call.closure,
                known: true,
                nargs,
                word,
                call_pc: i.pc,
                how: How::Call,
            })?;
            Ok(Some(Step::More))
        }
    }

    /// So many closed bodies more run.
    pub(in crate::record) fn change_bodies(&mut self, n: i64) -> Rec<()> {
        let l = self.running()?;
        let depth = self.field(l, FieldId::ThreadCalls)?;
        let (op, by) = if n < 0 {
            (IrOp::Sub, -n)
        } else {
            (IrOp::Add, n)
        };
        let by = self.buf.k(Ty::U32, by as u64 * u64::from(DEPTH_ONE));
        let depth = self.emit(op, Ty::U32, depth, by)?;
        self.set_field(l, FieldId::ThreadCalls, depth)
    }

    /// What a value has as `__tostring`, if it is an object.
    pub(super) unsafe fn tostring_method(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let v = (self.arg(c, 1)?, self.oarg(c, 1));
            if !matches!(v.1.tag, Tag::TABLE | Tag::USERDATA) {
                return Ok(Some(vec![self.nil()]));
            }
            Ok(match self.handler(v, MetaMethod::ToString)? {
                Some(Handler::None) => Some(vec![self.nil()]),
                Some(Handler::Value(f)) => Some(vec![self.konst(f)]),
                Some(Handler::Call(f, _)) => Some(vec![f]),
                None => None,
            })
        }
    }

    /// The end of a closed body.
    pub(super) unsafe fn leave_body(&mut self, c: Native) -> Results {
        let mut all = Vec::new();
        for n in 1..=c.nargs {
            all.push(self.any_arg(c, n)?);
        }
        self.pin_snap()?;
        self.change_bodies(-1)?;
        Ok(Some(all))
    }

    /// What `__tostring` has returned, as text.
    pub(super) unsafe fn plain_text(&mut self, c: Native) -> Results {
        let id = match self.oarg(c, 1).tag {
            Tag::STRING => return Ok(Some(vec![self.arg(c, 1)?])),
            Tag::INT => CallId::IntStr,
            Tag::FLOAT => CallId::FloatStr,
            _ => return Ok(None),
        };
        let v = self.arg(c, 1)?.val;
        Ok(Some(vec![self.rt_string(id, &[v])?]))
    }
}
