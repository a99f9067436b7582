//! Loop peeling by re-emission.
//!
//! The recorded iteration (the *model*) stands before LOOP and runs once. The body is made by emitting the model again through the whole
//! pipeline, with each slot that changes replaced by its value at the end of the iteration. What does not depend on such a slot is found
//! in the first part, and so are guards: they are hoisted for free. The values that differ from one iteration to the next get PHIs
//! (LuaJIT's `lj_opt_loop.c` is the model of this).
//!
//! **Why look-ups across the back edge are right.** Let *image* mean the ref that stands for a ref of the model in the body (`subst`).
//! Inside the body a ref `r` of the first part whose image differs means the value carried by `PHI(r, image(r))`: in every iteration it is
//! the image of the previous one.
//! - *Pure values and guards.* A fact about `r` that the model's guards prove is, for the image, proved in the body: by the image of
//!   the guard, or by what made that superfluous. So if it holds for `r` at the first entry, it holds for the carried value each time.
//! - *Loads.* A body load found as a load `j` of the first part is used in iteration n after the stores of iteration n-1 that follow `j`, and those of
//!   iteration n before the use. Walking back from the use passes the body's stores before it, and then the first part's after `j`. The latter are the
//!   model of the former, since every store is emitted again. The alias rules compare the form of refs (same ref, offsets of the same
//!   index, fresh object against an older one), and images keep the form. So the ordinary walk suffices.
//! - *Fresh objects* of the model are never the body's: allocations are always emitted again. Those of earlier iterations would be fixed
//!   while carried refs change; they do not count as fresh (`OptCx::floor`), and loads older than the model are not reused for the same
//!   reason.
//! - *Bodies that others enter* make do with less of this: see [`super::reentry`].
//! - *Dead stores* are removed within the first part and within the body, never across LOOP: the walk ends there.
//!
//! **Snapshots.** A guard that is emitted again takes its snapshot with images, and in addition those carried slots which the model finds
//! in memory at that point, but the body in a register (`dirty`). Where the model calls something that sees the stack, they are stored first.

use crate::abort::Abort;
use crate::ir::{
    Class, Effect, Ins, IrBuf, IrOp, Mark, Mode, REF_BASE, REF_NONE, Ref, Snap, SnapEntry, SnapNo,
    Ty,
};

use super::cse::{self, Typed};
use super::{OptCx, OptStats, Passes, alias, appends, range, reentry};

/// A slot that changes from one iteration to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Its number.
    pub slot: i16,
    /// Payload (none for nil, true, false). Both none: changed, in memory only.
    pub val: Ref,
    /// Tag, or a frame word.
    pub tag: Ref,
    /// Memory does not hold it.
    pub dirty: bool,
}

/// Vectors that are kept between traces.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    subst: Vec<Ref>,
    used: Vec<bool>,
    work: Vec<Ref>,
    entries: Vec<SnapEntry>,
    phis: Vec<(Ref, Ref)>,
    slots: Vec<Slot>,
    /// By instruction before the model: loads of slots that the model changes.
    stale: Vec<bool>,
}

/// What is known of a carried slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    c: Carried,
    /// First store of the model to it (BASE of the entry still standing), else the end.
    first_store: Ref,
}

/// Closes the loop: emits LOOP, the body and its PHIs.
///
/// `start`: first instruction of the model iteration; it reaches to the end of the buffer. `header`: what slots were known as at `start` if that
/// is not the beginning of the trace; payloads and tags that are instructions must be refs of their own (COPY), and `start` must come from
/// [`OptCx::begin_iteration`]. For a model that begins with the trace `header` is empty: slots are known by their SLOADs.
/// `carried`: the slots that changed, as they are at the end of the iteration.
///
/// Errors: `TypeUnstable` if a carried value does not fit what the body takes it for; the buffer is then as before, and the recorder may go on with
/// another iteration. Others: limits.
pub fn peel(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    start: Ref,
    header: &[Carried],
    carried: &[Carried],
) -> Result<(), Abort> {
    peel_observed(cx, buf, start, header, carried, &|_, _| None)
}

