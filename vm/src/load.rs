//! From a front end's [`Chunk`] to prototypes and closures, and back.
//!
//! Loaded code differs from a chunk's: a header word in front, handler offsets for op numbers, registers scaled to byte
//! offsets (`r w s` by 16, `u` by 8), payloads and addresses for the numbers in further words, and the constant's tag in the
//! `k` operand. Whatever code names by address is in `Proto::consts` or `Proto::protos` too, where the collector looks.
//!
//! A chunk from a front end is trusted (debug builds verify it); one from `string.dump` has been verified by
//! [`crate::dump::undump`]. Functions are built one by one, inner ones first, as the front end makes them: there is no tree of
//! the whole chunk. Each is built after one `reserve`, and allocation never collects, so that nothing in it needs to be rooted
//! while it is built.

use std::collections::HashMap;

use traceorus_base::bytecode::{self as bc, Extra, Mode, Op};
use traceorus_base::chunk::{
    Chunk, Const, Function, LocVarInfo, NO_NAME, Sink, Stop, StrNum, Strings, UpvalInfo,
};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::{LResult, Throw};
use crate::debuginfo::line_of_word;
use crate::state::Global;
use crate::string::{str_bytes, str_val};
use crate::{dispatch, exec, shape, table, throw, verify};

/// Bytes of a register and of an upvalue pointer.
const REG: u16 = 16;
const UPVAL: u16 = 8;

/// Makes a closure of the chunk's main function; see [`Loader::finish`].
///
/// # Safety
/// [NATIVE-FRAME] `l` is the running thread; the caller makes the closure reachable before the next safepoint. The chunk
/// obeys the contract of `base::chunk`.
pub unsafe fn load_chunk(l: *mut Thread, chunk: &Chunk) -> LResult<Value> {
    fn feed(loader: &mut Loader, strings: &Strings, f: &Function) -> Result<(), Stop> {
        for inner in &f.functions {
            feed(loader, strings, inner)?;
        }
        let upvals = f.functions.iter().flat_map(|inner| &inner.upvals);
        let captures: Vec<UpvalInfo> = upvals.copied().collect();
        loader.function(strings, f, f.functions.len(), &captures)
    }
    if cfg!(debug_assertions)
        && let Err(e) = verify::verify(chunk)
    {
        panic!("{}: {e}", String::from_utf8_lossy(&chunk.source));
    }
    // SAFETY: as promised.
    unsafe {
        let mut loader = Loader::new(l, &chunk.source);
        // A failure is told by `finish`.
        let _ = feed(&mut loader, &chunk.strings, &chunk.main);
        loader.finish()
    }
}

/// Generous estimate of the memory that a function takes, without its strings and without those in it.
fn bytes_for(f: &Function) -> usize {
    // A template may need a shape per key, with its table of transitions.
    let shapes: usize = f
        .templates
        .iter()
        .map(|t| 64 + t.len() * (size_of::<Shape>() + 160))
        .sum();
    let upvals = f.upvals.len() * size_of::<UpvalDesc>();
    let locals = f.locvars.len() * size_of::<LocVar>();
    1024 + f.code.len() * 13 + f.consts.len() * 16 + upvals + locals + shapes
}

/// The same for a string.
fn bytes_for_string(s: &[u8]) -> usize {
    s.len() + 64
}

/// Builds the functions of one chunk as they come. [GC-LIVE] Prototypes that no other one holds are in `Global::loading`,
/// where the collector finds them; the strings that have been made are referred to by them.
pub struct Loader<'a> {
    l: *mut Thread,
    name: &'a [u8],
    /// The name as a string; null before the first function.
    source: *mut Str,
    /// The strings that have been made, by number; others are null or missing. Equal long strings in different functions
    /// are the same object, as programs can see by `%p`.
    made: Vec<*mut Str>,
    /// `Global::loading` below our prototypes.
    base: usize,
    failed: Option<Throw>,
}

