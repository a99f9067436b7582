//! From a recording to a trace that is entered.

use std::time::Instant;

use traceorus_base::Value;
use traceorus_vm::jithooks;

use crate::abort::Abort;
use crate::dump::Code;
use crate::events::What;
use crate::exits::Exits;
use crate::ir::{Ins, IrBuf, IrOp, Ref, SnapNo, Ty};
use crate::jit::Jit;
use crate::loc::Link;
use crate::lower::{self, CodeInput, TraceRegs};
use crate::meet::is_call;
use crate::opt::{self, Passes, entry, known};
use crate::params::dump;
use crate::places;
use crate::record::enter::Body;
use crate::record::{Kind, Recorder};
use crate::stats::guards_of;
use crate::traces::{ExitState, PROTO_KNOWN, Trace};

/// The objects that a recording keeps alive, each once.
fn objects_of(r: &Recorder) -> Vec<Value> {
    let konsts = r.buf.konsts.iter();
    let named = konsts.filter(|k| k.ty.is_gc() && k.bits != 0);
    let mut all = r.keep.clone();
    all.extend(named.map(|k| Value::new(k.bits, k.ty.tag().expect("an object"))));
    all.sort_unstable_by_key(|v| (v.payload, v.tag.0));
    all.dedup_by_key(|v| (v.payload, v.tag));
    all
}

/// Number of the first snapshot behind the instruction `r`.
fn first_exit(buf: &IrBuf, r: Ref) -> u16 {
    buf.snaps.partition_point(|s| s.first <= r) as u16
}

/// Number of the first snapshot behind LOOP; without LOOP, that of snapshots.
fn loop_exits(buf: &IrBuf) -> u16 {
    match buf.loop_ref.is_none() {
        true => buf.snaps.len() as u16,
        false => first_exit(buf, buf.loop_ref),
    }
}

/// A guard of snapshot `n` is about a type (a tag, or the kind of an array), or about which function is called.
fn looks_at_types(buf: &IrBuf, n: usize) -> bool {
    let about = |i: &Ins| i.looks_at_type() || i.op == IrOp::Eq && i.ty == Ty::Func;
    n < buf.snaps.len() && buf.snap_guards(SnapNo(n as u16)).iter().any(about)
}

impl Jit {
    /// The root trace whose entry is at `address`, the pc where it begins, and the slots that its frame may need there.
    unsafe fn target(&self, link: Link) -> Option<(u16, u64, u16)> {
        let Link::Entry { address, .. } = link else {
            return None;
        };
        let n = self.index.at_entry(address)?;
        let t = self.traces[n as usize].as_ref().expect("alive");
        let room = match t.kind {
            // SAFETY: [GC-LIVE] a trace keeps its prototypes.
            Kind::Func => unsafe { (*t.proto).frame_size.into() },
            // its frame is there already
            _ => 0,
        };
        Some((t.number, t.start_pc as u64, room))
    }