/// The same for a recorder that can tell present values: bound checks of loop variables may move before the loop (see [`range`]).
pub fn peel_observed(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    start: Ref,
    header: &[Carried],
    carried: &[Carried],
    observe: range::Observe,
) -> Result<(), Abort> {
    let before = Before {
        mark: buf.mark(),
        stats: cx.stats,
    };
    let all = (start, header, carried);
    let narrowed = attempt(cx, buf, all, observe, false)?;
    let passes = Passes::LOOP.with(Passes::ENTER);
    let open = cx.passes.has(passes) && reentry::is_open(buf, start, before.mark.end(), carried);
    // a body that has need of other values than those of slots is not for others to enter
    if !open || !carries_slots(buf, carried) {
        return Ok(());
    }
    let size = body_size(buf);
    before.back(cx, buf, narrowed);
    if let Ok(narrowed) = attempt(cx, buf, all, observe, true) {
        if cx.reentry.is_some() && body_size(buf) <= size {
            return Ok(());
        }
        before.back(cx, buf, narrowed);
    }
    attempt(cx, buf, all, observe, false).map(drop)
}

/// What a buffer was like before a loop was closed.
struct Before {
    mark: Mark,
    stats: OptStats,
}

impl Before {
    fn back(&self, cx: &mut OptCx, buf: &mut IrBuf, narrowed: Vec<(Ref, Ty)>) {
        buf.rollback(self.mark);
        for (r, t) in narrowed.into_iter().rev() {
            if r < buf.next() {
                buf.at_mut(r).ty = t;
            }
        }
        cx.stats = self.stats;
        cx.reentry = None;
    }
}

/// The values that the body's PHIs carry are those of slots.
fn carries_slots(buf: &IrBuf, carried: &[Carried]) -> bool {
    let mut phi = buf.last(IrOp::Phi);
    while !phi.is_none() {
        let i = buf.at(phi);
        let is = |r: Ref| carried.iter().any(|c| c.val == r || c.tag == r);
        if i.op == IrOp::Phi && !is(i.a) {
            return false;
        }
        phi = i.prev;
    }
    true
}

/// Instructions of the body that cost something.
fn body_size(buf: &IrBuf) -> usize {
    let body = &buf.ins[buf.loop_ref.ins_index()..];
    let costs = |i: &&Ins| !matches!(i.op, IrOp::Phi | IrOp::Nop | IrOp::CArg);
    body.iter().filter(costs).count()
}

/// Closes the loop, or leaves all as it was. `entered`: its body is to be one that others may enter. The result: payloads narrowed in place, with their
/// former types.
fn attempt(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    (start, header, carried): (Ref, &[Carried], &[Carried]),
    observe: range::Observe,
    entered: bool,
) -> Result<Vec<(Ref, Ty)>, Abort> {
    let mut except = Vec::new();
    loop {
        let before = Before {
            mark: buf.mark(),
            stats: cx.stats,
        };
        let mut s = std::mem::take(&mut cx.peel);
        cx.narrowed = Some(Vec::new());
        cx.entered = entered;
        let known = except.len();
        let done = close(
            cx,
            buf,
            &mut s,
            (start, header, carried),
            observe,
            &mut except,
        );
        cx.carried.clear();
        cx.barrier = REF_BASE;
        cx.entered = false;
        cx.peel = s;
        let narrowed = cx.narrowed.take().unwrap_or_default();
        // Guards before the loop that serve no purpose may leave the trace for nothing.
        let again = done.is_ok() && except.len() > known;
        if again {
            before.back(cx, buf, narrowed);
            continue;
        }
        return match done {
            Ok(()) => Ok(narrowed),
            Err(e) => {
                before.back(cx, buf, narrowed);
                Err(match e {
                    Abort::GuardFails => Abort::TypeUnstable,
                    e => e,
                })
            }
        };
    }
}