impl Sink for Loader<'_> {
    fn function(
        &mut self,
        strings: &Strings,
        f: &Function,
        nested: usize,
        captures: &[UpvalInfo],
    ) -> Result<(), Stop> {
        self.made.resize(strings.len(), std::ptr::null_mut());
        let bytes = bytes_for(f) + self.bytes_for_strings(strings, f);
        // SAFETY: `new`'s caller vouches for the state and for what the front end makes; what was built before is rooted.
        unsafe {
            if let Err(e) = throw::reserve(self.l, bytes) {
                self.failed = Some(e);
                return Err(Stop);
            }
            let g = Global::of((*self.l).global);
            if self.source.is_null() {
                self.source = g.str_new(self.name);
            }
            let mut builder = Builder {
                g,
                strings,
                made: &mut self.made,
                source: self.source,
            };
            let p = builder.function(f, nested, captures);
            builder.g.loading.push(p);
        }
        Ok(())
    }
}

impl Drop for Loader<'_> {
    fn drop(&mut self) {
        // SAFETY: [GC-LIVE] the state is open as long as the loader is used.
        unsafe { Global::of((*self.l).global) }
            .loading
            .truncate(self.base);
    }
}

impl<'a> Loader<'a> {
    /// A loader of a chunk with this name.
    ///
    /// # Safety
    /// [NATIVE-FRAME] `l` is the running thread, and it runs nothing until the loader is dropped. The functions given obey
    /// the contract of `base::chunk`.
    pub unsafe fn new(l: *mut Thread, name: &'a [u8]) -> Loader<'a> {
        Loader {
            l,
            name,
            source: std::ptr::null_mut(),
            made: Vec::new(),
            // SAFETY: `l` is live.
            base: unsafe { Global::of((*l).global) }.loading.len(),
            failed: None,
        }
    }

    /// Bytes for the strings that a function needs, and for the name of the chunk.
    fn bytes_for_strings(&self, strings: &Strings, f: &Function) -> usize {
        let bytes = |n: StrNum| match self.made.get(n as usize) {
            Some(p) if p.is_null() => bytes_for_string(strings.name(n)),
            _ => 0,
        };
        let consts = f.consts.iter().map(|k| match *k {
            Const::Str(n) => bytes(n),
            _ => 0,
        });
        let upvals = f.upvals.iter().map(|u| bytes(u.name));
        let locvars = f.locvars.iter().map(|v| bytes(v.name));
        let name = if self.source.is_null() {
            bytes_for_string(self.name)
        } else {
            0
        };
        name + consts.chain(upvals).chain(locvars).sum::<usize>()
    }

    /// The closure of the main function, which was given last. Its first upvalue is a new cell with the globals table, the
    /// others hold nil. Raises "not enough memory", which may have stopped the loader before.
    ///
    /// # Safety
    /// The main function was given, or the loader has said [`Stop`]. The caller makes the closure reachable before the next
    /// safepoint.
    pub unsafe fn finish(mut self) -> LResult<Value> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        // SAFETY: as promised; the prototypes are rooted.
        unsafe {
            let g = Global::of((*self.l).global);
            debug_assert_eq!(g.loading.len(), self.base + 1);
            let p = g.loading[self.base];
            spread_readonly(p);
            if cfg!(debug_assertions)
                && let Err(e) = verify::verify(&chunk_of(p))
            {
                panic!("{}: {e}", String::from_utf8_lossy(self.name));
            }
            let n = (*p).nupvals as usize;
            throw::reserve(self.l, LuaClosure::size_for(n) + n * 64)?;
            let c = g.heap.alloc(ObjKind::LuaClosure, LuaClosure::size_for(n)) as *mut LuaClosure;
            (*c).hdr.extra = n as u8;
            (*c).pc = (*p).code.add(1);
            (*c).proto = p;
            (*p).ninstances = 1;
            let upvals = (c as *mut u8).add(LuaClosure::UPVALS) as *mut *mut Cell;
            for i in 0..n {
                let v = if i == 0 {
                    // C code may have put another table in this place
                    table::table_get_int(g.hot.registry, 2)
                } else {
                    Value::NIL
                };
                *upvals.add(i) = exec::new_cell(g, v, false);
            }
            Ok(Value::ptr(c, Tag::FUNCTION))
        }
    }
}

