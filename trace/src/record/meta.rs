//! Calls of metamethods that are Lua functions: inlined, in a frame of kind CONT above the running one, as `vm::call::call_meta` and
//! the interpreter make it. The instruction goes on when that frame ends ([`Recorder::end_event`]).
//!
//! What an operand's metatable has for an event is a fact of its shape and of the id of the metatable, or of the metatable of its
//! basic type. What cannot be had that way is left to the instruction's helper. Metamethods that are native functions are recorded like calls
//! of them (`fastfn::native_event`).

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::ArithOp;
use traceorus_vm::{dispatch, shape, table};

use super::call::{Callee, Way};
use super::table::Tab;
use super::{Cursor, How, Rec, Recorder, Recursion, Slot, Step, Tv};
use crate::ir::{FieldId, IrOp, Ref, Ty};

/// Frames of one function on a trace, if metamethods begin them.
const MAX_DEPTH: usize = 3;

/// What there is for an event.
pub(super) enum Handler {
    /// Nothing.
    None,
    /// This value, a table for instance.
    Value(Value),
    /// This function; its value now.
    Call(Tv, Value),
}

/// What becomes of the result of a metamethod.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is the value of register A.
    Value,
    /// Nothing.
    Nothing,
    /// The instruction jumps if it is truthy (or, with false, if it is falsy).
    Jump(bool),
}

/// What becomes of the result of a metamethod that the instruction at `pc` has called. `None`: more than this, or there is none.
///
/// # Safety
/// [CODE]
pub(super) unsafe fn end_of(pc: *const Instr) -> Option<End> {
    use Op::*;
    // SAFETY: as promised.
    let (w, op) = unsafe { (*pc, dispatch::op_at(pc)) };
    Some(match op {
        JLt | JLe | JLtI | JLeI | JGtI | JGeI | JEq => End::Jump(true),
        JNLt | JNLe | JNLtI | JNLeI | JNGtI | JNGeI | JNe => End::Jump(false),
        SetGlobal | SetField | SetIndex | SetInt => End::Nothing,
        Concat if bc::c(w) != 2 => return None,
        _ if op.info().modes[0] == bc::Mode::W || op == SelfGet => End::Value,
        _ => return None,
    })
}

/// What becomes of an access to a table.
pub(super) enum Found {
    /// The value.
    Value(Tv),
    /// This function (its value now) is called with this object and the key.
    Call(Tv, Value, Tv),
}

/// An operand: in the trace, and now.
pub(super) type Operand = (Tv, Value);