/// Closes the loop; adds to `except` the checks that were taken to be superfluous in the body and are not.
fn close(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    s: &mut Scratch,
    (start, header, carried): (Ref, &[Carried], &[Carried]),
    observe: range::Observe,
    except: &mut Vec<Ref>,
) -> Result<(), Abort> {
    let recorded = buf.next();
    let bounded = if cx.passes.has(Passes::RANGE) {
        range::bounds(cx, buf, (start, header, carried), observe, except)?
    } else {
        Vec::new()
    };
    if cx.entered && bounded.iter().any(|b| Some(b.slot) != cx.index) {
        // they hold for the values that the variable runs through: another way could give it others
        return Err(Abort::TypeUnstable);
    }
    let mut p = Peel {
        recorded,
        bounded,
        except,
        end: buf.next(),
        names: Ref(u16::MAX),
        snaps: buf.snaps.len(),
        disturbed: buf.next(),
        s,
        cx,
        buf,
        start,
        last_snap: None,
        flushed: false,
    };
    p.run(header, carried)
}

struct Peel<'a> {
    cx: &'a mut OptCx,
    buf: &'a mut IrBuf,
    s: &'a mut Scratch,
    start: Ref,
    /// End of the recorded part; behind it stand guards that hold for the whole loop.
    recorded: Ref,
    /// Guards of the model that those make superfluous in the body, if what they depend on is invariant.
    bounded: Vec<range::Bounded>,
    /// Those of which it is not.
    except: &'a mut Vec<Ref>,
    /// LOOP.
    end: Ref,
    /// Where the names of carried values begin, if they have any; else the highest ref.
    names: Ref,
    /// Snapshots before LOOP.
    snaps: usize,
    /// First instruction of the model after which slots are not what they were, or numbered otherwise.
    disturbed: Ref,
    /// Snapshot of the model that the last one of the body was copied from.
    last_snap: Option<SnapNo>,
    flushed: bool,
}