/// Tells the functions in `p` which of their upvalues are never assigned; its own are known.
///
/// # Safety
/// [GC-LIVE] `p` is live, its upvalues' numbers are in range.
unsafe fn spread_readonly(p: *mut Proto) {
    // SAFETY: as promised; runs are as long as the prototypes say.
    unsafe {
        for &inner in items((*p).protos, (*p).nprotos) {
            for i in 0..(*inner).nupvals as usize {
                let u = &mut *(*inner).upvals.add(i);
                if u.in_stack == 0 {
                    u.readonly = (*(*p).upvals.add(u.index as usize)).readonly;
                }
            }
            spread_readonly(inner);
        }
    }
}

/// Builds one function.
struct Builder<'a> {
    g: &'a mut Global,
    strings: &'a Strings,
    made: &'a mut Vec<*mut Str>,
    source: *mut Str,
}

impl Builder<'_> {
    /// A string of the chunk.
    ///
    /// # Safety
    /// Memory is reserved; no safepoint since the first string was made.
    unsafe fn string(&mut self, n: StrNum) -> *mut Str {
        let done = self.made[n as usize];
        if !done.is_null() {
            return done;
        }
        // SAFETY: memory is reserved.
        let s = unsafe { self.g.str_new(self.strings.name(n)) };
        self.made[n as usize] = s;
        s
    }

    /// A name; null if there is none.
    ///
    /// # Safety
    /// As [`Self::string`].
    unsafe fn name(&mut self, n: StrNum) -> *mut Str {
        if n == NO_NAME {
            return std::ptr::null_mut();
        }
        // SAFETY: as promised.
        unsafe { self.string(n) }
    }

    /// A new run of `n` items; null if there are none.
    ///
    /// # Safety
    /// Memory is reserved; `item` gives `n` items that the collector may find in the run.
    unsafe fn run<T: Copy>(
        &mut self,
        n: usize,
        mut item: impl FnMut(&mut Self, usize) -> T,
    ) -> *mut T {
        if n == 0 {
            return std::ptr::null_mut();
        }
        // SAFETY: a fresh run of the right size, which is written completely; runs are aligned for 8-byte words.
        unsafe {
            let p = self.g.heap.alloc_run(n * size_of::<T>()) as *mut T;
            for i in 0..n {
                p.add(i).write(item(self, i));
            }
            p
        }
    }

    /// Builds the prototype of a function around the last `nested` ones being loaded, whose upvalues are `captures`.
    ///
    /// # Safety
    /// Memory is reserved; no safepoint before the prototype is reachable.
    unsafe fn function(
        &mut self,
        f: &Function,
        nested: usize,
        mut captures: &[UpvalInfo],
    ) -> *mut Proto {
        // SAFETY: all parts are fresh or kept by the caller; the prototype is written completely.
        unsafe {
            let from = self.g.loading.len() - nested;
            let protos = self.run(nested, |b, i| b.g.loading[from + i]);
            self.g.loading.truncate(from);
            let inner = items(protos, nested as u32);
            for &p in inner {
                let (own, rest) = captures.split_at((*p).nupvals as usize);
                for (i, capture) in own.iter().enumerate() {
                    let u = &mut *(*p).upvals.add(i);
                    u.index = capture.index;
                    u.in_stack = capture.in_stack as u8;
                    u.readonly = capture.readonly as u8;
                }
                captures = rest;
            }
            let plain = f.consts.len();
            let nconsts = plain + f.templates.len();
            let consts = self.run(nconsts, |_, _| Value::NIL);
            for (i, k) in f.consts.iter().enumerate() {
                *consts.add(i) = self.constant(k);
            }
            for (i, t) in f.templates.iter().enumerate() {
                let shape = template(self.g, t, items(consts, plain as u32));
                *consts.add(plain + i) = Value::ptr(shape, Tag::SHAPE);
            }
            let ncode = f.code.len() + 1;
            let code = self.g.heap.alloc_run(ncode * size_of::<Instr>()) as *mut Instr;
            encode(
                f,
                items(consts, nconsts as u32),
                inner,
                Initial {
                    loops: self.g.hotloop,
                    function: self.g.hotcall,
                },
                std::slice::from_raw_parts_mut(code, ncode),
            );
            let upvals = self.run(f.upvals.len(), |b, i| {
                let u = &f.upvals[i];
                UpvalDesc {
                    name: b.name(u.name),
                    index: u.index,
                    in_stack: u.in_stack as u8,
                    readonly: u.readonly as u8,
                    attrib: u.attrib,
                    spare: 0,
                }
            });
            let locvars = self.run(f.locvars.len(), |b, i| {
                let v = &f.locvars[i];
                let name = b.name(v.name);
                LocVar::new(name, v.start_pc + 1, v.end_pc + 1, v.reg, v.boxed)
            });
            let (lines, wide) = self.lines(&f.lines);
            // Entry 0 is the header's.
            let live = self.run(ncode, |_, i| match i {
                0 => f.nparams,
                i => f.live[i - 1],
            });

            let p = self.g.heap.alloc(ObjKind::Proto, size_of::<Proto>()) as *mut Proto;
            (*p).code = code;
            (*p).ncode = ncode as u32;
            (*p).consts = consts;
            (*p).nconsts = nconsts as u32;
            (*p).protos = protos;
            (*p).nprotos = inner.len() as u32;
            (*p).upvals = upvals;
            (*p).nupvals = f.upvals.len() as u8;
            (*p).locvars = locvars;
            (*p).nlocvars = f.locvars.len() as u32;
            (*p).lines = lines;
            (*p).hdr.extra = wide as u8;
            (*p).live = live;
            (*p).source = self.source;
            (*p).line_defined = f.line_defined;
            (*p).last_line_defined = f.last_line_defined;
            (*p).nparams = f.nparams;
            (*p).is_vararg = f.is_vararg as u8;
            (*p).frame_size = f.frame_size;
            (*p).ninstances = 0;
            (*p).jit = 0;
            p
        }
    }

    /// The lines as [`Proto::lines`] has them, and whether they are wide. The header is on the line of the first word.
    ///
    /// # Safety
    /// Memory is reserved.
    unsafe fn lines(&mut self, lines: &[u32]) -> (*mut u8, bool) {
        if lines.is_empty() {
            return (std::ptr::null_mut(), false);
        }
        let ncode = lines.len() + 1;
        // The words of a block; the header is left out.
        let block = |i: usize| {
            let from = i * LINE_BLOCK;
            &lines[from.max(1) - 1..(from + LINE_BLOCK).min(ncode) - 1]
        };
        let blocks = (0..ncode.div_ceil(LINE_BLOCK)).map(block);
        let wide = blocks.clone().any(|lines| {
            let (min, max) = range(lines);
            max - min > u8::MAX.into()
        });
        // SAFETY: a fresh run of the right size, which is written completely.
        unsafe {
            let p = self.g.heap.alloc_run(Proto::lines_size(ncode, wide));
            if wide {
                p.cast::<u32>().write(lines[0]);
                std::ptr::copy_nonoverlapping(lines.as_ptr(), p.cast::<u32>().add(1), lines.len());
                return (p, wide);
            }
            let mut start = p.cast::<u32>();
            let mut byte = p.add(Proto::lines_size(ncode, wide) - ncode);
            byte.write((lines[0] - range(block(0)).0) as u8);
            byte = byte.add(1);
            for lines in blocks {
                let (min, _) = range(lines);
                start.write(min);
                start = start.add(1);
                for line in lines {
                    byte.write((line - min) as u8);
                    byte = byte.add(1);
                }
            }
            (p, wide)
        }
    }

    /// # Safety
    /// As [`Self::string`].
    unsafe fn constant(&mut self, k: &Const) -> Value {
        match *k {
            Const::Nil => Value::NIL,
            Const::Bool(b) => Value::bool(b),
            Const::Int(i) => Value::int(i),
            Const::Float(x) => Value::float(x),
            // SAFETY: as promised.
            Const::Str(s) => str_val(unsafe { self.string(s) }),
        }
    }
}

