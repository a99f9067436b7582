//! Binary chunks (`string.dump`, `load`).
//!
//! ```text
//! ESC "Lua"  54 00  19 93 0D 0A 1A 0A  04 08 08  5678h as i64  370.5 as f64      as PUC's 5.4
//! number of upvalues (byte)                                                      as PUC's
//! 00 VERSION   no PUC chunk has 0 here: its next item is a size, which never begins with a zero group
//! source, strings, main function
//! ```
//! What follows is an encoding of [`Chunk`] in op numbers and constant numbers, never of executing words: integers are
//! LEB128 (signed ones zigzag), strings are length and bytes, and their number plus
//! one (0: no name) wherever they are used, lines are differences. Operands that the loader fills in (caches,
//! counters, constants' tags) are not stored. Whatever decodes is verified before it is given out.

use traceorus_base::bytecode::{self as bc, Extra, Mode, Op};
use traceorus_base::chunk::{
    Chunk, Const, Function, LocVarInfo, NO_NAME, StrNum, Strings, UpvalInfo,
};
use traceorus_base::objects::Proto;

use crate::{load, verify};

/// First byte of a binary chunk.
pub const SIGNATURE: u8 = 0x1b;
/// Version of our own part.
const VERSION: u8 = 3;
const MAGIC: &[u8] = b"\x1bLua";
const PUC_VERSION: u8 = 0x54;
const PUC_FORMAT: u8 = 0;
const PUC_DATA: &[u8] = b"\x19\x93\r\n\x1a\n";
const PUC_INT: i64 = 0x5678;
const PUC_NUM: f64 = 370.5;
/// Source of a chunk without debug information.
const NO_SOURCE: &[u8] = b"=?";

/// The binary chunk of a Lua function.
///
/// # Safety
/// [GC-LIVE] `proto` is live.
pub unsafe fn dump(proto: *const Proto, strip: bool) -> Vec<u8> {
    // SAFETY: as promised.
    let mut chunk = unsafe { load::chunk_of(proto) };
    if strip {
        self::strip(&mut chunk);
    }
    encode(&chunk)
}

/// Removes debug information, and with it the strings that are only names.
pub fn strip(chunk: &mut Chunk) {
    fn bare(f: &mut Function) {
        f.lines.clear();
        f.locvars.clear();
        f.upvals.iter_mut().for_each(|u| u.name = NO_NAME);
        f.functions.iter_mut().for_each(bare);
    }
    chunk.source = NO_SOURCE.into();
    bare(&mut chunk.main);
    chunk.compact();
}

/// The chunk in `bytes`, verified. `name` is the chunk name that `load` was given; it only appears in the error message,
/// which is complete.
pub fn undump(bytes: &[u8], name: &[u8]) -> Result<Chunk, String> {
    let named = |why: String| {
        let shown = match name {
            [b'@' | b'=', rest @ ..] => rest,
            [SIGNATURE, ..] => b"binary string",
            _ => name,
        };
        format!(
            "{}: bad binary format ({why})",
            String::from_utf8_lossy(shown)
        )
    };
    let chunk = Reader { rest: bytes }
        .chunk()
        .map_err(|e| named(e.text()))?;
    verify::verify(&chunk).map_err(named)?;
    Ok(chunk)
}

// ---- writing -------------------------------------------------------------------------------------------------

