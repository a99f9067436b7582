//! Builds IR, assembles it, and runs it: a trampoline plays the interpreter's entry, the Rust side of the thunks takes notes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use traceorus_asm::{Host, Masm, RegImm};
use traceorus_base::objects::{GlobalHot, Thread};
use traceorus_base::{Tag, Value};
use traceorus_trace::abort::Abort;
use traceorus_trace::exits::Exits;
use traceorus_trace::ir::{Ins, IrBuf, IrOp, REF_NONE, Ref, Snap, SnapEntry, Ty};
use traceorus_trace::loc::{ExitMap, FIRST_SPILL, Inherited, Link, Loc, SAVE_SLOTS, SPILL_SLOTS};
use traceorus_trace::lower::{
    CodeArea, CodeInput, CodeOutput, RustEntry, ShortInput, Thunks, TraceRegs, assemble_into,
    emit_thunks, short_exit, spill_index,
};

/// Where FP-relative slots end.
const LOCALS: u32 = FIRST_SPILL + SPILL_SLOTS + SAVE_SLOTS;
/// What the exit handler of the tests returns as the next pc.
pub const NEXT_PC: u64 = 0x7777;
/// Slots of the Lua stack below and above the base.
const BELOW: usize = 8;
const STACK: usize = 64;

/// IR under construction.
pub struct Build(pub IrBuf);