/// Smallest and largest line.
fn range(lines: &[u32]) -> (u32, u32) {
    let fold = |(min, max): (u32, u32), &l: &u32| (min.min(l), max.max(l));
    lines.iter().fold((u32::MAX, 0), fold)
}

/// The shape of a record template. Where the budget of shapes is spent it is a private one of dictionary kind that only
/// lists the keys.
unsafe fn template(g: &mut Global, keys: &[u32], consts: &[Value]) -> *mut Shape {
    let keys: Vec<*mut Str> = keys.iter().map(|&k| consts[k as usize].as_ptr()).collect();
    // SAFETY: [GC-LIVE] no safepoint while the chunk is being built; the keys are distinct short strings.
    unsafe {
        let s = shape::shape_for_template(g, &keys);
        if s.is_null() {
            return shape::shape_of_keys(g, &keys);
        }
        s
    }
}

/// What hot counters start with.
#[derive(Clone, Copy)]
struct Initial {
    loops: u16,
    function: u16,
}

/// Writes the executable words. The shapes of templates follow the constants.
fn encode(
    f: &Function,
    consts: &[Value],
    protos: &[*mut Proto],
    initial: Initial,
    code: &mut [Instr],
) {
    let shapes = &consts[f.consts.len()..];
    let mut at = 0;
    let mut push = |w: Instr| {
        code[at] = w;
        at += 1;
    };
    let (op, count) = if f.is_vararg {
        (Op::FuncV, bc::HEADER_VARARG)
    } else {
        (Op::FuncF, f.nparams.into())
    };
    push(bc::pack(
        dispatch::handler_of(op),
        initial.function,
        f.frame_size.into(),
        count,
    ));
    for (pc, op) in f.instructions() {
        let words = &f.code[pc..pc + op.words()];
        let info = op.info();
        // A `k` operand is the tag of the first further word.
        let tag = || match info.extra.first() {
            Some(Extra::Const) => consts[words[1] as usize].tag.0 as u16,
            _ => 0,
        };
        let mut operands = [bc::a(words[0]), bc::b(words[0]), bc::c(words[0])];
        for (v, mode) in operands.iter_mut().zip(info.modes) {
            *v = match mode {
                Mode::W | Mode::R | Mode::S => *v * REG,
                Mode::U => *v * UPVAL,
                Mode::K => tag(),
                Mode::X if op.counter().is_some() => initial.loops,
                Mode::None | Mode::X => 0,
                Mode::I | Mode::N | Mode::T | Mode::J | Mode::L | Mode::H => *v,
            };
        }
        push(bc::pack(
            dispatch::handler_of(op),
            operands[0],
            operands[1],
            operands[2],
        ));
        for (extra, &w) in info.extra.iter().zip(&words[1..]) {
            push(match extra {
                Extra::Const | Extra::Str => consts[w as usize].payload,
                Extra::Cache => 0,
                Extra::Proto => protos[w as usize] as u64,
                Extra::Template => shapes[w as usize].payload,
                Extra::Imm2 => w,
            });
        }
    }
}