/// Encodes a chunk as it is.
pub fn encode(chunk: &Chunk) -> Vec<u8> {
    let mut w = Writer {
        out: MAGIC.to_vec(),
    };
    w.out.extend_from_slice(&[PUC_VERSION, PUC_FORMAT]);
    w.out.extend_from_slice(PUC_DATA);
    w.out.extend_from_slice(&[4, 8, 8]);
    w.out.extend_from_slice(&PUC_INT.to_le_bytes());
    w.out.extend_from_slice(&PUC_NUM.to_le_bytes());
    w.out
        .extend_from_slice(&[chunk.main.upvals.len() as u8, 0, VERSION]);
    w.bytes(&chunk.source);
    w.uint(chunk.strings.len() as u64);
    chunk.strings.iter().for_each(|s| w.bytes(s));
    w.function(&chunk.main);
    w.out
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn byte(&mut self, b: u8) {
        self.out.push(b);
    }
    fn uint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.out.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }
    fn int(&mut self, n: i64) {
        self.uint((n << 1 ^ n >> 63) as u64);
    }
    fn bytes(&mut self, b: &[u8]) {
        self.uint(b.len() as u64);
        self.out.extend_from_slice(b);
    }
    fn string(&mut self, n: StrNum) {
        self.uint(n.wrapping_add(1).into());
    }

    fn function(&mut self, f: &Function) {
        self.uint(f.line_defined.into());
        self.uint(f.last_line_defined.into());
        self.byte(f.nparams);
        self.byte(f.is_vararg as u8 | (!f.lines.is_empty() as u8) << 1);
        self.byte(f.frame_size);
        self.uint(f.upvals.len() as u64);
        for u in &f.upvals {
            self.string(u.name);
            self.byte(u.in_stack as u8 | (u.readonly as u8) << 1 | u.attrib << 2);
            self.byte(u.index);
        }
        self.uint(f.consts.len() as u64);
        for k in &f.consts {
            self.constant(k);
        }
        self.uint(f.templates.len() as u64);
        for t in &f.templates {
            self.uint(t.len() as u64);
            for &k in t {
                self.uint(k.into());
            }
        }
        self.uint(f.instructions().count() as u64);
        let mut line = f.line_defined;
        for (pc, op) in f.instructions() {
            self.instruction(&f.code[pc..pc + op.words()], op);
            self.byte(f.live[pc]);
            if let Some(&l) = f.lines.get(pc) {
                self.int(i64::from(l) - i64::from(line));
                line = l;
            }
        }
        self.uint(f.locvars.len() as u64);
        for v in &f.locvars {
            self.string(v.name);
            self.uint(v.start_pc.into());
            self.uint(v.end_pc.into());
            self.byte(v.reg);
            self.byte(v.boxed as u8);
        }
        self.uint(f.functions.len() as u64);
        for inner in &f.functions {
            self.function(inner);
        }
    }

    fn constant(&mut self, k: &Const) {
        match k {
            Const::Nil => self.byte(0),
            Const::Bool(false) => self.byte(1),
            Const::Bool(true) => self.byte(2),
            Const::Int(i) => {
                self.byte(3);
                self.int(*i);
            }
            Const::Float(x) => {
                self.byte(4);
                self.out.extend_from_slice(&x.to_bits().to_le_bytes());
            }
            Const::Str(s) => {
                self.byte(5);
                self.string(*s);
            }
        }
    }

    fn instruction(&mut self, words: &[u64], op: Op) {
        let w = words[0];
        self.byte(op as u8);
        for (mode, v) in op.info().modes.iter().zip([bc::a(w), bc::b(w), bc::c(w)]) {
            match mode {
                Mode::W | Mode::R | Mode::S | Mode::U | Mode::N | Mode::T => self.uint(v.into()),
                Mode::I | Mode::J => self.int((v as i16).into()),
                Mode::L => self.int(bc::jump32(w)),
                Mode::None | Mode::K | Mode::X | Mode::H => {}
            }
        }
        for (extra, &w) in op.info().extra.iter().zip(&words[1..]) {
            match extra {
                Extra::Const | Extra::Str | Extra::Proto | Extra::Template => self.uint(w),
                Extra::Imm2 => {
                    self.uint(w & 0xffff_ffff);
                    self.uint(w >> 32);
                }
                Extra::Cache => {}
            }
        }
    }
}

const _: () = assert!(Op::ALL.len() < 256, "an op is one byte here");

// ---- reading -------------------------------------------------------------------------------------------------