    /// Makes the recording a trace, and gives its number.
    pub(crate) unsafe fn compile(&mut self, link: Link) -> Result<u16, Abort> {
        // SAFETY: [CODE] as the callers.
        unsafe {
            let began = Instant::now();
            self.clock += 1;
            let number = self.index.number()?;
            let parent_spills = match self.recorder.as_ref().expect("recording").kind {
                Kind::Side { parent, .. } => self.trace(parent).spills,
                _ => 0,
            };
            let target = self.target(link);
            if let Some((root, ..)) = target {
                self.wake_tree(root);
            }
            let (checks, checked) = match target {
                Some(t) => (self.trace(t.0).checks.clone(), self.trace(t.0).checked),
                None => Default::default(),
            };
            let (area, thunks) = (&mut self.area, self.thunks.as_ref());
            let thunks = thunks.expect("made for the recording");
            let r = self.recorder.as_mut().expect("recording");
            if matches!(
                (r.kind, link),
                (Kind::Meet { .. }, Link::Resume { .. } | Link::Exit)
            ) {
                return Err(Abort::OneWay);
            }
            r.drop_poll();
            let proved = known::proved(&r.opt, &r.buf, r.opt.reentry.as_ref());
            let mut proves = match (link, target) {
                (Link::Entry { base, .. }, Some((root, ..))) if r.proves(&checks, base) => root,
                _ => 0,
            };
            known::forget(&mut r.buf, r.known_until);
            if matches!(r.kind, Kind::Loop | Kind::Func) && r.opt.passes.has(Passes::INHERIT) {
                let live = Recorder::live_at(r.protos[0], r.start_pc);
                entry::gather(&mut r.buf, r.start_pc as u64, live);
            }
            if let Link::SelfEntry { base } = link
                && r.proves(&r.buf.entry, base)
            {
                proves = number;
            }
            opt::finish(&mut r.opt, &mut r.buf);
            #[cfg(debug_assertions)]
            if let Err(what) = crate::ir::verify::verify(&r.buf) {
                let ir = crate::ir::print::print(&r.buf, Default::default());
                panic!("trace {number}: {what}\n{ir}");
            }
            self.dump.ir(number, r);
            let guess = 16 * (r.buf.len() + r.buf.snaps.len()) + 64;
            let mut input = CodeInput {
                ir: &r.buf,
                link: match link {
                    Link::Entry { base, .. } if proves != 0 => Link::Entry {
                        address: checked,
                        base,
                    },
                    link => link,
                },
                proved: proves != 0,
                inherited: &r.inherited,
                parent_spills,
                random: self.params.randomregs * u32::from(number),
                trace: number,
                is_entry: matches!(r.kind, Kind::Loop | Kind::Func),
                down: r.down(),
                unlinked: target.map(|(_, pc, room)| (pc, room)),
                address: area.place(guess)?,
                thunks,
            };
            self.dump.allocation(number, || {
                lower::print_allocation::<traceorus_asm::Host>(&input, &r.reenter)
                    .unwrap_or_else(|why| format!("none: {}\n", why.text()))
            });
            let mut out = lower::assemble_into::<traceorus_asm::Host>(&input, &r.reenter)?;
            if out.bytes.len() > area.room_at(input.address) {
                // distances elsewhere may be longer
                input.address = area.place(out.bytes.len() + out.bytes.len() / 8 + 64)?;
                out = lower::assemble_into::<traceorus_asm::Host>(&input, &r.reenter)?;
            }
            let address = input.address;
            area.install_at(address, &out.bytes)?;
            self.tell(What::Stop(number));
            let r = self.recorder.take().expect("recording");
            let root = match r.kind {
                Kind::Side { parent, .. } => self.trace(parent).root,
                _ => self.way_for.map_or(number, |n| self.trace(n).root),
            };
            let map = if self.lines {
                places::code_map(&r.buf, r.start_pc as u64, &out.ins_offsets)
            } else {
                Vec::new()
            };
            let needs = r.opt.reentry.as_ref().filter(|_| link == Link::Loop);
            let body = needs.and_then(|n| Body::of(&r.buf, n, &out, address));
            let (through, through_of) = match (&body, link) {
                (Some(b), _) => (b.through(&r.buf, &out), number),
                (None, Link::Body { .. }) => (r.passed_on(&out), r.through_of),
                _ => Default::default(),
            };
            let proto = r.protos[0];
            let state = |(n, &stub): (usize, &u32)| ExitState {
                taken: 0,
                count: 0,
                side: 0,
                stub,
                types: looks_at_types(&r.buf, n) || n == 0 && !r.buf.entry.is_empty(),
                decided: r.buf.snaps.get(n).is_some_and(|s| s.decided),
            };
            let named = if self.reports { r.buf.snaps.len() } else { 0 };
            let t = Box::new(Trace {
                number,
                kind: r.kind,
                root,
                start_pc: r.start_pc,
                anchor: r.anchor,
                proto,
                link,
                exits: Exits::new(&out.exits, r.start_pc as u64),
                states: out.stubs.iter().enumerate().map(state).collect(),
                guards: (0..named).map(|n| guards_of(&r.buf, n)).collect(),
                body: body.map(Box::new),
                through,
                through_of,
                known: proved.at_exits(&r.buf).pack(),
                nins: r.buf.len() as u32,
                nkonsts: r.buf.konsts.len() as u32,
                address,
                bytes: out.bytes.len() as u32,
                cost_us: r.cost_us() as u32,
                born_us: self.began.map_or(0, |b| b.1),
                entry: address + u64::from(out.entry),
                checked: address + u64::from(out.checked),
                checks: r.buf.entry.as_slice().into(),
                proves,
                spills: out.spills,
                nsides: 0,
                link_offset: out.link.unwrap_or(0),
                link_anchor: target.map_or(std::ptr::null_mut(), |t| self.trace(t.0).anchor),
                way: match r.kind {
                    Kind::Loop => number,
                    kind => self.way_of(kind),
                },
                early: self.is_early(r.kind),
                next_way: 0,
                loop_exits: loop_exits(&r.buf),
                used: self.clock,
                lost: (0, None),
                keep: objects_of(&r).into(),
                protos: r.protos.as_slice().into(),
                alive: true,
                retired: false,
                map: map.into(),
                helpers: r.performed.as_slice().into(),
            });
            self.made_since_nap = self.made_since_nap.saturating_add(1);
            self.stats.compiled(&r, &t);
            self.dump.trace(&r, &t);
            let code = Code {
                bytes: &out.bytes,
                ir: &r.buf,
                at: &out.ins_offsets,
                loop_head: out.loop_head,
            };
            if self.dump.wants(dump::MC) {
                self.symbols.add_constants(&r.buf);
                self.dump.machine_code(&t, &code, &self.symbols);
                self.symbols.add(t.entry, format!("trace_{number}"));
            }
            self.outputs.compiled(&t, code.bytes);
            tracing::debug!(target: "compile", number, kind = ?t.kind, ir = t.nins, bytes = t.bytes, "compiled");
            self.entries[number as usize] = t.entry;
            for &p in t.protos.iter() {
                jithooks::set_proto_jit(&mut *self.g, p, (*p).jit | PROTO_KNOWN);
            }
            self.by_prototype.extend(&r.varying);
            self.told.extend(&r.told);
            let address = t.entry;
            self.kept.add(&t);
            let link = target.map_or(0, |t| t.0);
            self.index.add(number, root, link, address);
            if self.traces.len() == number as usize {
                self.traces.push(None);
            }
            self.traces[number as usize] = Some(t);
            if root == number {
                self.replace_retired(number);
            }
            if let Some((to, ..)) = target
                && self.trace(to).retired
            {
                self.set_links(to, false);
            }
            match r.kind {
                Kind::Side { parent, exit } => {
                    let root = self.trace(parent).root;
                    self.trace(root).nsides += 1;
                    let p = self.trace(parent);
                    let way = p.states[exit as usize].decided && p.start_pc != r.start_pc;
                    if way || is_call(r.start_pc) {
                        *self.starts.entry((root, r.start_pc as usize)).or_default() += 1;
                    }
                    let p = self.trace(parent);
                    p.states[exit as usize].side = number;
                    let stub = p.stub(exit);
                    let jump = traceorus_asm::Host::link_stub(stub, address);
                    self.area.patch(stub, jump.ok_or(Abort::CodeMemory)?)?;
                    self.drop_short(parent, exit);
                }
                Kind::Loop if root != number => {
                    let side = self.way_for.take().expect("a way for it");
                    self.trace(root).nsides += 1;
                    let from = self.index.link(side);
                    self.trace(from).next_way = number;
                    self.link_again(side, number);
                }
                Kind::Loop => {
                    self.by_start.insert(r.start_pc as usize, number);
                    jithooks::set_entry(r.anchor, proto, Some(number), 0);
                }
                Kind::Func => {
                    self.funcs.insert(proto as usize, (address, r.recursive));
                    jithooks::set_entry(r.anchor, proto, Some(number), 0);
                }
                Kind::Cont { .. } | Kind::Event { .. } => self.set_return(r.kind, address),
                Kind::Meet { pc } => {
                    self.meets.insert(pc as usize, number);
                }
            }
            self.area.trim();
            self.stats.compile_ns += began.elapsed().as_nanos() as u64;
            Ok(number)
        }
    }
}