impl Build {
    pub fn new() -> Build {
        Build(IrBuf::new())
    }
    pub fn op(&mut self, op: IrOp, ty: Ty, a: Ref, b: Ref) -> Ref {
        self.0.push(Ins::new(op, ty, a, b))
    }
    /// With a literal as second operand.
    pub fn lit(&mut self, op: IrOp, ty: Ty, a: Ref, b: u16) -> Ref {
        self.op(op, ty, a, Ref(b))
    }
    pub fn int(&mut self, i: i64) -> Ref {
        self.0.k_int(i)
    }
    pub fn num(&mut self, f: f64) -> Ref {
        self.0.k_float(f)
    }
    pub fn tag(&mut self, t: Tag) -> Ref {
        self.0.k_tag(t)
    }
    pub fn ptr<T>(&mut self, p: *const T) -> Ref {
        self.0.k_ptr(p as u64)
    }
    /// Payload of a slot.
    pub fn slot(&mut self, ty: Ty, slot: i16) -> Ref {
        self.op(IrOp::SLoad, ty, Ref(slot as u16), REF_NONE)
    }
    pub fn guard(&mut self, op: IrOp, ty: Ty, a: Ref, b: Ref) {
        self.op(op, ty, a, b);
    }
    /// A snapshot for the guards that follow: values go to slots with the tags of their types.
    pub fn snap(&mut self, slots: &[(i16, Ref)]) {
        let pairs: Vec<_> = slots
            .iter()
            .map(|&(slot, val)| {
                let tag = self.0.ty(val).tag().unwrap_or(Tag::ANY);
                (slot, val, self.0.k_tag(tag))
            })
            .collect();
        self.snap_tagged(&pairs);
    }
    pub fn snap_tagged(&mut self, slots: &[(i16, Ref, Ref)]) {
        let start = self.0.entries.len() as u32;
        for &(slot, val, tag) in slots {
            self.0.entries.push(SnapEntry { slot, val, tag });
        }
        let first = self.0.next();
        self.0.snaps.push(Snap {
            first,
            start,
            end: self.0.entries.len() as u32,
            pc: 0x1000 + self.0.snaps.len() as u64 * 8,
            base: 0,
            live: 32,
            top: Snap::NO_TOP,
            pcalls: 0,
            decided: false,
            asked: false,
            done: Default::default(),
        });
    }
    pub fn begin_loop(&mut self) {
        let r = self.op(IrOp::Loop, Ty::Void, REF_NONE, REF_NONE);
        self.0.loop_ref = r;
    }
    pub fn phi(&mut self, a: Ref, b: Ref) {
        let ty = self.0.ty(a);
        self.op(IrOp::Phi, ty, a, b);
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Exit {
    pub trace: u16,
    pub snap: u16,
    /// Registers and spill slots, by index into the save area.
    pub save: Vec<u64>,
    /// Offset of BASE from where it was, in slots.
    pub base: i64,
    /// The result of the run as the interpreter sees it: the next pc.
    pub next: u64,
}

thread_local! {
    static LAST: RefCell<Option<Exit>> = const { RefCell::new(None) };
    /// What the poll handler returns, and how often it was called.
    pub static POLL: RefCell<(u64, u32)> = const { RefCell::new((0, 0)) };
    /// Calls of the barrier: object, payload, tag.
    pub static BARRIERS: RefCell<Vec<[u64; 3]>> = const { RefCell::new(Vec::new()) };
    /// Cells that `alloc` hands out.
    pub static CELLS: RefCell<Vec<Box<[u64]>>> = const { RefCell::new(Vec::new()) };
}

const SAVE_WORDS: usize = (SAVE_SLOTS + SPILL_SLOTS) as usize;

unsafe extern "C" fn on_exit(_g: *mut GlobalHot, save: *mut u64, id: u64) -> u64 {
    // SAFETY: the thunk passes the address of the save area, above which the spill slots lie.
    let save = unsafe { std::slice::from_raw_parts(save, SAVE_WORDS) }.to_vec();
    let exit = Exit {
        trace: (id >> 16) as u16,
        snap: id as u16,
        save,
        ..Exit::default()
    };
    LAST.with(|l| *l.borrow_mut() = Some(exit));
    trash();
    NEXT_PC
}

unsafe extern "C" fn on_poll(g: *mut GlobalHot, _save: *mut u64, _id: u64) -> u64 {
    // SAFETY: the harness's own structure.
    unsafe { (*g).poll = 0 };
    trash();
    POLL.with(|p| {
        p.borrow_mut().1 += 1;
        p.borrow().0
    })
}

unsafe extern "C" fn on_barrier(g: *mut GlobalHot) {
    // SAFETY: as above.
    let s = unsafe { (*g).jit_scratch };
    BARRIERS.with(|b| b.borrow_mut().push([s[0], s[1], s[2]]));
    trash();
}

unsafe extern "C" fn on_alloc(g: *mut GlobalHot) {
    // SAFETY: as above.
    unsafe {
        assert!((*g).jit_scratch[0] <= 256);
        let mut cell = vec![0xdead_beefu64; 32].into_boxed_slice();
        (*g).jit_scratch[0] = cell.as_mut_ptr() as u64;
        CELLS.with(|c| c.borrow_mut().push(cell));
    }
    trash();
}

unsafe extern "C" fn on_charge(g: *mut GlobalHot) {
    // SAFETY: as above.
    unsafe { (*g).sunk_left = 1 << 20 };
    trash();
}

/// Destroys registers that native code may destroy.
fn trash() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: everything changed is declared.
    unsafe {
        std::arch::asm!(
            "mov rax, -1", "mov rcx, rax", "mov rdx, rax", "mov rsi, rax", "mov rdi, rax", "mov r8, rax", "mov r9, rax",
            "mov r10, rax", "mov r11, rax",
            "pcmpeqd xmm0, xmm0", "movaps xmm1, xmm0", "movaps xmm2, xmm0", "movaps xmm3, xmm0", "movaps xmm4, xmm0",
            "movaps xmm5, xmm0", "movaps xmm6, xmm0", "movaps xmm7, xmm0", "movaps xmm8, xmm0", "movaps xmm9, xmm0",
            "movaps xmm10, xmm0", "movaps xmm11, xmm0", "movaps xmm12, xmm0", "movaps xmm13, xmm0", "movaps xmm14, xmm0",
            "movaps xmm15, xmm0",
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _, out("r10") _,
            out("r11") _, out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
            out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _,
            out("xmm13") _, out("xmm14") _, out("xmm15") _,
        );
    }
}

/// Code memory, a state and a Lua stack.
pub struct Machine {
    pub area: CodeArea,
    pub thunks: Thunks,
    enter: u64,
    pub g: Box<GlobalHot>,
    pub thread: Box<Thread>,
    pub stack: Vec<Value>,
    /// What the helpers of XOP do: see `runtime`.
    pub traces: u16,
    /// For [`Machine::put_short`].
    pub not_at: Option<u16>,
    /// Registers are chosen at random with this seed; 0: well.
    pub random: u32,
}

fn no_helper(_pc: u64) -> u64 {
    0
}

impl Machine {
    pub fn new() -> Machine {
        Machine::with_helpers(no_helper)
    }
    pub fn with_helpers(helpers: fn(u64) -> u64) -> Machine {
        let mut area = CodeArea::new(Machine::new as *const () as u64).expect("code can be run");
        // the trampoline
        let address = area.next_address();
        let mut m = Host::new_at(address);
        let enter = m.here();
        m.prologue(LOCALS);
        m.parallel_move(&[
            (Host::BASE, RegImm::Reg(Host::ARG0)),
            (Host::GLOBAL, RegImm::Reg(Host::ARG1)),
            (Host::SCRATCH, RegImm::Reg(Host::ARG2)),
        ]);
        m.jump_reg(Host::SCRATCH);
        let resume = m.here();
        m.epilogue();
        m.ret();
        let code = m.finalize().expect("complete");
        let at = |l| address + u64::from(code.label_offset(l).unwrap());
        let (enter, resume) = (at(enter), at(resume));
        area.install(&code.bytes).expect("room");
        let rust = RustEntry {
            exit: on_exit as *const () as u64,
            poll: on_poll as *const () as u64,
            barrier: on_barrier as *const () as u64,
            alloc: on_alloc as *const () as u64,
            charge: on_charge as *const () as u64,
            ret: on_alloc as *const () as u64,
            returns_left: 0,
            ret_event: on_alloc as *const () as u64,
            events: 0,
            slot_of: on_alloc as *const () as u64,
            method: on_alloc as *const () as u64,
            resume,
            exit_left_offset: None,
            entered: None,
            counts_offset: None,
            disturbed_offset: std::mem::offset_of!(GlobalHot, error_handled) as i32,
            helpers,
            handlers: |_| None,
        };
        let (bytes, thunks) =
            emit_thunks::<Host>(area.next_address(), &rust).expect("thunks can be emitted");
        area.install(&bytes).expect("room");
        let (mut g, mut thread): (Box<GlobalHot>, Box<Thread>) = (zeroed(), zeroed());
        let mut stack = vec![Value::NIL; STACK];
        thread.stack = stack.as_mut_ptr();
        thread.limit = stack.as_mut_ptr().wrapping_add(STACK - 8);
        g.current = &mut *thread;
        Machine {
            area,
            thunks,
            enter,
            g,
            thread,
            stack,
            traces: 0,
            not_at: None,
            random: 0,
        }
    }
    /// Slot relative to the base.
    pub fn slot(&mut self, n: i16) -> &mut Value {
        &mut self.stack[(BELOW as i16 + n) as usize]
    }
    pub fn base(&mut self) -> *mut Value {
        // SAFETY: inside the stack.
        unsafe { self.stack.as_mut_ptr().add(BELOW) }
    }
    /// Assembles and installs a trace; its code and address.
    pub fn compile(
        &mut self,
        ir: &IrBuf,
        link: Link,
        inherited: &[Inherited],
        parent_spills: u16,
    ) -> Result<(CodeOutput, u64), Abort> {
        self.compile_into(ir, link, inherited, parent_spills, &[])
    }
    /// What [`Machine::compile`] would assemble next for a trace without a parent.
    pub fn plain_input<'a>(&'a self, ir: &'a IrBuf, link: Link) -> CodeInput<'a> {
        CodeInput {
            ir,
            link,
            inherited: &[],
            parent_spills: 0,
            random: self.random,
            trace: self.traces,
            is_entry: false,
            down: 0,
            unlinked: None,
            proved: false,
            address: self.area.next_address(),
            thunks: &self.thunks,
        }
    }
    /// The same with a loop's contract as the end.
    pub fn compile_into(
        &mut self,
        ir: &IrBuf,
        link: Link,
        inherited: &[Inherited],
        parent_spills: u16,
        reenter: &[(Ref, Loc)],
    ) -> Result<(CodeOutput, u64), Abort> {
        self.traces += 1;
        let input = CodeInput {
            inherited,
            parent_spills,
            ..self.plain_input(ir, link)
        };
        let expected = input.address;
        if std::env::var_os("TRACEORUS_DUMP_RA").is_some() {
            eprintln!(
                "{}",
                traceorus_trace::lower::print_allocation::<Host>(&input, reenter).unwrap()
            );
        }
        let out = assemble_into::<Host>(&input, reenter)?;
        let address = self.area.install(&out.bytes)?;
        if let Some(path) = std::env::var_os("TRACEORUS_DUMP_CODE") {
            std::fs::write(path, &out.bytes).unwrap();
        }
        assert_eq!(address, expected);
        assert!(out.stubs.iter().all(|s| (address + u64::from(*s)) % 8 == 0));
        Ok((out, address))
    }
    /// Makes exit `snap` of a trace at `address` a short one, which counts `left` down. True: it looks at the poll word.
    pub fn put_short(
        &mut self,
        code: &CodeOutput,
        address: u64,
        snap: u16,
        left: &mut u32,
    ) -> bool {
        let exits = Exits::new(&code.exits, 0x1000);
        let exit = exits.get(snap);
        let input = ShortInput {
            id: u32::from(self.traces) << 16 | u32::from(snap),
            left: left as *mut u32 as u64,
            not_at: self.not_at,
            address: self.area.next_address(),
            thunks: &self.thunks,
        };
        let short = short_exit::<Host>(&exit, &input).expect("nothing is sunk");
        let at = self.area.install(&short.expect("assembles")).expect("room");
        let stub = address + u64::from(code.stubs[snap as usize]);
        let jump = <Host as TraceRegs>::link_stub(stub, at).expect("near");
        self.area.patch(stub, jump).expect("inside");
        exit.poll
    }
    /// Runs code; the way it was left by.
    pub fn run(&mut self, address: u64) -> Exit {
        let base = self.base();
        LAST.with(|l| *l.borrow_mut() = None);
        // SAFETY: the trampoline has this signature; what it jumps to keeps to the rules of traces.
        let next = unsafe {
            let f: unsafe extern "C" fn(*mut Value, *mut GlobalHot, u64) -> u64 =
                std::mem::transmute(self.enter as *const ());
            f(base, &mut *self.g, address)
        };
        let mut exit = LAST.with(|l| l.borrow_mut().take()).unwrap_or_default();
        exit.next = next;
        if !exit.save.is_empty() {
            exit.base = (exit.save[13] as i64 - base as i64) / 16;
        }
        exit
    }
    /// Assembles a trace that ends in its last snapshot or loops, runs it, and restores the slots.
    pub fn go(&mut self, ir: &IrBuf, link: Link) -> (u16, BTreeMap<i16, (u64, i32)>) {
        let (out, address) = self.compile(ir, link, &[], 0).expect("compiles");
        let exit = self.run(address + u64::from(out.entry));
        assert_eq!(exit.next, NEXT_PC);
        assert_eq!(exit.trace, self.traces);
        let slots = exit.restore(&out.exits[exit.snap as usize]);
        (exit.snap, slots)
    }
}

impl Exit {
    pub fn read(&self, loc: Loc) -> u64 {
        match loc {
            Loc::None => 0,
            Loc::Gpr(n) => self.save[n as usize],
            Loc::Fpr(n) => self.save[16 + n as usize],
            Loc::Spill(n) => self.save[spill_index(n)],
            Loc::Const(bits) => bits,
            Loc::Sunk(_) => panic!("objects are not made here"),
        }
    }
    pub fn restore(&self, map: &ExitMap) -> BTreeMap<i16, (u64, i32)> {
        map.slots
            .iter()
            .map(|s| (s.slot, (self.read(s.val), self.read(s.tag) as i32)))
            .collect()
    }
}

/// A structure of the runtime, all zeros.
pub fn zeroed<T>() -> Box<T> {
    // SAFETY: the tests use it for the plain structures of `base::objects` only, for which zeros are valid.
    unsafe { Box::new(std::mem::zeroed()) }
}

/// Runs a straight trace whose last snapshot holds one value in slot 0.
pub fn value_of(m: &mut Machine, mut b: Build, r: Ref) -> u64 {
    b.snap(&[(0, r)]);
    let (_, slots) = m.go(&b.0, Link::Exit);
    slots[&0].0
}