impl Recorder {
    /// Guards which metatable `t` has (null: none).
    pub(super) unsafe fn guard_which_meta(&mut self, t: Tab) -> Rec<*mut Table> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let mt = (*t.p).metatable;
            if mt.is_null() {
                self.guard_no_meta(t.r)?;
                return Ok(mt);
            }
            let record = (*t.p).hdr.flags & flags::TAB_DICT == 0;
            let uncached = (*(*t.p).shape).shape_flags & shape_flags::UNCACHED_META != 0;
            if record && !uncached {
                self.guard_shape(t)?;
            } else if record && shape::plain_target(mt).is_some() {
                // that there is one follows from the shape
                self.guard_shape(t)?;
                let r = self.field(t.r, FieldId::TabMeta)?;
                return self.guard_shape(Tab { r, p: mt }).map(|()| mt);
            } else {
                let m = self.field(t.r, FieldId::TabMeta)?;
                let k = self.buf.k_ptr(mt as u64);
                self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
            }
            self.keep.push(Value::ptr(mt, Tag::TABLE));
            Ok(mt)
        }
    }

    /// What the metatable `mt` (null: none), which is guarded, has for an event; `None`: that may change.
    pub(super) unsafe fn handler_in(
        &mut self,
        mt: *mut Table,
        ev: MetaMethod,
    ) -> Rec<Option<Handler>> {
        // SAFETY: [GC-LIVE] the caller has it from a live value.
        unsafe {
            if mt.is_null() {
                return Ok(Some(Handler::None));
            }
            if let Some(target) = shape::plain_target(mt) {
                let target = Value::ptr(target, Tag::TABLE);
                let is = ev == MetaMethod::Index;
                return Ok(Some(match is {
                    true => Handler::Value(target),
                    false => Handler::None,
                }));
            }
            let g = self.global();
            let name = g.hot.meta_names[ev as usize];
            if !table::table_is_cacheable(mt) {
                return Ok(None);
            }
            let now = table::table_get_str(mt, name);
            if now.is_nil() || now.tag != Tag::FUNCTION {
                return Ok(self.proto_const(g, mt, name)?.map(|v| match v.is_nil() {
                    true => Handler::None,
                    false => Handler::Value(v),
                }));
            }
            let v = self.holder_value(g, mt, name, now)?;
            let v = self.guard_tag(v, Tag::FUNCTION)?;
            Ok(Some(Handler::Call(v, now)))
        }
    }

    /// Guards which metatable the userdata `u`, now `o`, has (null: none).
    unsafe fn guard_userdata_meta(&mut self, u: Ref, o: Value) -> Rec<*mut Table> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let mt = (*o.as_ptr::<Userdata>()).metatable;
            let m = self.field(u, FieldId::UdMeta)?;
            let k = self.buf.k_ptr(mt as u64);
            self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
            if !mt.is_null() {
                self.keep.push(Value::ptr(mt, Tag::TABLE));
            }
            Ok(mt)
        }
    }
    /// What the metatable of the userdata in register `r` has for `k`.
    pub(super) unsafe fn userdata_get(&mut self, r: i16, k: Operand) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let o = self.observed(r);
            let v = self.guard_observed(r)?;
            let mt = self.guard_userdata_meta(v.val, o)?;
            if mt.is_null() {
                return Ok(None);
            }
            self.missing(mt, v, k)
        }
    }
    /// `o[k] = v` where `o` is the userdata in register `r`: what its metatable says. False: by the helper.
    pub(super) unsafe fn userdata_set(
        &mut self,
        i: Cursor,
        r: i16,
        k: Operand,
        v: Operand,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let o = self.observed(r);
            let u = self.guard_observed(r)?;
            let mt = self.guard_userdata_meta(u.val, o)?;
            if mt.is_null() {
                return Ok(false);
            }
            Ok(self.store_missing(i, mt, u, k, v)?.unwrap_or(false))
        }
    }

    /// What an operand has for an event.
    pub(super) unsafe fn handler(&mut self, v: Operand, ev: MetaMethod) -> Rec<Option<Handler>> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let (v, o) = v;
            let mt = match o.tag {
                Tag::TABLE => {
                    let r = self.guard_tag(v, o.tag)?.val;
                    let t = Tab { r, p: o.as_ptr() };
                    if self.joins_metatables(t) {
                        return self.joined_handler(t, ev);
                    }
                    self.guard_which_meta(t)?
                }
                Tag::USERDATA => {
                    let u = self.guard_tag(v, o.tag)?.val;
                    self.guard_userdata_meta(u, o)?
                }
                _ => {
                    self.guard_tag(v, o.tag)?;
                    self.guard_type_meta(o.tag)?
                }
            };
            self.handler_in(mt, ev)
        }
    }

    /// What the metatable of `t` has for an event, looked up for each table.
    unsafe fn joined_handler(&mut self, t: Tab, ev: MetaMethod) -> Rec<Option<Handler>> {
        // SAFETY: as `handler`.
        unsafe {
            let now = table::meta_get(self.global(), (*t.p).metatable, ev);
            if !now.is_nil() && now.tag != Tag::FUNCTION {
                return Ok(None);
            }
            let v = self.join_event(t, ev)?;
            if now.is_nil() {
                self.guard_nil(v.tag, true)?;
                return Ok(Some(Handler::None));
            }
            let v = self.guard_tag(v, Tag::FUNCTION)?;
            Ok(Some(Handler::Call(v, now)))
        }
    }

    /// The handler of the first operand that has one.
    unsafe fn handler_of(
        &mut self,
        x: Operand,
        y: Option<Operand>,
        ev: MetaMethod,
    ) -> Rec<Option<Handler>> {
        // SAFETY: as `handler`.
        unsafe {
            match (self.handler(x, ev)?, y) {
                (Some(Handler::None), Some(y)) => self.handler(y, ev),
                (h, _) => Ok(h),
            }
        }
    }

    /// Inlines the call of `f` (now `of`) for the instruction at `i`, with its function slot at register `at` (`None`: above the
    /// frame). False: by the helper; nothing has been emitted that has an effect.
    pub(super) unsafe fn call_event(
        &mut self,
        i: Cursor,
        f: Tv,
        of: Value,
        args: &[Tv],
        at: Option<i16>,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE] the metatable keeps the function alive.
        unsafe {
            let closure = of.as_ptr::<LuaClosure>();
            if of.tag != Tag::FUNCTION || (*closure).hdr.kind != ObjKind::LuaClosure as u8 {
                return self.native_event(i, f, of, args);
            }
            let proto = (*closure).proto;
            let same = self.frames.iter().filter(|x| x.proto == proto).count();
            let deep = self.frames.len() as u32 > self.params.maxdepth;
            if deep {
                return Ok(false);
            }
            let recursive = self
                .compiled_function(proto)
                .is_some_and(|c| c.1 != Recursion::No);
            let often = same > self.params.recunroll as usize || self.in_loop;
            let mut way = Way::Inline;
            if same >= MAX_DEPTH || recursive && often {
                way = match self.compiled_function(proto) {
                    _ if (*proto).is_vararg != 0 => return Ok(false),
                    _ if self.kind == super::Kind::Func && proto == self.protos[0] => Way::Own,
                    Some((address, _)) => Way::Entry(address),
                    None => return Ok(false),
                };
            }
            let known = self.guard_function(f, closure)?;
            let caller = self.frame();
            let at = at.unwrap_or(i16::from((*caller.proto).frame_size));
            let func = caller.base + at;
            let nargs = args.len() as i16;
            if !self.room_to_call(func, proto, nargs)? {
                return Ok(false);
            }
            for (k, &v) in args.iter().enumerate() {
                self.put_slot(func + 1 + k as i16, Slot::Known { v, dirty: true });
            }
            let word = frame::word(kind::CONT, i.pc as u64, at as u64 + 1);
            let word = self.buf.k(Ty::Word, word | super::tbc::word_bits(i.pc));
            self.enter_frame(Callee {
                func,
                val: f.val,
                closure,
                known,
                nargs,
                word,
                call_pc: i.pc,
                how: How::Meta,
            })?;
            if let Step::Stop(link) = self.go_into(way, closure)? {
                self.end = Some(link);
            }
            Ok(true)
        }
    }

    /// An instruction whose operands are not what it works on by itself: the metamethod of one of them.
    pub(super) unsafe fn event(
        &mut self,
        i: Cursor,
        ev: MetaMethod,
        x: Operand,
        y: Operand,
    ) -> Rec<bool> {
        // SAFETY: as `handler`.
        unsafe {
            match self.handler_of(x, Some(y), ev)? {
                Some(Handler::Call(f, of)) => self.call_event(i, f, of, &[x.0, y.0], None),
                _ => Ok(false),
            }
        }
    }

    /// Arithmetic of operands that are not both numbers.
    pub(super) unsafe fn arith_event(
        &mut self,
        i: Cursor,
        op: ArithOp,
        x: Operand,
        y: Operand,
    ) -> Rec<Step> {
        // SAFETY: as `handler`.
        unsafe {
            let object = [x.1.tag, y.1.tag]
                .iter()
                .any(|t| matches!(*t, Tag::TABLE | Tag::USERDATA | Tag::STRING));
            if object && self.event(i, op.event(), x, y)? {
                return Ok(Step::More);
            }
            self.fail_arith(i, op, x, y)
        }
    }

    /// `#t` of a table with a metatable.
    pub(super) unsafe fn len_event(&mut self, i: Cursor, x: Operand) -> Rec<bool> {
        // SAFETY: as `handler`.
        unsafe {
            match self.handler(x, MetaMethod::Len)? {
                Some(Handler::Call(f, of)) => self.call_event(i, f, of, &[x.0, x.0], None),
                Some(Handler::None) if x.1.tag == Tag::TABLE => {
                    let t = self.guard_tag(x.0, Tag::TABLE)?.val;
                    let id = crate::ir::CallId::TabLen;
                    let n = self.emit(IrOp::CallL, Ty::Int, t, Self::lit(id as u16))?;
                    let v = self.typed(n);
                    self.set(i.ra(), v);
                    Ok(true)
                }
                _ => Ok(false),
            }
        }
    }

    /// `x == y` of two tables that are not the same. False: by the helper.
    pub(super) unsafe fn equal_event(&mut self, i: Cursor, x: Operand, y: Operand) -> Rec<bool> {
        // SAFETY: as `handler`.
        unsafe {
            match self.handler_of(x, Some(y), MetaMethod::Eq)? {
                Some(Handler::Call(f, of)) => self.call_event(i, f, of, &[x.0, y.0], None),
                Some(Handler::None) => Ok(true),
                _ => Ok(false),
            }
        }
    }

    /// What `__index` of the metatable `mt` of `o` says of the key `k`, which `o` lacks; `o` is what the function would get.
    pub(super) unsafe fn missing(
        &mut self,
        mut mt: *mut Table,
        mut o: Tv,
        k: Operand,
    ) -> Rec<Option<Found>> {
        // SAFETY: [GC-LIVE] the tables of the chain are reachable from the receiver.
        unsafe {
            for _ in 0..super::table::MAX_CHAIN {
                let holder = match self.handler_in(mt, MetaMethod::Index)? {
                    Some(Handler::None) => return Ok(Some(Found::Value(self.nil()))),
                    Some(Handler::Call(f, of)) => return Ok(Some(Found::Call(f, of, o))),
                    Some(Handler::Value(v)) if v.tag == Tag::TABLE => v,
                    _ => return Ok(None),
                };
                o = self.konst(holder);
                let t = Tab {
                    r: o.val,
                    p: holder.as_ptr(),
                };
                if (*t.p).hdr.flags & flags::TAB_WEAK != 0 {
                    return Ok(None);
                }
                match k.1.tag {
                    Tag::STRING if k.0.val.is_const() => {
                        let key = k.1.as_ptr::<Str>();
                        if !table::table_is_cacheable(t.p) {
                            return Ok(None);
                        }
                        let g = self.global();
                        let now = table::table_get_str(t.p, key);
                        if !now.is_nil() {
                            return Ok(Some(Found::Value(self.holder_value(g, t.p, key, now)?)));
                        }
                        self.guard_proto(g, t.p)?;
                        mt = (*t.p).metatable;
                        if mt.is_null() {
                            return Ok(Some(Found::Value(self.nil())));
                        }
                    }
                    Tag::INT => return self.find_int(t, k.0.val, k.1.as_int()),
                    _ => return Ok(None),
                }
            }
            Ok(None)
        }
    }

    /// Register A of `i` becomes what was found for `key`. False: by the helper.
    pub(super) unsafe fn give_found(
        &mut self,
        i: Cursor,
        found: Option<Found>,
        key: Tv,
    ) -> Rec<bool> {
        // SAFETY: as `call_event`.
        unsafe {
            match found {
                Some(Found::Value(v)) => {
                    self.set(i.ra(), v);
                    Ok(true)
                }
                Some(Found::Call(f, of, o)) => self.call_event(i, f, of, &[o, key], None),
                None => Ok(false),
            }
        }
    }

    /// `o[k] = v` where `o` lacks the key, and has the metatable `mt`. `None`: what is stored is the raw table's matter.
    pub(super) unsafe fn store_missing(
        &mut self,
        i: Cursor,
        mt: *mut Table,
        o: Tv,
        k: Operand,
        v: Operand,
    ) -> Rec<Option<bool>> {
        // SAFETY: [GC-LIVE] as `missing`.
        unsafe {
            Ok(match self.handler_in(mt, MetaMethod::NewIndex)? {
                Some(Handler::None) => None,
                Some(Handler::Call(f, of)) => {
                    Some(self.call_event(i, f, of, &[o, k.0, v.0], None)?)
                }
                Some(Handler::Value(t)) if t.tag == Tag::TABLE => {
                    let t = Tab {
                        r: self.konst(t).val,
                        p: t.as_ptr(),
                    };
                    let deep = self.newindex_depth >= 4;
                    if deep || (*t.p).hdr.flags & flags::TAB_WEAK != 0 {
                        return Ok(Some(false));
                    }
                    self.newindex_depth += 1;
                    let done = self.set_in(i, t, k, v);
                    self.newindex_depth -= 1;
                    Some(done? || self.set_any(t, k, v.0)?)
                }
                _ => Some(false),
            })
        }
    }

    /// The object in register A of a call has a function in `__call`, which gets it as its first argument: the function and its
    /// value now. The guards of the instruction are complete but for those of the function.
    pub(super) unsafe fn callable(&mut self, r: i16, nargs: i16) -> Rec<Option<Operand>> {
        // SAFETY: as `handler`.
        unsafe {
            let o = self.observed(r);
            if o.tag != Tag::TABLE {
                return Ok(None);
            }
            let v = self.tv(r)?;
            let Some(Handler::Call(f, of)) = self.handler((v, o), MetaMethod::Call)? else {
                return Ok(None);
            };
            let func = self.base() + r;
            // its arguments are loaded before any of them moves
            for k in 0..=nargs {
                self.slot_tv(func + k)?;
            }
            Ok(Some((f, of)))
        }
    }

    /// Moves what is called at register `r` and its arguments up by one.
    pub(super) fn make_room_for_callable(&mut self, r: i16, nargs: i16) -> Rec<()> {
        self.pin_snap()?;
        let func = self.base() + r;
        for k in (0..=nargs).rev() {
            let v = self.slot_tv(func + k)?;
            self.put_slot(func + k + 1, Slot::Known { v, dirty: true });
        }
        Ok(())
    }

    /// The metamethod in the running frame ends with `n` results from register `from` on: its instruction goes on.
    #[inline(never)]
    pub(super) unsafe fn end_event(&mut self, i: Cursor, from: i16, n: i16) -> Rec<Step> {
        use Op::*;
        // SAFETY: [CODE] the instruction waits in the frame below.
        unsafe {
            let pc = self.frame().call_pc;
            let (w, op) = (*pc, dispatch::op_at(pc));
            let at = Cursor { pc, w, op };
            if matches!(op, Close | RetC) {
                return self.go_on_closing(at);
            }
            let concat = op == Concat && bc::c(w) != 2;
            let end = match end_of(pc) {
                Some(end) => end,
                None if concat => End::Value,
                None => return self.ret_generic(i),
            };
            let v = match n {
                0 => self.nil(),
                _ => self.tv(from)?,
            };
            if concat {
                return self.go_on_concat(i, at, v, (n != 0).then(|| self.observed(from)));
            }
            let mut next = at.next();
            if let End::Jump(sense) = end {
                let falsy = n == 0 || self.observed(from).is_falsy();
                self.guard_truth(v, falsy)?;
                if sense != falsy {
                    next = next.wrapping_offset(bc::jump16(w) as isize);
                }
            }
            self.leave_event();
            if end == End::Value {
                self.set(at.ra(), v);
            }
            self.expect(next);
            Ok(Step::More)
        }
    }

    /// Pops the frame of a metamethod.
    pub(super) fn leave_event(&mut self) {
        let fr = self.frames.pop().expect("inlined");
        self.forget_from(fr.func);
    }

    // ---- concatenation ------------------------------------------------------------------------------------------------

    /// A concatenation with operands that are neither strings nor numbers.
    pub(super) unsafe fn concat_event(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [GC-LIVE] operands are in slots.
        unsafe {
            let mut ops = Vec::new();
            for k in 0..bc::c(i.w) as i16 {
                let r = i.rb() + k;
                ops.push((self.tv(r)?, self.observed(r)));
            }
            match self.concat_rest(i, ops.clone())? {
                true => Ok(Step::More),
                false => self.fail_concat(i, &ops),
            }
        }
    }

    /// The metamethod of the concatenation `at` has ended with `v` (its value now, if there is one), which takes the place of
    /// the two operands.
    #[inline(never)]
    unsafe fn go_on_concat(
        &mut self,
        i: Cursor,
        at: Cursor,
        v: Tv,
        ov: Option<Value>,
    ) -> Rec<Step> {
        // SAFETY: [STACK-STABLE] [GC-LIVE] the operands that are left are in the frame below.
        unsafe {
            if ov.is_some_and(|o| o.tag.is_number()) {
                // its length is not known once the frame is gone
                return self.ret_generic(i);
            }
            let fr = self.frame().func;
            let caller = self.frames[self.frames.len() - 2].base;
            let first = caller + at.rb();
            let below = (*self.l).stack.byte_offset(self.base0);
            let mut ops = Vec::new();
            for slot in first..fr - 2 {
                ops.push((self.slot_tv(slot)?, *below.offset(slot as isize)));
            }
            let ov = ov.unwrap_or(Value::NIL);
            let v = self.guard_tag(v, ov.tag)?;
            ops.push((v, ov));
            self.pin_snap()?;
            self.leave_event();
            let n = ops.len();
            self.put_slot(first + n as i16 - 1, Slot::Known { v, dirty: true });
            if n == 1 {
                self.set(at.ra(), v);
                self.expect(at.next());
                return Ok(Step::More);
            }
            let depth = self.frames.len();
            if !self.concat_rest(at, ops)? {
                return Err(crate::abort::Abort::Nyi);
            }
            if self.frames.len() == depth {
                self.expect(at.next());
            }
            Ok(Step::More)
        }
    }

    /// Concatenates operands as `vm::helpers::concat` does: strings and numbers from the right; a metamethod is called for the rest.
    unsafe fn concat_rest(&mut self, i: Cursor, mut ops: Vec<Operand>) -> Rec<bool> {
        // SAFETY: [GC-LIVE] as the callers.
        unsafe {
            let text = |o: &Operand| o.1.tag == Tag::STRING || o.1.tag.is_number();
            let mut joined = None;
            while ops.len() > 1 {
                let n = ops.len();
                let (x, y) = (ops[n - 2], ops[n - 1]);
                if text(&x) && text(&y) {
                    let k = ops.iter().rev().take_while(|o| text(o)).count();
                    let Some(v) = self.join_values(&ops[n - k..])? else {
                        return Ok(false);
                    };
                    ops.truncate(n - k);
                    // what it is: nobody looks at the text
                    let any = self.global().str_new(b"");
                    ops.push((v, Value::ptr(any, Tag::STRING)));
                    joined = Some(v);
                    continue;
                }
                let Some(Handler::Call(f, of)) = self.handler_of(x, Some(y), MetaMethod::Concat)?
                else {
                    return Ok(false);
                };
                self.pin_snap()?;
                let last = self.base() + i.rb() + n as i16 - 1;
                let before = self.slot(last);
                if joined.is_some() {
                    let v = ops[n - 1].0;
                    self.put_slot(last, Slot::Known { v, dirty: true });
                }
                let at = i.rb() + n as i16;
                let done = self.call_event(i, f, of, &[x.0, y.0], Some(at))?;
                if !done {
                    // the helper joins the operands itself
                    self.put_slot(last, before);
                }
                return Ok(done);
            }
            self.set(i.ra(), ops[0].0);
            Ok(true)
        }
    }
}