// ---- back to a chunk -----------------------------------------------------------------------------------------

/// The chunk that a prototype was loaded from, with its function as main function.
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn chunk_of(p: *const Proto) -> Chunk {
    // SAFETY: [GC-LIVE] as promised.
    unsafe {
        let mut names = Names::default();
        let main = names.function_of(p);
        Chunk {
            source: str_bytes((*p).source).into(),
            strings: names.strings,
            main,
        }
    }
}

/// The items of a run.
unsafe fn items<'a, T>(p: *const T, n: u32) -> &'a [T] {
    if p.is_null() {
        return &[];
    }
    // SAFETY: the caller names a run of `n` items that stays while the slice is used.
    unsafe { std::slice::from_raw_parts(p, n as usize) }
}

/// Numbers strings.
#[derive(Default)]
struct Names {
    strings: Strings,
    numbers: HashMap<*mut Str, StrNum>,
}

impl Names {
    /// The number of a string, which is null for [`NO_NAME`].
    ///
    /// # Safety
    /// [GC-LIVE] null or live.
    unsafe fn number(&mut self, s: *mut Str) -> StrNum {
        if s.is_null() {
            return NO_NAME;
        }
        *self.numbers.entry(s).or_insert_with(|| {
            // SAFETY: [GC-LIVE] as promised.
            self.strings.push(unsafe { str_bytes(s) })
        })
    }