#[derive(Debug)]
enum Bad {
    Truncated,
    Format(&'static str),
}

impl Bad {
    fn text(&self) -> String {
        match self {
            Bad::Truncated => "truncated chunk".into(),
            Bad::Format(s) => (*s).into(),
        }
    }
}

type Read<T> = Result<T, Bad>;
const CORRUPT: Bad = Bad::Format("corrupted chunk");

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Bad::Truncated)?;
        self.rest = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut a = [0; N];
        a.copy_from_slice(self.take(N)?);
        Ok(a)
    }
    fn byte(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }
    fn uint(&mut self) -> Read<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            let part = u64::from(b & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            n |= part << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(Bad::Format("integer overflow"))
    }
    fn int(&mut self) -> Read<i64> {
        let n = self.uint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }
    fn u32(&mut self) -> Read<u32> {
        u32::try_from(self.uint()?).map_err(|_| Bad::Format("integer overflow"))
    }
    fn u16(&mut self) -> Read<u16> {
        u16::try_from(self.uint()?).map_err(|_| Bad::Format("integer overflow"))
    }
    fn bytes(&mut self) -> Read<&'a [u8]> {
        let n = usize::try_from(self.uint()?).map_err(|_| Bad::Truncated)?;
        self.take(n)
    }
    /// The number of a string or [`NO_NAME`]. Whether it is there is for the verifier.
    fn string(&mut self) -> Read<StrNum> {
        Ok(self.u32()?.wrapping_sub(1))
    }
    /// `n` items, each of which takes at least a byte.
    fn many<T>(&mut self, mut item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let n = self.uint()?;
        let room = (n as usize).min(self.rest.len());
        let mut v = Vec::with_capacity(room.min(4096));
        for _ in 0..n {
            v.push(item(self)?);
        }
        Ok(v)
    }
    fn literal(&mut self, expected: &[u8], why: &'static str) -> Read<()> {
        if self.take(expected.len())? == expected {
            Ok(())
        } else {
            Err(Bad::Format(why))
        }
    }

    fn chunk(mut self) -> Read<Chunk> {
        self.literal(MAGIC, "not a binary chunk")?;
        self.literal(&[PUC_VERSION], "version mismatch")?;
        self.literal(&[PUC_FORMAT], "format mismatch")?;
        self.literal(PUC_DATA, "corrupted chunk")?;
        self.literal(&[4], "Instruction size mismatch")?;
        self.literal(&[8], "lua_Integer size mismatch")?;
        self.literal(&[8], "lua_Number size mismatch")?;
        self.literal(&PUC_INT.to_le_bytes(), "integer format mismatch")?;
        self.literal(&PUC_NUM.to_le_bytes(), "float format mismatch")?;
        let nups = self.byte()?;
        self.literal(
            &[0],
            "made by another Lua implementation; load its source instead",
        )?;
        self.literal(&[VERSION], "made by another version of this program")?;
        let source = self.bytes()?.into();
        let mut strings = Strings::default();
        for _ in 0..self.u32()? {
            strings.push(self.bytes()?);
        }
        let main = self.function(0)?;
        if main.upvals.len() != nups as usize {
            return Err(CORRUPT);
        }
        Ok(Chunk {
            source,
            strings,
            main,
        })
    }

    fn function(&mut self, depth: usize) -> Read<Function> {
        if depth > verify::MAX_DEPTH {
            return Err(Bad::Format("functions nested too deeply"));
        }
        let mut f = Function {
            line_defined: self.u32()?,
            last_line_defined: self.u32()?,
            ..Function::default()
        };
        f.nparams = self.byte()?;
        let flags = self.byte()?;
        f.is_vararg = flags & 1 != 0;
        let has_lines = flags & 2 != 0;
        f.frame_size = self.byte()?;
        f.upvals = self.many(Self::upvalue)?;
        f.consts = self.many(Self::constant)?;
        f.templates = self.many(|r| r.many(Self::u32))?;
        let n = self.uint()?;
        let mut line = f.line_defined;
        for _ in 0..n {
            self.instruction(&mut f.code)?;
            let live = self.byte()?;
            f.live.resize(f.code.len(), live);
            if has_lines {
                line = u32::try_from(i64::from(line).saturating_add(self.int()?))
                    .map_err(|_| CORRUPT)?;
                f.lines.resize(f.code.len(), line);
            }
        }
        f.locvars = self.many(Self::local)?;
        f.functions = self.many(|r| r.function(depth + 1))?;
        Ok(f)
    }

    fn upvalue(&mut self) -> Read<UpvalInfo> {
        let name = self.string()?;
        let flags = self.byte()?;
        let index = self.byte()?;
        Ok(UpvalInfo {
            name,
            in_stack: flags & 1 != 0,
            readonly: flags & 2 != 0,
            attrib: flags >> 2,
            index,
        })
    }

    fn local(&mut self) -> Read<LocVarInfo> {
        let name = self.string()?;
        Ok(LocVarInfo {
            name,
            start_pc: self.u32()?,
            end_pc: self.u32()?,
            reg: self.byte()?,
            boxed: self.byte()? != 0,
        })
    }

    fn constant(&mut self) -> Read<Const> {
        Ok(match self.byte()? {
            0 => Const::Nil,
            1 => Const::Bool(false),
            2 => Const::Bool(true),
            3 => Const::Int(self.int()?),
            4 => Const::Float(f64::from_bits(u64::from_le_bytes(self.array()?))),
            5 => Const::Str(self.string()?),
            _ => return Err(CORRUPT),
        })
    }

    fn instruction(&mut self, code: &mut Vec<u64>) -> Read<()> {
        let op = Op::from_u16(self.byte()?.into()).ok_or(CORRUPT)?;
        let mut operands = [0u16; 3];
        for (i, mode) in op.info().modes.iter().enumerate() {
            match mode {
                Mode::W | Mode::R | Mode::S | Mode::U | Mode::N | Mode::T => {
                    operands[i] = self.u16()?
                }
                Mode::I | Mode::J => {
                    operands[i] = i16::try_from(self.int()?).map_err(|_| CORRUPT)? as u16
                }
                Mode::L => {
                    let distance = i32::try_from(self.int()?).map_err(|_| CORRUPT)? as u32;
                    operands[i] = distance as u16;
                    operands[i + 1] = (distance >> 16) as u16;
                }
                Mode::None | Mode::K | Mode::X | Mode::H => {}
            }
        }
        code.push(bc::pack(op as u16, operands[0], operands[1], operands[2]));
        for extra in op.info().extra {
            code.push(match extra {
                Extra::Const | Extra::Str | Extra::Proto | Extra::Template => self.uint()?,
                Extra::Imm2 => u64::from(self.u32()?) | u64::from(self.u32()?) << 32,
                Extra::Cache => 0,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