impl Peel<'_> {
    fn run(&mut self, header: &[Carried], carried: &[Carried]) -> Result<(), Abort> {
        self.find_stores(carried);
        self.s.subst.clear();
        for n in 0..self.end.ins_index() {
            let r = Ref::from_ins(n);
            self.s.subst.push(if r < self.start { r } else { REF_NONE });
        }
        self.find_stale(header);
        // Twice, as a value narrowed for one slot may be the start of another.
        for _ in 0..2 {
            self.narrow_values(header);
        }
        self.cx.carried.clear();
        self.cx.carried.resize(self.end.ins_index(), false);
        if self.cx.entered {
            self.name_carried()?;
        }
        for k in 0..self.s.slots.len() {
            self.take_over(self.s.slots[k].c.val);
        }
        let l = self
            .cx
            .append(self.buf, Ins::new(IrOp::Loop, Ty::Void, REF_NONE, REF_NONE))?;
        self.buf.loop_ref = l;
        if !self.cx.passes.has(Passes::LOOP) {
            self.cx.barrier = l;
        }
        self.substitute_header(header)?;
        let (guards, asked) = (self.cx.stats.guards_emitted, self.cx.stats.guards_asked);
        let (mut model_guards, mut model_values, mut new_values) = (0, 0, 0);
        for n in self.start.ins_index()..self.end.ins_index() {
            let r = Ref::from_ins(n);
            let i = self.buf.at(r);
            model_guards += i.op.is_guard() as u32;
            let before = self.buf.next();
            let image = self.again(r, i)?;
            self.s.subst[n] = image;
            if image != r {
                self.take_over(image);
            }
            if matches!(i.op.class(), Class::N | Class::L | Class::C) {
                model_values += 1;
                new_values += (self.buf.next() > before) as u32;
            }
        }
        let dropped = if self.cx.passes.has(Passes::RANGE) && !self.cx.entered {
            let body = appends::Body {
                head: l,
                image: &|r| self.image(r),
            };
            appends::checks(self.buf, &body)
        } else {
            Vec::new()
        };
        for &g in &dropped {
            self.buf.kill(g);
        }
        self.cx.stats.guards_emitted -= dropped.len() as u32;
        self.cx.stats.guards_proved += dropped.len() as u32;
        let body_guards = self.cx.stats.guards_emitted - guards;
        self.phis()?;
        self.cx.stats.guards_repeated += self.cx.stats.guards_asked - asked;
        self.cx.stats.guards_hoisted += model_guards.saturating_sub(body_guards);
        self.cx.stats.hoisted += model_values - new_values;
        self.cx.stats.loops += 1;
        if self.cx.entered {
            let carried = self.s.slots.iter().map(|s| s.c).collect();
            self.cx.reentry = reentry::of(self.buf, carried, &|r| self.image(r));
        }
        Ok(())
    }

    /// Gives the carried values names of their own.
    fn name_carried(&mut self) -> Result<(), Abort> {
        self.names = self.end;
        for k in 0..self.s.slots.len() {
            let mut c = self.s.slots[k].c;
            for r in [&mut c.val, &mut c.tag] {
                if r.is_ins() {
                    *r = self.name(*r)?;
                }
            }
            self.s.slots[k].c = c;
        }
        self.end = self.buf.next();
        self.cx.carried.resize(self.end.ins_index(), false);
        Ok(())
    }
    fn name(&mut self, r: Ref) -> Result<Ref, Abort> {
        for n in self.names.ins_index()..self.buf.len() {
            if self.buf.ins[n].a == r {
                return Ok(Ref::from_ins(n));
            }
        }
        let ty = self.buf.ty(r);
        self.s.subst.push(REF_NONE);
        self.cx
            .append(self.buf, Ins::new(IrOp::Copy, ty, r, REF_NONE))
    }

    fn take_over(&mut self, r: Ref) {
        if r.is_ins() && r < self.end {
            self.cx.carried[r.ins_index()] = true;
        }
    }

    fn find_stores(&mut self, carried: &[Carried]) {
        self.s.slots.clear();
        self.s.slots.extend(carried.iter().map(|&c| Slot {
            c,
            first_store: self.end,
        }));
        for n in self.start.ins_index()..self.end.ins_index() {
            let i = self.buf.ins[n];
            match i.op {
                IrOp::XOp | IrOp::XOpQ | IrOp::XOpR | IrOp::RetF | IrOp::CoEnter => {
                    self.disturbed = Ref::from_ins(n);
                    break;
                }
                IrOp::SSt | IrOp::SStT | IrOp::SStW => {
                    if let Some(s) = self.s.slots.iter_mut().find(|s| s.c.slot == i.slot()) {
                        s.first_store = s.first_store.min(Ref::from_ins(n));
                    }
                }
                _ => {}
            }
        }
    }

    /// The SLOAD or SLOADT `r` of the model reads what the slot held at the iteration's start.
    fn is_initial(&self, r: Ref, slot: i16) -> bool {
        if r > self.disturbed {
            return false;
        }
        if let Some(s) = self.s.slots.iter().find(|s| s.c.slot == slot) {
            return r < s.first_store;
        }
        for op in [IrOp::SSt, IrOp::SStT, IrOp::SStW] {
            let mut s = self.buf.last(op);
            while s >= self.start {
                let i = self.buf.at(s);
                if s < r && i.op == op && i.slot() == slot {
                    return false;
                }
                s = i.prev;
            }
        }
        true
    }

    /// Finds loads from before the model of slots that change: they do not say what such a slot holds in the body.
    fn find_stale(&mut self, header: &[Carried]) {
        self.s.stale.clear();
        self.s.stale.resize(self.start.ins_index(), false);
        for op in [IrOp::SLoad, IrOp::SLoadT] {
            let mut r = self.buf.last(op);
            while !r.is_none() {
                let i = self.buf.at(r);
                let changes = i.op == op && r < self.start && self.carried(i.slot()).is_some();
                if changes && !header.iter().any(|h| h.slot == i.slot()) {
                    self.s.stale[r.ins_index()] = true;
                }
                r = i.prev;
            }
        }
    }
    fn is_stale(&self, r: Ref) -> bool {
        r.is_ins() && self.s.stale.get(r.ins_index()).is_some_and(|&s| s)
    }

    fn carried(&self, slot: i16) -> Option<Carried> {
        self.s.slots.iter().find(|s| s.c.slot == slot).map(|s| s.c)
    }

    /// Narrows carried payloads of unknown type to what their slot is held as at the start.
    fn narrow_values(&mut self, header: &[Carried]) {
        let narrow = |p: &mut Self, start: Ref, val: Ref| {
            let t = p.buf.ty(start);
            if t != Ty::Any && p.buf.ty(val) == Ty::Any && val.is_ins() {
                // A Cast is made where the value is used, if need be.
                let _ = cse::typed(p.cx, p.buf, val, t);
            }
        };
        let mut r = self.buf.last(IrOp::SLoad);
        while r >= self.start {
            let i = self.buf.at(r);
            if i.op == IrOp::SLoad
                && let Some(c) = self.carried(i.slot())
                && self.is_initial(r, i.slot())
            {
                narrow(self, r, c.val);
            }
            r = i.prev;
        }
        for h in header {
            if let Some(c) = self.carried(h.slot)
                && h.val.is_ins()
            {
                narrow(self, h.val, c.val);
            }
        }
    }

    fn substitute_header(&mut self, header: &[Carried]) -> Result<(), Abort> {
        for h in header {
            let image = match self.carried(h.slot) {
                Some(c) if !(c.val.is_none() && c.tag.is_none()) => c,
                // In memory only, and known before: the model would have to load it again.
                Some(_) => return Err(Abort::TypeUnstable),
                None => *h,
            };
            if h.tag.is_ins() {
                self.s.subst[h.tag.ins_index()] = image.tag;
            } else if h.tag != image.tag {
                return Err(Abort::TypeUnstable);
            }
            if h.val.is_ins() {
                let v = self.fit(self.buf.ty(h.val), image.val)?;
                self.s.subst[h.val.ins_index()] = v;
            } else if !h.val.is_none() && h.val != image.val {
                return Err(Abort::TypeUnstable);
            }
        }
        Ok(())
    }

    /// `val` as a value that is used as `ty`.
    fn fit(&mut self, ty: Ty, val: Ref) -> Result<Ref, Abort> {
        if val.is_none() {
            // nil, true or false: the bits do not matter.
            return if ty == Ty::Any {
                Ok(self.buf.k(Ty::Any, 0))
            } else {
                Err(Abort::TypeUnstable)
            };
        }
        match cse::typed(self.cx, self.buf, val, ty) {
            Some(Typed::Same) => Ok(val),
            Some(Typed::Cast) => self.cx.emit(self.buf, IrOp::Cast, ty, val, REF_NONE),
            None => Err(Abort::TypeUnstable),
        }
    }

    /// The image of the argument `was`, in the same class of registers.
    fn argument(&mut self, was: Ref, is: Ref) -> Result<Ref, Abort> {
        let is_a = |p: &Self, r: Ref, ty| !r.is_none() && p.buf.ty(r) == ty;
        if is_a(self, is, Ty::Float) && is_a(self, was, Ty::Any) {
            return self.cx.emit(self.buf, IrOp::Cast, Ty::Any, is, REF_NONE);
        }
        Ok(is)
    }

    fn image(&self, r: Ref) -> Ref {
        if r.is_ins() {
            self.s.subst[r.ins_index()]
        } else {
            r
        }
    }

    /// Emits the instruction `r` of the model again; its image.
    fn again(&mut self, r: Ref, i: Ins) -> Result<Ref, Abort> {
        use IrOp::*;
        match i.op {
            Nop => return Ok(REF_NONE),
            Copy if r >= self.names => return Ok(self.image(i.a)),
            Copy | PVal if !self.s.subst[r.ins_index()].is_none() => {
                // A slot at the header.
                return Ok(self.s.subst[r.ins_index()]);
            }
            PVal => return Ok(r),
            SLoad | SLoadT if self.is_initial(r, i.slot()) => {
                return match self.carried(i.slot()) {
                    None => Ok(r),
                    Some(c) if c.val.is_none() && c.tag.is_none() => {
                        // Changed by something that only memory shows.
                        self.cx
                            .append(self.buf, Ins::new(i.op, i.ty, i.a, REF_NONE))
                    }
                    Some(c) if i.op == SLoadT => Ok(c.tag),
                    Some(c) => self.fit(i.ty, c.val),
                };
            }
            Phi | Loop | Base => return Err(Abort::Internal),
            XOp | XOpQ | XOpR | RetF | CoEnter => self.flush(r)?,
            Call if alias::effect_of(&i).has(Effect::RUNS_LUA) => self.flush(r)?,
            _ => {}
        }
        let [ma, mb] = i.op.modes();
        if (ma == Mode::Ref && self.is_stale(i.a)) || (mb == Mode::Ref && self.is_stale(i.b)) {
            return Err(Abort::TypeUnstable);
        }
        let mut a = if ma == Mode::Ref {
            self.image(i.a)
        } else {
            i.a
        };
        let mut b = if mb == Mode::Ref {
            self.image(i.b)
        } else {
            i.b
        };
        if matches!(i.op, CArg | Call | CallN | CallL) {
            if ma == Mode::Ref {
                a = self.argument(i.a, a)?;
            }
            if mb == Mode::Ref {
                b = self.argument(i.b, b)?;
            }
        }
        if !i.op.is_guard() {
            return self.cx.emit(self.buf, i.op, i.ty, a, b);
        }
        if r >= self.recorded {
            return Ok(REF_NONE);
        }
        if let Some(g) = self.bounded.iter().find(|g| g.guard == r) {
            if g.fixed.iter().all(|&f| self.image(f) == f) {
                self.cx.stats.ranged += 1;
                return Ok(REF_NONE);
            }
            self.except.push(r);
        }
        let n = self.snapshot(r)?;
        let guards = self.cx.stats.guards_emitted;
        let image = self.cx.emit(self.buf, i.op, i.ty, a, b)?;
        if n && guards == self.cx.stats.guards_emitted {
            // Proved: nobody needs the snapshot.
            let s = self.buf.snaps.pop().ok_or(Abort::Internal)?;
            self.buf.entries.truncate(s.start as usize);
            self.last_snap = None;
        }
        Ok(image)
    }

    /// Makes the snapshot of the model's guard `r` for the body, unless the last one serves. True: made.
    fn snapshot(&mut self, r: Ref) -> Result<bool, Abort> {
        let n = self.buf.snap_of(r).ok_or(Abort::Internal)?;
        if self.last_snap == Some(n) {
            return Ok(false);
        }
        self.s.entries.clear();
        for &e in self.buf.snap_entries(n) {
            if self.is_stale(e.val) || self.is_stale(e.tag) {
                return Err(Abort::TypeUnstable);
            }
            let e = SnapEntry {
                slot: e.slot,
                val: self.image(e.val),
                tag: self.image(e.tag),
            };
            self.s.entries.push(e);
        }
        let model = self.buf.snaps[n.0 as usize].clone();
        if r < self.disturbed {
            for k in 0..self.s.slots.len() {
                let Slot { c, first_store } = self.s.slots[k];
                let in_register =
                    c.dirty && !c.tag.is_none() && r < first_store && c.slot < model.live;
                if in_register && !self.s.entries.iter().any(|e| e.slot == c.slot) {
                    self.s.entries.push(SnapEntry {
                        slot: c.slot,
                        val: c.val,
                        tag: c.tag,
                    });
                }
            }
        }
        self.s.entries.sort_unstable_by_key(|e| e.slot);
        let start = self.buf.entries.len() as u32;
        self.buf.entries.extend_from_slice(&self.s.entries);
        let end = self.buf.entries.len() as u32;
        self.buf.snaps.push(Snap {
            first: self.buf.next(),
            start,
            end,
            ..model
        });
        self.last_snap = Some(n);
        Ok(true)
    }

    /// Stores what the model finds on the stack at `r`, but the body in registers.
    fn flush(&mut self, r: Ref) -> Result<(), Abort> {
        if self.flushed {
            return Ok(());
        }
        self.flushed = true;
        for k in 0..self.s.slots.len() {
            let Slot { c, first_store } = self.s.slots[k];
            if !c.dirty || c.tag.is_none() || first_store < r {
                continue;
            }
            let slot = Ref(c.slot as u16);
            if !c.val.is_none() {
                let ty = self.buf.ty(c.val);
                self.cx.emit(self.buf, IrOp::SSt, ty, slot, c.val)?;
            }
            let ty = self.buf.ty(c.tag);
            let op = if ty == Ty::Word {
                IrOp::SStW
            } else {
                IrOp::SStT
            };
            self.cx.emit(self.buf, op, ty, slot, c.tag)?;
        }
        Ok(())
    }

    fn mark(&mut self, r: Ref) {
        if r.is_ins() && r < self.end && !self.s.used[r.ins_index()] {
            self.s.used[r.ins_index()] = true;
            self.s.work.push(r);
        }
    }
    fn mark_operands(&mut self, i: Ins) {
        let [ma, mb] = i.op.modes();
        if ma == Mode::Ref {
            self.mark(i.a);
        }
        if mb == Mode::Ref {
            self.mark(i.b);
        }
    }

    /// PHIs for the values of the first part that the body uses and that have another image.
    fn phis(&mut self) -> Result<(), Abort> {
        self.s.used.clear();
        self.s.used.resize(self.end.ins_index(), false);
        self.s.work.clear();
        self.s.phis.clear();
        for n in self.end.ins_index() + 1..self.buf.len() {
            self.mark_operands(self.buf.ins[n]);
        }
        for n in self.snaps..self.buf.snaps.len() {
            let s = &self.buf.snaps[n];
            for k in s.start..s.end {
                let e = self.buf.entries[k as usize];
                self.mark(e.val);
                self.mark(e.tag);
            }
        }
        while let Some(r) = self.s.work.pop() {
            let i = self.buf.at(r);
            if i.op.class() == Class::R || i.op == IrOp::CArg {
                // Computed where it is used: its operands are.
                self.mark_operands(i);
                continue;
            }
            let mut right = self.image(r);
            if right == r {
                continue;
            }
            if right.is_none() {
                return Err(Abort::Internal);
            }
            let ty = self.buf.ty(r);
            if self.buf.ty(right) != ty {
                right = match cse::typed(self.cx, self.buf, right, ty) {
                    Some(Typed::Same) if self.buf.ty(right) == ty => right,
                    // Known better than the other side: held as payload bits.
                    Some(_) => self.cx.emit(self.buf, IrOp::Cast, ty, right, REF_NONE)?,
                    None => return Err(Abort::TypeUnstable),
                };
                let last = self.buf.at(Ref::from_ins(self.buf.len() - 1));
                self.mark_operands(last);
            }
            self.s.phis.push((r, right));
            self.mark(right);
        }
        self.s.phis.sort_unstable();
        for k in 0..self.s.phis.len() {
            let (left, right) = self.s.phis[k];
            let ty = self.buf.ty(left);
            if self.buf.ty(right) != ty {
                return Err(Abort::TypeUnstable);
            }
            self.cx
                .append(self.buf, Ins::new(IrOp::Phi, ty, left, right))?;
            self.cx.stats.phis += 1;
        }
        Ok(())
    }
}