    /// # Safety
    /// [GC-LIVE] `p` is live.
    unsafe fn function_of(&mut self, p: *const Proto) -> Function {
        // SAFETY: [GC-LIVE] the prototype is live and its runs have the lengths it says; see `build`.
        unsafe {
            let all = items((*p).consts, (*p).nconsts);
            let plain = all
                .iter()
                .position(|v| v.tag == Tag::SHAPE)
                .unwrap_or(all.len());
            let (consts, shapes) = all.split_at(plain);
            let protos = items((*p).protos, (*p).nprotos);
            let by_value: HashMap<(u64, i32), u32> = consts
                .iter()
                .enumerate()
                .map(|(i, v)| ((v.payload, v.tag.0), i as u32))
                .collect();
            let number = |payload: u64, tag: Tag| {
                by_value.get(&(payload, tag.0)).copied().unwrap_or(u32::MAX)
            };
            let templates = shapes
                .iter()
                .map(|v| {
                    let s = v.as_ptr::<Shape>();
                    (0..(*s).nfields)
                        .map(|i| number(shape::shape_key_at(s, i) as u64, Tag::STRING))
                        .collect()
                })
                .collect();
            let code = items((*p).code, (*p).ncode);
            let mut f = Function {
                line_defined: (*p).line_defined,
                last_line_defined: (*p).last_line_defined,
                nparams: (*p).nparams,
                is_vararg: (*p).is_vararg != 0,
                frame_size: (*p).frame_size,
                code: Vec::with_capacity(code.len() - 1),
                lines: match (*p).lines.is_null() {
                    true => Vec::new(),
                    false => (1..code.len()).map(|i| line_of_word(p, i)).collect(),
                },
                live: items((*p).live, (*p).ncode)[1..].to_vec(),
                consts: consts.iter().map(|&v| self.const_of(v)).collect(),
                templates,
                functions: protos
                    .iter()
                    .map(|&inner| self.function_of(inner))
                    .collect(),
                upvals: Vec::new(),
                locvars: Vec::new(),
            };
            let mut pc = 1;
            while pc < code.len() {
                let op = dispatch::op_of(bc::op_field(code[pc]));
                let words = &code[pc..pc + op.words()];
                let info = op.info();
                let mut operands = [bc::a(words[0]), bc::b(words[0]), bc::c(words[0])];
                let mut tag = Tag::NIL;
                for (v, mode) in operands.iter_mut().zip(info.modes) {
                    *v = match mode {
                        Mode::W | Mode::R | Mode::S => *v / REG,
                        Mode::U => *v / UPVAL,
                        Mode::K => {
                            tag = Tag(*v as i16 as i32);
                            0
                        }
                        Mode::None | Mode::X => 0,
                        Mode::I | Mode::N | Mode::T | Mode::J | Mode::L | Mode::H => *v,
                    };
                }
                f.code
                    .push(bc::pack(op as u16, operands[0], operands[1], operands[2]));
                for (extra, &w) in info.extra.iter().zip(&words[1..]) {
                    f.code.push(match extra {
                        Extra::Const => number(w, tag).into(),
                        Extra::Str => number(w, Tag::STRING).into(),
                        Extra::Cache => 0,
                        Extra::Proto => protos
                            .iter()
                            .position(|&q| q as u64 == w)
                            .map_or(u64::MAX, |i| i as u64),
                        Extra::Template => shapes
                            .iter()
                            .position(|v| v.payload == w)
                            .map_or(u64::MAX, |i| i as u64),
                        Extra::Imm2 => w,
                    });
                }
                pc += op.words();
            }
            for u in items((*p).upvals, (*p).nupvals.into()) {
                f.upvals.push(UpvalInfo {
                    name: self.number(u.name),
                    in_stack: u.in_stack != 0,
                    index: u.index,
                    readonly: u.readonly != 0,
                    attrib: u.attrib,
                });
            }
            for v in items((*p).locvars, (*p).nlocvars) {
                f.locvars.push(LocVarInfo {
                    name: self.number(v.name()),
                    start_pc: v.start_pc - 1,
                    end_pc: v.end_pc - 1,
                    reg: v.reg(),
                    boxed: v.boxed(),
                });
            }
            f
        }
    }

    /// # Safety
    /// [GC-LIVE] a constant of a live prototype.
    unsafe fn const_of(&mut self, v: Value) -> Const {
        match v.tag {
            Tag::INT => Const::Int(v.as_int()),
            Tag::FLOAT => Const::Float(v.as_float()),
            Tag::TRUE | Tag::FALSE => Const::Bool(v.tag == Tag::TRUE),
            // SAFETY: [GC-LIVE] as promised.
            Tag::STRING => Const::Str(unsafe { self.number(v.as_ptr()) }),
            _ => Const::Nil,
        }
    }
}

#[cfg(test)]
mod tests;
